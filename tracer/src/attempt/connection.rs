//! One event at a time to what is known of a connection.

use super::facts::Connection;
use crate::event::{Sock, SockChange, tcp_state};

/// errno values that end an established connection when they surface (ECONNRESET, ETIMEDOUT, EPIPE).
const FATAL: [i32; 3] = [104, 110, 32];

/// A connection that begins.
pub fn begin(sock: &Sock, began_ns: u64) -> Connection {
    Connection {
        sock_id: sock.id,
        local: sock.local,
        remote: sock.remote,
        netns: sock.netns,
        began_ns,
        established_ns: 0,
        closed_ns: 0,
        closed_from: 0,
        reset_ns: 0,
        reset_in: 0,
        error: 0,
        syn_retransmits: 0,
        data_retransmits: 0,
        synack_retransmits: 0,
        bytes_watched: sock.bytes_watched,
        bytes: sock.bytes,
        request: None,
        response: None,
        resets_sent: Vec::new(),
    }
}

/// What else an event told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// The prober closed while bytes lay unread: the kernel sent a RST and went straight to CLOSE (tcp.c: tcp_close).
    pub closed_unread: bool,
}

/// Applies one event; the same one twice changes nothing but the retransmit counters.
pub fn apply(connection: &mut Connection, sock: &Sock, at_ns: u64) -> Told {
    let mut told = Told::default();
    if connection.local.port() == 0 {
        connection.local = sock.local;
    }
    if connection.netns == 0 {
        connection.netns = sock.netns;
    }
    connection.bytes_watched |= sock.bytes_watched;
    merge_bytes(connection, sock);
    if sock.error != 0 {
        connection.error = sock.error;
    }
    let established = connection.established_ns != 0;
    match sock.change {
        SockChange::State { from, to } => told = change_state(connection, from, to, at_ns),
        SockChange::Retransmit { state: tcp_state::SYN_SENT } => connection.syn_retransmits += 1,
        SockChange::Retransmit { .. } => connection.data_retransmits += 1,
        SockChange::ResetReceived { state } => {
            if connection.reset_ns == 0 {
                (connection.reset_ns, connection.reset_in) = (at_ns, state);
            }
            end(connection, state, at_ns);
        }
        SockChange::Error if !established => end(connection, tcp_state::SYN_SENT, at_ns),
        SockChange::Error if FATAL.contains(&sock.error) => end(connection, tcp_state::ESTABLISHED, at_ns),
        SockChange::Error | SockChange::SeenByCgroup => {}
    }
    told
}

fn change_state(connection: &mut Connection, from: u8, to: u8, at_ns: u64) -> Told {
    // The event of the handshake may be lost: any state past it tells that it was done.
    let past_handshake = from == tcp_state::ESTABLISHED || from == tcp_state::CLOSE_WAIT;
    if connection.established_ns == 0 && (to == tcp_state::ESTABLISHED || past_handshake) {
        connection.established_ns = at_ns;
    }
    let ends = matches!(to, tcp_state::FIN_WAIT1 | tcp_state::LAST_ACK | tcp_state::CLOSE);
    if !ends {
        return Told::default();
    }
    end(connection, from, at_ns);
    let by_peer = connection.reset_ns != 0 || connection.error != 0;
    Told { closed_unread: to == tcp_state::CLOSE && past_handshake && !by_peer }
}

fn end(connection: &mut Connection, from: u8, at_ns: u64) {
    if connection.closed_ns == 0 {
        (connection.closed_ns, connection.closed_from) = (at_ns, from);
    }
}

fn merge_bytes(connection: &mut Connection, sock: &Sock) {
    let (known, new) = (&mut connection.bytes, &sock.bytes);
    known.tx = known.tx.max(new.tx);
    known.rx = known.rx.max(new.rx);
    known.last_tx_ns = known.last_tx_ns.max(new.last_tx_ns);
    known.last_rx_ns = known.last_rx_ns.max(new.last_rx_ns);
    for (known, new) in [(&mut known.first_rx_ns, new.first_rx_ns), (&mut known.fin_rx_ns, new.fin_rx_ns)] {
        if *known == 0 || (new != 0 && new < *known) {
            *known = new;
        }
    }
}
