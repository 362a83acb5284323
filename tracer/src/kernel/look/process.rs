//! A process and its threads from /proc, and who holds a socket.

mod holders;

pub use holders::{Holders, find_holders};

use std::{io, os::unix::fs::MetadataExt as _};

use crate::{
    observation::{ProcessState, ThreadState},
    proc_dir::{self, ProcDir},
};

const MAX_THREADS: usize = 64;
const MAX_FRAMES: usize = 16;
/// Open files are counted to here where the kernel does not count them itself (before 6.2).
const MAX_FDS_COUNTED: usize = 65_536;

/// All of a process; an error where it is gone.
pub fn read(proc: &ProcDir, pid: u32) -> io::Result<ProcessState> {
    let stat = proc.stat(pid)?;
    let status = proc.read(format!("{pid}/status")).unwrap_or_default();
    let tracer = status.lines().find_map(|line| line.strip_prefix("TracerPid:")?.trim().parse().ok());
    let (tids, threads_cut) = proc.threads(pid, MAX_THREADS);
    Ok(ProcessState {
        pid,
        start_boot_ns: proc_dir::start_boot_ns(&stat),
        threads: tids.into_iter().filter_map(|tid| thread(proc, pid, tid)).collect(),
        threads_cut,
        tracer_pid: tracer.unwrap_or(0),
        fds: fds(proc, pid),
        cpu_ns: proc_dir::ticks_to_ns(stat.utime.saturating_add(stat.stime)),
        comm: stat.comm,
    })
}

fn thread(proc: &ProcDir, pid: u32, tid: u32) -> Option<ThreadState> {
    let file = |name: &str| proc.read(format!("{pid}/task/{tid}/{name}"));
    let state = proc_dir::parse_stat(&file("stat").ok()?).ok()?.state;
    // "0": running, or not ours to know (fs/proc/base.c: proc_pid_wchan).
    let wchan = file("wchan").unwrap_or_default().trim().to_owned();
    // "on_cpu run_delay slices", ns (proc_pid_schedstat); all 0 where the kernel does not count.
    let schedstat = file("schedstat").unwrap_or_default();
    let mut totals = schedstat.split_ascii_whitespace().map(|word| word.parse().unwrap_or(0));
    Some(ThreadState {
        tid,
        state,
        wchan: if wchan == "0" { String::new() } else { wchan },
        on_cpu_ns: totals.next().unwrap_or(0),
        run_delay_ns: totals.next().unwrap_or(0),
        stack: if state == 'D' { frames(&file("stack").unwrap_or_default()) } else { Vec::new() },
    })
}

/// `[<0>] io_schedule+0x46/0x80` as `io_schedule`, innermost first.
fn frames(stack: &str) -> Vec<String> {
    let name = |line: &str| Some(line.split_once("] ")?.1.split('+').next()?.trim().to_owned());
    stack.lines().filter_map(name).filter(|name| !name.starts_with("0xffff")).take(MAX_FRAMES).collect()
}

/// Open files and the soft limit.
fn fds(proc: &ProcDir, pid: u32) -> Option<(u32, u64)> {
    let limits = proc.read(format!("{pid}/limits")).ok()?;
    let soft = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?.split_ascii_whitespace().next()?;
    let limit = if soft == "unlimited" { u64::MAX } else { soft.parse().ok()? };
    let folder = proc.path(format!("{pid}/fd"));
    // From 6.2 on the folder's size is the count (fs/proc/fd.c: proc_readfd_count).
    let counted = std::fs::metadata(&folder).ok()?.size();
    let open =
        if counted > 0 { counted } else { std::fs::read_dir(&folder).ok()?.take(MAX_FDS_COUNTED).count() as u64 };
    Some((u32::try_from(open).unwrap_or(u32::MAX), limit))
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_stopped_process_is_seen_as_stopped() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().expect("cat");
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, rustix::process::Signal::STOP).expect("stop");
        rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::UNTRACED).expect("stopped");
        let state = read(&ProcDir::default(), child.id()).expect("state");
        assert_eq!((state.threads.len(), state.threads_cut, state.tracer_pid), (1, false, 0));
        assert_eq!(state.threads[0].state, 'T');
        assert!(state.start_boot_ns > 0 && state.fds.expect("fds").0 >= 3);
        child.kill().expect("kill");
        child.wait().expect("wait");
        assert!(read(&ProcDir::default(), child.id()).is_err());
    }

    #[test]
    fn our_own_threads_have_run() {
        let state = read(&ProcDir::default(), std::process::id()).expect("state");
        assert!(state.threads.iter().any(|thread| thread.on_cpu_ns > 0), "{state:?}");
        assert!(state.fds.expect("fds").1 > 0);
    }

    #[test]
    fn stacks_are_names() {
        let text = "[<0>] io_schedule+0x46/0x80\n[<ffffffff8101>] do_read+0x1/0x2 [ext4]\n[<ffffffffffffffff>] 0xffffffffffffffff\n";
        assert_eq!(frames(text), ["io_schedule", "do_read"]);
        assert!(frames("rubbish").is_empty());
    }
}
