//! Sockets of the probers to attempts.

mod peers;
mod pending;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
};

use self::{peers::Peers, pending::Pending};
use super::{
    connection,
    core::{Core, Finished, Key, contend},
    facts::{Connection, Try},
    join::{self, Join},
    recent::Recent,
    timing::DELIVERY_NS,
    tracker::Output,
};
use crate::{
    attribution::store::Candidate,
    event::{Data, Event, Peer, Sock, SockChange, What, tcp_state},
};

/// Sockets by id, and attempts by the address they connect to.
#[derive(Debug)]
pub struct Network {
    by_sock: BTreeMap<u64, Key>,
    by_remote: BTreeMap<(IpAddr, u16), BTreeSet<Key>>,
    pending: Pending,
    peers: Peers,
    /// Sockets of attempts that are over, and those that are none: their events begin nothing.
    over: Recent<u64>,
}

impl Network {
    pub fn new(core: &Core) -> Self {
        Self {
            by_sock: BTreeMap::new(),
            by_remote: BTreeMap::new(),
            pending: Pending::new(core.limits.pending_sockets, core.limits.pending_events),
            peers: Peers::default(),
            over: Recent::new(core.limits.recent),
        }
    }

    /// One event of a socket, its bytes or its peer.
    pub fn event(&mut self, core: &mut Core, event: &Event, out: &mut Vec<Output>) {
        self.follow(core);
        match &event.what {
            What::Sock(sock) => self.sock(core, event, sock, out),
            What::Request(data) => self.data(core, event, data, true, out),
            What::Response(data) => self.data(core, event, data, false, out),
            What::ResetSent(peer) => self.peer(core, event.at_ns, peer, true),
            What::SynAckRetransmit(peer) => self.peer(core, event.at_ns, peer, false),
            What::Fork(_) | What::Exec(_) | What::Exit(_) => {}
        }
    }

    fn sock(&mut self, core: &mut Core, event: &Event, sock: &Sock, out: &mut Vec<Output>) {
        if sock.change == SockChange::SeenByCgroup || self.over.contains(&sock.id) {
            return;
        }
        if let Some(key) = self.by_sock.get(&sock.id).copied() {
            self.apply(core, key, sock, event.at_ns);
            core.evaluate(key, out);
        } else if self.pending.contains(sock.id) {
            self.pending.push(core, sock.id, event);
        } else if let Some(began_ns) = begin_of(sock, event.at_ns, core.start_ns) {
            self.begin(core, event, sock, began_ns, out);
        } else {
            // Its connect() was before the start of tracing, or long ago.
            core.counters.hit("sockets_cut_by_start");
            self.over.insert(sock.id);
        }
    }

    fn begin(&mut self, core: &mut Core, event: &Event, sock: &Sock, began_ns: u64, out: &mut Vec<Output>) {
        let candidates = core.store.by_endpoint(began_ns, sock.remote.ip(), sock.remote.port());
        let mut retry_of = Vec::new();
        match self.join(core, sock, began_ns, &candidates) {
            Joined::To(key) => {
                self.apply(core, key, sock, event.at_ns);
                core.evaluate(key, out);
                return;
            }
            Joined::MayRetry(parents) => retry_of = parents,
            Joined::Nothing => {}
        }
        if candidates.is_empty() {
            if let Some(gone) = self.pending.begin(core, sock.id, began_ns, event) {
                self.over.insert(gone);
            }
            return;
        }
        let first = Try::Net(vec![connection::begin(sock, began_ns)]);
        let Some(key) = core.open(core.prober(sock.tgid), candidates, began_ns, first) else {
            self.over.insert(sock.id);
            return;
        };
        core.contend(key, retry_of);
        self.index(key, sock);
        self.apply(core, key, sock, event.at_ns);
        core.evaluate(key, out);
    }

    /// Sockets whose attempt became a part of another one.
    pub fn follow(&mut self, core: &mut Core) {
        for contend::Moved { sock_id, remote, from, to } in core.moved.drain(..) {
            self.by_sock.insert(sock_id, to);
            let keys = self.by_remote.entry(place(remote)).or_default();
            keys.remove(&from);
            keys.insert(to);
        }
    }

    fn index(&mut self, key: Key, sock: &Sock) {
        self.by_sock.insert(sock.id, key);
        self.by_remote.entry(place(sock.remote)).or_default().insert(key);
    }

    /// Adds the socket to a running attempt where it goes on with that.
    fn join(&mut self, core: &mut Core, sock: &Sock, at_ns: u64, candidates: &[Candidate]) -> Joined {
        let ip = sock.remote.ip().to_canonical();
        let keys: BTreeSet<Key> =
            self.by_remote.range((ip, 0)..=(ip, u16::MAX)).flat_map(|(_, keys)| keys.iter().copied()).collect();
        let rules = core.rules();
        let limit = core.limits.connections;
        let joined = keys.into_iter().filter_map(|key| {
            let open = core.opens.get(&key)?;
            join::join(open, sock, at_ns, rules, limit).map(|how| (open.try_began_ns(), key, how))
        });
        let mut joined: Vec<(u64, Key, Join)> = joined.collect();
        joined.sort_by_key(|(began_ns, key, _)| std::cmp::Reverse((*began_ns, *key)));
        let Some((_, key, how)) = joined.first().copied() else { return Joined::Nothing };
        let Some(open) = core.opens.get_mut(&key) else { return Joined::Nothing };
        let kept = contend::kept(open);
        let is_told_by_bytes = open.connections().last().is_some_and(|last| last.bytes_watched);
        let has_rivals = joined.len() > 1 || candidates.iter().any(|candidate| !kept.contains(candidate));
        if how == Join::NextTry && has_rivals && is_told_by_bytes && !candidates.is_empty() {
            let parents = joined.into_iter().filter(|(.., how)| *how == Join::NextTry);
            return Joined::MayRetry(parents.map(|(_, key, _)| key).collect());
        }
        let new = connection::begin(sock, at_ns);
        match (how, open.tries.last_mut()) {
            (Join::SameTry, Some(Try::Net(connections))) => connections.push(new),
            _ => {
                open.candidates = kept;
                if core.next_try(key, Try::Net(vec![new])).is_none() {
                    return Joined::Nothing;
                }
            }
        }
        self.index(key, sock);
        Joined::To(key)
    }

