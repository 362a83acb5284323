//! The attempts that run, with their timers: everything that connections and commands have in common.

pub mod contend;
mod finish;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use super::{
    facts::Try,
    history::Histories,
    limits::{Counters, Limits},
    looks,
    losses::LossWatch,
    open::Open,
    outcome::{self, Decision, Rules, Ruling},
    timing::{DELIVERY_NS, LATE_EVIDENCE_NS, RETRY_NS},
    tracker::Output,
};
use crate::{
    attribution::{
        phase::Phases,
        store::{Candidate, SpecStore},
    },
    input::{Clock, Prober},
    observation::Observation,
    record::Outcome,
};

/// An attempt's key while it runs.
pub type Key = u64;

/// A timer that lies in the past is looked at again after this.
const AGAIN_NS: u64 = 1_000_000;

/// See the module.
#[derive(Debug)]
pub struct Core {
    pub limits: Limits,
    pub counters: Counters,
    pub store: SpecStore,
    pub phases: Phases,
    pub histories: Histories,
    pub losses: LossWatch,
    pub probers: Vec<Prober>,
    pub is_kubelet: bool,
    pub start_ns: u64,
    pub start_wall_ns: i64,
    pub clock: Clock,
    pub now_ns: u64,
    pub watermark_ns: u64,
    pub opens: BTreeMap<Key, Open>,
    /// What ended since this was last emptied: indices elsewhere point to it.
    pub finished: Vec<Finished>,
    /// The same of sockets that changed their attempt.
    pub moved: Vec<contend::Moved>,
    /// Time of the past event that is replayed, and what it touched: ruled on once all of them were.
    pub replay_ns: Option<u64>,
    pub touched: BTreeSet<Key>,
    timers: BTreeSet<(u64, Key)>,
    look_of: BTreeMap<u64, Key>,
    next_key: Key,
    next_number: u64,
    next_look: u64,
}

/// An attempt that is over.
#[derive(Debug)]
pub struct Finished {
    pub key: Key,
    pub sockets: Vec<(u64, SocketAddr)>,
}

impl Core {
    pub fn new(limits: Limits) -> Self {
        Self {
            counters: Counters::default(),
            store: SpecStore::new(limits.specs),
            phases: Phases::new(limits.probes),
            histories: Histories::new(limits.probes),
            limits,
            losses: LossWatch::default(),
            probers: Vec::new(),
            is_kubelet: false,
            start_ns: 0,
            start_wall_ns: 0,
            clock: Clock::default(),
            now_ns: 0,
            watermark_ns: 0,
            opens: BTreeMap::new(),
            finished: Vec::new(),
            moved: Vec::new(),
            replay_ns: None,
            touched: BTreeSet::new(),
            timers: BTreeSet::new(),
            look_of: BTreeMap::new(),
            next_key: 0,
            next_number: 0,
            next_look: 0,
        }
    }

    pub fn rules(&self) -> Rules {
        let watermark_ns = self.replay_ns.map_or(self.watermark_ns, |at_ns| at_ns.min(self.watermark_ns));
        Rules { is_kubelet: self.is_kubelet, watermark_ns }
    }

    /// Events and ticks move the time; it never goes back.
    pub fn advance(&mut self, now_ns: u64) {
        self.now_ns = self.now_ns.max(now_ns);
    }

    /// CLOCK_BOOTTIME to CLOCK_MONOTONIC.
    pub fn mono_of_boot(&self, boot_ns: u64) -> Option<u64> {
        let gap = self.clock.boot_ns.checked_sub(self.clock.mono_ns)?;
        (boot_ns != 0 && self.clock.boot_ns != 0).then(|| boot_ns.checked_sub(gap)).flatten()
    }

    /// CLOCK_MONOTONIC to the wall clock.
    pub fn wall_of(&self, mono_ns: u64) -> i64 {
        let ahead = i128::from(mono_ns) - i128::from(self.clock.mono_ns);
        i64::try_from(i128::from(self.clock.wall_ns) + ahead).unwrap_or(i64::MAX)
    }

    /// The prober with this pid.
    pub fn prober(&self, pid: u32) -> Prober {
        let known = self.probers.iter().find(|prober| prober.pid == pid);
        known.cloned().unwrap_or_else(|| Prober { pid, comm: String::new() })
    }

    /// Whether a prober has this pid, as the tracer sees it.
    pub fn is_prober(&self, pid: u32) -> bool {
        self.probers.iter().any(|prober| prober.pid == pid)
    }

    /// Begins an attempt; `None`: no room, counted.
    pub fn open(&mut self, prober: Prober, candidates: Vec<Candidate>, began_ns: u64, first: Try) -> Option<Key> {
        if self.opens.len() >= self.limits.open {
            self.counters.dropped += 1;
            return None;
        }
        self.next_key += 1;
        self.opens.insert(self.next_key, Open::new(prober, candidates, began_ns, first));
        Some(self.next_key)
    }

    /// A further try of an attempt.
    pub fn next_try(&mut self, key: Key, next: Try) -> Option<usize> {
        let open = self.opens.get_mut(&key)?;
        open.tries.push(next);
        open.looks.next_try();
        Some(open.tries.len() - 1)
    }

