//! `cargo xtask demo`: the main job, live on this machine.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use anyhow::{Result, anyhow};

use crate::command::require_root;
use crate::{build, lab, setup, workspace};

/// Traces the kubelet of this machine; where there is none, the lab's prober and targets.
pub fn command(duration: Option<&str>) -> Result<ExitCode> {
    require_root("demo")?;
    setup::for_test()?;
    build::everything(true)?;
    let duration: Vec<String> = duration.into_iter().flat_map(|d| ["--duration".to_owned(), d.to_owned()]).collect();
    if let Some(pid) = kubelet() {
        eprintln!("A kubelet runs on this machine (pid {pid}): these are its probes. Ctrl-C ends it.");
        let tracer = workspace::binary("probetrace", true);
        let failed = Command::new(&tracer).arg("run").args(&duration).exec();
        return Err(anyhow!("cannot start {}: {failed}", tracer.display()));
    }
    eprintln!("No kubelet runs on this machine: what follows is the lab's own prober, with healthy and faulty targets");
    eprintln!(
        "in network namespaces of its own. The kernel events and verdicts are real. Ctrl-C ends it and cleans up."
    );
    Err(lab::exec("demo", true, &duration))
}

/// A process that is named as a kubelet is.
fn kubelet() -> Option<u32> {
    let processes = std::fs::read_dir("/proc").ok()?;
    let pids = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.into_iter().find(|pid: &u32| {
        std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim_end() == "kubelet")
    })
}
