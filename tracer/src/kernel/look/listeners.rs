//! Which listeners of a namespace would take a connection.

use std::{cmp::Reverse, net::SocketAddr};

use super::sock_diag::Socket;
use crate::observation::ListenerState;

/// Others that are reported.
const MAX_OTHERS: usize = 32;

/// Those that would take a connection to `to`, the others (nearest ports first), and whether others were cut.
pub fn split(sockets: &[Socket], to: SocketAddr) -> (Vec<ListenerState>, Vec<ListenerState>, bool) {
    let (mut takes, mut others): (Vec<&Socket>, Vec<&Socket>) =
        sockets.iter().partition(|socket| would_take(socket, to));
    // inet_lookup_listener prefers an exact address to a wildcard (compute_score).
    takes.sort_by_key(|socket| Reverse(socket.local.ip() == to.ip()));
    others.sort_by_key(|socket| (socket.local.port().abs_diff(to.port()), socket.local));
    let cut = others.len() > MAX_OTHERS;
    others.truncate(MAX_OTHERS);
    takes.truncate(MAX_OTHERS);
    let states = |sockets: Vec<&Socket>| sockets.into_iter().map(state).collect();
    (states(takes), states(others), cut)
}

/// inet_lookup_listener, inet6_lookup_listener: the port, and the address or a wildcard of the family; an IPv6 wildcard
/// takes IPv4 unless IPV6_V6ONLY (where the kernel does not tell, the default is believed). Devices and BPF's sk_lookup are not considered.
fn would_take(socket: &Socket, to: SocketAddr) -> bool {
    if socket.local.port() != to.port() {
        return false;
    }
    let (bound, address) = (socket.local.ip(), to.ip().to_canonical());
    if bound == address {
        return true;
    }
    bound.is_unspecified()
        && if socket.is_v6 { address.is_ipv6() || socket.v6_only != Some(true) } else { address.is_ipv4() }
}

fn state(socket: &Socket) -> ListenerState {
    ListenerState {
        local: socket.local,
        v6_only: socket.v6_only,
        queue_len: socket.rqueue,
        queue_max: socket.wqueue,
        drops: socket.drops,
        inode: u64::from(socket.inode),
        pid: None,
        comm: None,
        mptcp: socket.ulp.as_deref() == Some("mptcp"),
        in_container: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listener(local: &str, is_v6: bool, v6_only: Option<bool>) -> Socket {
        let local = local.parse().expect("address");
        Socket { local, is_v6, v6_only, ..Socket::default() }
    }

    #[test]
    fn families_and_wildcards() {
        for (local, is_v6, v6_only, to, expected) in [
            ("10.0.0.7:80", false, None, "10.0.0.7:80", true),
            ("10.0.0.7:81", false, None, "10.0.0.7:80", false),
            ("127.0.0.1:80", false, None, "10.0.0.7:80", false),
            ("0.0.0.0:80", false, None, "10.0.0.7:80", true),
            ("0.0.0.0:80", false, None, "[fd00::7]:80", false),
            ("[::]:80", true, Some(false), "10.0.0.7:80", true),
            ("[::]:80", true, Some(true), "10.0.0.7:80", false),
            ("[::]:80", true, None, "10.0.0.7:80", true),
            ("[::]:80", true, Some(true), "[fd00::7]:80", true),
            ("[::1]:80", true, Some(false), "[fd00::7]:80", false),
            // Bound to ::ffff:10.0.0.7, shown as IPv4.
            ("10.0.0.7:80", true, Some(false), "10.0.0.7:80", true),
        ] {
            let (takes, others, _) = split(&[listener(local, is_v6, v6_only)], to.parse().expect("address"));
            assert_eq!((takes.len(), others.len()), if expected { (1, 0) } else { (0, 1) }, "{local} for {to}");
        }
    }

    #[test]
    fn exact_first_and_nearest_others_first() {
        let mut sockets: Vec<Socket> =
            (100..150).map(|port| listener(&format!("0.0.0.0:{port}"), false, None)).collect();
        sockets.push(listener("0.0.0.0:80", false, None));
        sockets.push(listener("10.0.0.7:80", false, None));
        let (takes, others, cut) = split(&sockets, "10.0.0.7:80".parse().expect("address"));
        assert_eq!(takes[0].local, "10.0.0.7:80".parse().expect("address"));
        assert_eq!((takes.len(), others.len(), others[0].local.port(), cut), (2, 32, 100, true));
    }
}