    /// Looks whether an attempt is over, or what it waits for.
    pub fn evaluate(&mut self, key: Key, out: &mut Vec<Output>) {
        if self.replay_ns.is_some() {
            self.touched.insert(key);
            return;
        }
        if self.is_absorbed(key, out) {
            return;
        }
        let rules = self.rules();
        let Some(open) = self.opens.get(&key) else { return };
        if open.settled.is_some() {
            self.close_if_done(key, out);
            return;
        }
        match outcome::decide(open, rules) {
            Ruling::NoProbe => self.discard(key),
            Ruling::Wait(until_ns) => self.wait(key, until_ns.saturating_add(DELIVERY_NS), out),
            Ruling::Is(_) if self.is_contended(key) => self.wake(key, self.now_ns.saturating_add(RETRY_NS)),
            Ruling::Is(decision) => self.decided(key, decision, out),
        }
    }

    fn decided(&mut self, key: Key, decision: Decision, out: &mut Vec<Output>) {
        let is_fresh = self.now_ns.saturating_sub(decision.ended_ns) < LATE_EVIDENCE_NS / 2;
        if decision.is_abrupt && is_fresh && self.opens.get_mut(&key).is_some_and(|open| open.looks.take_after_end()) {
            self.ask(key, out);
        }
        let at_once = decision.outcome == Outcome::Success && decision.firm_ns <= decision.ended_ns;
        if at_once || self.watermark_ns >= decision.firm_ns {
            self.settle(key, decision);
            self.close_if_done(key, out);
        } else {
            self.wake(key, decision.firm_ns.saturating_add(DELIVERY_NS));
        }
    }

    /// Nothing decided: asks the looks that are due, and sleeps till the next one or the deadline.
    fn wait(&mut self, key: Key, until_ns: u64, out: &mut Vec<Output>) {
        let (now_ns, is_kubelet) = (self.now_ns, self.is_kubelet);
        let Some(open) = self.opens.get_mut(&key) else { return };
        let plan = looks::plan(open, is_kubelet);
        let is_due = open.looks.take_due(&plan, now_ns);
        let next = open.looks.next(&plan).map_or(until_ns, |next| next.min(until_ns));
        if is_due {
            self.ask(key, out);
        }
        self.wake(key, next);
    }

    fn ask(&mut self, key: Key, out: &mut Vec<Output>) {
        let Some(open) = self.opens.get_mut(&key) else { return };
        if open.looks.asked() >= self.limits.looks {
            self.counters.hit("looks_of_one_attempt");
            return;
        }
        self.next_look += 1;
        open.looks.ask(self.next_look);
        self.look_of.insert(self.next_look, key);
        out.push(Output::Ask(looks::request(open, self.next_look, self.now_ns)));
    }

    fn wake(&mut self, key: Key, at_ns: u64) {
        let at_ns = at_ns.max(self.now_ns.saturating_add(AGAIN_NS));
        let Some(open) = self.opens.get_mut(&key) else { return };
        if let Some(old) = open.wake_ns.replace(at_ns) {
            self.timers.remove(&(old, key));
        }
        self.timers.insert((at_ns, key));
    }

    /// The earliest timer.
    pub fn next_deadline(&self) -> Option<u64> {
        self.timers.first().map(|(at_ns, _)| *at_ns)
    }

    /// Time passes.
    pub fn tick(&mut self, now_ns: u64, out: &mut Vec<Output>) {
        self.advance(now_ns);
        self.watermark_ns = self.watermark_ns.max(now_ns.saturating_sub(DELIVERY_NS));
        let due: Vec<Key> = self.timers.range(..=(self.now_ns, Key::MAX)).map(|(_, key)| *key).collect();
        for key in due {
            self.evaluate(key, out);
        }
    }

    /// The answer to a look.
    pub fn answer(&mut self, observation: &Observation, out: &mut Vec<Output>) {
        let key = self.look_of.remove(&observation.look);
        let Some((key, open)) = key.and_then(|key| self.opens.get_mut(&key).map(|open| (key, open))) else {
            self.counters.hit("answers_after_close");
            return;
        };
        open.looks.answer(observation);
        self.evaluate(key, out);
    }

    /// The loss counters were read: failures may have waited for that.
    pub fn recheck_settled(&mut self, out: &mut Vec<Output>) {
        let settled = self.opens.iter().filter(|(_, open)| open.settled.is_some());
        let keys: Vec<Key> = settled.map(|(key, _)| *key).collect();
        for key in keys {
            self.close_if_done(key, out);
        }
    }

    /// No probe after all: forgotten without a record.
    fn discard(&mut self, key: Key) {
        if self.remove(key).is_some() {
            self.counters.unattributed += 1;
        }
    }

    fn remove(&mut self, key: Key) -> Option<Open> {
        let open = self.detach(key)?;
        let sockets = open.all_connections().map(|connection| (connection.sock_id, connection.remote)).collect();
        self.finished.push(Finished { key, sockets });
        Some(open)
    }

    fn detach(&mut self, key: Key) -> Option<Open> {
        let open = self.opens.remove(&key)?;
        if let Some(at_ns) = open.wake_ns {
            self.timers.remove(&(at_ns, key));
        }
        for look in &open.looks.outstanding {
            self.look_of.remove(look);
        }
        Some(open)
    }
}
