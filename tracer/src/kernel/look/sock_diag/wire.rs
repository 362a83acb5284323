//! Requests and answers of sock_diag as bytes. Answers are read without trust in lengths: attributes grew with every
//! kernel (SKMEMINFO has 8 values before 4.6, 9 after; tcp_info grows each year), so each field is optional.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::canonical;

/// Every state, also TIME_WAIT and SYN_RECV.
pub const ALL_STATES: u32 = 0xfff;

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_DUMP: u16 = 0x300;
const HEADER_BYTES: usize = 16;
/// struct inet_diag_msg.
const DIAG_BYTES: usize = 72;

const INET_DIAG_INFO: u16 = 2;
const INET_DIAG_SKMEMINFO: u16 = 7;
const INET_DIAG_SKV6ONLY: u16 = 11;
const INET_DIAG_ULP_INFO: u16 = 19;
/// SK_MEMINFO_DROPS (include/uapi/linux/sock_diag.h).
const DROPS_INDEX: usize = 8;
/// Offsets in struct tcp_info (include/uapi/linux/tcp.h): last_data_recv, bytes_received (4.2+), bytes_sent (4.19+).
const LAST_DATA_RECV: usize = 52;
const BYTES_RECEIVED: usize = 128;
const BYTES_SENT: usize = 200;

/// What to ask for.
pub struct Query {
    /// Many sockets rather than one.
    pub dump: bool,
    /// Bits by state.
    pub states: u32,
    /// Local end; in a dump port 0 is any, and the address is ignored by the kernel.
    pub local: SocketAddr,
    /// Remote end, likewise.
    pub remote: SocketAddr,
}

/// One socket of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Socket {
    /// TCP state.
    pub state: u8,
    /// Retransmissions of the segment in flight.
    pub retransmits: u8,
    /// Local end.
    pub local: SocketAddr,
    /// An AF_INET6 socket (its wildcard takes IPv4 too unless `v6_only`).
    pub is_v6: bool,
    /// Remote end.
    pub remote: SocketAddr,
    /// Unread bytes; of a listener the accept queue's length (tcp_diag_get_info).
    pub rqueue: u32,
    /// Unacknowledged bytes; of a listener the accept queue's limit.
    pub wqueue: u32,
    /// 0: no process holds it.
    pub inode: u32,
    /// sk_drops.
    pub drops: Option<u32>,
    /// IPV6_V6ONLY; of IPv6 listeners.
    pub v6_only: Option<bool>,
    /// `mptcp` (upper layer protocol of a subflow), `tls`.
    pub ulp: Option<String>,
    /// From tcp_info.
    pub bytes_received: Option<u64>,
    /// From tcp_info.
    pub bytes_sent: Option<u64>,
    /// From tcp_info, ms ago.
    pub last_received_ms: Option<u32>,
}

#[cfg(test)]
impl Default for Socket {
    fn default() -> Self {
        let nowhere = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        Self {
            state: 0,
            retransmits: 0,
            local: nowhere,
            is_v6: false,
            remote: nowhere,
            rqueue: 0,
            wqueue: 0,
            inode: 0,
            drops: None,
            v6_only: None,
            ulp: None,
            bytes_received: None,
            bytes_sent: None,
            last_received_ms: None,
        }
    }
}

/// A message of an answer.
pub enum Message {
    /// One more.
    Socket(Socket),
    /// The end.
    Done,
    /// errno.
    Error(i32),
}

/// nlmsghdr and inet_diag_req_v2.
pub fn request(query: Query) -> Vec<u8> {
    let (local, remote) = (canonical(query.local), canonical(query.remote));
    let family = if local.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 } as u8;
    let flags = NLM_F_REQUEST | if query.dump { NLM_F_DUMP } else { 0 };
    let extensions = (1u8 << (INET_DIAG_SKMEMINFO - 1)) | (1 << (INET_DIAG_INFO - 1));
    let mut bytes = Vec::with_capacity(DIAG_BYTES);
    bytes.extend_from_slice(&72u32.to_ne_bytes());
    bytes.extend_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    bytes.extend_from_slice(&flags.to_ne_bytes());
    bytes.extend_from_slice(&[0; 8]);
    bytes.extend_from_slice(&[family, libc::IPPROTO_TCP as u8, extensions, 0]);
    bytes.extend_from_slice(&query.states.to_ne_bytes());
    bytes.extend_from_slice(&local.port().to_be_bytes());
    bytes.extend_from_slice(&remote.port().to_be_bytes());
    put_address(&mut bytes, local.ip());
    put_address(&mut bytes, remote.ip());
    // Interface any, cookie INET_DIAG_NOCOOKIE.
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(&[0xff; 8]);
    bytes
}

