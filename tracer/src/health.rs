//! How well the tracer itself does: its own cost, and every bound that was reached.

use std::collections::BTreeMap;

use rustix::time::ClockId;

use crate::{
    clock::nanoseconds,
    input::Losses,
    record::{AttemptsRecord, EventsRecord, HealthRecord, SCHEMA},
};

/// What this process costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OwnCost {
    /// CPU time of all its threads since its start.
    pub cpu_ns: u64,
    /// Resident memory; 0 where /proc can't be read.
    pub rss_bytes: u64,
}

impl OwnCost {
    /// Reads it: CLOCK_PROCESS_CPUTIME_ID, and the second field of /proc/self/statm (proc(5)), in pages.
    pub fn read() -> Self {
        let pages = procfs::process::Process::myself().and_then(|own| own.statm()).map_or(0, |statm| statm.resident);
        Self {
            cpu_ns: u64::try_from(nanoseconds(ClockId::ProcessCPUTime)).unwrap_or(0),
            rss_bytes: pages.saturating_mul(procfs::page_size()),
        }
    }
}

/// The health line. `bounds` are the counters of bounds outside the kernel (`sink_dropped`, `table_rows_not_shown` …);
/// those of `losses` are added here, so that each has its name in one place.
pub fn health_record(
    node: &str,
    at: String,
    losses: &Losses,
    attempts: AttemptsRecord,
    mut bounds: BTreeMap<String, u64>,
    own: OwnCost,
) -> HealthRecord {
    let of_kernel = [
        ("ring_full", losses.ring_full),
        ("map_full", losses.map_full),
        ("over_budget", losses.over_budget),
        ("read_failed", losses.read_failed),
        ("late_events", losses.late),
        ("channel_full", losses.channel_full),
    ];
    bounds.extend(of_kernel.map(|(name, count)| (name.to_owned(), count)));
    HealthRecord {
        schema: SCHEMA,
        node: node.to_owned(),
        at,
        events: events_record(losses),
        attempts,
        bounds,
        cpu_ns: own.cpu_ns,
        rss_bytes: own.rss_bytes,
    }
}

/// `seen` = `used` + `filtered` + `lost`; what the kernel skipped was never seen and comes on top (design invariant 4).
fn events_record(losses: &Losses) -> EventsRecord {
    EventsRecord {
        seen: losses.seen,
        used: losses.used,
        filtered: losses.filtered,
        lost: losses.ring_full + losses.map_full + losses.over_budget,
        missed: losses.missed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_cost_grows_with_work_and_memory() {
        let before = OwnCost::read();
        assert!(before.rss_bytes > 100_000);
        let block = vec![1_u8; 32 << 20];
        let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
        let after = OwnCost::read();
        assert_eq!(sum, 32 << 20);
        assert!(after.cpu_ns > before.cpu_ns);
        assert!(after.rss_bytes >= before.rss_bytes + (16 << 20));
    }

    #[test]
    fn every_loss_has_its_counter_and_the_sum_holds() {
        let losses = Losses {
            at_ns: 1,
            seen: 100,
            used: 50,
            filtered: 44,
            ring_full: 1,
            map_full: 2,
            over_budget: 3,
            read_failed: 4,
            missed: 5,
            late: 6,
            channel_full: 7,
        };
        let more = BTreeMap::from([("sink_dropped".to_owned(), 8)]);
        let record = health_record("n1", "t".into(), &losses, AttemptsRecord::default(), more, OwnCost::default());
        let events = record.events;
        assert_eq!(events.seen, events.used + events.filtered + events.lost);
        assert_eq!(events.missed, 5);
        let counts: Vec<_> = record.bounds.iter().map(|(name, count)| (name.as_str(), *count)).collect();
        let expected = [
            ("channel_full", 7),
            ("late_events", 6),
            ("map_full", 2),
            ("over_budget", 3),
            ("read_failed", 4),
            ("ring_full", 1),
            ("sink_dropped", 8),
        ];
        assert_eq!(counts, expected);
    }
}
