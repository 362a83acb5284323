//! Fills an accept queue: connections of the target's own, from inside its namespace.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

use crate::prober::dial::{Dial, dial};

/// More than any backlog that a scenario uses.
const MAX_CONNECTIONS: usize = 64;
/// A handshake over loopback takes microseconds; a SYN that is dropped is repeated after 1 s.
const DROPPED_AFTER: Duration = Duration::from_millis(300);

/// Connects until a SYN is dropped. The queue is full while the connections are held.
pub fn fill(at: SocketAddr) -> Result<Vec<OwnedFd>> {
    let ip = match at.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let mut connections = Vec::new();
    while connections.len() < MAX_CONNECTIONS {
        match dial(SocketAddr::new(ip, at.port()), Instant::now() + DROPPED_AFTER) {
            Dial::Connected(connection) => connections.push(connection),
            Dial::TimedOut(_) => return Ok(connections),
            Dial::Failed(error) => bail!("fill the accept queue: {error}"),
        }
    }
    bail!("the accept queue took {MAX_CONNECTIONS} connections and is not full")
}
