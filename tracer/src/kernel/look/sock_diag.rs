//! TCP sockets of one network namespace by NETLINK_SOCK_DIAG (net/ipv4/inet_diag.c, include/uapi/linux/inet_diag.h).

mod wire;

use std::{
    io,
    net::{IpAddr, SocketAddr},
    os::fd::OwnedFd,
};

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink};

pub use wire::Socket;
use wire::{ALL_STATES, Message};

use crate::event::tcp_state;

/// A dump is cut after this many sockets.
const MAX_SOCKETS: usize = 4096;
/// Kernels write dumps in pages of up to 32 KiB (netlink_dump: max_recvmsg_len); a smaller buffer truncates.
const BUFFER_BYTES: usize = 32 * 1024;

/// A netlink socket that stays in the network namespace in which it was opened.
pub struct SockDiag {
    fd: OwnedFd,
    sequence: u32,
}

impl SockDiag {
    /// Opens it in the calling thread's network namespace.
    pub fn open() -> io::Result<Self> {
        let fd = rustix::net::socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            Some(netlink::SOCK_DIAG),
        )?;
        Ok(Self { fd, sequence: 0 })
    }

    /// The socket with exactly these ends; `None`: there is none (a listener that would match is none).
    pub fn get(&mut self, local: SocketAddr, remote: SocketAddr) -> io::Result<Option<Socket>> {
        let request = wire::request(wire::Query { dump: false, states: ALL_STATES, local, remote });
        let mut found = None;
        match self.ask(request, &mut |socket| {
            found = Some(socket);
            false
        }) {
            // inet_diag_find_one_icsk: no such socket.
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => return Ok(None),
            result => result?,
        };
        // The kernel's look-up falls back to a listener (inet_lookup), so the answer is checked.
        Ok(found.filter(|socket| socket.local == canonical(local) && socket.remote == canonical(remote)))
    }

    /// All listeners of both families; true: cut.
    pub fn listeners(&mut self) -> io::Result<(Vec<Socket>, bool)> {
        let mut found = Vec::new();
        let mut cut = false;
        for any in ANY {
            let query = wire::Query { dump: true, states: 1 << tcp_state::LISTEN, local: any, remote: any };
            cut |= self.dump(query, &mut found)?;
        }
        Ok((found, cut))
    }

    /// Children on a local port that no process holds, in the states that only a connection before accept has so
    /// (an application's own close leaves ESTABLISHED and CLOSE_WAIT at once). Walks the node's table of connections.
    pub fn unaccepted(&mut self, port: u16) -> io::Result<(u32, bool)> {
        let states = 1 << tcp_state::ESTABLISHED | 1 << tcp_state::CLOSE_WAIT;
        let (found, cut) = self.by_ports(states, port, 0)?;
        let waiting = found.iter().filter(|socket| socket.inode == 0).count();
        Ok((u32::try_from(waiting).unwrap_or(u32::MAX), cut))
    }

    /// Connections with these ports (0: any), whatever their addresses; true: cut. Walks the node's table of
    /// connections.
    pub fn by_ports(&mut self, states: u32, local: u16, remote: u16) -> io::Result<(Vec<Socket>, bool)> {
        let mut found = Vec::new();
        let mut cut = false;
        for any in ANY {
            let (local, remote) = (SocketAddr::new(any.ip(), local), SocketAddr::new(any.ip(), remote));
            cut |= self.dump(wire::Query { dump: true, states, local, remote }, &mut found)?;
        }
        Ok((found, cut))
    }

    fn dump(&mut self, query: wire::Query, found: &mut Vec<Socket>) -> io::Result<bool> {
        let room = MAX_SOCKETS + found.len();
        let mut cut = false;
        self.ask(wire::request(query), &mut |socket| {
            if found.len() < room {
                found.push(socket);
            } else {
                cut = true;
            }
            true
        })?;
        Ok(cut)
    }

    /// Sends and reads until the answer is whole; `take` returns false when it wants no more.
    fn ask(&mut self, mut request: Vec<u8>, take: &mut dyn FnMut(Socket) -> bool) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        wire::set_sequence(&mut request, self.sequence);
        let mut buffer = vec![0; BUFFER_BYTES];
        rustix::net::send(&self.fd, &request, SendFlags::empty())?;
        loop {
            // The kernel answers inside send() and recv(): there is nothing to wait for.
            let (length, full) =
                rustix::net::recv(&self.fd, buffer.as_mut_slice(), RecvFlags::DONTWAIT.union(RecvFlags::TRUNC))?;
            if full > length {
                return Err(io::Error::other(format!("a sock_diag answer of {full} bytes was truncated")));
            }
            for message in wire::messages(buffer.get(..length).unwrap_or_default(), self.sequence) {
                match message {
                    Message::Socket(socket) => {
                        if !take(socket) {
                            return Ok(());
                        }
                    }
                    Message::Done => return Ok(()),
                    Message::Error(errno) => return Err(io::Error::from_raw_os_error(errno)),
                }
            }
        }
    }
}

const ANY: [SocketAddr; 2] = [
    SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 0),
    SocketAddr::new(IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED), 0),
];

/// IPv4 addresses of dual-stack sockets (::ffff:a.b.c.d) as IPv4; no scope.
pub fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests;
