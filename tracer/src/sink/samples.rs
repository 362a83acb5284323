//! Records for tests.

use std::collections::BTreeMap;

use crate::record::{
    AttemptRecord, AttemptsRecord, Confidence, EventsRecord, Evidence, HealthRecord, KubernetesRecord, Outcome,
    ProbeRecord, ProberRecord, Record, SCHEMA, Verdict, WouldPassWith,
};

/// An attempt of the liveness probe of container `app` in this pod.
pub fn attempt(namespace: &str, pod: &str, outcome: Outcome) -> Record {
    Record::Attempt(Box::new(attempt_record(namespace, pod, outcome)))
}

/// The same, to be changed.
pub fn attempt_record(namespace: &str, pod: &str, outcome: Outcome) -> AttemptRecord {
    let passed = outcome == Outcome::Success;
    AttemptRecord {
        schema: SCHEMA,
        id: "1f".into(),
        node: "n1".into(),
        started_at: "2026-03-01T12:30:45.250000Z".into(),
        closed_at: "2026-03-01T12:30:46.250000Z".into(),
        prober: ProberRecord { pid: 1458, comm: "kubelet".into() },
        tries: 1,
        probe: Some(ProbeRecord {
            kind: "liveness".into(),
            handler: "http".into(),
            target: "10.0.0.7:8080".into(),
            path: Some("/healthz".into()),
            argv: None,
            timeout_ns: 1_000_000_000,
            period_ns: 10_000_000_000,
            failure_threshold: 3,
            initial_delay_ns: 0,
        }),
        kubernetes: Some(KubernetesRecord {
            namespace: namespace.into(),
            pod: pod.into(),
            pod_uid: format!("uid-{pod}"),
            container: "app".into(),
            container_id: "c1".into(),
        }),
        spec_source: Some("file".into()),
        ambiguous: vec![],
        outcome,
        error: (!passed).then(|| "context deadline exceeded".into()),
        latency_ns: if passed { 2_000_000 } else { 1_000_000_000 },
        unaccounted_ns: 0,
        stages: vec![],
        verdict: verdict(passed),
    }
}

fn verdict(passed: bool) -> Verdict {
    let evidence = Evidence { what: "accept queue".into(), value: "129 of 128".into(), source: "sock_diag".into() };
    Verdict {
        cause: if passed { "none" } else { "accept_queue_full" }.into(),
        confidence: Confidence::Likely,
        summary: if passed { "" } else { "The listener's accept queue is full" }.into(),
        evidence: if passed { vec![] } else { vec![evidence] },
        contributing: vec![],
        ruled_out: vec![],
        missing: vec![],
        advice: if passed { vec![] } else { vec!["Accept faster or raise the backlog".into()] },
        would_pass_with: WouldPassWith::default(),
    }
}

/// An attempt that matches no probe.
pub fn unattributed() -> Record {
    let record =
        AttemptRecord { probe: None, kubernetes: None, spec_source: None, ..attempt_record("", "", Outcome::Success) };
    Record::Attempt(Box::new(record))
}

/// A health line.
pub fn health() -> Record {
    Record::Health(HealthRecord {
        schema: SCHEMA,
        node: "n1".into(),
        at: "2026-03-01T12:30:46.250000Z".into(),
        events: EventsRecord { seen: 1000, used: 40, filtered: 957, lost: 3, missed: 1 },
        attempts: AttemptsRecord { open: 2, closed: 38, unattributed: 1, ambiguous: 0, dropped: 0 },
        bounds: BTreeMap::from([("ring_full".to_owned(), 3), ("map_full".to_owned(), 0)]),
        cpu_ns: 12_000_000,
        rss_bytes: 9 << 20,
    })
}
