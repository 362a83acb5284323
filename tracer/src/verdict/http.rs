//! The server's end answered, and the answer was no success.

use crate::{
    attempt::{facts::Connection, unseen::unseen},
    attribution::spec::Handler,
    event::{Peer, tcp_state},
    record::Outcome,
    verdict::{
        Cause,
        engine::{Claim, Finding, Rule, Standing},
        listener, text,
        view::View,
    },
};

/// `enum sk_rst_reason` of a reset by close() with unread data, by SO_LINGER 0, by the listener's close, by disconnect.
const BY_APPLICATION: &[&str] = &["TCP_ABORT_ON_CLOSE", "TCP_ABORT_ON_LINGER", "TCP_STATE", "TCP_DISCONNECT_WITH_DATA"];

/// The family.
pub const RULES: &[Rule] = &[
    Rule {
        cause: Cause::HttpStatus,
        seen: "failure; the answer's status line says 400 or more",
        rivals: &[],
        brings: &[],
        advice: &["the application itself reports that it is not well: read its log, or ask that path by hand"],
        test: http_status,
    },
    Rule {
        cause: Cause::ResetByApplication,
        seen: "a RST came on the established connection, and the target's own TCP sent it for its application",
        rivals: &[Cause::RejectedByFirewall],
        brings: &[],
        advice: &[
            "the server closed with unread data, with SO_LINGER 0, or its process ended: read its log at that time",
        ],
        test: reset_by_application,
    },
    Rule {
        cause: Cause::ClosedEarly,
        seen: "the server's FIN came before a complete answer",
        rivals: &[],
        brings: &[],
        advice: &[
            "the server closed without an answer: check scheme (HTTP or HTTPS) and protocol of that port, then its log",
        ],
        test: closed_early,
    },
];

fn is_tls(view: &View<'_>) -> bool {
    matches!(view.probe().map(|probe| &probe.handler), Some(Handler::Http { tls: true, .. }))
}

fn http_status(view: &View<'_>) -> Finding {
    if view.attempt.outcome != Outcome::Failure {
        return Finding::lost("no failure before the time-out");
    }
    let Some(status) = view.connection.and_then(Connection::http_status) else {
        return Finding::lost("no HTTP status line was received");
    };
    // 1xx is not the final answer, 200 to 399 is a success (pkg/probe/http: DoHTTPProbe).
    if status < 400 {
        return Finding::lost(format!("status {status} is no failure"));
    }
    let first = view.connection.map_or(0, |one| one.bytes.first_rx_ns);
    let after = if first > 0 { format!(" after {}", view.since_begin(first)) } else { String::new() };
    let summary = format!("{} was answered with HTTP status {status}{after}", view.request());
    let advice = match status {
        401 | 403 => Some("the path asks for credentials: probe one that does not, or send them with httpHeaders"),
        404 => Some("the path does not exist: correct httpGet.path"),
        429 | 503 => Some("the application says it is overloaded or not ready: a fault of a dependency often looks so"),
        _ => None,
    };
    let claim = Claim::shown_if(true, summary);
    let claim = claim.evidence("HTTP status", status, "first bytes that the prober received");
    advice.map_or(claim.clone(), |advice| claim.advice(advice)).fits()
}

