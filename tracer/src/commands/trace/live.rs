//! The node itself, as the pipeline uses it.

use std::{io, net::IpAddr};

use tokio::sync::mpsc;

use crate::{
    attempt::Request,
    attribution::watch::Sources,
    input::{Losses, Prober},
    kernel::{Kernel, look::Looker},
    pipeline::Node,
    prober::{self, Process},
    proc_dir::ProcDir,
};

/// Kernel programs, the look thread, the sources of specs and the watch over the prober.
pub(super) struct LiveNode {
    kernel: Kernel,
    looker: Looker,
    sources: Sources,
    changes: mpsc::Receiver<prober::Change>,
    probers: Vec<Process>,
    is_kubelet: bool,
    unattributed: u64,
}

impl LiveNode {
    pub(super) fn new(
        kernel: Kernel,
        looker: Looker,
        found: prober::Found,
        sources: Sources,
        patterns: &[String],
    ) -> io::Result<Self> {
        let changes = prober::Watch::new(ProcDir::default(), patterns, &found.processes).spawn()?;
        let (probers, is_kubelet) = (found.processes, found.is_kubelet);
        Ok(Self { kernel, looker, sources, changes, probers, is_kubelet, unattributed: 0 })
    }

    fn follow(&mut self, change: prober::Change) -> Vec<Prober> {
        let is_gone = |process: &Process| change.gone.iter().any(|gone| gone.pid == process.pid);
        self.probers.retain(|process| !is_gone(process));
        self.probers.extend(change.appeared);
        let pids: Vec<_> = self.probers.iter().map(|process| process.pid).collect();
        tracing::info!(?pids, "the prober changed");
        if let Err(why) = self.kernel.set_probers(&pids) {
            tracing::error!("the new prober's connections can't be seen: {why}");
        }
        if self.is_kubelet {
            self.sources.set_kubelet_pid(pids.first().copied());
        }
        self.probers.iter().map(|process| Prober { pid: process.pid, comm: process.comm.clone() }).collect()
    }
}

impl Node for LiveNode {
    fn ask(&mut self, request: Request) -> bool {
        self.looker.try_ask(request)
    }

    fn set_targets(&mut self, targets: &[(IpAddr, u16)]) -> usize {
        self.kernel.set_targets(targets)
    }

    fn losses(&mut self) -> Losses {
        self.kernel.losses()
    }

    fn over_budget(&mut self) -> Vec<(String, u64)> {
        self.kernel.over_budget()
    }

    fn housekeeping(&mut self, unattributed: u64) -> Option<Vec<Prober>> {
        if unattributed > self.unattributed {
            self.unattributed = unattributed;
            self.sources.kick();
        }
        let change = self.changes.try_recv().ok()?;
        Some(self.follow(change))
    }
}
