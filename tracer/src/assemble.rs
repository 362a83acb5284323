//! An attempt, its stages and its verdict to the record that leaves the middle. Pure.

mod id;
mod probe;

use crate::{
    attempt::{facts::Attempt, stages, words},
    attribution::spec::ProbeSpec,
    input::{Clock, Start},
    record::{AttemptRecord, ProberRecord, SCHEMA, Verdict},
};

/// The record of `attempt`. `clock` is the newest reading: a stepped wall clock shows in later records only.
pub fn assemble(attempt: &Attempt, verdict: Verdict, start: &Start, clock: &Clock) -> AttemptRecord {
    let (stages, unaccounted_ns) = stages::stages(attempt);
    AttemptRecord {
        schema: SCHEMA,
        id: id::of(start, attempt.number),
        node: start.node.clone(),
        started_at: clock.rfc3339_of(attempt.began_ns),
        closed_at: clock.rfc3339_of(attempt.closed_ns),
        prober: ProberRecord { pid: attempt.prober.pid, comm: attempt.prober.comm.clone() },
        tries: u32::try_from(attempt.tries.len()).unwrap_or(u32::MAX).max(1),
        probe: attempt.probe.as_ref().map(|spec| probe::record(spec, attempt)),
        kubernetes: attempt.probe.as_ref().map(|spec| probe::kubernetes(&spec.container)),
        spec_source: attempt.spec_source.map(|source| source.name().into()),
        ambiguous: attempt.ambiguous.iter().map(full_name).collect(),
        outcome: attempt.outcome,
        error: words::error_text(attempt),
        latency_ns: attempt.ended_ns.saturating_sub(attempt.began_ns),
        unaccounted_ns,
        stages,
        verdict,
    }
}

/// `namespace/pod/container/kind`.
fn full_name(spec: &ProbeSpec) -> String {
    let container = &spec.container;
    format!("{}/{}/{}/{}", container.namespace, container.pod, container.name, probe::kind_name(spec.kind))
}

#[cfg(test)]
mod tests;
