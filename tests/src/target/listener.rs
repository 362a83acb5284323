//! One listening socket and the thread that accepts from it.

use std::{
    net::{SocketAddr, TcpStream},
    os::fd::OwnedFd,
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context, Result};
use rustix::net::{
    AddressFamily, Protocol, Shutdown, SocketFlags, SocketType, accept_with, bind, ipproto, listen, shutdown,
    socket_with, sockopt,
};

use super::{Accept, Server, fill, serve};

/// linux/in.h: IPPROTO_MPTCP.
const IPPROTO_MPTCP: u32 = 262;
/// Connections that are held open without being read.
const MAX_HELD: usize = 4096;

/// A server that can be started and stopped.
#[derive(Debug)]
pub struct Listener {
    server: Arc<Server>,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    socket: Arc<OwnedFd>,
    acceptor: Option<JoinHandle<()>>,
    /// Connections that fill the accept queue.
    _filler: Vec<OwnedFd>,
}

impl Listener {
    /// Not yet listening.
    pub fn new(server: Server) -> Self {
        Self { server: Arc::new(server), running: None }
    }

    /// Where the plan says so.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_if_due(&mut self) -> Result<()> {
        if self.server.listens { self.start() } else { Ok(()) }
    }

    /// Listens.
    ///
    /// # Errors
    /// The address is in use, or the kernel lacks the protocol.
    pub fn start(&mut self) -> Result<()> {
        let at = SocketAddr::new(self.server.bind, self.server.port);
        let socket = open(&self.server, at).with_context(|| format!("listen on {at}"))?;
        let socket = Arc::new(socket);
        let filler = if self.server.filled { fill::fill(at)? } else { Vec::new() };
        let acceptor = match self.server.accept {
            Accept::Never => None,
            _ => {
                let (socket, server) = (Arc::clone(&socket), Arc::clone(&self.server));
                Some(thread::Builder::new().name("accept".into()).spawn(move || accept_all(&socket, &server))?)
            }
        };
        self.running = Some(Running { socket, acceptor, _filler: filler });
        Ok(())
    }

    /// Closes the listening socket; when this returns, connections are refused.
    pub fn stop(&mut self) {
        let Some(mut running) = self.running.take() else { return };
        // Wakes the acceptor with EINVAL.
        let _ = shutdown(&running.socket, Shutdown::Both);
        if let Some(acceptor) = running.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

fn open(server: &Server, at: SocketAddr) -> rustix::io::Result<OwnedFd> {
    let family = if at.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let protocol = if server.mptcp {
        std::num::NonZeroU32::new(IPPROTO_MPTCP).map(Protocol::from_raw)
    } else {
        Some(ipproto::TCP)
    };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, protocol)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    if server.reuseport {
        sockopt::set_socket_reuseport(&socket, true)?;
    }
    bind(&socket, &at)?;
    listen(&socket, server.backlog)?;
    Ok(socket)
}

fn accept_all(listener: &OwnedFd, server: &Arc<Server>) {
    let mut held: Vec<OwnedFd> = Vec::new();
    loop {
        let connection = match accept_with(listener, SocketFlags::CLOEXEC) {
            Ok(connection) => connection,
            Err(rustix::io::Errno::INTR | rustix::io::Errno::CONNABORTED) => continue,
            Err(_) => return,
        };
        match server.accept {
            Accept::NeverRead if held.len() < MAX_HELD => held.push(connection),
            Accept::NeverRead | Accept::Never => {}
            Accept::Reset => {
                let _ = sockopt::set_socket_linger(&connection, Some(Duration::ZERO));
            }
            Accept::Serve | Accept::CloseEarly => {
                let server = Arc::clone(server);
                let stream = TcpStream::from(connection);
                let _ = thread::Builder::new().stack_size(128 * 1024).spawn(move || serve::serve(stream, &server));
            }
        }
    }
}
