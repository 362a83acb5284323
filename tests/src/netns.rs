//! Network namespaces of a node and its pods, with a veth pair between the node and each pod.

use std::{
    fs,
    io::Write,
    net::IpAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail};
use rustix::io::Errno;

use crate::{
    place::enter_netns,
    prober::dial::{Dial, dial},
};

/// Where `ip netns` keeps them.
pub const FOLDER: &str = "/run/netns";

/// The discard port: no scenario listens there.
const CLOSED_PORT: u16 = 9;

/// File of a named namespace.
pub fn file(name: &str) -> PathBuf {
    PathBuf::from(FOLDER).join(name)
}

/// Whether this program of networking is here.
pub fn has(program: &str) -> bool {
    Command::new(program)
        .arg("-V")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// A namespace for the node: loopback up, and ports enough for a load of thousands of connections a second.
///
/// # Errors
/// iproute2 is missing or the kernel refuses.
pub fn add_node(node: &str) -> Result<()> {
    batch(&[format!("netns add {node}")])?;
    batch(&[format!("-n {node} link set lo up")])
}

/// Addresses of the n-th pod: 10.77.n.2 and fd77:n::2; the node has .1 of both.
pub fn pod_addresses(number: u8) -> (IpAddr, IpAddr) {
    let v4 = [10, 77, number, 2];
    let v6 = [0xfd77, u16::from(number), 0, 0, 0, 0, 0, 2];
    (IpAddr::from(v4), IpAddr::from(v6))
}

/// A namespace for the n-th pod, joined to the node's.
///
/// # Errors
/// As [`add_node`].
pub fn add_pod(node: &str, pod: &str, number: u8) -> Result<()> {
    batch(&[format!("netns add {pod}")])?;
    batch_in(
        node,
        &[
            format!("link add pod{number} type veth peer name eth0 netns {pod}"),
            format!("addr add 10.77.{number}.1/24 dev pod{number}"),
            format!("addr add fd77:{number:x}::1/64 dev pod{number} nodad"),
            format!("link set pod{number} up"),
        ],
    )?;
    batch_in(
        pod,
        &[
            format!("addr add 10.77.{number}.2/24 dev eth0"),
            format!("addr add fd77:{number:x}::2/64 dev eth0 nodad"),
            "link set lo up".into(),
            "link set eth0 up".into(),
            format!("route add default via 10.77.{number}.1"),
        ],
    )
}

/// Lets netfilter in the pod answer SYNs to `port` with RST.
///
/// # Errors
/// `iptables` is missing or refuses.
pub fn reject(pod: &str, port: u16) -> Result<()> {
    for iptables in ["iptables", "ip6tables"] {
        batch(&[format!(
            "netns exec {pod} {iptables} -A INPUT -p tcp --dport {port} -j REJECT --reject-with tcp-reset"
        )])?;
    }
    Ok(())
}

/// Waits until the pod's addresses answer from the node: IPv6 takes a second or two after a link comes up. A closed
/// port's RST is the answer.
///
/// # Errors
/// No answer within 10 s.
pub fn wait_reachable(node: &str, number: u8) -> Result<()> {
    let (v4, v6) = pod_addresses(number);
    let addresses = if Path::new("/proc/net/if_inet6").exists() { vec![v4, v6] } else { vec![v4] };
    let node = file(node);
    // A thread of its own has a network namespace of its own.
    let waiting = thread::spawn(move || {
        enter_netns(&node)?;
        let deadline = Instant::now() + Duration::from_secs(10);
        for address in addresses {
            while !matches!(
                dial((address, CLOSED_PORT).into(), Instant::now() + Duration::from_millis(200)),
                Dial::Failed(Errno::CONNREFUSED)
            ) {
                if Instant::now() > deadline {
                    bail!("pod {address} does not answer");
                }
            }
        }
        Ok(())
    });
    waiting.join().map_err(|_| anyhow!("a thread of the lab panicked"))?
}

/// Removes every namespace whose name begins so.
///
/// # Errors
/// One could not be removed; the others are.
pub fn remove_all(prefix: &str) -> Result<()> {
    let mut results = Vec::new();
    for entry in fs::read_dir(FOLDER).into_iter().flatten().flatten() {
        if let Some(name) = entry.file_name().to_str().filter(|name| name.starts_with(prefix)) {
            let deleted = batch(&[format!("netns delete {name}")]);
            // Two labs that begin together remove the same leftovers.
            results.push(if entry.path().exists() { deleted } else { Ok(()) });
        }
    }
    results.into_iter().collect()
}

fn batch_in(netns: &str, lines: &[String]) -> Result<()> {
    run(Command::new("ip").args(["-n", netns, "-batch", "-"]), lines)
}

/// `ip` commands, one process for all; a line that begins with `-n` is run by a process of its own.
fn batch(lines: &[String]) -> Result<()> {
    for line in lines {
        run(Command::new("ip").args(line.split(' ')), &[])?;
    }
    Ok(())
}

fn run(command: &mut Command, lines: &[String]) -> Result<()> {
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().context("`ip` of the package iproute2 is needed")?;
    if let Some(mut input) = child.stdin.take() {
        for line in lines {
            writeln!(input, "{line}").context("ip -batch")?;
        }
    }
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