/// Writes nlmsg_seq.
pub fn set_sequence(request: &mut [u8], sequence: u32) {
    if let Some(field) = request.get_mut(8..12) {
        field.copy_from_slice(&sequence.to_ne_bytes());
    }
}

fn put_address(bytes: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(address) => {
            bytes.extend_from_slice(&address.octets());
            bytes.extend_from_slice(&[0; 12]);
        }
        IpAddr::V6(address) => bytes.extend_from_slice(&address.octets()),
    }
}

/// Messages of one datagram that belong to the request `sequence`; later rubbish ends the list.
pub fn messages(mut bytes: &[u8], sequence: u32) -> impl Iterator<Item = Message> {
    std::iter::from_fn(move || {
        loop {
            let length = u32_at(bytes, 0)? as usize;
            let (kind, of) = (u16_at(bytes, 4)?, u32_at(bytes, 8)?);
            let body = bytes.get(HEADER_BYTES..length)?;
            bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
            if of != sequence {
                continue; // of an earlier answer that was not read to its end
            }
            return match kind {
                NLMSG_DONE => Some(Message::Done),
                NLMSG_ERROR => Some(Message::Error((u32_at(body, 0)? as i32).wrapping_neg())),
                SOCK_DIAG_BY_FAMILY => Some(Message::Socket(socket(body)?)),
                _ => continue,
            };
        }
    })
}

/// inet_diag_msg and its attributes.
fn socket(body: &[u8]) -> Option<Socket> {
    let is_v6 = i32::from(*body.first()?) == libc::AF_INET6;
    let mut socket = Socket {
        state: *body.get(1)?,
        retransmits: *body.get(3)?,
        local: address(body, 8, 4, is_v6)?,
        is_v6,
        remote: address(body, 24, 6, is_v6)?,
        rqueue: u32_at(body, 56)?,
        wqueue: u32_at(body, 60)?,
        inode: u32_at(body, 68)?,
        drops: None,
        v6_only: None,
        ulp: None,
        bytes_received: None,
        bytes_sent: None,
        last_received_ms: None,
    };
    for (kind, value) in attributes(body.get(DIAG_BYTES..)?) {
        match kind {
            INET_DIAG_SKMEMINFO => socket.drops = u32_at(value, DROPS_INDEX * 4),
            INET_DIAG_SKV6ONLY => socket.v6_only = value.first().map(|byte| *byte != 0),
            INET_DIAG_INFO => {
                socket.bytes_received = u64_at(value, BYTES_RECEIVED);
                socket.bytes_sent = u64_at(value, BYTES_SENT);
                socket.last_received_ms = u32_at(value, LAST_DATA_RECV);
            }
            // INET_ULP_INFO_NAME is 1.
            INET_DIAG_ULP_INFO => {
                let name = attributes(value).find(|(kind, _)| *kind == 1).map(|(_, name)| name);
                socket.ulp = name.map(|name| String::from_utf8_lossy(name).trim_end_matches('\0').to_owned());
            }
            _ => {}
        }
    }
    Some(socket)
}

/// Netlink attributes: length and type (two flag bits on top), value, padding to 4.
fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(bytes, 0)?);
        let kind = u16_at(bytes, 2)? & 0x3fff;
        let value = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

fn address(body: &[u8], at: usize, port_at: usize, is_v6: bool) -> Option<SocketAddr> {
    let octets: [u8; 16] = body.get(at..at + 16)?.try_into().ok()?;
    let port = u16::from_be_bytes(body.get(port_at..port_at + 2)?.try_into().ok()?);
    let ip = if is_v6 {
        IpAddr::V6(Ipv6Addr::from(octets))
    } else {
        let [a, b, c, d, ..] = octets;
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    Some(canonical(SocketAddr::new(ip, port)))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}
