//! Each recording gives its committed records, line by line.

use std::{collections::BTreeSet, fs};

use probetrace_tests::{scenario, schema};

use super::recordings;

/// Set to 1: the expected files are written anew. Read the difference before committing it.
const BLESS: &str = "PROBETRACE_BLESS";

#[test]
fn a_replay_gives_the_committed_records() {
    let mut wrong = Vec::new();
    for recording in recordings::all() {
        let (records, counters) = recordings::replay(&recording.inputs);
        assert_eq!((counters.open, counters.dropped), (0, 0), "{}", recording.name);
        let found: String = records.iter().map(|record| serde_json::to_string(record).expect("JSON") + "\n").collect();
        if std::env::var_os(BLESS).is_some_and(|value| value == "1") {
            fs::write(&recording.expected, &found).expect("write");
        }
        let expected = fs::read_to_string(&recording.expected).unwrap_or_default();
        let lines = expected.lines().count().max(found.lines().count());
        let differing = (0..lines).find(|line| expected.lines().nth(*line) != found.lines().nth(*line));
        wrong.extend(differing.map(|line| {
            let of = |text: &str| text.lines().nth(line).unwrap_or("(no such line)").to_owned();
            format!("{}.jsonl:{}\n  expected {}\n  found    {}", recording.name, line + 1, of(&expected), of(&found))
        }));
    }
    assert!(wrong.is_empty(), "if the new records are better, {BLESS}=1 writes them\n{}", wrong.join("\n"));
}

/// What is committed must also be true: at least one attempt has the scenario's cause, and no other cause is claimed.
#[test]
fn the_committed_records_tell_the_truth() {
    let scenarios = scenario::all();
    for recording in recordings::all() {
        let scenario = scenarios.iter().find(|scenario| scenario.name == recording.name).expect("scenario");
        let mut right: BTreeSet<&str> = BTreeSet::from(["none", "slow_but_passed", "unknown", scenario.expected]);
        right.extend(scenario.acceptable.map(|(cause, _)| cause));
        let attempts = recordings::attempts(recordings::replay(&recording.inputs).0);
        let causes: BTreeSet<&str> = attempts.iter().map(|attempt| attempt.verdict.cause.as_str()).collect();
        assert!(causes.contains(scenario.expected), "{}: {causes:?}", recording.name);
        assert!(causes.is_subset(&right), "{}: {causes:?}", recording.name);
    }
}

#[test]
fn the_committed_lines_are_as_the_schema_says() {
    for recording in recordings::all() {
        let text = fs::read_to_string(&recording.expected).expect("expected records");
        for line in text.lines() {
            schema::check(line).unwrap_or_else(|error| panic!("{}: {error:#}", recording.name));
        }
    }
}
