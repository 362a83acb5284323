//! tcp: passed when the handshake was done in time, whoever did it (probe/tcp: DoTCPProbe); an error of close() is only logged.
//!
//! A RST before the prober's close is a failure: Go's connect waits until the socket is writable, then reads SO_ERROR and the
//! peer's name (net/fd_unix.go: connect), which a RST before that turns into `connect: connection reset by peer`. Some tens
//! of microseconds later it closes, so a RST in between is possible, but less so than one before its thread woke up.

use super::{Decision, Ruling, View};
use crate::{attempt::facts::Connection, record::Outcome};

pub(super) fn decide(view: &View<'_>, connection: &Connection) -> Ruling {
    if let Some(ruling) = view.before_established(connection) {
        return ruling;
    }
    if connection.is_ended_by_reset() && connection.reset_ns < view.deadline_ns() {
        return Ruling::Is(Decision::failure(connection.reset_ns));
    }
    let in_time = connection.closed_ns != 0 && connection.closed_ns < view.deadline_ns();
    if in_time || view.is_past_deadline() {
        let ended_ns = if in_time { connection.closed_ns } else { connection.established_ns };
        return Ruling::Is(Decision::new(Outcome::Success, ended_ns));
    }
    view.wait_for_deadline()
}
