//! `tcpSocket`: connect and close (kubelet: probe/tcp/tcp.go:DoTCPProbe). A dial never outlives its time-out here:
//! `Dialer.Timeout` closes the socket.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use super::{
    End,
    dial::{Dial, dial, words},
};
use crate::{clock, plan::Outcome};

/// One try, and when its outcome was known.
pub fn probe(to: SocketAddr, timeout: Duration) -> (End, u64) {
    let dialed = dial(to, Instant::now() + timeout);
    let ended_ns = clock::mono_ns();
    let end = match &dialed {
        Dial::Connected(_) => End::new(Outcome::Success, ""),
        Dial::TimedOut(_) => End::new(Outcome::Timeout, format!("dial tcp {to}: i/o timeout")),
        Dial::Failed(error) => End::new(Outcome::Failure, format!("dial tcp {to}: connect: {}", words(*error))),
    };
    (end, ended_ns)
}
