//! `exec` as containerd and runc make it for the kubelet: a helper `runc … exec --process FILE --detach --pid-file FILE
//! ID` starts the command in the container's cgroup and ends; the runtime waits, and kills at the time-out
//! (containerd: container_execsync.go:execInternal).

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
    process::{ChildStdout, Command as Program, Stdio},
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rustix::{
    event::PollFlags,
    process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, pidfd_open, pidfd_send_signal, waitid},
};

use super::{End, Tried, dial::wait};
use crate::{clock, plan::Outcome, runc::ProcessSpec};

/// What to run where.
#[derive(Clone, Copy, Debug)]
pub struct Command<'a> {
    /// The probe's command.
    pub argv: &'a [String],
    /// Container.
    pub container_id: &'a str,
    /// See [`crate::plan::Handler::Exec`].
    pub cgroup_procs: &'a [PathBuf],
}

static NUMBER: AtomicU64 = AtomicU64::new(0);

/// One try. A command that can't be started is an error, which the kubelet tries again.
pub fn probe(state: &Path, command: &Command<'_>, timeout: Duration) -> Tried {
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let files = Files {
        spec: state.join(format!("runc-process{number}")),
        pid: state.join(format!("{number}.pid")),
        log: state.join(format!("{number}.log")),
    };
    let spec = ProcessSpec { args: command.argv.to_vec(), cgroup_procs: command.cgroup_procs.to_vec() };
    let written = serde_json::to_vec(&spec).map_err(Into::into).and_then(|spec| Ok(fs::write(&files.spec, spec)?));
    let began_ns = clock::mono_ns();
    match written.and_then(|()| run(state, &files, command, timeout)) {
        Ok((end, ended_ns)) => Tried { end, began_ns, ended_ns },
        Err(error) => {
            let end = End::new(Outcome::Error, format!("rpc error: code = Unknown desc = {error:#}"));
            Tried { end, began_ns, ended_ns: clock::mono_ns() }
        }
    }
}

fn run(state: &Path, files: &Files, command: &Command<'_>, timeout: Duration) -> Result<(End, u64)> {
    let (pid, mut output) = start(state, files, command)?;
    let exited = pidfd_open(pid, PidfdFlags::empty()).context("pidfd_open")?;
    let in_time = wait(&exited, PollFlags::IN, Instant::now() + timeout);
    if !in_time {
        let _ = pidfd_send_signal(&exited, Signal::KILL);
    }
    let status = loop {
        match waitid(WaitId::Pid(pid), WaitIdOptions::EXITED) {
            Ok(status) => break status,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => bail!("wait for the command: {error}"),
        }
    };
    // containerd answers once the pipe is at its end: a child that keeps it open delays the answer.
    let mut text = Vec::new();
    let _ = output.by_ref().take(10 * 1024).read_to_end(&mut text);
    let _ = std::io::copy(&mut output, &mut std::io::sink());
    let ended_ns = clock::mono_ns();
    let text = String::from_utf8_lossy(&text).into_owned();
    if !in_time {
        let end = End::new(Outcome::Timeout, format!("command {:?} timed out", command.argv.join(" ")));
        return Ok((end, ended_ns));
    }
    let passed = status.and_then(|status| status.exit_status()) == Some(0);
    Ok((End::new(if passed { Outcome::Success } else { Outcome::Failure }, text), ended_ns))
}

struct Files {
    spec: PathBuf,
    pid: PathBuf,
    log: PathBuf,
}

impl Drop for Files {
    fn drop(&mut self) {
        for file in [&self.spec, &self.pid, &self.log] {
            let _ = fs::remove_file(file);
        }
    }
}

fn start(state: &Path, files: &Files, command: &Command<'_>) -> Result<(Pid, ChildStdout)> {
    let mut helper = Program::new(state.join("bin/runc"))
        .arg("--root")
        .arg(state)
        .arg("--log")
        .arg(&files.log)
        .args(["--log-format", "json", "exec", "--process"])
        .arg(&files.spec)
        .args(["--detach", "--pid-file"])
        .arg(&files.pid)
        .arg(command.container_id)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("failed to start runc")?;
    let output = helper.stdout.take().context("helper's output")?;
    if !helper.wait().context("wait for runc")?.success() {
        let why = fs::read_to_string(&files.log).unwrap_or_default();
        bail!("failed to exec in container: {}", why.trim());
    }
    let text = fs::read_to_string(&files.pid).context("pid file")?;
    let pid = text.trim().parse().ok().and_then(Pid::from_raw).context("pid file")?;
    Ok((pid, output))
}
