//! Whether a new connection goes on with an attempt that runs: a redirect, gRPC's next connect, the kubelet's next try.

use super::{
    facts::Connection,
    open::Open,
    outcome::{self, Rules, Ruling},
    timing::{MAX_REQUESTS, MAX_TRIES, PROBER_LEAD_NS, REDIRECT_NS, RETRY_AMONG_RIVALS_NS, RETRY_NS},
};
use crate::{
    attribution::{spec::Handler, store::Candidate},
    event::Sock,
};

/// How a connection joins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    /// The same try goes on.
    SameTry,
    /// The kubelet tries again.
    NextTry,
}

/// How soon after an error the next try must begin to be one.
pub fn retry_window_ns(candidates: &[Candidate]) -> u64 {
    if candidates.len() > 1 { RETRY_AMONG_RIVALS_NS } else { RETRY_NS }
}

/// Whether `sock`, whose connect() was at `at_ns`, belongs to `open`.
pub fn join(open: &Open, sock: &Sock, at_ns: u64, rules: Rules, connections: usize) -> Option<Join> {
    let last = open.connections().last()?;
    if open.settled.is_some() || open.prober.pid != sock.tgid || last.remote.ip() != sock.remote.ip() {
        return None;
    }
    if open.connections().len() < connections.min(MAX_REQUESTS) && is_redirected(last, at_ns) {
        return Some(Join::SameTry);
    }
    if last.remote.port() != sock.remote.port() {
        return None;
    }
    if open.connections().len() < connections && is_grpc_again(open, at_ns) {
        return Some(Join::SameTry);
    }
    let may_retry = open.tries.len() < MAX_TRIES;
    (may_retry && is_retry(open, last, at_ns, rules)).then_some(Join::NextTry)
}

/// A redirect was answered, and the next connect follows at once (Go dials before or just after it closes the old one).
fn is_redirected(last: &Connection, at_ns: u64) -> bool {
    let status = last.http_status();
    let since_ns = if last.closed_ns != 0 { last.closed_ns } else { last.bytes.first_rx_ns };
    matches!(status, Some(301 | 302 | 303 | 307 | 308)) && at_ns <= since_ns.saturating_add(REDIRECT_NS)
}

fn is_grpc_again(open: &Open, at_ns: u64) -> bool {
    let is_grpc = |candidate: &Candidate| matches!(candidate.spec.handler, Handler::Grpc { .. });
    let longest = open.candidates.iter().map(|candidate| candidate.spec.timeout_ns).max().unwrap_or_default();
    open.candidates.iter().all(is_grpc)
        && open.connections().iter().all(|connection| connection.closed_ns != 0)
        && at_ns < open.try_began_ns().saturating_add(longest).saturating_sub(PROBER_LEAD_NS)
}

fn is_retry(open: &Open, last: &Connection, at_ns: u64, rules: Rules) -> bool {
    let window_ns = retry_window_ns(&open.candidates);
    let longest = open.candidates.iter().map(|candidate| candidate.spec.timeout_ns).max().unwrap_or_default();
    let shortest_period = open.candidates.iter().map(|candidate| candidate.spec.period_ns).min().unwrap_or_default();
    let began_ns = open.try_began_ns();
    match outcome::decide(open, rules) {
        Ruling::Is(decision) => {
            // Where it need not have been an error, the next tick of a period as short as the attempt looks the same.
            let next_tick = at_ns.saturating_sub(began_ns) >= shortest_period;
            let certain = last.http_status().is_some() && last.is_answered_before(began_ns.saturating_add(longest));
            decision.if_retried.is_some()
                && (certain || !next_tick)
                && at_ns <= decision.ended_ns.saturating_add(window_ns)
                && at_ns.saturating_add(PROBER_LEAD_NS) >= decision.ended_ns
        }
        // The deadline came in the body, and the close is seen only after the next connect.
        Ruling::Wait(_) => {
            let deadline_ns = began_ns.saturating_add(longest);
            last.http_status().is_some()
                && last.is_answered_before(deadline_ns)
                && last.closed_ns == 0
                && at_ns.saturating_add(PROBER_LEAD_NS) >= deadline_ns
                && at_ns <= deadline_ns.saturating_add(window_ns)
        }
        Ruling::NoProbe => false,
    }
}
