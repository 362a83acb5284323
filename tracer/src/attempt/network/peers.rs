//! Events of the target's side, known by addresses only, to the connection between them.

use std::collections::VecDeque;

use crate::{attempt::facts::Connection, event::Peer};

/// A RST that answers a SYN comes before the event that tells the socket's port; it waits this long for it.
const WAIT_NS: u64 = 100_000_000;
/// How many may wait.
const WAITING: usize = 64;
/// RSTs kept of one connection.
const RESETS: usize = 8;

/// What waits for a port.
#[derive(Debug, Default)]
pub struct Peers {
    waiting: VecDeque<(u64, Peer, bool)>,
}

impl Peers {
    /// Keeps an event whose connection isn't known yet; the oldest gives way.
    pub fn keep(&mut self, at_ns: u64, peer: &Peer, is_reset: bool) {
        if self.waiting.len() >= WAITING {
            self.waiting.pop_front();
        }
        self.waiting.push_back((at_ns, peer.clone(), is_reset));
    }

    /// A connection's port may be known now.
    pub fn match_late(&mut self, connection: &mut Connection) {
        if connection.is_unbound() || self.waiting.is_empty() {
            return;
        }
        self.waiting.retain(|(at_ns, peer, is_reset)| {
            let mine = is_between(connection, peer) && *at_ns >= connection.began_ns;
            if mine {
                add(connection, *at_ns, peer, *is_reset);
            }
            !mine
        });
    }

    /// Forgets what waited too long.
    pub fn expire(&mut self, watermark_ns: u64) {
        self.waiting.retain(|(at_ns, _, _)| at_ns.saturating_add(WAIT_NS) > watermark_ns);
    }
}

/// Whether the event is between this connection's two ends.
pub fn is_between(connection: &Connection, peer: &Peer) -> bool {
    let same = |a: std::net::SocketAddr, b: std::net::SocketAddr| {
        a.port() == b.port() && a.ip().to_canonical() == b.ip().to_canonical()
    };
    !connection.is_unbound() && same(connection.remote, peer.local) && same(connection.local, peer.remote)
}

/// Adds the event to its connection.
pub fn add(connection: &mut Connection, at_ns: u64, peer: &Peer, is_reset: bool) {
    if !is_reset {
        connection.synack_retransmits = connection.synack_retransmits.saturating_add(1);
    } else if connection.resets_sent.len() < RESETS {
        connection.resets_sent.push((at_ns, peer.clone()));
    }
}
