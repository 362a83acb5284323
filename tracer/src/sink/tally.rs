//! What the table and the summary know: one row a probe, built from the records, in bounded memory. Pure.
//!
//! All text in it is already safe for a terminal.

mod row;

use std::collections::BTreeMap;

use crate::record::{AttemptRecord, HealthRecord, Record};

use super::escape::for_terminal;

pub use row::{Health, Row, Trouble};

/// Rows that are kept; attempts of further probes are counted.
pub const MAX_ROWS: usize = 4096;
/// A probe is silent after so many periods (at least a minute) without an attempt, and its row goes after ten times
/// that: its pod is gone.
const SILENT_PERIODS: u64 = 5;
const MIN_SILENCE_NS: u64 = 60_000_000_000;

/// Which probe, in the order of display. Container restarts keep it; a new pod has another uid.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub namespace: String,
    pub pod: String,
    /// Of an attempt that matches no probe: the prober's name.
    pub container: String,
    /// "" of an attempt that matches no probe.
    pub kind: String,
    pod_uid: String,
}

impl Key {
    fn of(attempt: &AttemptRecord) -> Self {
        let safe = |text: &str| for_terminal(text, 253);
        let kind = attempt.probe.as_ref().map(|probe| safe(&probe.kind)).unwrap_or_default();
        match &attempt.kubernetes {
            Some(of) => Self {
                namespace: safe(&of.namespace),
                pod: safe(&of.pod),
                container: safe(&of.container),
                kind,
                pod_uid: safe(&of.pod_uid),
            },
            None => Self {
                namespace: String::new(),
                pod: String::new(),
                container: safe(&attempt.prober.comm),
                kind,
                pod_uid: String::new(),
            },
        }
    }

    /// `namespace/pod/container`, or who probed what we know nothing of.
    pub fn name(&self) -> String {
        if self.pod.is_empty() {
            return format!("(unknown probe of {})", self.container);
        }
        format!("{}/{}/{}", self.namespace, self.pod, self.container)
    }
}

/// All rows.
#[derive(Debug, Default)]
pub struct Tally {
    rows: BTreeMap<Key, Row>,
    /// Name of the node.
    pub node: String,
    /// Attempts of probes that found no row.
    pub beyond_bound: u64,
    /// Probes whose rows went, and their attempts.
    pub gone_probes: u64,
    /// See above.
    pub gone_attempts: u64,
    /// Newest health line.
    pub health: Option<HealthRecord>,
    /// What this node lacks.
    pub lacks: Vec<String>,
    /// The probe that failed last.
    pub newest_trouble: Option<Key>,
    now_ns: u64,
    swept_ns: u64,
}

impl Tally {
    /// Takes a record in.
    pub fn add(&mut self, record: &Record) {
        match record {
            Record::Attempt(attempt) => self.add_attempt(attempt),
            Record::Health(health) => self.health = Some(health.clone()),
            Record::Node(node) => {
                self.node = for_terminal(&node.node, 253);
                self.lacks = node.lacks.iter().take(64).map(|text| for_terminal(text, 300)).collect();
            }
        }
    }

    /// Time passes: rows of pods that are gone go, once a second.
    pub fn tick(&mut self, now_ns: u64) {
        self.now_ns = self.now_ns.max(now_ns);
        if self.now_ns >= self.swept_ns.saturating_add(1_000_000_000) {
            self.swept_ns = self.now_ns;
            self.drop_rows(10);
        }
    }

    /// Rows with the sick first, then by name.
    pub fn sick_first(&self) -> Vec<(&Key, &Row)> {
        let mut rows: Vec<_> = self.rows.iter().collect();
        rows.sort_by_key(|(_, row)| self.health_of(row));
        rows
    }

    /// How this probe is.
    pub fn health_of(&self, row: &Row) -> Health {
        if self.now_ns.saturating_sub(row.last_seen_ns) > silence_ns(row) { Health::Gone } else { row.health() }
    }

    /// One row.
    pub fn row(&self, key: &Key) -> Option<&Row> {
        self.rows.get(key)
    }

    fn add_attempt(&mut self, attempt: &AttemptRecord) {
        let key = Key::of(attempt);
        if self.rows.len() >= MAX_ROWS && !self.rows.contains_key(&key) {
            self.drop_rows(1);
            if self.rows.len() >= MAX_ROWS {
                self.beyond_bound += 1;
                return;
            }
        }
        if self.node.is_empty() {
            self.node = for_terminal(&attempt.node, 253);
        }
        let row = self.rows.entry(key.clone()).or_default();
        row.last_seen_ns = self.now_ns;
        if row.add(attempt) {
            self.newest_trouble = Some(key);
        }
    }

    /// Drops rows that have been silent for `times` their limit.
    fn drop_rows(&mut self, times: u64) {
        let (now_ns, mut probes, mut attempts) = (self.now_ns, 0, 0);
        self.rows.retain(|_, row| {
            let stays = now_ns.saturating_sub(row.last_seen_ns) <= silence_ns(row).saturating_mul(times);
            if !stays {
                probes += 1;
                attempts += row.attempts;
            }
            stays
        });
        self.gone_probes += probes;
        self.gone_attempts += attempts;
    }
}

fn silence_ns(row: &Row) -> u64 {
    row.period_ns.saturating_mul(SILENT_PERIODS).max(MIN_SILENCE_NS)
}

#[cfg(test)]
mod tests;
