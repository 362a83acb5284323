//! How an attempt ends for the prober, by the kubelet's rules. Pure functions of what was seen.

mod exec;
mod grpc;
mod http;
mod tcp;

pub(super) use self::exec::deadline_ns as exec_deadline_ns;
use super::{
    facts::{Connection, Try},
    open::Open,
    timing::{CLOSE_SLACK_NS, MAX_TRIES, PROBER_LEAD_NS, SETTLE_NS, SYNCHRONOUS_NS},
};
use crate::{
    attribution::{
        matching::{self, Narrowed},
        spec::Handler,
    },
    record::Outcome,
};

/// What holds for the whole run, and how far it has been seen.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Retries and thrown-away errors exist.
    pub is_kubelet: bool,
    /// All events up to here were delivered.
    pub watermark_ns: u64,
}

/// The answer of this module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// Not over: ask again when the events up to this instant are there.
    Wait(u64),
    /// Over.
    Is(Decision),
    /// What was sent or run is none of the candidates.
    NoProbe,
}

/// An end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// How, if no further try follows.
    pub outcome: Outcome,
    /// When, for the prober.
    pub ended_ns: u64,
    /// If the kubelet tries again right after it, then this try was that.
    pub if_retried: Option<Outcome>,
    /// From here on nothing can join any more.
    pub firm_ns: u64,
    /// The end came from outside (refused, reset, EOF, failed exec): the target's state now is evidence.
    pub is_abrupt: bool,
    /// The end shows this timeoutSeconds.
    pub timeout_seen_ns: Option<u64>,
    /// Only the more probable outcome: nothing learns from it.
    pub is_guess: bool,
}

impl Decision {
    fn new(outcome: Outcome, ended_ns: u64) -> Self {
        let firm_ns = if outcome == Outcome::Success { ended_ns } else { ended_ns.saturating_add(SETTLE_NS) };
        Self { outcome, ended_ns, if_retried: None, firm_ns, is_abrupt: false, timeout_seen_ns: None, is_guess: false }
    }

    /// Cut by the end of tracing.
    pub fn aborted(ended_ns: u64) -> Self {
        Self::new(Outcome::Aborted, ended_ns)
    }

    fn failure(ended_ns: u64) -> Self {
        Self { is_abrupt: true, ..Self::new(Outcome::Failure, ended_ns) }
    }

    /// An error if it is retried within `window_ns`.
    fn retriable(mut self, otherwise: Outcome, window_ns: u64) -> Self {
        (self.if_retried, self.outcome) = (Some(Outcome::Error), otherwise);
        self.firm_ns = self.ended_ns.saturating_add(window_ns);
        self
    }
}

/// The try that runs, as the rules see it.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// Of this try.
    pub connections: &'a [Connection],
    /// Of this try.
    pub began_ns: u64,
    /// timeoutSeconds of each candidate.
    pub timeouts_ns: &'a [u64],
    /// See [`Rules`].
    pub rules: Rules,
    /// This one was closed by the prober with bytes unread.
    pub closed_unread: &'a [u64],
    /// How long the kubelet may take to begin its next try.
    pub retry_window_ns: u64,
}

