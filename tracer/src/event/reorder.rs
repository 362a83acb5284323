//! Puts events of several CPUs into the order of their time.
//!
//! The ring is shared, but a program reads the clock some time before it gets its slot: two CPUs may swap. Events are held
//! [`HOLD_NS`] and leave by (time, CPU, number). What comes later than that is passed on at once and counted: the attempts
//! bear any order.

use std::{cmp::Reverse, collections::BinaryHeap};

use super::Event;

/// How long an event waits for earlier ones. Reserve and submit lie within one program: microseconds, unless the CPU is
/// taken away from it (a virtual CPU's pause).
pub const HOLD_NS: u64 = 5_000_000;

/// A bounded heap of events by time.
#[derive(Debug)]
pub struct Reorder {
    heap: BinaryHeap<Reverse<Held>>,
    limit: usize,
    released_ns: u64,
    late: u64,
    overflowed: u64,
}

#[derive(Debug, PartialEq, Eq)]
struct Held(Event);

impl Held {
    fn key(&self) -> (u64, u32, u64) {
        (self.0.at_ns, self.0.cpu, self.0.seq)
    }
}

impl Ord for Held {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

impl PartialOrd for Held {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Reorder {
    /// Holds at most `limit` events (at least one); past it the earliest leave before their time, counted.
    pub fn new(limit: usize) -> Self {
        Self { heap: BinaryHeap::new(), limit: limit.max(1), released_ns: 0, late: 0, overflowed: 0 }
    }

    /// Takes one event; those that have to leave at once (late, or no room) are put into `out`.
    pub fn push(&mut self, event: Event, out: &mut Vec<Event>) {
        if event.at_ns < self.released_ns {
            self.late += 1;
            out.push(event);
            return;
        }
        self.heap.push(Reverse(Held(event)));
        if self.heap.len() > self.limit {
            self.overflowed += 1;
            self.pop(out);
        }
    }

    /// At `now_ns`: all that is older than [`HOLD_NS`] leaves, in order.
    pub fn release(&mut self, now_ns: u64, out: &mut Vec<Event>) {
        let until = now_ns.saturating_sub(HOLD_NS);
        while self.heap.peek().is_some_and(|Reverse(held)| held.0.at_ns <= until) {
            self.pop(out);
        }
    }

    /// All that is held leaves, in order: tracing ends.
    pub fn drain(&mut self, out: &mut Vec<Event>) {
        while !self.heap.is_empty() {
            self.pop(out);
        }
    }

    /// When the earliest held event may leave; `None`: nothing is held.
    pub fn next_deadline(&self) -> Option<u64> {
        self.heap.peek().map(|Reverse(held)| held.0.at_ns.saturating_add(HOLD_NS))
    }

    /// Events that came after a later one had left.
    pub fn late(&self) -> u64 {
        self.late
    }

    /// Times that the bound was reached.
    pub fn overflowed(&self) -> u64 {
        self.overflowed
    }

    fn pop(&mut self, out: &mut Vec<Event>) {
        if let Some(Reverse(held)) = self.heap.pop() {
            self.released_ns = self.released_ns.max(held.0.at_ns);
            out.push(held.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::{Data, What};

    fn event(at_ns: u64, cpu: u32, seq: u64) -> Event {
        Event { at_ns, cpu, seq, what: What::Request(Data { sock_id: 1, bytes: Vec::new(), truncated: false }) }
    }

    #[test]
    fn two_cpus_swapped_by_less_than_the_hold_come_out_in_order() {
        let (mut reorder, mut out) = (Reorder::new(8), Vec::new());
        reorder.push(event(2_000_000, 1, 1), &mut out);
        reorder.push(event(1_000_000, 0, 1), &mut out);
        reorder.release(7_000_000, &mut out);
        assert_eq!(out.iter().map(|event| event.at_ns).collect::<Vec<_>>(), [1_000_000, 2_000_000]);
        assert_eq!(reorder.late(), 0);
    }

    #[test]
    fn a_late_event_is_passed_on_and_counted() {
        let (mut reorder, mut out) = (Reorder::new(8), Vec::new());
        reorder.push(event(2_000_000, 1, 1), &mut out);
        reorder.release(8_000_000, &mut out);
        reorder.push(event(1_000_000, 0, 1), &mut out);
        assert_eq!(out.len(), 2);
        assert_eq!(reorder.late(), 1);
    }

    #[test]
    fn a_full_heap_gives_up_its_earliest_and_counts_it() {
        let (mut reorder, mut out) = (Reorder::new(2), Vec::new());
        for at in [30, 10, 20] {
            reorder.push(event(at, 0, at), &mut out);
        }
        assert_eq!(out.iter().map(|event| event.at_ns).collect::<Vec<_>>(), [10]);
        assert_eq!(reorder.overflowed(), 1);
        assert_eq!(reorder.next_deadline(), Some(20 + HOLD_NS));
    }

    proptest! {
        #[test]
        fn nothing_is_lost_or_doubled_and_order_holds_within_the_hold(
            mut jitters in proptest::collection::vec((0u64..HOLD_NS, 0u32..4), 1..200)
        ) {
            // Event i happens at i*100 µs and arrives up to HOLD later.
            let mut arrivals: Vec<(u64, Event)> = jitters.drain(..).enumerate().map(|(index, (jitter, cpu))| {
                let at = index as u64 * 100_000;
                (at + jitter, event(at, cpu, index as u64))
            }).collect();
            arrivals.sort_by_key(|(arrival, _)| *arrival);
            let (mut reorder, mut out) = (Reorder::new(10_000), Vec::new());
            let count = arrivals.len();
            for (arrival, event) in arrivals {
                reorder.push(event, &mut out);
                reorder.release(arrival, &mut out);
            }
            reorder.drain(&mut out);
            prop_assert_eq!(out.len(), count);
            prop_assert_eq!(reorder.late(), 0);
            prop_assert!(out.is_sorted_by_key(|event| event.at_ns));
        }
    }
}
