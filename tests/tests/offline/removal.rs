//! Evidence that is missing makes a verdict less sure, never more: parts of real recordings are taken away in silence, as
//! no loss counter would tell it, and the rest is replayed.

use std::collections::BTreeSet;

use probetrace::{
    input::Input,
    record::{AttemptRecord, Confidence},
};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use proptest::{prelude::*, prop_assert, prop_assert_eq};

use super::recordings;

const CASES: u32 = 256;
/// Share of the inputs that is taken away: small cuts are the dangerous ones.
const SHARES: [f64; 5] = [0.01, 0.03, 0.1, 0.3, 0.7];

#[test]
fn removing_inputs_never_creates_a_proven() {
    let mut wrong = Vec::new();
    for recording in recordings::all() {
        let full = recordings::attempts(recordings::replay(&recording.inputs).0);
        let places: Vec<usize> = removable(&recording.inputs);
        // The same cases in each run: a failure is found again.
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
        let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
        let result = TestRunner::new_with_rng(config, rng).run(&subset(places), |gone| {
            let kept = recording.inputs.iter().enumerate().filter(|(place, _)| !gone.contains(place));
            let inputs: Vec<Input> = kept.map(|(_, input)| input.clone()).collect();
            check(&inputs, &full)
        });
        if let Err(error) = result {
            wrong.push(format!("{}: {error}", recording.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Start, specs and clocks are not evidence of an attempt, and Stop ends each.
fn removable(inputs: &[Input]) -> Vec<usize> {
    let is_evidence = |input: &Input| matches!(input, Input::Event(_) | Input::Observation(_));
    inputs.iter().enumerate().filter(|(_, input)| is_evidence(input)).map(|(place, _)| place).collect()
}

/// Here and there, or some of them and a burst: a full ring loses what is next to each other.
fn subset(places: Vec<usize>) -> impl Strategy<Value = BTreeSet<usize>> {
    let shares = proptest::sample::select(SHARES.as_slice());
    let count = places.len();
    let burst = prop_oneof![Just((0, 0)), (0..count, 0..count / 2)];
    (shares, proptest::collection::vec(0.0..1.0, count), burst).prop_map(move |(share, draws, (from, length))| {
        let draws = places.iter().enumerate().zip(draws);
        let is_gone = |index: usize, draw: f64| draw < share || (from..from + length).contains(&index);
        draws.filter(|((index, _), draw)| is_gone(*index, *draw)).map(|((_, place), _)| *place).collect()
    })
}

fn check(inputs: &[Input], full: &[AttemptRecord]) -> Result<(), TestCaseError> {
    let (records, counters) = recordings::replay(inputs);
    let part = recordings::attempts(records);
    prop_assert_eq!((counters.open, counters.closed), (0, part.len() as u64));
    let ids: BTreeSet<&str> = part.iter().map(|attempt| attempt.id.as_str()).collect();
    prop_assert_eq!(ids.len(), part.len(), "an id twice");
    for attempt in &part {
        check_stages(attempt)?;
        if attempt.verdict.confidence == Confidence::Proven {
            let same = full.iter().filter(|one| one.verdict.confidence == Confidence::Proven && is_same(one, attempt));
            let causes: Vec<&str> = same.map(|one| one.verdict.cause.as_str()).collect();
            prop_assert!(
                causes.contains(&attempt.verdict.cause.as_str()),
                "proven before: {:?}\n{}",
                causes,
                json(attempt)
            );
        }
    }
    Ok(())
}

/// Stages follow each other and, with what is in none, make up the latency.
fn check_stages(attempt: &AttemptRecord) -> Result<(), TestCaseError> {
    let mut end = 0;
    for stage in &attempt.stages {
        prop_assert!(stage.start_ns >= end, "{}", json(attempt));
        end = stage.start_ns + stage.duration_ns;
    }
    prop_assert!(end <= attempt.latency_ns, "{}", json(attempt));
    let covered: u64 = attempt.stages.iter().map(|stage| stage.duration_ns).sum();
    prop_assert_eq!(covered + attempt.unaccounted_ns, attempt.latency_ns);
    Ok(())
}

fn json(attempt: &AttemptRecord) -> String {
    serde_json::to_string(attempt).unwrap_or_default()
}

/// Numbers shift where an attempt's begin is gone: the same probe (or one that the attempt says it may be) at the same
/// time is the same attempt.
fn is_same(full: &AttemptRecord, part: &AttemptRecord) -> bool {
    let (full_span, part_span) = (span(full), span(part));
    let is_probe = full.probe == part.probe && full.kubernetes == part.kubernetes;
    is_probe && full_span.0 <= part_span.1 && part_span.0 <= full_span.1
}

fn span(attempt: &AttemptRecord) -> (i128, i128) {
    let began: jiff::Timestamp = attempt.started_at.parse().expect("RFC 3339");
    (began.as_nanosecond(), began.as_nanosecond() + i128::from(attempt.latency_ns))
}
