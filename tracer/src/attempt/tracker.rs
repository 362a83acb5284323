//! The middle's first half: every input goes in, finished attempts, looks and targets come out.

use std::net::IpAddr;

use super::{Counters, Limits, Request, core::Core, exec::Execs, facts::Attempt, network::Network};
use crate::{
    event::Event,
    input::{Input, Start},
};

/// What the tracker says.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// An attempt is over; each is given out exactly once.
    Closed(Box<Attempt>),
    /// Look at the target now.
    Ask(Request),
    /// What the probers' sockets may connect to, sorted; said when it changes.
    Targets(Vec<(IpAddr, u16)>),
}

/// Follows every attempt. Pure: the same inputs give the same outputs.
///
/// ```
/// use probetrace::{attempt::{Limits, Tracker}, input::Input};
///
/// let mut tracker = Tracker::new(Limits::default());
/// let mut out = Vec::new();
/// tracker.feed(&Input::Tick { now_ns: 1 }, &mut out);
/// assert!(out.is_empty());
/// ```
#[derive(Debug)]
pub struct Tracker {
    core: Core,
    network: Network,
    execs: Execs,
}

impl Tracker {
    /// One that holds no more than `limits`.
    pub fn new(limits: Limits) -> Self {
        let core = Core::new(limits);
        Self { network: Network::new(&core), execs: Execs::new(&core), core }
    }

    /// Takes one input; what it leads to is added to `out`.
    pub fn feed(&mut self, input: &Input, out: &mut Vec<Output>) {
        match input {
            Input::Start(start) => self.start(start),
            Input::Event(event) => self.event(event, out),
            Input::Specs(update) => {
                self.core.advance(update.at_ns);
                if self.core.store.update(update) {
                    out.push(Output::Targets(self.core.store.endpoints()));
                }
                self.network.specs_changed(&mut self.core, out);
                self.execs.specs_changed(&mut self.core, out);
            }
            Input::Observation(observation) => self.core.answer(observation, out),
            Input::Losses(losses) => {
                self.core.losses.read(losses);
                self.core.recheck_settled(out);
            }
            Input::Clock(clock) => self.core.clock = *clock,
            Input::Probers { at_ns, probers } => {
                self.core.probers.clone_from(probers);
                self.core.advance(*at_ns);
            }
            Input::Tick { now_ns } => {
                self.core.tick(*now_ns, out);
                self.network.tick(&mut self.core);
                self.execs.tick(&mut self.core);
            }
            Input::Stop { now_ns } => {
                self.core.stop(*now_ns, out);
                self.network.stop(&mut self.core);
            }
        }
        self.forget_finished();
    }

    /// How many of what, for the health record.
    pub fn counters(&self) -> Counters {
        let core = &self.core;
        let mut counters = core.counters.clone();
        counters.open = core.opens.len() as u64;
        let further = [
            ("histories", core.histories.dropped()),
            ("phases", core.phases.dropped()),
            ("spec_versions", core.store.dropped()),
            ("gaps_in_event_numbers", core.losses.gaps()),
        ];
        for (name, count) in further {
            counters.bounds.insert(name, count);
        }
        counters
    }

    /// When a [`Input::Tick`] would lead to something; `None`: only inputs can.
    pub fn next_deadline(&self) -> Option<u64> {
        let deadlines = [self.core.next_deadline(), self.network.next_deadline(), self.execs.next_deadline()];
        deadlines.into_iter().flatten().min()
    }

    fn start(&mut self, start: &Start) {
        let core = &mut self.core;
        core.probers = start.probers.clone();
        core.is_kubelet = start.is_kubelet;
        core.clock = start.clock;
        (core.start_ns, core.start_wall_ns) = (start.clock.mono_ns, start.clock.wall_ns);
        core.advance(start.clock.mono_ns);
    }

    fn event(&mut self, event: &Event, out: &mut Vec<Output>) {
        self.core.advance(event.at_ns);
        self.core.losses.event(event);
        self.network.event(&mut self.core, event, out);
        self.execs.event(&mut self.core, event, out);
    }

    fn forget_finished(&mut self) {
        self.network.follow(&mut self.core);
        for finished in std::mem::take(&mut self.core.finished) {
            self.network.forget(&finished);
            self.execs.forget(&finished);
        }
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
