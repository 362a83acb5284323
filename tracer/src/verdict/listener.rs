//! Dropped by the listener: the accept queue was full, for the SYN or for the final ACK.
//!
//! On the tracepoint rung the drop itself is invisible: `tcp_conn_request` returns 0 and the SYN is *consumed*, so no
//! kfree_skb event comes. Queue states make it `likely`.

use crate::{
    observation::{ListenerState, SocketState, TargetState},
    verdict::{
        Cause,
        engine::{Claim, Finding, Rule},
        look, text,
        view::{View, holder, plain},
    },
};

/// The family.
pub const RULES: &[Rule] = &[
    Rule {
        cause: Cause::FdExhausted,
        seen: "time-out; the server's descriptors are used up and connections wait for accept",
        rivals: &[Cause::NeverAccepted],
        brings: &[Cause::AcceptQueueFull],
        advice: &["raise the server's open file limit (RLIMIT_NOFILE), and look for descriptors that it leaks"],
        test: fd_exhausted,
    },
    Rule {
        cause: Cause::AcceptQueueFull,
        seen: "the handshake is not finished, and the listener's queue is over its limit at the looks of this attempt",
        rivals: &[Cause::SynQueueFull, Cause::DroppedByNetfilter, Cause::LostOnPath],
        brings: &[],
        advice: &[
            "let the application accept faster; a longer backlog (listen(), net.core.somaxconn) only hides short bursts",
        ],
        test: accept_queue_full,
    },
];

/// "Full" is one more than the limit (include/net/sock.h: sk_acceptq_is_full).
pub fn is_over(listener: &ListenerState) -> bool {
    listener.queue_len > listener.queue_max
}

/// At the first look that shows listeners for it, each of them is over its limit.
pub fn is_full(view: &View<'_>) -> bool {
    first_listeners(view).is_some_and(|target| target.listeners.iter().all(is_over))
}

fn first_listeners<'a>(view: &View<'a>) -> Option<&'a TargetState> {
    view.targets().map(|(_, target)| target).find(|target| !target.listeners.is_empty())
}

fn accept_queue_full(view: &View<'_>) -> Finding {
    if !view.timed_out() {
        return Finding::lost("no time-out");
    }
    let Some(target) = first_listeners(view) else { return Finding::lost("no listener's queue was seen") };
    let over: Vec<_> = target.listeners.iter().filter(|one| is_over(one)).collect();
    let Some(listener) = over.first() else { return Finding::lost("the accept queue is not over its limit") };
    let Some((what, connection)) = unfinished(view) else {
        return Finding::lost("the handshake is finished at both ends");
    };
    let (len, max) = (listener.queue_len, listener.queue_max);
    let summary = format!(
        "{what}; the accept queue of {} on {} holds {len} of {max}: a full queue drops the handshake",
        holder(listener),
        plain(listener.local)
    );
    let mut claim = Claim::inferred(summary).evidence("accept queue", format!("{len} of {max}"), "sock_diag");
    if connection.syn_retransmits > 0 {
        claim = claim.evidence("SYNs sent again", connection.syn_retransmits, "tcp:tcp_retransmit_skb");
    }
    if connection.synack_retransmits > 0 {
        claim = claim.evidence("SYN-ACKs sent again", connection.synack_retransmits, "tcp:tcp_retransmit_synack");
    }
    let rise = view.pair().and_then(|pair| look::rise(pair.mid_target, pair.late_target, "ListenOverflows"));
    if let Some(rise) = rise.filter(|rise| *rise > 0) {
        claim = claim.evidence("ListenOverflows rose by", rise, "/proc/net/netstat of the target");
    }
    if over.len() < target.listeners.len() {
        let all = target.listeners.len();
        claim = claim.missing(format!("which of {all} SO_REUSEPORT listeners the SYN came to"));
    }
    claim.fits()
}

/// The handshake as the listener sees it: no SYN-ACK came, or the final ACK made no child.
fn unfinished<'a>(view: &View<'a>) -> Option<(String, &'a crate::attempt::facts::Connection)> {
    if let Some(connection) = view.unanswered() {
        let again = text::count(connection.syn_retransmits.into(), "retransmit");
        return Some((format!("the SYN was not answered ({again})"), connection));
    }
    let connection = view.established()?;
    let no_child = view.targets().next().is_some() && !view.targets().any(|(_, target)| target.child.is_some());
    let unacked = view.looks().filter_map(|look| view.prober_socket(look)).any(|socket| socket.unacked_bytes > 0);
    let repeats = connection.synack_retransmits > 0 || connection.data_retransmits > 0 || unacked;
    let what = "the prober believes itself connected, the target has no such connection and acknowledges nothing";
    (no_child && repeats && !view.answer_began()).then(|| (what.into(), connection))
}

fn fd_exhausted(view: &View<'_>) -> Finding {
    if !view.timed_out() {
        return Finding::lost("no time-out");
    }
    let full = |target: &TargetState| {
        let (open, limit) = target.owner.as_ref()?.fds?;
        (u64::from(open) >= limit).then_some((open, limit))
    };
    let Some((target, (open, limit))) = view.targets().find_map(|(_, target)| Some((target, full(target)?))) else {
        return Finding::lost("the server's descriptors are not known to be used up");
    };
    let queued = view.child(target).is_some_and(SocketState::waits_for_accept);
    let dropped = view.unanswered().is_some() && is_full(view);
    if !queued && !dropped {
        return Finding::lost("the connection does not wait for accept");
    }
    let who = look::owner_name(target);
    Claim::inferred(format!("{who} has {open} of {limit} file descriptors open and accepts no connection"))
        .evidence("open files", format!("{open} of {limit}"), "/proc/PID/fd, /proc/PID/limits")
        .evidence("connections that wait for accept", target.unaccepted, "sock_diag")
        .missing("accept's EMFILE itself: needs its return value")
        .fits()
}

#[cfg(test)]
mod tests;
