//! connect() itself failed on the way out: at most `likely`, since ICMP errors surface by the same errno.

use crate::verdict::{
    Cause,
    engine::{Claim, Finding, Rule},
    text,
    view::{View, errno},
};

/// A neighbour that does not answer is given up after mcast_solicit (3) × retrans_time (1 s) (net/core/neighbour.c).
const NEIGHBOUR_GIVES_UP_NS: u64 = 900_000_000;

/// The family.
pub const RULES: &[Rule] = &[
    Rule {
        cause: Cause::EphemeralPortsExhausted,
        seen: "connect failed with EADDRNOTAVAIL",
        rivals: &[],
        brings: &[],
        advice: &["count the prober's TIME_WAIT sockets to this target; widen net.ipv4.ip_local_port_range"],
        test: ephemeral_ports,
    },
    Rule {
        cause: Cause::NeighbourUnresolved,
        seen: "connect failed with EHOSTUNREACH after the time that a neighbour's resolution takes",
        rivals: &[Cause::NoRoute, Cause::RejectedByFirewall],
        brings: &[],
        advice: &["look at `ip neigh` for the target and whether its interface is up"],
        test: neighbour,
    },
    Rule {
        cause: Cause::NoRoute,
        seen: "connect failed with ENETUNREACH, or at once with EHOSTUNREACH",
        rivals: &[Cause::RejectedByFirewall],
        brings: &[],
        advice: &["look at `ip route get` for the target on the node"],
        test: no_route,
    },
];

fn failed(view: &View<'_>, wanted: &[i32]) -> Option<(i32, u64)> {
    let connection = view.connection.filter(|one| one.established_ns == 0)?;
    let took = connection.closed_ns.saturating_sub(connection.began_ns);
    wanted.contains(&connection.error).then_some((connection.error, took))
}

fn claim(view: &View<'_>, name: &str, took_ns: u64, what: &str) -> Claim {
    let remote = view.connection.map_or_else(String::new, |one| one.remote.to_string());
    Claim::inferred(format!("connect to {remote} failed with {name} after {}: {what}", text::duration(took_ns)))
        .evidence("errno of connect", name, "sock:inet_sock_set_state (sk_err)")
}

fn ephemeral_ports(view: &View<'_>) -> Finding {
    let Some((_, took)) = failed(view, &[errno::EADDRNOTAVAIL]) else {
        return Finding::lost("connect did not fail with EADDRNOTAVAIL");
    };
    claim(view, "EADDRNOTAVAIL", took, "no free local port")
        .missing("the used part of ip_local_port_range: a missing source address gives the same error")
        .fits()
}

fn neighbour(view: &View<'_>) -> Finding {
    match failed(view, &[errno::EHOSTUNREACH]) {
        Some((_, took)) if took >= NEIGHBOUR_GIVES_UP_NS => {
            claim(view, "EHOSTUNREACH", took, "the target's link-layer address did not resolve").fits()
        }
        Some(_) => Finding::lost("EHOSTUNREACH came too early for a neighbour's resolution"),
        None => Finding::lost("connect did not fail with EHOSTUNREACH"),
    }
}

fn no_route(view: &View<'_>) -> Finding {
    match failed(view, &[errno::ENETUNREACH, errno::EHOSTUNREACH]) {
        Some((errno::ENETUNREACH, took)) => claim(view, "ENETUNREACH", took, "the node has no route").fits(),
        Some((_, took)) if took < NEIGHBOUR_GIVES_UP_NS => {
            let missing = "whether an ICMP error of a router or REJECT rule brought it";
            claim(view, "EHOSTUNREACH", took, "no way to the target").missing(missing).fits()
        }
        Some(_) => Finding::lost("EHOSTUNREACH came after the time of a neighbour's resolution"),
        None => Finding::lost("connect did not fail for want of a route"),
    }
}

#[cfg(test)]
mod tests;
