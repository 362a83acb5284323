//! Traffic that is no probe: how many connections and packets a second two threads can do on the loopback device of a
//! network namespace of their own.

use std::{
    io::{BufRead, Write},
    net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use rustix::thread::UnshareFlags;
use serde::{Deserialize, Serialize};

use crate::process::Talker;

/// What is attached meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Nothing of ours.
    Nothing,
    /// `sock_ops` and `cgroup_skb` on a cgroup without processes: the node-wide switch alone.
    EmptyCgroup,
    /// The tracer.
    All,
}

/// A second's work.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Rates {
    /// TCP connect, close, accept.
    pub connections_per_s: f64,
    /// UDP datagrams, there and back.
    pub packets_per_s: f64,
}

/// For each of the two.
const DURATION: Duration = Duration::from_secs(2);

/// Measures once, in a process of its own.
///
/// # Errors
/// No namespace can be made, or a socket fails.
pub fn measure() -> Result<Rates> {
    let answer = Talker::start("innocent")?.say("go")?;
    serde_json::from_str(&answer).with_context(|| format!("innocent traffic said: {answer}"))
}

/// The process.
///
/// # Errors
/// As [`measure`].
pub fn main() -> Result<()> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    // SAFETY: no other thread exists yet, so that none keeps the old namespace.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNET) }.context("network namespace")?;
    let up = std::process::Command::new("ip").args(["link", "set", "lo", "up"]).status().context("ip")?;
    anyhow::ensure!(up.success(), "ip link set lo up: {up}");
    let rates = Rates { connections_per_s: connections()?, packets_per_s: packets()? };
    let mut out = std::io::stdout();
    writeln!(out, "{}", serde_json::to_string(&rates)?)?;
    Ok(out.flush()?)
}

/// One after the other; the server closes first, so that TIME_WAIT holds no port of the client.
fn connections() -> Result<f64> {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    let port = listener.local_addr()?.port();
    thread::spawn(move || listener.incoming().for_each(drop));
    let (start, mut done) = (Instant::now(), 0_u32);
    while start.elapsed() < DURATION {
        // 127.0.0.1 to 127.0.0.250: enough pairs of addresses and ports for all TIME_WAIT sockets.
        let address = Ipv4Addr::from(0x7f00_0001 + done % 250);
        let mut stream = TcpStream::connect((address, port))?;
        let _ = std::io::Read::read(&mut stream, &mut [0])?;
        done += 1;
    }
    Ok(f64::from(done) / start.elapsed().as_secs_f64())
}

fn packets() -> Result<f64> {
    let bind = || UdpSocket::bind((Ipv4Addr::LOCALHOST, 0));
    let (client, server) = (bind()?, bind()?);
    client.connect(server.local_addr()?)?;
    client.set_read_timeout(Some(Duration::from_secs(1)))?;
    thread::spawn(move || {
        let mut bytes = [0; 64];
        while let Ok((length, from)) = server.recv_from(&mut bytes) {
            let _ = server.send_to(&bytes[..length], from);
        }
    });
    let (start, mut done) = (Instant::now(), 0_u32);
    while start.elapsed() < DURATION {
        client.send(&[1; 64])?;
        client.recv(&mut [0; 64])?;
        done += 2;
    }
    Ok(f64::from(done) / start.elapsed().as_secs_f64())
}
