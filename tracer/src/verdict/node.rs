//! The prober itself was late.

use crate::{
    event::tcp_state,
    verdict::{
        Cause,
        engine::{Claim, Finding, Rule},
        text,
        view::View,
    },
};

/// Bytes that lie unread for so long are not about to be read.
const UNREAD_NS: u64 = 20_000_000;

/// The family.
pub const RULES: &[Rule] = &[Rule {
    cause: Cause::ProberStarved,
    seen: "time-out, though the answer lay in the prober's own socket before the deadline",
    rivals: &[Cause::ProberStopped, Cause::ClockJump],
    brings: &[],
    advice: &["the application is innocent: look at the CPU pressure, quota and weight of the kubelet's own cgroup"],
    test: prober_starved,
}];

fn prober_starved(view: &View<'_>) -> Finding {
    if !view.timed_out() {
        return Finding::lost("no time-out");
    }
    let Some(connection) = view.established() else { return Finding::lost("no connection was established") };
    let Some((late, socket)) = view.late.and_then(|late| Some((late, view.prober_socket(late)?))) else {
        return Finding::lost("the prober's socket was not seen just before the end");
    };
    let waited_ns = match connection.bytes.last_rx_ns {
        0 => u64::from(socket.last_received_ms.unwrap_or(0)) * 1_000_000,
        at_ns => late.at_ns.saturating_sub(at_ns),
    };
    // A FIN behind the data counts one (net/ipv4/tcp_diag.c: rcv_nxt - copied_seq).
    let fin = u32::from(matches!(socket.state, tcp_state::CLOSE_WAIT | tcp_state::LAST_ACK));
    if socket.unread_bytes <= fin || waited_ns < UNREAD_NS {
        return Finding::lost("no answer lay unread in the prober's socket");
    }
    let unread = text::count((socket.unread_bytes - fin).into(), "byte");
    let summary = format!(
        "{unread} of the answer lay unread in the prober's socket for {} when the time-out of {} was near",
        text::duration(waited_ns),
        text::duration(view.timeout_ns())
    );
    Claim::inferred(summary)
        .evidence("unread at the prober", unread, "sock_diag")
        .evidence("unread for", text::duration(waited_ns), "cgroup_skb, sock_diag")
        .fits()
}

#[cfg(test)]
mod tests;
