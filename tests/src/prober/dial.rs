//! One connection as Go's dialer makes it for the kubelet (facts: kubelet's probe/dialer_others.go:ProbeDialer).

use std::{
    net::SocketAddr,
    os::fd::OwnedFd,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    net::{AddressFamily, SocketFlags, SocketType, connect, ipproto, socket_with, sockopt},
};

/// How a dial ended.
#[derive(Debug)]
pub enum Dial {
    /// ESTABLISHED.
    Connected(OwnedFd),
    /// The deadline came first; the socket is still in SYN_SENT.
    TimedOut(OwnedFd),
    /// Refused, reset, no route …
    Failed(Errno),
}

/// Connects with `SO_LINGER {1, 1}` set before, as the kubelet does from 1.27 on.
pub fn dial(to: SocketAddr, deadline: Instant) -> Dial {
    let family = if to.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = match socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP)) {
        Ok(socket) => socket,
        Err(error) => return Dial::Failed(error),
    };
    if let Err(error) = sockopt::set_socket_linger(&socket, Some(Duration::from_secs(1))) {
        return Dial::Failed(error);
    }
    match connect(&socket, &to) {
        Ok(()) => return connected(socket),
        Err(Errno::INPROGRESS) => {}
        Err(error) => return Dial::Failed(error),
    }
    if !wait(&socket, PollFlags::OUT, deadline) {
        return Dial::TimedOut(socket);
    }
    match sockopt::socket_error(&socket) {
        Ok(Ok(())) => connected(socket),
        Ok(Err(error)) | Err(error) => Dial::Failed(error),
    }
}

/// The options that Go sets once the handshake is done; they change nothing that a probe depends on.
fn connected(socket: OwnedFd) -> Dial {
    let _ = sockopt::set_tcp_nodelay(&socket, true);
    let _ = sockopt::set_socket_keepalive(&socket, true);
    let _ = sockopt::set_tcp_keepidle(&socket, Duration::from_secs(15));
    let _ = sockopt::set_tcp_keepintvl(&socket, Duration::from_secs(15));
    let _ = sockopt::set_tcp_keepcnt(&socket, 9);
    Dial::Connected(socket)
}

/// Waits for `what`; false: the deadline came first.
pub fn wait(socket: &OwnedFd, what: PollFlags, deadline: Instant) -> bool {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let Ok(timeout) = Timespec::try_from(left) else { return false };
        match poll(&mut [PollFd::new(socket, what)], Some(&timeout)) {
            Ok(0) if left.is_zero() => return false,
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => return true,
            Err(_) => return false,
        }
    }
}

/// Dials that live on are bounded: a prober of hundreds of probes must not run out of threads.
const MAX_ORPHANS: usize = 256;
static ORPHANS: AtomicUsize = AtomicUsize::new(0);

/// Lets a dial live on after its attempt timed out; whatever comes of it is closed unused.
pub fn outlive(socket: OwnedFd) {
    if ORPHANS.fetch_add(1, Ordering::Relaxed) >= MAX_ORPHANS {
        ORPHANS.fetch_sub(1, Ordering::Relaxed);
        return;
    }
    let spawned = thread::Builder::new().stack_size(64 * 1024).spawn(move || {
        wait(&socket, PollFlags::OUT, Instant::now() + Duration::from_secs(140));
        drop(socket);
        ORPHANS.fetch_sub(1, Ordering::Relaxed);
    });
    if spawned.is_err() {
        ORPHANS.fetch_sub(1, Ordering::Relaxed);
    }
}

/// An errno in Go's words.
pub fn words(error: Errno) -> String {
    match error {
        Errno::CONNREFUSED => "connection refused".into(),
        Errno::CONNRESET => "connection reset by peer".into(),
        Errno::HOSTUNREACH => "no route to host".into(),
        Errno::NETUNREACH => "network is unreachable".into(),
        Errno::PIPE => "broken pipe".into(),
        other => std::io::Error::from(other).to_string(),
    }
}
