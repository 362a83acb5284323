//! Which way claims new sockets: node-wide, or scoped to the prober's cgroup. The cheaper, scoped way is taken only
//! after it has seen what the node-wide way saw. A decision by plain values: the kernel part is in `control.rs`.

use std::collections::HashMap;

use crate::event::{Sock, SockChange, tcp_state};

/// Connects that must agree before the switch.
const AGREEMENTS: u32 = 8;
/// Sockets followed at most while the ways are compared or the old way drains.
const MAX_SOCKETS: usize = 4096;
/// How long the node-wide way stays for sockets that it has claimed: no probe's time-out is that long.
const DRAIN_NS: u64 = 600_000_000_000;

/// What the user asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WayChoice {
    /// Compare, then decide.
    #[default]
    Auto,
    /// Node-wide only.
    Node,
    /// Scoped only.
    Cgroup,
}

/// What is to be done in the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// New sockets are claimed node-wide; nothing of the scoped way is needed.
    StayNodeWide,
    /// New sockets are claimed in the cgroup; the node-wide way keeps those that it has.
    ClaimInCgroup,
    /// The node-wide way has no socket left.
    DetachNodeWide,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    /// Node-wide, for good, and why.
    NodeWide(String),
    /// Both; connects seen by both so far.
    Comparing(u32),
    /// Scoped claims since then, node-wide drains.
    Draining(u64),
    /// Scoped only.
    Scoped,
}

/// The decision so far.
#[derive(Clone, Debug)]
pub struct Ways {
    phase: Phase,
    /// Sockets of the node-wide way: whether the scoped way saw their connect.
    sockets: HashMap<u64, bool>,
}

impl Ways {
    /// `scoped`: whether sock_ops is attached to every prober's own cgroup, else why not.
    pub fn new(choice: WayChoice, scoped: Result<(), String>) -> Self {
        let phase = match (choice, scoped) {
            (WayChoice::Node, _) => Phase::NodeWide("asked for".to_owned()),
            (_, Err(why)) => Phase::NodeWide(why),
            (WayChoice::Auto, Ok(())) => Phase::Comparing(0),
            (WayChoice::Cgroup, Ok(())) => Phase::Scoped,
        };
        Self { phase, sockets: HashMap::new() }
    }

    /// In words, for doctor and health.
    pub fn describe(&self) -> String {
        match &self.phase {
            Phase::NodeWide(why) => format!("node-wide ({why})"),
            Phase::Comparing(agreed) => format!("comparing: {agreed} of {AGREEMENTS} connects agree"),
            Phase::Draining(_) => format!("in the prober's cgroup; {} older sockets node-wide", self.sockets.len()),
            Phase::Scoped => "in the prober's cgroup".to_owned(),
        }
    }

    /// True while events have to be shown to [`Self::observe`].
    pub fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Comparing(_) | Phase::Draining(_))
    }

    /// True where both ways are attached and compared.
    pub fn is_comparing(&self) -> bool {
        matches!(self.phase, Phase::Comparing(_))
    }

    /// True where only the scoped way claims.
    pub fn is_scoped(&self) -> bool {
        matches!(self.phase, Phase::Scoped | Phase::Draining(_))
    }

    /// One event of a prober's socket, in the ring's order.
    pub fn observe(&mut self, sock: &Sock, at_ns: u64) -> Option<Order> {
        if !self.is_open() || sock.by_cgroup {
            return None;
        }
        match sock.change {
            SockChange::State { to: tcp_state::SYN_SENT, .. } => self.began(sock.id),
            SockChange::SeenByCgroup => self.seen(sock.id, at_ns),
            // No SYN was sent: connect() failed before sock_ops could see it.
            SockChange::State { from: tcp_state::SYN_SENT, to: tcp_state::CLOSE } if sock.local.port() == 0 => {
                self.ended(sock.id)
            }
            SockChange::State { to, .. } if self.is_comparing() && self.sockets.get(&sock.id) == Some(&false) => {
                self.sockets.remove(&sock.id);
                self.stay(format!("sock_ops did not see a connect that went to state {to}"))
            }
            SockChange::State { to: tcp_state::CLOSE, .. } => self.ended(sock.id),
            _ => None,
        }
    }

    /// Time passes.
    pub fn tick(&mut self, now_ns: u64) -> Option<Order> {
        match self.phase {
            Phase::Draining(since) if self.sockets.is_empty() || now_ns.saturating_sub(since) > DRAIN_NS => {
                self.sockets.clear();
                self.phase = Phase::Scoped;
                Some(Order::DetachNodeWide)
            }
            _ => None,
        }
    }

    fn began(&mut self, id: u64) -> Option<Order> {
        if self.sockets.len() >= MAX_SOCKETS {
            if self.is_comparing() {
                return self.stay(format!("more than {MAX_SOCKETS} sockets during the comparison"));
            }
            return None; // The time limit of draining holds for it.
        }
        self.sockets.insert(id, false);
        None
    }

    fn seen(&mut self, id: u64, at_ns: u64) -> Option<Order> {
        let Phase::Comparing(agreed) = &mut self.phase else { return None };
        match self.sockets.get_mut(&id) {
            Some(seen) if !*seen => {
                *seen = true;
                *agreed += 1;
                if *agreed < AGREEMENTS {
                    return None;
                }
                self.phase = Phase::Draining(at_ns);
                Some(Order::ClaimInCgroup)
            }
            _ => None,
        }
    }

    fn ended(&mut self, id: u64) -> Option<Order> {
        self.sockets.remove(&id);
        None
    }

    fn stay(&mut self, why: String) -> Option<Order> {
        self.phase = Phase::NodeWide(why);
        self.sockets.clear();
        Some(Order::StayNodeWide)
    }
}

#[cfg(test)]
mod tests;
