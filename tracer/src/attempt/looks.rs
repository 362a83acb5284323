//! When to look at the target: at 50% and 90% of the time-out and at the deadline while nothing came, and right after an end
//! that came from outside. Nothing is asked while probes pass quickly.

use std::collections::BTreeSet;

use super::{Request, facts::Try, open::Open, outcome};
use crate::observation::Observation;

/// What was asked and answered for one attempt.
#[derive(Debug, Default)]
pub struct Looks {
    /// Numbers of the looks without an answer.
    pub outstanding: BTreeSet<u64>,
    /// Answers.
    pub answers: Vec<Observation>,
    asked: usize,
    /// How many of the planned ones of this try are past.
    past: usize,
    after_end: bool,
}

impl Looks {
    /// A new try: its time-out begins anew.
    pub fn next_try(&mut self) {
        (self.past, self.after_end) = (0, false);
    }

    /// Takes an answer.
    pub fn answer(&mut self, observation: &Observation) {
        if self.outstanding.remove(&observation.look) {
            self.answers.push(observation.clone());
        }
    }

    /// How many were asked.
    pub fn asked(&self) -> usize {
        self.asked
    }

    /// Notes that look `number` was asked.
    pub fn ask(&mut self, number: u64) {
        self.asked += 1;
        self.outstanding.insert(number);
    }

    /// True once, after the end of a try.
    pub fn take_after_end(&mut self) -> bool {
        !std::mem::replace(&mut self.after_end, true)
    }

    /// Passes all planned instants up to `now_ns`; true where there was one.
    pub fn take_due(&mut self, plan: &[u64; 3], now_ns: u64) -> bool {
        let due = plan.iter().filter(|at| **at <= now_ns).count();
        let is_due = due > self.past;
        self.past = self.past.max(due);
        is_due
    }

    /// The next planned instant.
    pub fn next(&self, plan: &[u64; 3]) -> Option<u64> {
        plan.get(self.past).copied()
    }
}

/// The planned instants of the try that runs. Of several candidates the shortest time-out counts for the early ones.
pub fn plan(open: &Open, is_kubelet: bool) -> [u64; 3] {
    let timeouts = open.candidates.iter().map(|candidate| candidate.spec.timeout_ns);
    let (shortest, longest) = (timeouts.clone().min().unwrap_or_default(), timeouts.max().unwrap_or_default());
    let began_ns = match open.tries.last() {
        Some(Try::Exec(run)) if run.exec_ns != 0 => {
            outcome::exec_deadline_ns(run, longest, is_kubelet && run.helper.is_some()).saturating_sub(longest)
        }
        _ => open.try_began_ns(),
    };
    let at = |part: u64| began_ns.saturating_add(part);
    [at(shortest / 2), at(shortest / 10 * 9), at(longest)]
}

/// What to look at for this attempt.
pub fn request(open: &Open, look: u64, now_ns: u64) -> Request {
    let container = open.candidates.first().map(|candidate| &candidate.spec.container);
    let last = open.connections().last();
    let connection = last.map(|connection| (connection.local, connection.remote));
    Request {
        look,
        at_ns: now_ns,
        prober_netns: last.map(|connection| connection.netns).unwrap_or_default(),
        prober_pid: open.prober.pid,
        connection,
        container_id: container.map(|container| container.id.clone()).unwrap_or_default(),
        pod_uid: container.map(|container| container.pod_uid.clone()).unwrap_or_default(),
        pids: open.live_pids.clone(),
        command: missing_command(open),
    }
}

/// argv[0] of a command that never came.
fn missing_command(open: &Open) -> Option<String> {
    let Some(Try::Exec(run)) = open.tries.last() else { return None };
    let crate::attribution::spec::Handler::Exec { argv } = &open.candidates.first()?.spec.handler else { return None };
    if run.exec_ns == 0 { argv.first().cloned() } else { None }
}
