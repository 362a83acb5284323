//! Compares what the tracer said with the truth.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    join::{Joined, percentile},
    tracer::Attempt,
};
use crate::{
    plan::{Entry, Outcome},
    scenario::Scenario,
};

/// The line of one scenario (design: lines of the tools that check us), and some figures beside.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// `scenario`.
    pub r#type: &'static str,
    /// Scenario.
    pub name: String,
    /// Cause that the faulty attempts have.
    pub expected: String,
    /// One more that is right as well.
    pub acceptable: Vec<String>,
    /// Most frequent cause of the faulty attempts.
    pub found: String,
    /// Its most frequent confidence.
    pub confidence: String,
    /// By the prober.
    pub attempts_made: usize,
    /// Of these by the tracer.
    pub attempts_seen: usize,
    /// Every attempt was judged right.
    pub passed: bool,
    /// Why it was not run.
    pub skipped: Option<String>,
    /// |tracer's latency − prober's|, median, ns.
    pub latency_error_p50_ns: u64,
    /// The same, 99th percentile.
    pub latency_error_p99_ns: u64,
    /// What was wrong, one sentence each.
    pub problems: Vec<String>,
}

impl Line {
    fn empty(scenario: &Scenario) -> Self {
        Self {
            r#type: "scenario",
            name: scenario.name.into(),
            expected: scenario.expected.into(),
            acceptable: scenario.acceptable.iter().map(|(cause, _)| (*cause).to_owned()).collect(),
            found: String::new(),
            confidence: String::new(),
            attempts_made: 0,
            attempts_seen: 0,
            passed: false,
            skipped: None,
            latency_error_p50_ns: 0,
            latency_error_p99_ns: 0,
            problems: Vec::new(),
        }
    }

    /// Not run: the machine lacks this.
    pub fn skipped(scenario: &Scenario, facility: &str) -> Self {
        Self { skipped: Some(facility.to_owned()), ..Self::empty(scenario) }
    }

    /// Could not be run.
    pub fn broken(scenario: &Scenario, error: &anyhow::Error) -> Self {
        Self { problems: vec![format!("{error:#}")], ..Self::empty(scenario) }
    }
}

/// Judges one run. `faulty`: keys of the probes whose attempts may fail.
pub fn judge(scenario: &Scenario, faulty: &[String], joined: &Joined<'_>) -> Line {
    let mut line = Line::empty(scenario);
    let mut causes: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for (entry, attempt) in &joined.pairs {
        line.attempts_made += 1;
        let Some(attempt) = attempt else {
            line.problems.push(format!("attempt {} of {} was not seen", entry.number, entry.probe));
            continue;
        };
        line.attempts_seen += 1;
        line.problems.extend(compare(scenario, faulty.contains(&entry.probe), entry, attempt));
        if entry.outcome != Outcome::Success || scenario.fails_as.is_none() {
            *causes.entry((&attempt.verdict.cause, &attempt.verdict.confidence)).or_default() += 1;
        }
    }
    for surplus in joined.surplus.iter().filter(|attempt| attempt.outcome != "aborted") {
        line.problems.push(format!("an attempt that was not made: {} {}", surplus.key(), surplus.outcome));
    }
    let truth = joined.pairs.iter().any(|(entry, _)| Some(entry.outcome) == scenario.fails_as);
    if scenario.fails_as.is_some() && !truth {
        line.problems.push("the fault did not happen: no attempt of the prober failed as the scenario says".into());
    }
    if let Some(((cause, confidence), _)) = causes.into_iter().max_by_key(|(_, count)| *count) {
        (line.found, line.confidence) = (cause.into(), confidence.into());
    }
    let errors = joined.latency_errors_ns();
    line.latency_error_p50_ns = percentile(&errors, 50);
    line.latency_error_p99_ns = percentile(&errors, 99);
    line.passed = line.problems.is_empty();
    line
}

fn compare(scenario: &Scenario, faulty: bool, entry: &Entry, attempt: &Attempt) -> Option<String> {
    let which = format!("{} #{}", entry.probe, entry.number);
    if attempt.outcome != entry.outcome.name() {
        return Some(format!("{which}: outcome {} is called {}", entry.outcome.name(), attempt.outcome));
    }
    if attempt.tries != entry.tries {
        return Some(format!("{which}: {} tries are called {}", entry.tries, attempt.tries));
    }
    let cause = attempt.verdict.cause.as_str();
    let right = match (entry.outcome, faulty) {
        // A busy machine makes a healthy answer slow: the prober's own clock says so as well.
        (Outcome::Success, _) if scenario.fails_as.is_some() => {
            let limit_ns = attempt.probe.as_ref().map_or(u64::MAX, |probe| probe.timeout_ns);
            cause == "none" || (cause == "slow_but_passed" && entry.latency_ns.saturating_mul(2) >= limit_ns)
        }
        (Outcome::Success, _) | (_, true) => {
            cause == scenario.expected || scenario.acceptable.is_some_and(|(other, _)| cause == other)
        }
        (_, false) => return Some(format!("{which}: a healthy probe failed for the prober: {}", entry.text)),
    };
    let said = &attempt.verdict;
    let missing =
        if said.missing.is_empty() { String::new() } else { format!("; missing: {}", said.missing.join(", ")) };
    (!right).then(|| {
        format!("{which}: {} is called {cause} ({}): {}{missing}", entry.outcome.name(), said.confidence, said.summary)
    })
}
