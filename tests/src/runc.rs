//! Stand-in for `runc exec --detach`: our own binary under that name. It joins the container's cgroups, executes the
//! command and leaves it to the prober, which is the subreaper that containerd's shim is.

use std::{
    fs,
    io::Write,
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Command, ExitCode},
};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

/// The file of `--process`.
#[derive(Debug, Serialize, Deserialize)]
pub struct ProcessSpec {
    /// Command.
    pub args: Vec<String>,
    /// Real runc knows these from the container's state.
    pub cgroup_procs: Vec<PathBuf>,
}

/// The whole program.
pub fn main(argv: &[String]) -> ExitCode {
    let value = |name: &str| argv.iter().position(|word| word == name).and_then(|at| argv.get(at + 1));
    let Err(error) = start(value("--process"), value("--pid-file")) else { return ExitCode::SUCCESS };
    if let Some(Ok(mut log)) = value("--log").map(fs::File::create) {
        let _ = writeln!(log, "OCI runtime exec failed: exec failed: {error:#}");
    }
    ExitCode::FAILURE
}

fn start(spec: Option<&String>, pid_file: Option<&String>) -> Result<()> {
    let (Some(spec), Some(pid_file)) = (spec, pid_file) else {
        bail!("usage: runc exec --process FILE --pid-file FILE")
    };
    let spec: ProcessSpec = serde_json::from_slice(&fs::read(spec)?)?;
    let (program, args) = spec.args.split_first().context("empty command")?;
    let mut command = Command::new(program);
    command.args(args);
    let cgroup_procs = spec.cgroup_procs;
    // SAFETY: this process has one thread, so that allocation and file access between fork and exec are sound.
    unsafe {
        command.pre_exec(move || {
            let _ = rustix::thread::set_name(c"runc:[2:INIT]");
            for file in &cgroup_procs {
                fs::write(file, "0")?;
            }
            Ok(())
        });
    }
    let child = command.spawn().with_context(|| format!("unable to start container process: exec: {program:?}"))?;
    fs::write(pid_file, child.id().to_string()).context("pid file")
}
