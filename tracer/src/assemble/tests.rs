use std::{path::Path, sync::LazyLock};

use serde_json::{Value, json};

use super::*;
use crate::{
    record::{AttemptsRecord, EventsRecord, HealthRecord, NodeRecord, Outcome, Record},
    verdict::{self, Cause, testing::*},
};

static SCHEMA_JSON: LazyLock<Value> = LazyLock::new(|| {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/schema/record.schema.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
});

static VALIDATOR: LazyLock<jsonschema::Validator> = LazyLock::new(|| {
    jsonschema::draft202012::meta::validate(&SCHEMA_JSON).unwrap();
    jsonschema::draft202012::new(&SCHEMA_JSON).unwrap()
});

fn record(attempt: &Attempt) -> Record {
    let judged = verdict(attempt);
    Record::Attempt(Box::new(assemble(attempt, judged, &start(), &clock())))
}

#[track_caller]
fn valid(line: &Value) {
    let errors: Vec<_> = VALIDATOR.iter_errors(line).map(|one| format!("{}: {one}", one.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}\n{line:#}");
}

fn examples() -> Vec<Attempt> {
    let looks = vec![look(500), look(900)];
    let mut unattributed = net(Outcome::Failure, 1, refused(true));
    (unattributed.probe, unattributed.spec_source) = (None, None);
    vec![
        net(Outcome::Success, 4, answered("HTTP/1.1 200 OK\r\n", 3)),
        net(Outcome::Failure, 4, answered("HTTP/1.1 500 No\r\n", 3)),
        Attempt { looks, ambiguous: vec![spec(http())], ..net(Outcome::Timeout, 1000, connected()) },
        net(Outcome::Timeout, 1000, unanswered()),
        net(Outcome::Aborted, 10, connected()),
        exec(Outcome::Failure, 50, ran(Some(exit(7 << 8)), 50)),
        exec(Outcome::Error, 40, not_started()),
        unattributed,
    ]
}

#[test]
fn every_record_of_an_attempt_is_valid_and_comes_back_the_same() {
    for attempt in examples() {
        let record = record(&attempt);
        let line = serde_json::to_value(&record).unwrap();
        valid(&line);
        assert_eq!(serde_json::from_value::<Record>(line).unwrap(), record);
    }
}

#[test]
fn the_other_records_are_valid() {
    let at = clock().rfc3339_of(BEGAN);
    let health = HealthRecord {
        schema: SCHEMA,
        node: "n1".into(),
        at: at.clone(),
        events: EventsRecord { seen: 3, used: 2, filtered: 1, ..EventsRecord::default() },
        attempts: AttemptsRecord::default(),
        bounds: [("ring_full".into(), 0)].into(),
        cpu_ns: 1,
        rss_bytes: 1,
    };
    let hooks = start().hooks;
    let lacks = vec!["kprobes: who dropped a SYN".into()];
    let node = NodeRecord { schema: SCHEMA, node: "n1".into(), at, kernel: "6.18".into(), hooks, lacks };
    for record in [Record::Health(health), Record::Node(node)] {
        valid(&serde_json::to_value(record).unwrap());
    }
}

#[test]
fn the_lines_of_the_tools_are_valid() {
    let at = clock().rfc3339_of(BEGAN);
    valid(&json!({"type": "scenario", "name": "refused", "expected": "not_listening", "acceptable": [], "found": "",
        "confidence": "", "attempts_made": 5, "attempts_seen": 5, "passed": true, "skipped": null, "problems": []}));
    valid(&json!({"type": "bench", "program": "a", "hook": "b", "load": "probes", "events": 3, "ns_per_event": 1.5,
        "empty_ns_per_event": 1.0, "ratio": 1.5}));
    valid(
        &json!({"type": "doctor", "schema": 1, "node": "n1", "at": at, "group": "kernel", "name": "btf", "state": "ok",
        "need": "required", "found": "yes", "lost": "", "fix": ""}),
    );
}

#[test]
fn what_breaks_the_contract_is_refused() {
    let mut good = serde_json::to_value(record(&examples()[2])).unwrap();
    (good["verdict"]["confidence"], good["verdict"]["missing"]) = (json!("proven"), json!([]));
    let breaks: [fn(&mut Value); 9] = [
        |line| line["type"] = json!("attemp"),
        |line| line["surprise"] = json!(1),
        |line| line["verdict"]["cause"] = json!("never_acepted"),
        |line| line["verdict"]["confidence"] = json!("certain"),
        |line| line["verdict"]["missing"] = json!(["something, and still proven"]),
        |line| line["id"] = json!("1"),
        |line| line["started_at"] = json!("2026-01-01 10:00"),
        |line| line["latency_ns"] = json!(-1),
        |line| drop(line.as_object_mut().unwrap().remove("kubernetes")),
    ];
    valid(&good);
    for (index, change) in breaks.into_iter().enumerate() {
        let mut line = good.clone();
        change(&mut line);
        assert!(!VALIDATOR.is_valid(&line), "{index}: {line:#}");
    }
}

#[test]
fn the_schema_has_every_cause_and_no_other() {
    let listed: Vec<_> = SCHEMA_JSON["$defs"]["cause"]["enum"].as_array().unwrap().iter().collect();
    let known: Vec<_> = Cause::ALL.iter().map(|cause| cause.id()).collect();
    assert_eq!(listed, known);
}

#[test]
fn ids_are_derived_from_node_boot_run_and_number() {
    let one = id::of(&start(), 1);
    assert_eq!(one, id::of(&start(), 1));
    assert_eq!(one.len(), 32);
    let mut others = vec![id::of(&start(), 2)];
    let changes: [fn(&mut Start); 4] = [
        |start| start.node = "n2".into(),
        |start| start.boot_id = "c".into(),
        |start| start.clock.mono_ns += 1,
        |start| (start.node, start.boot_id) = ("n".into(), "1b".into()),
    ];
    for change in changes {
        let mut start = start();
        change(&mut start);
        others.push(id::of(&start, 1));
    }
    assert!(!others.contains(&one));
    others.sort_unstable();
    others.dedup();
    assert_eq!(others.len(), 5);
}

#[test]
fn the_record_says_what_the_manifest_says() {
    let line = serde_json::to_value(record(&examples()[2])).unwrap();
    assert_eq!(line["probe"]["target"], "10.0.0.7:8080");
    assert_eq!(line["probe"]["path"], "/healthz");
    assert_eq!(line["spec_source"], "file");
    assert_eq!(line["ambiguous"], json!(["default/web/app/liveness"]));
    assert_eq!((line["latency_ns"].as_u64(), line["tries"].as_u64()), (Some(1_000_000_000), Some(1)));
    assert_eq!(line["started_at"], "2027-01-15T08:00:00.000000Z");
    assert_eq!(line["closed_at"], "2027-01-15T08:00:01.100000Z");
    let context = verdict::Context { start: &start(), clock: clock() };
    assert_eq!(line["verdict"]["cause"], verdict::judge(&examples()[2], &context).cause);
}
