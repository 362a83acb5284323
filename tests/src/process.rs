//! Children that die with us.

use std::{
    io::{BufRead, BufReader, Write},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};

/// A child with a process group of its own (the terminal's Ctrl-C does not reach it), killed when dropped.
#[derive(Debug)]
pub struct Owned {
    child: Child,
}

/// Starts `command`; it gets `on_our_death` if the starting thread ends first.
///
/// # Errors
/// The program can't be executed.
pub fn spawn(command: &mut Command, on_our_death: Signal) -> Result<Owned> {
    command.process_group(0);
    spawn_in_group(command, on_our_death)
}

/// The same, in our own process group: it may use the terminal.
///
/// # Errors
/// As [`spawn`].
pub fn spawn_in_group(command: &mut Command, on_our_death: Signal) -> Result<Owned> {
    let hook = move || {
        set_parent_process_death_signal(Some(on_our_death))?;
        unblock_signals()
    };
    // SAFETY: between fork and exec only prctl and sigprocmask are called.
    unsafe { command.pre_exec(hook) };
    let child = command.spawn().with_context(|| format!("start {}", Path::new(command.get_program()).display()))?;
    Ok(Owned { child })
}

/// The signal mask is inherited by exec, and we block what [`crate::signal`] waits for.
fn unblock_signals() -> std::io::Result<()> {
    // SAFETY: the set is initialised by sigemptyset before its use; the old mask is not asked for.
    let failed = unsafe {
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut())
    };
    if failed == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

impl Owned {
    /// Process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Takes both ends of a conversation.
    ///
    /// # Errors
    /// It was not started with pipes.
    pub fn pipes(&mut self) -> Result<(ChildStdin, BufReader<ChildStdout>)> {
        let stdin = self.child.stdin.take().context("no pipe to the child")?;
        let stdout = self.child.stdout.take().context("no pipe from the child")?;
        Ok((stdin, BufReader::new(stdout)))
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        if let Some(pid) = i32::try_from(self.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, signal);
        }
    }

    /// Exit code if it has ended (-1: by a signal).
    pub fn ended(&mut self) -> Option<i32> {
        self.child.try_wait().ok().flatten().map(|status| status.code().unwrap_or(-1))
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// It still runs after `limit`.
    pub fn wait(&mut self, limit: Duration) -> Result<i32> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(code) = self.ended() {
                return Ok(code);
            }
            if Instant::now() > deadline {
                bail!("process {} has not ended after {limit:?}", self.id());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A child of ours that answers each line with a line.
#[derive(Debug)]
pub struct Talker {
    /// The process.
    pub process: Owned,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Talker {
    /// Starts our own program's internal command `role`.
    ///
    /// # Errors
    /// As [`spawn`].
    pub fn start(role: &str) -> Result<Self> {
        Self::start_as(&std::env::current_exe()?, role)
    }

    /// The same by a link to our program, whose name the process gets.
    ///
    /// # Errors
    /// As [`spawn`].
    pub fn start_as(program: &Path, role: &str) -> Result<Self> {
        let mut command = Command::new(program);
        command.args(["internal", role]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = spawn(&mut command, Signal::KILL)?;
        let (input, output) = process.pipes()?;
        Ok(Self { process, input, output })
    }

    /// Says a line and returns the answer.
    ///
    /// # Errors
    /// The child has ended: its standard error says why.
    pub fn say(&mut self, line: &str) -> Result<String> {
        writeln!(self.input, "{line}").context("talk to a child")?;
        let mut answer = String::new();
        if self.output.read_line(&mut answer)? == 0 {
            bail!("a helper process of the lab has ended; its message is above");
        }
        Ok(answer.trim_end().to_owned())
    }

    /// The rest of what it says.
    pub fn into_parts(self) -> (Owned, ChildStdin, BufReader<ChildStdout>) {
        (self.process, self.input, self.output)
    }
}
