//! The end of an attempt: whose it was, what came before it, late evidence, the facts.

use super::{Core, Key};
use crate::{
    attempt::{
        facts::{Attempt, Connection, Try},
        open::{Open, Settled},
        outcome::{self, Decision, Ruling},
        timing::{CLOSE_SLACK_NS, DELIVERY_NS, LATE_EVIDENCE_NS},
        tracker::Output,
    },
    attribution::{
        matching::{self, Context, Narrowed},
        spec::ProbeSpec,
    },
    record::Outcome,
};

impl Core {
    /// Fixes the outcome, and whose attempt it is; takes it into the history.
    pub(super) fn settle(&mut self, key: Key, mut decision: Decision) {
        let Some(open) = self.opens.get(&key) else { return };
        // Events out of order may tell of an end before the begin.
        decision.ended_ns = decision.ended_ns.max(open.began_ns);
        let narrowed = self.narrow(open, &decision);
        let narrowed = self.by_phase(narrowed, key);
        let Some(chosen) = narrowed.kept.first().map(|candidate| candidate.spec.clone()) else { return };
        let Some(open) = self.opens.get_mut(&key) else { return };
        let is_certain = narrowed.kept.len() == 1;
        let is_guess = decision.is_guess;
        if is_certain {
            self.phases.learn(&chosen, open.began_ns);
        } else {
            self.counters.ambiguous += 1;
        }
        let latency_ns = decision.ended_ns.saturating_sub(open.began_ns);
        let history = self.histories.of(&chosen);
        self.histories.record(&chosen, decision.outcome, decision.ended_ns, latency_ns);
        if !is_guess {
            self.histories.note_passed(&chosen, decision.outcome, is_certain, decision.ended_ns);
        }
        open.settled = Some(Settled { decision, narrowed, history });
    }

    /// By request, duration and manifest.
    fn narrow(&self, open: &Open, decision: &Decision) -> Narrowed {
        let is_exec = matches!(open.tries.last(), Some(Try::Exec(_)));
        let mut narrowed = if is_exec {
            Narrowed { kept: open.candidates.clone(), chosen_by: "" }
        } else {
            let connections: Vec<Connection> = open.all_connections().cloned().collect();
            matching::by_request(&open.candidates, &connections)
        };
        if narrowed.kept.is_empty() {
            narrowed = Narrowed { kept: open.candidates.clone(), chosen_by: "" };
        }
        let took_ns = decision.ended_ns.saturating_sub(open.try_began_ns());
        match (decision.timeout_seen_ns, decision.outcome) {
            (Some(seen), _) => narrowed.retain("duration", |candidate| candidate.spec.timeout_ns == seen),
            // It went on past the deadline of another one.
            (None, Outcome::Success | Outcome::Failure) if !is_exec => narrowed
                .retain("duration", |candidate| candidate.spec.timeout_ns.saturating_add(CLOSE_SLACK_NS) >= took_ns),
            _ => {}
        }
        let context = Context {
            began_wall_ns: self.wall_of(open.began_ns),
            traced_since_wall_ns: self.start_wall_ns,
            is_kubelet: self.is_kubelet,
            histories: &self.histories,
        };
        matching::narrow(narrowed, &context)
    }

    fn by_phase(&mut self, mut narrowed: Narrowed, key: Key) -> Narrowed {
        let Some(began_ns) = self.opens.get(&key).map(|open| open.began_ns) else { return narrowed };
        if narrowed.kept.len() > 1 {
            let specs: Vec<&ProbeSpec> = narrowed.kept.iter().map(|candidate| &*candidate.spec).collect();
            self.phases.note(&specs, began_ns);
            if let Some(index) = self.phases.choose(&specs, began_ns) {
                narrowed = Narrowed { kept: vec![narrowed.kept[index].clone()], chosen_by: "phase of the period" };
            }
        }
        narrowed
    }

    /// Gives a settled attempt out, unless evidence is still on its way.
    pub(super) fn close_if_done(&mut self, key: Key, out: &mut Vec<Output>) {
        let Some(open) = self.opens.get(&key) else { return };
        let Some(settled) = &open.settled else { return };
        let ended_ns = settled.decision.ended_ns;
        let outcome = settled.decision.outcome;
        let at_once = matches!(outcome, Outcome::Success | Outcome::Aborted);
        let until_ns = ended_ns.saturating_add(LATE_EVIDENCE_NS).saturating_add(DELIVERY_NS);
        let orphan = outcome == Outcome::Timeout && open.has_orphan();
        let is_complete = open.looks.outstanding.is_empty() && self.losses.known_until(ended_ns) && !orphan;
        if at_once || is_complete || self.now_ns >= until_ns {
            self.close(key, out);
        } else {
            self.wake(key, until_ns);
        }
    }

    fn close(&mut self, key: Key, out: &mut Vec<Output>) {
        let Some(mut open) = self.remove(key) else { return };
        let Some(settled) = open.settled.take() else { return };
        let Decision { outcome, ended_ns, .. } = settled.decision;
        let no_loss = match outcome {
            Outcome::Success => self.losses.none_known_since(open.began_ns),
            _ => self.losses.none_between(open.began_ns, ended_ns),
        };
        let mut history = settled.history;
        history.is_whole = self.losses.none_between(history.began_ns, ended_ns);
        self.next_number += 1;
        self.counters.closed += 1;
        let mut kept = settled.narrowed.kept.into_iter();
        let chosen = kept.next();
        let meant_ports = match &chosen {
            Some(candidate) if outcome != Outcome::Success => self.store.meant_ports(&candidate.spec.container),
            _ => Vec::new(),
        };
        let mut looks = open.looks.answers;
        looks.sort_by_key(|answer| (answer.at_ns, answer.look));
        out.push(Output::Closed(Box::new(Attempt {
            number: self.next_number,
            prober: open.prober,
            spec_source: chosen.as_ref().map(|candidate| candidate.source),
            probe: chosen.map(|candidate| (*candidate.spec).clone()),
            chosen_by: settled.narrowed.chosen_by,
            ambiguous: kept.map(|candidate| (*candidate.spec).clone()).collect(),
            began_ns: open.began_ns,
            ended_ns,
            closed_ns: self.now_ns.max(ended_ns),
            outcome,
            tries: open.tries,
            looks,
            no_loss,
            meant_ports,
            history,
        })));
    }

    /// Tracing ends: what has an outcome keeps it, all else is aborted.
    pub fn stop(&mut self, now_ns: u64, out: &mut Vec<Output>) {
        self.advance(now_ns);
        let keys: Vec<Key> = self.opens.keys().copied().collect();
        for key in keys {
            let Some(open) = self.opens.get(&key) else { continue };
            if open.settled.is_none() {
                match outcome::decide(open, self.rules()) {
                    Ruling::Is(decision) => self.settle(key, decision),
                    Ruling::Wait(_) => {
                        let ended_ns = self.now_ns.max(open.began_ns);
                        self.settle(key, Decision::aborted(ended_ns));
                    }
                    Ruling::NoProbe => self.discard(key),
                }
            }
            self.close(key, out);
        }
    }
}
