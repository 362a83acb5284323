//! What is remembered of each probe between its attempts.

use std::collections::BTreeMap;

use super::facts::History;
use crate::{
    attribution::{
        key::{ContainerKey, ProbeKey},
        spec::{Container, ProbeKind, ProbeSpec},
    },
    record::Outcome,
};

/// Latencies that are kept.
const LATENCIES: usize = 64;

/// History of every probe, bounded.
#[derive(Debug)]
pub struct Histories {
    probes: BTreeMap<ProbeKey, Remembered>,
    /// The container ids whose startup gate is open.
    passed: BTreeMap<ContainerKey, (String, u64)>,
    limit: usize,
    dropped: u64,
}

#[derive(Debug, Default)]
struct Remembered {
    container_id: String,
    used_ns: u64,
    history: History,
}

impl Histories {
    /// Remembers at most `limit` probes.
    pub fn new(limit: usize) -> Self {
        Self { probes: BTreeMap::new(), passed: BTreeMap::new(), limit, dropped: 0 }
    }

    /// Probes that were forgotten for want of room.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// What came before now.
    pub fn of(&self, spec: &ProbeSpec) -> History {
        let Some(known) = self.probes.get(&ProbeKey::of(spec)) else { return History::default() };
        if is_other(&known.container_id, &spec.container.id) {
            return History { had_earlier_container: true, ..History::default() };
        }
        known.history.clone()
    }

    /// Adds an attempt; aborted ones say nothing.
    pub fn record(&mut self, spec: &ProbeSpec, outcome: Outcome, ended_ns: u64, latency_ns: u64) {
        let mut history = self.of(spec);
        if history.attempts == 0 {
            history.began_ns = ended_ns.saturating_sub(latency_ns);
        }
        history.attempts += 1;
        match outcome {
            Outcome::Success => {
                history.successes += 1;
                history.last_success_ns = history.last_success_ns.max(ended_ns);
                history.failures_in_row = 0;
                history.recent_latencies_ns.push(latency_ns);
                if history.recent_latencies_ns.len() > LATENCIES {
                    history.recent_latencies_ns.remove(0);
                }
            }
            Outcome::Failure | Outcome::Timeout => history.failures_in_row = history.failures_in_row.saturating_add(1),
            // Errors do not touch the kubelet's counters (worker.go: doProbe throws them away).
            Outcome::Error | Outcome::Aborted => {}
        }
        let known = Remembered { container_id: spec.container.id.clone(), used_ns: ended_ns, history };
        self.probes.insert(ProbeKey::of(spec), known);
        if self.probes.len() > self.limit {
            self.dropped += 1;
            let oldest = self.probes.iter().min_by_key(|(_, known)| known.used_ns).map(|(key, _)| key.clone());
            oldest.map(|key| self.probes.remove(&key));
        }
    }

    /// Notes that this container's startup probe must have succeeded: something passed, or a probe that waits for it ran.
    pub fn note_passed(&mut self, spec: &ProbeSpec, outcome: Outcome, is_certain: bool, ended_ns: u64) {
        let waits = matches!(spec.kind, ProbeKind::Liveness | ProbeKind::Readiness);
        if outcome == Outcome::Success || (is_certain && waits) {
            let value = (spec.container.id.clone(), ended_ns);
            self.passed.insert(ContainerKey::of(&spec.container), value);
            if self.passed.len() > self.limit {
                let oldest = self.passed.iter().min_by_key(|(_, (_, used))| *used).map(|(key, _)| key.clone());
                oldest.map(|key| self.passed.remove(&key));
            }
        }
    }

    /// Whether that was seen of this very container.
    pub fn has_passed(&self, container: &Container) -> bool {
        self.passed.get(&ContainerKey::of(container)).is_some_and(|(id, _)| *id == container.id)
    }
}

/// An unknown id is no other one.
fn is_other(a: &str, b: &str) -> bool {
    a != b && !a.is_empty() && !b.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attempt::testkit;

    #[test]
    fn errors_do_not_reset_the_run_of_failures() {
        let mut histories = Histories::new(8);
        let spec = testkit::http("/healthz");
        for outcome in [Outcome::Failure, Outcome::Error, Outcome::Timeout, Outcome::Aborted] {
            histories.record(&spec, outcome, 1, 1);
        }
        assert_eq!(histories.of(&spec).failures_in_row, 2);
        histories.record(&spec, Outcome::Success, 9, 3);
        let history = histories.of(&spec);
        assert_eq!((history.failures_in_row, history.last_success_ns, history.attempts), (0, 9, 5));
        assert_eq!(history.recent_latencies_ns, [3]);
    }

    #[test]
    fn a_new_container_begins_anew_and_knows_of_the_earlier() {
        let mut histories = Histories::new(8);
        let spec = testkit::http("/healthz");
        histories.record(&spec, Outcome::Success, 1, 1);
        let restarted = testkit::with_container(&spec, |container| container.id = "f".repeat(64));
        let history = histories.of(&restarted);
        assert!(history.had_earlier_container);
        assert_eq!(history.attempts, 0);
    }

    #[test]
    fn the_number_of_probes_is_bounded_and_counted() {
        let mut histories = Histories::new(3);
        for index in 0..5 {
            let name = format!("c{index}");
            let spec = testkit::with_container(&testkit::http("/"), |container| container.name = name);
            histories.record(&spec, Outcome::Success, index, 1);
        }
        assert_eq!(histories.probes.len(), 3);
        assert_eq!(histories.dropped(), 2);
    }
}
