//! Ctrl-C and SIGTERM end the lab the way its end does: with everything removed.

use std::thread;

use anyhow::Result;

const ENDING: [i32; 3] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP];

fn set() -> libc::sigset_t {
    // SAFETY: a zeroed sigset_t is valid for sigemptyset, which initialises it.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        for signal in ENDING {
            libc::sigaddset(&raw mut set, signal);
        }
        set
    }
}

/// Blocks the ending signals in this thread and those it starts; call it first in main.
pub fn block() {
    let set = set();
    // SAFETY: `set` is initialised; the old mask is not asked for.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) };
}

/// Calls `end` with the number of the first such signal, in a thread of its own.
///
/// # Errors
/// No thread.
pub fn on_end(end: impl FnOnce(i32) + Send + 'static) -> Result<()> {
    thread::Builder::new().name("signals".into()).spawn(move || {
        let set = set();
        let mut signal = 0;
        // SAFETY: both point to live values of the right type.
        if unsafe { libc::sigwait(&raw const set, &raw mut signal) } == 0 {
            end(signal);
        }
    })?;
    Ok(())
}
