//! The middle: inputs in, records and requests out. Pure, so that a replay of the same inputs gives the same records.

use std::net::IpAddr;

use crate::{
    assemble::assemble,
    attempt::{Counters, Limits, Request, Tracker, tracker::Output as TrackerOutput},
    clock::rfc3339,
    input::{Clock, Input, Start},
    record::{NodeRecord, Record, SCHEMA},
    verdict,
};

/// What the middle wants done.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Show this.
    Record(Record),
    /// Read the node's state and feed the answer as an observation.
    Ask(Request),
    /// The kernel programs should watch these endpoints from now on.
    Targets(Vec<(IpAddr, u16)>),
}

/// Tracker, verdict and assembly in one: an event goes through here one straight way.
pub struct Middle {
    tracker: Tracker,
    run: Option<Start>,
    clock: Clock,
    /// Reused between calls.
    outputs: Vec<TrackerOutput>,
}

impl Middle {
    /// An empty middle; the first input must be [`Input::Start`].
    pub fn new(limits: Limits) -> Self {
        Self { tracker: Tracker::new(limits), run: None, clock: Clock::default(), outputs: Vec::new() }
    }

    /// Takes one input; appends what follows from it to `out`.
    pub fn feed(&mut self, input: &Input, out: &mut Vec<Output>) {
        match input {
            Input::Start(start) => {
                self.clock = start.clock;
                out.push(Output::Record(Record::Node(node_record(start))));
                self.run = Some(start.clone());
            }
            Input::Clock(clock) => self.clock = *clock,
            _ => {}
        }
        self.tracker.feed(input, &mut self.outputs);
        let Some(start) = &self.run else {
            self.outputs.clear();
            return;
        };
        for output in self.outputs.drain(..) {
            out.push(match output {
                TrackerOutput::Ask(request) => Output::Ask(request),
                TrackerOutput::Targets(targets) => Output::Targets(targets),
                TrackerOutput::Closed(attempt) => {
                    let judged = verdict::judge(&attempt, &verdict::Context { start, clock: self.clock });
                    let record = assemble(&attempt, judged, start, &self.clock);
                    Output::Record(Record::Attempt(Box::new(record)))
                }
            });
        }
    }

    /// Counters of the tracker, for `health`.
    pub fn counters(&self) -> Counters {
        self.tracker.counters()
    }

    /// When the next [`Input::Tick`] is needed at the latest, CLOCK_MONOTONIC.
    pub fn next_deadline(&self) -> Option<u64> {
        self.tracker.next_deadline()
    }
}

fn node_record(start: &Start) -> NodeRecord {
    NodeRecord {
        schema: SCHEMA,
        node: start.node.clone(),
        at: rfc3339(start.clock.wall_ns),
        kernel: start.kernel.clone(),
        hooks: start.hooks.clone(),
        lacks: start.lacks.iter().map(|(facility, lost)| format!("{facility}: {lost}")).collect(),
    }
}
