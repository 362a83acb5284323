//! One probe's row.

use std::collections::{BTreeMap, VecDeque};

use crate::{
    record::{AttemptRecord, Confidence, Outcome},
    sink::{escape::for_terminal, latencies::Latencies},
};

/// Last outcomes that are kept.
pub const STRIP: usize = 32;
/// Causes counted per probe; further ones are counted as `other`.
const MAX_CAUSES: usize = 16;

/// What is known of one probe.
#[derive(Debug, Default)]
pub struct Row {
    /// `http`, `tcp`, `grpc`, `exec`; "" unknown.
    pub handler: String,
    /// Newest last.
    pub strip: VecDeque<Outcome>,
    /// All attempts.
    pub attempts: u64,
    /// Of them failures and time-outs.
    pub failed: u64,
    /// Of them thrown away by the kubelet.
    pub errors: u64,
    /// Of them cut off.
    pub aborted: u64,
    /// Failures and time-outs since the last success.
    pub failed_in_row: u32,
    /// How long answers took: successes, and time-outs with their full time. A refused connection is no answer.
    pub latencies: Latencies,
    /// timeoutSeconds; 0 unknown.
    pub timeout_ns: u64,
    /// periodSeconds; 0 unknown.
    pub period_ns: u64,
    /// failureThreshold; 0 unknown.
    pub failure_threshold: u32,
    /// Causes of what did not pass, and how often.
    pub causes: BTreeMap<String, u64>,
    /// The newest attempt that did not pass.
    pub trouble: Option<Box<Trouble>>,
    /// Containers seen beyond the first.
    pub restarts: u32,
    /// By the clock of ticks.
    pub last_seen_ns: u64,
    container_id: String,
}

/// How a probe is; the order is that of display.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    /// Its last attempt did not pass.
    Failing,
    /// One of its last attempts did not.
    Recovering,
    /// It passes, with less than a fifth of its time-out to spare (p99).
    Tight,
    /// It passes.
    Passing,
    /// No attempt for long.
    Gone,
}

/// An attempt that did not pass, as far as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// `12:30:45` UTC.
    pub time: String,
    /// See [`Outcome`].
    pub outcome: Outcome,
    /// What the prober saw.
    pub error: String,
    /// Stable id.
    pub cause: String,
    /// How sure.
    pub confidence: Confidence,
    /// One sentence.
    pub summary: String,
    /// `what: value (source)`.
    pub evidence: Vec<String>,
    /// What is missing.
    pub missing: Vec<String>,
    /// What to change.
    pub advice: Vec<String>,
}

impl Row {
    /// Takes an attempt in; true where it did not pass.
    pub fn add(&mut self, attempt: &AttemptRecord) -> bool {
        if let Some(probe) = &attempt.probe {
            self.handler = for_terminal(&probe.handler, 8);
            self.timeout_ns = probe.timeout_ns;
            self.period_ns = probe.period_ns;
            self.failure_threshold = probe.failure_threshold;
        }
        self.note_container(attempt);
        self.attempts += 1;
        if self.strip.len() == STRIP {
            self.strip.pop_front();
        }
        self.strip.push_back(attempt.outcome);
        match attempt.outcome {
            Outcome::Success => {
                self.failed_in_row = 0;
                self.latencies.add(attempt.latency_ns);
            }
            Outcome::Failure => self.count_failure(),
            Outcome::Timeout => {
                self.count_failure();
                self.latencies.add(attempt.latency_ns);
            }
            Outcome::Error => self.errors += 1,
            Outcome::Aborted => self.aborted += 1,
        }
        let is_trouble = matches!(attempt.outcome, Outcome::Failure | Outcome::Timeout | Outcome::Error);
        if is_trouble {
            let trouble = Trouble::of(attempt);
            self.count_cause(&trouble.cause);
            self.trouble = Some(Box::new(trouble));
        }
        is_trouble
    }

    /// Without regard to time. Aborted attempts say nothing.
    pub fn health(&self) -> Health {
        let mut told = self.strip.iter().rev().filter(|outcome| **outcome != Outcome::Aborted);
        match told.next() {
            Some(Outcome::Failure | Outcome::Timeout | Outcome::Error) => Health::Failing,
            _ if told.any(|outcome| *outcome != Outcome::Success) => Health::Recovering,
            _ if self.margin_percent().is_some_and(|margin| margin < 20) => Health::Tight,
            _ => Health::Passing,
        }
    }

    /// Share of the time-out that p99 leaves, 0–100; `None` where either is unknown.
    pub fn margin_percent(&self) -> Option<u64> {
        let p99 = self.latencies.percentile(99)?;
        let left = self.timeout_ns.saturating_sub(p99);
        (left.saturating_mul(100)).checked_div(self.timeout_ns)
    }

    /// The most frequent cause and its count.
    pub fn main_cause(&self) -> Option<(&str, u64)> {
        self.causes.iter().max_by_key(|(_, count)| **count).map(|(cause, count)| (cause.as_str(), *count))
    }

    fn count_failure(&mut self) {
        self.failed += 1;
        self.failed_in_row += 1;
    }

    fn note_container(&mut self, attempt: &AttemptRecord) {
        let id = attempt.kubernetes.as_ref().map_or("", |of| of.container_id.as_str());
        if id.is_empty() || id == self.container_id {
            return;
        }
        if !self.container_id.is_empty() {
            self.restarts += 1;
        }
        self.container_id = id.chars().take(80).collect();
    }

    fn count_cause(&mut self, cause: &str) {
        let is_known = self.causes.contains_key(cause) || self.causes.len() < MAX_CAUSES;
        *self.causes.entry(if is_known { cause } else { "other" }.to_owned()).or_default() += 1;
    }
}

impl Trouble {
    fn of(attempt: &AttemptRecord) -> Self {
        let safe = |text: &String| for_terminal(text, 300);
        let verdict = &attempt.verdict;
        let evidence = verdict.evidence.iter().take(4);
        let evidence = evidence.map(|seen| safe(&format!("{}: {} ({})", seen.what, seen.value, seen.source)));
        Self {
            time: for_terminal(attempt.started_at.get(11..19).unwrap_or(""), 8),
            outcome: attempt.outcome,
            error: attempt.error.as_ref().map(safe).unwrap_or_default(),
            cause: for_terminal(&verdict.cause, 64),
            confidence: verdict.confidence,
            summary: safe(&verdict.summary),
            evidence: evidence.collect(),
            missing: verdict.missing.iter().take(2).map(safe).collect(),
            advice: verdict.advice.iter().take(2).map(safe).collect(),
        }
    }
}
