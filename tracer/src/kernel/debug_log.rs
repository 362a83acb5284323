//! `run --kernel-log`: what the kernel programs log, into our own log. Only with the build feature of that name.

use std::{
    io,
    os::fd::AsFd,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

use aya::Ebpf;
use aya_log::{EbpfLogger, Level};
use rustix::{
    event::{PollFd, PollFlags, poll},
    time::Timespec,
};

use super::error::{StartError, chain};

/// The global that says what is logged.
pub(super) const LEVEL: &str = aya_log::LEVEL;
/// All of it, or nothing.
pub(super) const LEVELS: [&u8; 2] = [&(Level::Debug as u8), &0];
/// Longest time until a stop is seen.
const WAIT: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// The reader's thread; it ends with this value.
pub(super) struct DebugLog {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl DebugLog {
    /// Takes the log's ring from the object.
    ///
    /// # Errors
    /// The object was built without it, or no thread.
    pub fn start(ebpf: &mut Ebpf) -> Result<Self, StartError> {
        let mut logger =
            EbpfLogger::init_with_logger(ebpf, ToTracing).map_err(|error| StartError::Load(chain(&error)))?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let work = move || {
            loop {
                let last = stopped.load(Ordering::Relaxed);
                logger.flush();
                if last || wait(&logger).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("kernel-log".to_owned()).spawn(work);
        let thread = thread.map_err(|error: io::Error| StartError::Load(chain(&error)))?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

fn wait(logger: &impl AsFd) -> rustix::io::Result<()> {
    match poll(&mut [PollFd::new(&logger.as_fd(), PollFlags::IN)], Some(&WAIT)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error),
    }
}

impl Drop for DebugLog {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the kernel log's thread ended by a panic");
        }
    }
}

/// aya-log speaks `log`, we speak `tracing`. What the user asked for is shown at the level that is on by default.
struct ToTracing;

impl log::Log for ToTracing {
    fn enabled(&self, _metadata: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        tracing::info!("kernel: {}: {}", record.target(), record.args());
    }

    fn flush(&self) {}
}
