//! gRPC: blocks until connected and tries again inside the attempt (probe/grpc: WithBlock without fail-fast), so what ends it
//! is an answer or the deadline. The answer itself is in HTTP/2 frames that are not looked into.

use super::{Decision, Ruling, View};
use crate::{attempt::facts::Connection, record::Outcome};

/// Type byte of an HTTP/2 SETTINGS frame (RFC 9113, 6.5), the first that a server sends.
const SETTINGS: u8 = 4;

pub(super) fn decide(view: &View<'_>) -> Ruling {
    let answered = view.connections.iter().find(|connection| is_answered(view, connection));
    if let Some(connection) = answered {
        let is_guess = !connection.bytes_watched;
        return Ruling::Is(Decision { is_guess, ..Decision::new(Outcome::Success, connection.closed_ns) });
    }
    let Some(last) = view.connections.last() else { return view.wait_for_deadline() };
    // The prober closed a connection on which nothing had come.
    let dropped = last.closed_ns != 0
        && last.closed_ns < view.nearly_ns()
        && last.error == 0
        && last.reset_ns == 0
        && last.fin_or_answer_ns() == 0;
    if dropped && last.closed_ns.saturating_sub(last.began_ns) >= super::SYNCHRONOUS_NS {
        let decision = view.gave_up(last.closed_ns);
        if decision.timeout_seen_ns.is_some() || view.is_past_deadline() {
            return Ruling::Is(decision);
        }
    }
    if view.is_past_deadline() {
        return Ruling::Is(view.timed_out(last.closed_ns));
    }
    view.wait_for_deadline()
}

/// The prober itself closed in time, after the server had spoken HTTP/2 (as far as seen).
fn is_answered(view: &View<'_>, connection: &Connection) -> bool {
    let h2 = connection.response.as_ref().is_none_or(|data| data.bytes.get(3).is_none_or(|kind| *kind == SETTINGS));
    let closed_by_prober = connection.closed_ns != 0 && connection.reset_ns == 0 && connection.error == 0;
    let server_first = connection.bytes.fin_rx_ns != 0 && connection.bytes.fin_rx_ns <= connection.closed_ns;
    let answered = connection.is_answered_before(view.deadline_ns()) || !connection.bytes_watched;
    connection.established_ns != 0
        && closed_by_prober
        && connection.closed_ns < view.nearly_ns()
        && !server_first
        && answered
        && h2
        && view.timeout_at(connection.closed_ns).is_none()
}

impl Connection {
    fn fin_or_answer_ns(&self) -> u64 {
        self.bytes.fin_rx_ns.max(self.bytes.first_rx_ns)
    }
}
