//! Which probes a command, or a helper's next run, may belong to.

use super::argv;
use crate::{
    attempt::{
        core::{Core, Key},
        facts::Try,
        outcome::{self, Ruling},
        timing::{EXEC_RETRY_NS, MAX_TRIES, PROBER_LEAD_NS},
    },
    attribution::{cgroup_name, spec::Handler, store::Candidate},
    event::Exec,
};

/// Those whose command this is.
pub fn commands(candidates: Vec<Candidate>, exec: &Exec) -> Vec<Candidate> {
    let fits = |candidate: &Candidate| match &candidate.spec.handler {
        Handler::Exec { argv } => argv::is_command(exec, argv),
        _ => false,
    };
    candidates.into_iter().filter(fits).collect()
}

/// The attempt that goes on with this try: the kubelet runs the command again right after an error.
pub fn retried(core: &Core, candidates: &[Candidate], spawned_ns: u64) -> Option<Key> {
    let rules = core.rules();
    let fits = core.opens.iter().filter(|(_, open)| {
        let same = open.candidates.iter().any(|candidate| candidates.contains(candidate));
        let is_exec = matches!(open.tries.last(), Some(Try::Exec(_)));
        if !is_exec || !same || open.settled.is_some() || open.tries.len() >= MAX_TRIES {
            return false;
        }
        matches!(outcome::decide(open, rules), Ruling::Is(decision) if decision.if_retried.is_some()
            && spawned_ns <= decision.ended_ns.saturating_add(EXEC_RETRY_NS)
            && spawned_ns.saturating_add(PROBER_LEAD_NS) >= decision.ended_ns)
    });
    fits.map(|(key, _)| *key).next_back()
}

/// Probes whose command a prober itself has just run: of the container whose cgroup it is in, else of any.
pub fn direct_candidates(core: &Core, at_ns: u64, exec: &Exec, parent_pid: u32) -> Vec<Candidate> {
    let is_child = core.is_prober(parent_pid);
    if core.is_kubelet && !is_child {
        return Vec::new();
    }
    let all = commands(core.store.all_exec(at_ns), exec);
    let inside =
        |candidate: &&Candidate| cgroup_name::is_of(&exec.cgroup, &exec.cgroup_parent, &candidate.spec.container.id);
    let within: Vec<Candidate> = all.iter().filter(inside).cloned().collect();
    if within.is_empty() { all } else { within }
}
