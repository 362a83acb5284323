//! tcp: passed when the handshake was done in time, whoever did it (probe/tcp: DoTCPProbe); an error of close() is only logged.

use super::{Decision, Ruling, View};
use crate::{attempt::facts::Connection, record::Outcome};

pub(super) fn decide(view: &View<'_>, connection: &Connection) -> Ruling {
    if let Some(ruling) = view.before_established(connection) {
        return ruling;
    }
    let in_time = connection.closed_ns != 0 && connection.closed_ns < view.deadline_ns();
    if in_time || view.is_past_deadline() {
        let ended_ns = if in_time { connection.closed_ns } else { connection.established_ns };
        return Ruling::Is(Decision::new(Outcome::Success, ended_ns));
    }
    view.wait_for_deadline()
}