impl View<'_> {
    /// The prober's timer: the longest of the candidates' while there are several.
    fn deadline_ns(&self) -> u64 {
        self.began_ns.saturating_add(self.timeouts_ns.iter().copied().max().unwrap_or_default())
    }

    /// The first instant that may already be the deadline's doing.
    fn nearly_ns(&self) -> u64 {
        self.deadline_ns().saturating_sub(PROBER_LEAD_NS)
    }

    /// Whether all events up to the deadline and its slack were delivered.
    fn is_past_deadline(&self) -> bool {
        self.rules.watermark_ns >= self.deadline_ns().saturating_add(CLOSE_SLACK_NS)
    }

    fn wait_for_deadline(&self) -> Ruling {
        Ruling::Wait(self.deadline_ns().saturating_add(CLOSE_SLACK_NS))
    }

    /// The candidate's timeoutSeconds after which this instant comes.
    fn timeout_at(&self, at_ns: u64) -> Option<u64> {
        self.timeouts_ns.iter().copied().find(|timeout| {
            let deadline = self.began_ns.saturating_add(*timeout);
            at_ns >= deadline.saturating_sub(PROBER_LEAD_NS) && at_ns <= deadline.saturating_add(CLOSE_SLACK_NS)
        })
    }

    /// Timed out: at the prober's close where that lies at the deadline, else at the deadline.
    fn timed_out(&self, closed_ns: u64) -> Decision {
        let seen = Some(closed_ns).filter(|closed| *closed != 0).and_then(|closed| self.timeout_at(closed));
        let ended_ns = if seen.is_some() { closed_ns } else { self.deadline_ns() };
        Decision { timeout_seen_ns: seen, ..Decision::new(Outcome::Timeout, ended_ns) }
    }

    /// The prober closed, nothing had happened, and its deadline was not there: another candidate's deadline; else the
    /// kubelet is going (its http and tcp probers ignore cancellation), or another prober's own patience ended.
    fn gave_up(&self, closed_ns: u64) -> Decision {
        match self.timeout_at(closed_ns) {
            Some(timeout) => Decision { timeout_seen_ns: Some(timeout), ..Decision::new(Outcome::Timeout, closed_ns) },
            None if self.rules.is_kubelet => Decision::new(Outcome::Aborted, closed_ns),
            None => Decision::new(Outcome::Timeout, closed_ns),
        }
    }

    /// While the handshake is not done: refused, unreachable, failed at once, timed out. `None`: it was done in time.
    fn before_established(&self, connection: &Connection) -> Option<Ruling> {
        if connection.established_ns != 0 && connection.established_ns < self.deadline_ns() {
            return None;
        }
        let closed_ns = connection.closed_ns;
        if closed_ns != 0 && closed_ns < self.nearly_ns() {
            let told = connection.error != 0 || connection.reset_ns != 0;
            let at_once = closed_ns.saturating_sub(connection.began_ns) < SYNCHRONOUS_NS;
            let decision = if told || at_once { Decision::failure(closed_ns) } else { self.gave_up(closed_ns) };
            return Some(Ruling::Is(decision));
        }
        Some(if self.is_past_deadline() { Ruling::Is(self.timed_out(closed_ns)) } else { self.wait_for_deadline() })
    }
}

/// Rules on an attempt.
pub fn decide(open: &Open, rules: Rules) -> Ruling {
    if open.is_foreign {
        return Ruling::NoProbe;
    }
    let ruling = match open.tries.last() {
        Some(Try::Exec(run)) => exec::decide(open, run, rules),
        Some(Try::Net(connections)) => decide_net(open, connections, rules),
        None => Ruling::NoProbe,
    };
    match ruling {
        // The kubelet tries at most three times: the last one is not retried, but was the same error.
        Ruling::Is(mut decision) if open.tries.len() >= MAX_TRIES && decision.if_retried.is_some() => {
            decision.outcome = decision.if_retried.take().unwrap_or(decision.outcome);
            decision.firm_ns = decision.ended_ns.saturating_add(SETTLE_NS);
            Ruling::Is(decision)
        }
        other => other,
    }
}

fn decide_net(open: &Open, connections: &[Connection], rules: Rules) -> Ruling {
    let Narrowed { kept, .. } = matching::by_request(&open.candidates, connections);
    if kept.is_empty() {
        return Ruling::NoProbe;
    }
    let timeouts_ns: Vec<u64> = kept.iter().map(|candidate| candidate.spec.timeout_ns).collect();
    let retry_window_ns = super::join::retry_window_ns(&kept);
    let closed_unread = &open.closed_unread;
    let view = View {
        connections,
        began_ns: open.try_began_ns(),
        timeouts_ns: &timeouts_ns,
        rules,
        closed_unread,
        retry_window_ns,
    };
    let Some(last) = connections.last() else { return Ruling::NoProbe };
    // Of several handlers that nothing has told apart yet, HTTP's rules hold for all of them.
    let http = kept.iter().find_map(|candidate| match &candidate.spec.handler {
        Handler::Http { tls, .. } => Some(*tls),
        _ => None,
    });
    match (http, kept.iter().any(|candidate| matches!(candidate.spec.handler, Handler::Tcp { .. }))) {
        (Some(tls), _) => http::decide(&view, last, tls),
        (None, true) => tcp::decide(&view, last),
        (None, false) => grpc::decide(&view),
    }
}
