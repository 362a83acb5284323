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
    // It says itself that this is no kubelet, and cleans up at Ctrl-C.
    Err(lab::exec("demo", true, &duration))
}

/// What a kubelet's process is called, alone or inside a distribution's one binary.
/// rke2 and k0s run kubelet itself; tracer/src/prober/kubelet.rs looks more closely.
const KUBELETS: &[&str] = &["kubelet", "hyperkube", "k3s-server", "k3s-agent", "kubelite"];

/// The first process with such a name.
fn kubelet() -> Option<u32> {
    let processes = std::fs::read_dir("/proc").ok()?;
    let pids = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.into_iter().find(|pid: &u32| {
        std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| KUBELETS.contains(&comm.trim_end()))
    })
}