fn reset_by_application(view: &View<'_>) -> Finding {
    let Some(connection) = view.connection.filter(|one| one.reset_ns > 0 && one.established_ns > 0) else {
        return Finding::lost("no RST on an established connection");
    };
    if !matches!(view.attempt.outcome, Outcome::Failure | Outcome::Error) {
        return Finding::lost("the RST did not decide the outcome");
    }
    let fin = connection.bytes.fin_rx_ns;
    if fin > 0 && fin < connection.reset_ns {
        return Finding::lost("the server's FIN came first");
    }
    let by_application = |peer: &Peer| peer.has_socket && BY_APPLICATION.contains(&peer.reason.as_str());
    let sent = connection.resets_sent.iter().map(|(_, peer)| peer).find(|peer| by_application(peer));
    // No answer before it by the byte counters, or the kubelet was reading the body: then no status decided.
    let no_answer = connection.bytes_watched && connection.bytes.rx == 0 || view.attempt.outcome == Outcome::Error;
    let shown = sent.is_some() && no_answer && connection.reset_in == tcp_state::ESTABLISHED;
    let how = match sent.map(|peer| peer.reason.as_str()) {
        Some("TCP_ABORT_ON_CLOSE") => "the server's process closed it, or ended, with data unread (TCP_ABORT_ON_CLOSE)",
        Some("TCP_ABORT_ON_LINGER") => "the server closed it with SO_LINGER 0 (TCP_ABORT_ON_LINGER)",
        Some("TCP_STATE") => "the server closed its listener with the connection not accepted (TCP_STATE)",
        Some(_) => "the server disconnected with data in flight (TCP_DISCONNECT_WITH_DATA)",
        None => "who sent it was not seen",
    };
    let at = text::duration(connection.reset_ns.saturating_sub(connection.established_ns));
    let summary = format!("the connection was reset {at} after it was established: {how}");
    let mut claim = Claim::shown_if(shown, summary).evidence(
        "RST received",
        view.since_begin(connection.reset_ns),
        "tcp:tcp_receive_reset",
    );
    if let Some(peer) = sent {
        claim = claim
            .evidence("RST sent by the target's TCP", &peer.reason, "tcp:tcp_send_reset")
            .rival(Cause::RejectedByFirewall, Standing::Excluded("the target's own socket sent the reset".into()));
    } else if listener::is_full(view) {
        let why = "net.ipv4.tcp_abort_on_overflow resets on a full queue";
        claim = claim.rival(Cause::AcceptQueueFull, Standing::Open(why.into()));
    }
    let claim = if no_answer { claim } else { claim.missing("whether an answer came before it") };
    // Of a tcp probe the failure itself is an inference.
    let is_tcp = matches!(view.probe().map(|probe| &probe.handler), Some(Handler::Tcp { .. }));
    let gaps = if is_tcp { unseen(view.attempt) } else { Vec::new() };
    gaps.into_iter().fold(claim, Claim::missing).fits()
}

fn closed_early(view: &View<'_>) -> Finding {
    let Some(connection) = view.established() else { return Finding::lost("no connection was established") };
    if !matches!(view.attempt.outcome, Outcome::Failure | Outcome::Error) {
        return Finding::lost("it did not fail before its time-out");
    }
    let fin = connection.bytes.fin_rx_ns;
    let peer_first = matches!(connection.closed_from, tcp_state::CLOSE_WAIT | tcp_state::LAST_ACK);
    if fin == 0 && !peer_first || fin > view.attempt.ended_ns {
        return Finding::lost("the server did not close first");
    }
    if connection.reset_ns > 0 && (fin == 0 || connection.reset_ns < fin) {
        return Finding::lost("a RST came first");
    }
    if connection.http_status().is_some_and(|status| status >= 400 || view.attempt.outcome == Outcome::Failure) {
        return Finding::lost("an answer with a status came");
    }
    let rx = connection.bytes.rx;
    let shown = connection.bytes_watched && fin > 0 && rx == 0 && peer_first && !is_tls(view);
    let when = if fin > 0 { format!(" after {}", view.since_begin(fin)) } else { String::new() };
    let after =
        if connection.bytes_watched { format!(" having sent {}", text::count(rx, "byte")) } else { String::new() };
    let summary = format!("the server closed the connection{when}{after}: no complete answer to {}", view.request());
    let claim = Claim::shown_if(shown, summary)
        .evidence(
            "FIN received",
            if fin > 0 { view.since_begin(fin) } else { "yes".into() },
            "cgroup_skb, socket state",
        )
        .evidence("bytes received", rx, if connection.bytes_watched { "cgroup_skb" } else { "not watched" });
    let claim = match (rx, connection.bytes_watched && fin > 0 && peer_first) {
        (0, true) => claim,
        (0, false) => claim.missing("whether an answer came before it: its bytes were not watched"),
        _ => claim.missing("the whole answer: only its first bytes are kept"),
    };
    let claim = if is_tls(view) { claim.rival(Cause::TlsFailed, tls()) } else { claim };
    claim.fits()
}

fn tls() -> Standing {
    Standing::Open(crate::verdict::rivals::missing_hook(Cause::TlsFailed).into())
}

#[cfg(test)]
mod tests;
