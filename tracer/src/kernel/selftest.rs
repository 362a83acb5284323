//! Makes the hooks fire on sockets and a child of our own, before anyone listens: only what fired can be relied on.
//! Nothing of it stays: our pid leaves the map of probers, the child is dead, and the reader skips what came before.

use std::{
    collections::HashSet,
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::fd::AsRawFd,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use aya::maps::{MapData, RingBuf};
use rustix::net::sockopt::set_socket_linger;
use tracer_ebpf::abi::mode;

use super::{
    control::Control,
    decode::Decoder,
    hooks::{self, HOOKS},
    maps::{Maps, TargetKey},
};

/// Longest time for all of it. The slowest part is a first retransmission, 200 ms (include/net/tcp.h: TCP_RTO_MIN).
const LIMIT: Duration = Duration::from_millis(1500);
/// Wait between looks at the ring.
const PAUSE: Duration = Duration::from_millis(2);
/// It takes the kernel a second to repeat a SYN-ACK: attached is all that is known of it.
const NOT_TESTED: &str = "tcp:tcp_retransmit_synack";

/// Runs it and notes what fired.
///
/// # Errors
/// What went wrong, where nothing fired at all.
pub(super) fn run(control: &mut Control, ring: &mut RingBuf<MapData>, decoder: &Decoder) -> Result<(), String> {
    let own = std::process::id();
    Maps::set_keys(&mut control.maps.probers, &[own]);
    let own_cgroup = control.attach_to_own_cgroup();
    let node = control.attach_node();
    control.set_mode(mode::COMPARE)?;
    let mut fired = HashSet::new();
    let result = provoke(control, &mut |wanted| {
        let until = Instant::now() + LIMIT;
        loop {
            while let Some(bytes) = ring.next() {
                fired.extend(decoder.decode(&bytes).ok().map(|event| hooks::source(&event.what)));
            }
            if wanted.iter().all(|name| fired.contains(name)) || Instant::now() > until {
                return;
            }
            std::thread::sleep(PAUSE);
        }
    });
    clean_up(control)?;
    while let Some(bytes) = ring.next() {
        drop(bytes);
    }
    drop(own_cgroup);
    node?;
    for hook in HOOKS.iter().filter(|hook| hook.name != NOT_TESTED) {
        control.fired(hook.name, fired.contains(hook.name));
    }
    match result {
        Err(error) if fired.is_empty() => Err(error.to_string()),
        Ok(()) if fired.is_empty() => Err("no event within 1.5 s".to_owned()),
        _ => Ok(()),
    }
}

fn clean_up(control: &mut Control) -> Result<(), String> {
    control.set_mode(mode::OFF)?;
    Maps::set_keys(&mut control.maps.probers, &[]);
    Maps::set_keys(&mut control.maps.targets, &[]);
    let followed: Vec<u32> = control.maps.procs.keys().flatten().collect();
    for pid in followed {
        // Gone already: as wanted.
        let _ = control.maps.procs.remove(&pid);
    }
    Ok(())
}

/// Does everything that a probe does; `collect` waits until the named hooks have fired, or its time is over.
fn provoke(control: &mut Control, collect: &mut impl FnMut(&[&'static str])) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    // A socket that is bound and does not listen: its port is refused, and no one else can take it.
    let refused = bound_only()?;
    let targets = [address, refused.1].map(|address| TargetKey::new(address.ip(), address.port()));
    Maps::set_keys(&mut control.maps.targets, &targets);

    let (unanswered, _deaf) = unanswered_request(&listener)?;
    exchange(&listener)?;
    // Refused: that is what it is for.
    let _ = TcpStream::connect_timeout(&refused.1, LIMIT);
    let mut child = Command::new("/proc/self/exe")
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    child.kill()?;
    child.wait()?;
    let names: Vec<_> = HOOKS.iter().map(|hook| hook.name).filter(|name| *name != NOT_TESTED).collect();
    collect(&names);
    drop(unanswered);
    Ok(())
}

/// One HTTP exchange; the server closes first, so that our side is done when this returns.
fn exchange(listener: &TcpListener) -> io::Result<()> {
    let mut client = TcpStream::connect_timeout(&listener.local_addr()?, LIMIT)?;
    client.set_read_timeout(Some(LIMIT))?;
    client.write_all(b"GET /probetrace-self-test HTTP/1.1\r\n\r\n")?;
    let (mut server, _) = listener.accept()?;
    server.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
    // All of the request must be read: closing would answer with a RST otherwise.
    let mut request = [0; 64];
    let _ = server.read(&mut request)?;
    drop(server);
    let _ = client.read_to_end(&mut Vec::new())?;
    Ok(())
}

/// A request that the server's socket drops unseen, so that it is repeated.
fn unanswered_request(listener: &TcpListener) -> io::Result<(TcpStream, TcpStream)> {
    let mut client = TcpStream::connect_timeout(&listener.local_addr()?, LIMIT)?;
    let (server, _) = listener.accept()?;
    drop_everything(&server)?;
    // Closed by RST: else the kernel would go on repeating the request for minutes, watched as a prober's.
    for socket in [&client, &server] {
        set_socket_linger(socket, Some(Duration::ZERO))?;
    }
    client.write_all(b"GET / HTTP/1.1\r\n\r\n")?;
    Ok((client, server))
}

/// Attaches a classic filter that accepts nothing (`ret 0`) to a socket of our own.
fn drop_everything(socket: &TcpStream) -> io::Result<()> {
    let mut refuse = libc::sock_filter { code: (libc::BPF_RET | libc::BPF_K) as u16, jt: 0, jf: 0, k: 0 };
    let program = libc::sock_fprog { len: 1, filter: &raw mut refuse };
    // SAFETY: the program outlives the call, which copies it; the length is its size.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const program).cast(),
            size_of::<libc::sock_fprog>() as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// A TCP socket with a port of its own on 127.0.0.1 that does not listen: connecting to it is refused, and no one else
/// can take the port.
///
/// # Errors
/// No socket, or no loopback here.
pub fn bound_only() -> io::Result<(std::os::fd::OwnedFd, SocketAddr)> {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, getsockname, socket_with};
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    bind(&socket, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    let address = SocketAddr::try_from(getsockname(&socket)?)?;
    Ok((socket, address))
}
