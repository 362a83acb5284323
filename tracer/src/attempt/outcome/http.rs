//! http and https (probe/http: DoHTTPProbe): 200 to 399 passes, 400 and more fails; an error before the headers is a failure;
//! an error of the body is an *error*, retried and thrown away.

use super::{Decision, Ruling, View};
use crate::{
    attempt::{
        facts::Connection,
        timing::{CLOSE_SLACK_NS, JUST_ANSWERED_NS, LATE_EVIDENCE_NS, MAX_BODY_BYTES, MAX_REQUESTS, REDIRECT_NS},
    },
    event::tcp_state,
    record::Outcome,
};

/// A TLS record that carries an alert (RFC 8446, 5.1).
const TLS_ALERT: u8 = 0x15;

pub(super) fn decide(view: &View<'_>, connection: &Connection, tls: bool) -> Ruling {
    if let Some(ruling) = view.before_established(connection) {
        return ruling;
    }
    let is_answered = connection.is_answered_before(view.deadline_ns());
    let status = connection.http_status().filter(|_| !tls && is_answered);
    let http = Http { view, connection, is_answered, status, tls };
    let closed_ns = connection.closed_ns;
    if connection.is_ended_by_reset() && connection.reset_ns < view.nearly_ns() {
        return Ruling::Is(http.reset());
    }
    if closed_ns != 0 {
        let is_late = closed_ns >= view.nearly_ns();
        return Ruling::Is(if is_late { http.closed_at_deadline() } else { http.closed_in_time() });
    }
    if !view.is_past_deadline() {
        return view.wait_for_deadline();
    }
    // The answer lies there and the prober has done nothing yet: its close will tell whether it read it.
    let patience = view.deadline_ns().saturating_add(LATE_EVIDENCE_NS);
    if is_answered && view.rules.watermark_ns < patience {
        return Ruling::Wait(patience);
    }
    Ruling::Is(view.timed_out(0))
}

struct Http<'a> {
    view: &'a View<'a>,
    connection: &'a Connection,
    /// In time.
    is_answered: bool,
    /// Of an answer in time.
    status: Option<u16>,
    tls: bool,
}

impl Http<'_> {
    fn first_bytes(&self) -> &[u8] {
        let response = self.connection.response.as_ref().filter(|_| self.is_answered);
        response.map(|data| data.bytes.as_slice()).unwrap_or_default()
    }

    /// The server's RST: before the headers a failure. After them the body's error, unless the kubelet had all it wanted:
    /// then it does not try again.
    fn reset(&self) -> Decision {
        let ended_ns = self.connection.reset_ns;
        let window_ns = self.view.retry_window_ns;
        match self.status {
            Some(status) => Decision::failure(ended_ns).retriable(outcome_of(status), window_ns),
            None if self.tls && self.is_answered => Decision::failure(ended_ns).retriable(Outcome::Failure, window_ns),
            None => Decision::failure(ended_ns),
        }
    }

    fn closed_in_time(&self) -> Decision {
        let connection = self.connection;
        let ended_ns = connection.closed_ns;
        if let Some(status) = self.status {
            return self.by_status(status);
        }
        let bytes = self.first_bytes();
        // Of a status line in pieces only the first piece is known.
        let is_http = bytes.starts_with(b"HTTP/") || b"HTTP/".starts_with(bytes);
        // An alert ends the TLS handshake; plain HTTP on an https probe, and anything else on an http one, is malformed.
        let is_wrong = if self.tls { is_http || bytes.first() == Some(&TLS_ALERT) } else { !is_http };
        if !bytes.is_empty() && is_wrong {
            return Decision::failure(ended_ns);
        }
        let server_first = connection.closed_from == tcp_state::CLOSE_WAIT || connection.bytes.fin_rx_ns != 0;
        match (self.is_answered, connection.bytes_watched) {
            (false, true) if server_first || connection.error != 0 => Decision::failure(ended_ns),
            (false, true) => self.view.gave_up(ended_ns),
            // Nobody watched the bytes: a prober that closes at another candidate's deadline timed out; else it got an
            // answer, and most pass.
            (false, false) if self.view.timeout_at(ended_ns).is_some() => self.view.gave_up(ended_ns),
            (false, false) => Decision { is_guess: true, ..Decision::new(Outcome::Success, ended_ns) },
            _ => Decision::new(Outcome::Success, ended_ns),
        }
    }

    fn by_status(&self, status: u16) -> Decision {
        let ended_ns = self.connection.closed_ns;
        if self.body_is_short() {
            return Decision::failure(ended_ns).retriable(Outcome::Error, self.view.retry_window_ns);
        }
        let is_redirect = matches!(status, 301 | 302 | 303 | 307 | 308);
        if is_redirect && self.view.connections.len() >= MAX_REQUESTS {
            return Decision::new(Outcome::Failure, ended_ns);
        }
        let mut decision = Decision::new(outcome_of(status), ended_ns);
        if is_redirect {
            decision.firm_ns = ended_ns.saturating_add(REDIRECT_NS);
        }
        decision
    }

    /// The server ended before the bytes that its Content-Length promised (visible only in the first 128 bytes).
    fn body_is_short(&self) -> bool {
        let ended_by_server = self.connection.bytes.fin_rx_ns != 0
            && self.connection.bytes.fin_rx_ns <= self.connection.closed_ns
            && self.connection.bytes_watched;
        let promised = content_length(self.first_bytes()).map(|length| length.min(MAX_BODY_BYTES));
        ended_by_server && promised.is_some_and(|length| self.connection.bytes.rx < length)
    }

    /// Nothing read: a time-out. Headers read and the rest not: the body's error. Answered at the last moment: in time.
    fn closed_at_deadline(&self) -> Decision {
        let connection = self.connection;
        let closed_ns = connection.closed_ns;
        let timed_out = self.view.timed_out(closed_ns);
        let unread = self.view.closed_unread.contains(&connection.sock_id);
        if !self.is_answered || (unread && self.status.is_none_or(|_| connection.bytes.rx <= MAX_BODY_BYTES)) {
            return timed_out;
        }
        let just = connection.bytes.last_rx_ns.saturating_add(JUST_ANSWERED_NS) >= closed_ns
            && connection.bytes.last_rx_ns < self.view.deadline_ns()
            && closed_ns < self.view.deadline_ns().saturating_add(CLOSE_SLACK_NS);
        match self.status {
            Some(_) if just => self.closed_in_time(),
            // A busy node closes late; the next try begins after that.
            Some(_) => Decision { ended_ns: closed_ns.max(timed_out.ended_ns), ..timed_out }
                .retriable(Outcome::Error, self.view.retry_window_ns),
            None if self.tls => timed_out.retriable(Outcome::Timeout, self.view.retry_window_ns),
            None => timed_out,
        }
    }
}

fn outcome_of(status: u16) -> Outcome {
    if status < 400 { Outcome::Success } else { Outcome::Failure }
}

/// Content-Length, where it stands in the first bytes with its line's end.
fn content_length(bytes: &[u8]) -> Option<u64> {
    let text = String::from_utf8_lossy(bytes).to_ascii_lowercase();
    let head = text.split("\r\n\r\n").next()?;
    let (_, rest) = head.split_once("\r\ncontent-length:")?;
    let is_whole = rest.contains("\r\n") || head.len() < text.len();
    is_whole.then(|| rest.split("\r\n").next()?.trim().parse().ok()).flatten()
}
