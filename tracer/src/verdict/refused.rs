//! The SYN was answered with a refusal: who listens where.
//!
//! A closed port and a firewall's reset look alike to the prober. `tcp_send_reset` with reason NO_SOCKET (kernels that
//! have `enum sk_rst_reason`) comes from the target's own TCP; nf_send_reset makes its packet itself and leaves no such
//! event (net/ipv4/netfilter/nf_reject_ipv4.c).

mod elsewhere;
mod evidence;
mod never;

pub use evidence::Refusal;

use crate::verdict::{
    Cause,
    engine::{Finding, Rule},
    view::View,
};

const RECENT: &[Cause] = &[Cause::RejectedByFirewall, Cause::WrongTarget];

/// The family: the more special first.
pub const RULES: &[Rule] = &[
    Rule {
        cause: Cause::WrongTarget,
        seen: "refused, and the address is not in the probed container's network namespace",
        rivals: &[],
        brings: &[],
        advice: &["compare status.podIP and httpGet.host (or tcpSocket.host) with the pod's addresses"],
        test: elsewhere::wrong_target,
    },
    Rule {
        cause: Cause::ListeningElsewhere,
        seen: "refused; nothing listens there, but the container does on another address, family or port",
        rivals: RECENT,
        brings: &[],
        advice: &["let the application listen on the probed address (0.0.0.0 or [::]), or correct the probe's port"],
        test: elsewhere::listening_elsewhere,
    },
    Rule {
        cause: Cause::StoppedListening,
        seen: "refused; this container's probe passed before",
        rivals: &[Cause::RejectedByFirewall, Cause::WrongTarget, Cause::NotListeningYet],
        brings: &[],
        advice: &["read the application's log around the last success: it closed its listener or its process ended"],
        test: never::stopped_listening,
    },
    Rule {
        cause: Cause::NotListeningYet,
        seen: "refused; the container is within its start-up budget, or listens shortly after",
        rivals: &[Cause::RejectedByFirewall, Cause::NotListening],
        brings: &[],
        advice: &["give it a startupProbe (or a longer initialDelaySeconds) that covers its start-up time"],
        test: never::not_listening_yet,
    },
    Rule {
        cause: Cause::RejectedByFirewall,
        seen: "refused, though a listener that would accept is there, and the target's kernel sent no reset",
        rivals: &[Cause::NotListeningYet],
        brings: &[],
        advice: &["look for REJECT rules and network policies for this port in the node's and the pod's namespace"],
        test: elsewhere::rejected_by_firewall,
    },
    Rule {
        cause: Cause::NotListening,
        seen: "refused, and nothing listens there",
        rivals: &[Cause::RejectedByFirewall, Cause::WrongTarget, Cause::StoppedListening, Cause::NotListeningYet],
        brings: &[],
        advice: &["start the server in the container, or correct the probe's port"],
        test: never::not_listening,
    },
];

/// Runs `test` where the SYN was refused.
fn if_refused(view: &View<'_>, test: impl FnOnce(&Refusal<'_>) -> Finding) -> Finding {
    match Refusal::of(view) {
        Some(refusal) => test(&refusal),
        None => Finding::lost("the SYN was not refused"),
    }
}

#[cfg(test)]
mod tests;
