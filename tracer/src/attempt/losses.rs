//! Whether something may have been missed while an attempt ran.

use std::collections::BTreeMap;

use crate::{event::Event, input::Losses};

/// Missing numbers that are remembered; past it all is in doubt.
const MISSING: usize = 256;

/// The counters' last readings, and the numbering of each CPU's events.
#[derive(Debug, Default)]
pub struct LossWatch {
    first_ns: Option<u64>,
    latest: Losses,
    /// End of the last span of time in which something was lost.
    lossy_until_ns: u64,
    next_seq: BTreeMap<u32, u64>,
    /// (CPU, number) that did not come yet, and when that was noticed: a program that interrupts another one takes its
    /// number first, and the events come in order of time.
    missing: BTreeMap<(u32, u64), u64>,
}

impl LossWatch {
    /// New readings: if they moved, all since the last ones is in doubt.
    pub fn read(&mut self, losses: &Losses) {
        if self.first_ns.is_none() {
            self.first_ns = Some(losses.at_ns);
        } else if losses.lost() > self.latest.lost() {
            self.lossy_until_ns = self.lossy_until_ns.max(losses.at_ns);
        }
        self.latest = *losses;
    }

    /// An event: a gap in its CPU's numbers is a loss, known before the counters tell.
    pub fn event(&mut self, event: &Event) {
        let next = self.next_seq.entry(event.cpu).or_insert(event.seq);
        if event.seq < *next {
            self.missing.remove(&(event.cpu, event.seq));
            return;
        }
        let skipped = event.seq - *next;
        let room = MISSING.saturating_sub(self.missing.len()) as u64;
        if skipped > room {
            self.lossy_until_ns = self.lossy_until_ns.max(event.at_ns);
        }
        for seq in (*next..event.seq).take(usize::try_from(room).unwrap_or(0)) {
            self.missing.insert((event.cpu, seq), event.at_ns);
        }
        *next = event.seq.saturating_add(1);
    }

    /// Numbers that never came.
    pub fn gaps(&self) -> u64 {
        self.missing.len() as u64
    }

    /// The counters were read at or after this moment.
    pub fn known_until(&self, at_ns: u64) -> bool {
        self.first_ns.is_some() && self.latest.at_ns >= at_ns
    }

    /// No loss is known since then.
    pub fn none_known_since(&self, began_ns: u64) -> bool {
        self.none_between(began_ns, self.latest.at_ns)
    }

    /// Nothing was lost between the two: the counters were read before and after, and stood still.
    pub fn none_between(&self, began_ns: u64, ended_ns: u64) -> bool {
        self.first_ns.is_some_and(|first| first <= began_ns)
            && self.known_until(ended_ns)
            && began_ns > self.lossy_until_ns
            && self.missing.values().all(|noticed_ns| began_ns > *noticed_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Data, What};

    fn losses(at_ns: u64, ring_full: u64) -> Losses {
        Losses { at_ns, ring_full, ..Losses::default() }
    }

    #[test]
    fn a_counter_that_moved_puts_the_time_since_its_last_reading_in_doubt() {
        let mut watch = LossWatch::default();
        watch.read(&losses(10, 0));
        watch.read(&losses(20, 0));
        assert!(watch.none_between(11, 19));
        watch.read(&losses(30, 1));
        assert!(!watch.none_between(21, 29));
        watch.read(&losses(40, 1));
        assert!(watch.none_between(31, 39));
    }

    #[test]
    fn without_a_reading_on_both_sides_nothing_is_sure() {
        let mut watch = LossWatch::default();
        assert!(!watch.none_between(1, 2));
        watch.read(&losses(10, 0));
        assert!(!watch.none_between(5, 9), "began before the first reading");
        assert!(!watch.none_between(11, 12), "not read since");
    }

    #[test]
    fn a_gap_in_a_cpus_numbers_is_a_loss() {
        let mut watch = LossWatch::default();
        watch.read(&losses(1, 0));
        let event = |at_ns, seq| Event {
            at_ns,
            cpu: 0,
            seq,
            what: What::Request(Data { sock_id: 1, bytes: Vec::new(), truncated: false }),
        };
        watch.event(&event(10, 5));
        watch.event(&event(11, 6));
        assert_eq!(watch.gaps(), 0);
        watch.event(&event(12, 8));
        watch.event(&event(12, 8));
        assert_eq!(watch.gaps(), 1);
        watch.read(&losses(20, 0));
        assert!(!watch.none_between(10, 15));
        assert!(watch.none_between(13, 15));
        watch.event(&event(12, 7));
        assert_eq!(watch.gaps(), 0, "it came after the one that had interrupted it");
        assert!(watch.none_between(10, 15));
    }
}