    fn apply(&mut self, core: &mut Core, key: Key, sock: &Sock, at_ns: u64) {
        let Some(open) = core.opens.get_mut(&key) else { return };
        let Some(connection) = open.connection_mut(sock.id) else { return };
        let told = connection::apply(connection, sock, at_ns);
        self.peers.match_late(connection);
        if told.closed_unread && !open.closed_unread.contains(&sock.id) {
            open.closed_unread.push(sock.id);
        }
    }

    fn data(&mut self, core: &mut Core, event: &Event, data: &Data, is_request: bool, out: &mut Vec<Output>) {
        let Some(key) = self.by_sock.get(&data.sock_id).copied() else {
            if self.pending.contains(data.sock_id) {
                self.pending.push(core, data.sock_id, event);
            }
            return;
        };
        let connection = core.opens.get_mut(&key).and_then(|open| open.connection_mut(data.sock_id));
        let Some(connection) = connection else { return };
        let (slot, first_ns) = match is_request {
            true => (&mut connection.request, &mut connection.bytes.last_tx_ns),
            false => (&mut connection.response, &mut connection.bytes.first_rx_ns),
        };
        if slot.is_none() {
            *slot = Some(data.clone());
        }
        if *first_ns == 0 {
            *first_ns = event.at_ns;
        }
        core.evaluate(key, out);
    }

    /// Something that the target's side did: to the connection with these two ends.
    fn peer(&mut self, core: &mut Core, at_ns: u64, peer: &Peer, is_reset: bool) {
        let keys = self.by_remote.get(&place(peer.local));
        let fitting = keys.into_iter().flatten().find_map(|key| {
            let open = core.opens.get(key)?;
            let found = open.all_connections().find(|connection| peers::is_between(connection, peer))?;
            Some((*key, found.sock_id))
        });
        match fitting {
            Some((key, sock_id)) => {
                let connection = core.opens.get_mut(&key).and_then(|open| open.connection_mut(sock_id));
                connection.into_iter().for_each(|connection| peers::add(connection, at_ns, peer, is_reset));
            }
            // The socket's port may be told only by its next event.
            None if keys.is_some() => self.peers.keep(at_ns, peer, is_reset),
            None => {}
        }
    }

    /// New specs: what waited for them begins, in the order of time.
    pub fn specs_changed(&mut self, core: &mut Core, out: &mut Vec<Output>) {
        for event in self.pending.take_known(core) {
            core.replay_ns = Some(event.at_ns);
            self.event(core, &event, out);
        }
        core.replay_ns = None;
        for key in std::mem::take(&mut core.touched) {
            core.evaluate(key, out);
        }
    }

    /// Gives up on sockets that no source came to know.
    pub fn tick(&mut self, core: &mut Core) {
        for sock_id in self.pending.expire(core) {
            self.over.insert(sock_id);
        }
        self.peers.expire(core.watermark_ns);
    }

    /// Tracing ends.
    pub fn stop(&mut self, core: &mut Core) {
        self.pending.give_up(core);
    }

    /// When the first pending socket is given up.
    pub fn next_deadline(&self) -> Option<u64> {
        self.pending.next_deadline().map(|deadline| deadline.saturating_add(DELIVERY_NS))
    }

    /// An attempt is over.
    pub fn forget(&mut self, finished: &Finished) {
        for (sock_id, remote) in &finished.sockets {
            self.by_sock.remove(sock_id);
            self.over.insert(*sock_id);
            if let Some(keys) = self.by_remote.get_mut(&place(*remote)) {
                keys.remove(&finished.key);
                if keys.is_empty() {
                    self.by_remote.remove(&place(*remote));
                }
            }
        }
    }
}

/// What a new connection goes on with.
enum Joined {
    Nothing,
    To(Key),
    /// The next try of one of these, or another probe's attempt at the same moment.
    MayRetry(Vec<Key>),
}

fn place(address: SocketAddr) -> (IpAddr, u16) {
    (address.ip().to_canonical(), address.port())
}

/// The connect() that this event tells of: itself, or (where that event was lost) any other of the handshake.
fn begin_of(sock: &Sock, at_ns: u64, start_ns: u64) -> Option<u64> {
    let in_handshake = match sock.change {
        SockChange::State { to: tcp_state::SYN_SENT, .. } => return Some(at_ns),
        SockChange::State { from: state, .. }
        | SockChange::Retransmit { state }
        | SockChange::ResetReceived { state } => state == tcp_state::SYN_SENT,
        SockChange::Error | SockChange::SeenByCgroup => false,
    };
    (in_handshake && sock.born_ns > start_ns && sock.born_ns <= at_ns).then_some(sock.born_ns)
}

/// One connection's part of the peer's events.
impl Connection {
    pub(super) fn is_unbound(&self) -> bool {
        self.local.port() == 0
    }
}
