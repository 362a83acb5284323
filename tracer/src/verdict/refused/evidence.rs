//! What is known of one refusal.

use std::net::SocketAddr;

use crate::{
    attempt::facts::Connection,
    event::tcp_state,
    observation::{ListenerState, Observation, TargetState},
    record::Outcome,
    verdict::{
        Cause,
        engine::{Claim, Standing},
        text,
        view::{View, errno, plain},
    },
};

/// A later look says little of the moment of the refusal.
const AT_ONCE_NS: u64 = 100_000_000;

/// A refused connection, with the first look after it.
#[derive(Clone, Copy, Debug)]
pub struct Refusal<'a> {
    /// The connection.
    pub connection: &'a Connection,
    /// When.
    pub at_ns: u64,
    /// A RST came; else an ICMP error.
    pub by_reset: bool,
    /// The target's own TCP found no socket.
    pub no_socket: bool,
    /// The target's side at the first look after it.
    pub after: Option<(&'a Observation, &'a TargetState)>,
}

impl<'a> Refusal<'a> {
    /// Of the deciding connection: `None` where it was not refused.
    pub fn of(view: &View<'a>) -> Option<Self> {
        let connection = view.connection?;
        let by_reset = connection.reset_ns > 0 && connection.reset_in == tcp_state::SYN_SENT;
        let refused = connection.established_ns == 0 && (by_reset || connection.error == errno::ECONNREFUSED);
        if !refused || !matches!(view.attempt.outcome, Outcome::Failure | Outcome::Timeout) {
            return None;
        }
        let at_ns = [connection.reset_ns, connection.closed_ns].into_iter().find(|at_ns| *at_ns > 0)?;
        let no_socket = connection.resets_sent.iter().any(|(_, peer)| peer.reason == "NO_SOCKET" && !peer.has_socket);
        let after = view.targets().find(|(look, _)| look.at_ns >= at_ns);
        Some(Self { connection, at_ns, by_reset, no_socket, after })
    }

    /// `10.0.0.7:9099`.
    pub fn target(&self) -> SocketAddr {
        plain(self.connection.remote)
    }

    /// Listeners that would take the connection, at the look after it.
    pub fn listeners(&self) -> &'a [ListenerState] {
        self.after.map_or(&[], |(_, target)| &target.listeners)
    }

    /// The target's own TCP refused, and a look at once after it shows that nothing listens: both together prove it.
    pub fn is_proof(&self) -> bool {
        let at_once = self.after.is_some_and(|(look, _)| look.at_ns - self.at_ns <= AT_ONCE_NS);
        self.no_socket && at_once && self.nothing_listens()
    }

    /// What is missing for [`Self::is_proof`] besides the kernel's reason, which is the firewall's exclusion.
    pub fn missing(&self, claim: Claim) -> Claim {
        if self.no_socket && !self.is_proof() {
            return claim.missing("a look at the target's listeners at once after the refusal");
        }
        claim
    }

    /// The look after it shows the target's own namespace, and no listener there.
    pub fn nothing_listens(&self) -> bool {
        self.after.is_some_and(|(_, target)| {
            target.listeners.is_empty() && target.address_is_local && target.of_container != Some(false)
        })
    }

    /// Who refused, and when: the start of each summary.
    pub fn text(&self, view: &View<'_>) -> String {
        let what = if self.by_reset { "a RST" } else { "an ICMP error" };
        format!("the SYN to {} was answered with {what} after {}", self.target(), view.since_begin(self.at_ns))
    }

    /// The evidence that all rules of the family share.
    pub fn evidence(&self, view: &View<'_>, mut claim: Claim) -> Claim {
        if self.by_reset {
            claim = claim.evidence("RST received", view.since_begin(self.at_ns), "tcp:tcp_receive_reset");
        }
        for (_, peer) in self.connection.resets_sent.iter().take(1) {
            let reason = if peer.reason.is_empty() { "no reason given" } else { &peer.reason };
            claim = claim.evidence("RST sent by the target's TCP", reason, "tcp:tcp_send_reset");
        }
        if let Some((look, target)) = self.after {
            let there = text::count(target.listeners.len() as u64, "listener");
            let after = text::duration(look.at_ns.saturating_sub(self.at_ns));
            let what = format!("listeners for it {after} later");
            claim = claim.evidence(&what, there, "sock_diag in the target's namespace");
        }
        if let Some(age_ns) = view.container_age_ns() {
            claim = claim.evidence("age of the container", text::duration(age_ns), "state.running.startedAt");
        }
        claim.rival(Cause::RejectedByFirewall, self.firewall()).rival(Cause::WrongTarget, self.wrong_target())
    }

    fn firewall(&self) -> Standing {
        if self.no_socket {
            Standing::Excluded("the target's own TCP sent the reset and says NO_SOCKET".into())
        } else {
            Standing::Open("a firewall's reset looks the same: needs tcp:tcp_send_reset with its reason".into())
        }
    }

    fn wrong_target(&self) -> Standing {
        match self.after {
            Some((_, target)) if target.address_is_local && target.of_container == Some(true) => {
                Standing::Excluded("the address belongs to the container's own network namespace".into())
            }
            _ => Standing::Open("needs the addresses of the container's network namespace".into()),
        }
    }
}

/// Whether this tracer saw every attempt of the container: as many as its period allows since its start. Only then does
/// the lack of an earlier success mean that there was none.
pub fn saw_all_attempts(view: &View<'_>) -> bool {
    let (Some(age_ns), Some(probe)) = (view.container_age_ns(), view.probe()) else { return false };
    let seen = view.attempt.history.attempts.saturating_add(1);
    view.attempt.history.is_whole
        && age_ns.saturating_sub(probe.initial_delay_ns) < seen.saturating_mul(probe.period_ns)
}

/// The container is still within initialDelaySeconds + failureThreshold × periodSeconds.
pub fn is_starting(view: &View<'_>) -> Option<bool> {
    Some(view.container_age_ns()? < view.budget_ns()?)
}
