//! Unrelated traffic: so many connections a second from a node's namespace to servers in a pod's.

use std::{
    io::{Read, Write},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use crate::place::enter_netns;

/// Enough (address, port) pairs that TIME_WAIT of five minutes at 20 000/s does not use up the client's ports.
const PORTS: u16 = 32;
const FIRST_PORT: u16 = 20_000;
const CLIENTS: u32 = 4;

/// What to generate.
#[derive(Clone, Debug)]
pub struct Load {
    /// Namespace of the clients; `None`: ours.
    pub client_netns: Option<PathBuf>,
    /// Namespace of the servers; `None`: ours.
    pub server_netns: Option<PathBuf>,
    /// Where the servers listen.
    pub address: IpAddr,
    /// Of all clients together.
    pub connections_per_s: u32,
    /// How long.
    pub duration: Duration,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Done {
    /// Connections with an answer.
    pub answered: u64,
    /// Those without.
    pub failed: u64,
}

/// Runs it; `ready` is called when the servers listen.
///
/// # Errors
/// A namespace can't be entered or a port is in use.
pub fn run(load: &Load, ready: impl FnOnce() -> Result<()>) -> Result<Done> {
    let (listening, listens) = mpsc::channel::<Result<()>>();
    for port in FIRST_PORT..FIRST_PORT + PORTS {
        let (listening, load) = (listening.clone(), load.clone());
        thread::Builder::new().stack_size(64 * 1024).spawn(move || serve(&load, port, &listening))?;
    }
    for _ in 0..PORTS {
        listens.recv().context("a server of the load has ended")??;
    }
    ready()?;
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let load = load.clone();
            thread::spawn(move || client(&load, number))
        })
        .collect();
    let mut sum = Done::default();
    for client in clients {
        let done = client.join().map_err(|_| anyhow::anyhow!("a client of the load panicked"))??;
        sum.answered += done.answered;
        sum.failed += done.failed;
    }
    Ok(sum)
}

fn enter(netns: Option<&Path>) -> Result<()> {
    netns.map_or(Ok(()), enter_netns)
}

fn serve(load: &Load, port: u16, listening: &mpsc::Sender<Result<()>>) {
    let bound = enter(load.server_netns.as_deref())
        .and_then(|()| TcpListener::bind((load.address, port)).with_context(|| format!("listen on port {port}")));
    let listener = match bound {
        Ok(listener) => listener,
        Err(error) => {
            let _ = listening.send(Err(error));
            return;
        }
    };
    let _ = listening.send(Ok(()));
    for mut connection in listener.incoming().flatten() {
        let mut request = [0; 64];
        let _ = connection.read(&mut request);
        let _ = connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    }
}

/// Each client keeps its share of the rate by the clock: what it could not do in time it does at once.
fn client(load: &Load, number: u32) -> Result<Done> {
    enter(load.client_netns.as_deref())?;
    let start = Instant::now();
    let gap = Duration::from_secs(u64::from(CLIENTS)) / load.connections_per_s.max(1);
    let mut done = Done::default();
    let mut port = number;
    for turn in 0_u32.. {
        let due = gap.saturating_mul(turn);
        if due >= load.duration || start.elapsed() >= load.duration {
            break;
        }
        thread::sleep(due.saturating_sub(start.elapsed()));
        port = (port + 1) % u32::from(PORTS);
        let to = SocketAddr::new(load.address, FIRST_PORT + u16::try_from(port).unwrap_or(0));
        match exchange(to) {
            Ok(()) => done.answered += 1,
            Err(_) => done.failed += 1,
        }
    }
    Ok(done)
}

fn exchange(to: SocketAddr) -> std::io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&to, Duration::from_secs(1))?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    stream.write_all(b"GET /noise HTTP/1.1\r\nHost: noise\r\n\r\n")?;
    let mut answer = [0; 64];
    let _ = stream.read(&mut answer)?;
    Ok(())
}
