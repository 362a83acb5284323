//! How a kubelet looks in each packaging.

use std::collections::BTreeSet;

use super::Candidate;
use crate::{kernel::look::process::find_holders, proc_dir::ProcDir};

/// `--port`'s default (kubelet: pkg/cluster/ports, KubeletPort).
const PORT: u16 = 10250;
/// TCP_LISTEN in /proc/net/tcp.
const LISTEN: &str = "0A";
const MAX_NAMESPACES: usize = 256;

/// What names a kubelet in an error.
pub const NAMES: &str = "a kubelet (kubelet, hyperkube kubelet, k3s server or agent, microk8s' kubelite; rke2 and k0s run \
                         kubelet itself) and the holder of TCP port 10250";

/// By which of its names a process is a kubelet.
pub fn known_by(process: &Candidate) -> Option<&'static str> {
    let second = process.argv.get(1).map(String::as_str).unwrap_or_default();
    let title = process.argv.first().map(String::as_str).unwrap_or_default();
    if process.exe == "kubelet" || (process.comm == "kubelet" && process.called() == "kubelet") {
        Some("the kubelet by its name")
    } else if [process.exe.as_str(), process.called()].contains(&"hyperkube") && second == "kubelet"
        || process.exe == "hyperkube" && process.called() == "kubelet"
    {
        Some("hyperkube as kubelet")
    } else if process.exe == "kubelite" || process.comm == "kubelite" {
        Some("microk8s' kubelite, which embeds the kubelet")
    } else if is_k3s(process, title, second) {
        Some("k3s, which embeds the kubelet")
    } else {
        None
    }
}

/// k3s is one binary of many names (kubectl, crictl, ctr): only `server` and `agent` run a kubelet. It renames itself
/// to `k3s-server`, or its title to `/usr/local/bin/k3s server`.
fn is_k3s(process: &Candidate, title: &str, second: &str) -> bool {
    let role = |word: &str| matches!(word, "server" | "agent");
    let titled = title.rsplit_once(' ').is_some_and(|(program, word)| program.ends_with("k3s") && role(word));
    matches!(process.comm.as_str(), "k3s-server" | "k3s-agent")
        || (process.exe == "k3s" && (titled || (matches!(process.called(), "k3s") && role(second))))
}

/// The kubelets: those of the node rather than of a cluster inside a pod, else who holds the kubelet's port.
pub fn all<'a>(proc: &ProcDir, candidates: &'a [Candidate]) -> Vec<(&'a Candidate, String)> {
    let named: Vec<&Candidate> = candidates.iter().filter(|candidate| candidate.kubelet_by.is_some()).collect();
    let (inside, on_node): (Vec<&Candidate>, Vec<&Candidate>) = named.into_iter().partition(|one| is_in_pod(one));
    let chosen = if on_node.is_empty() { inside } else { on_node };
    if chosen.is_empty() {
        let why = format!("holds the listener on port {PORT}, the kubelet's");
        return port_holders(proc, candidates).into_iter().map(|candidate| (candidate, why.clone())).collect();
    }
    chosen.into_iter().map(|candidate| (candidate, candidate.kubelet_by.unwrap_or_default().to_owned())).collect()
}

/// A pod may run what it likes under the name of kubelet.
fn is_in_pod(candidate: &Candidate) -> bool {
    candidate.cgroups.iter().any(|(_, path)| path.contains("kubepods"))
}

/// In every network namespace: a kubelet in a container (kind) has one of its own.
fn port_holders<'a>(proc: &ProcDir, candidates: &'a [Candidate]) -> Vec<&'a Candidate> {
    let mut seen = BTreeSet::new();
    let mut inodes = BTreeSet::new();
    for candidate in candidates {
        let Ok(netns) = proc.netns(candidate.pid) else { continue };
        if seen.len() >= MAX_NAMESPACES || !seen.insert(netns) {
            continue;
        }
        for table in ["tcp", "tcp6"] {
            inodes.extend(listeners(
                &proc.read_table(format!("{}/net/{table}", candidate.pid)).unwrap_or_default(),
                PORT,
            ));
        }
    }
    if inodes.is_empty() {
        return Vec::new();
    }
    let on_node: Vec<&Candidate> = candidates.iter().filter(|candidate| !is_in_pod(candidate)).collect();
    let pids: Vec<u32> = on_node.iter().map(|candidate| candidate.pid).collect();
    let holders = find_holders(proc, &inodes, &pids, false);
    let held: BTreeSet<u32> = holders.by_inode.into_values().flatten().collect();
    on_node.into_iter().filter(|candidate| held.contains(&candidate.pid)).collect()
}

/// Inodes of listeners on `wanted`: `sl local:port remote:port state tx:rx tr:tm retrnsmt uid timeout inode …`.
pub(crate) fn listeners(table: &str, wanted: u16) -> impl Iterator<Item = u64> {
    table.lines().filter_map(move |line| {
        let mut words = line.split_ascii_whitespace().skip(1);
        let (local, state) = (words.next()?, words.nth(1)?);
        let port = u16::from_str_radix(local.rsplit(':').next()?, 16).ok()?;
        if port != wanted || state != LISTEN {
            return None;
        }
        words.nth(5)?.parse().ok().filter(|inode| *inode != 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packagings() {
        for (comm, exe, argv, expected) in [
            ("kubelet", "kubelet", "/usr/bin/kubelet --config=x", true),
            ("kubelet", "", "/usr/bin/kubelet", true),
            ("kubelet", "bash", "bash -c sleep", false),
            ("hyperkube", "hyperkube", "/hyperkube kubelet --v=2", true),
            ("kubelet", "hyperkube", "kubelet --v=2", true),
            ("hyperkube", "hyperkube", "/hyperkube apiserver", false),
            ("kubelite", "kubelite", "/snap/microk8s/1/kubelite --x", true),
            ("k3s-server", "k3s", "/usr/local/bin/k3s server", true),
            ("k3s", "k3s", "k3s agent --token x", true),
            ("k3s", "k3s", "k3s kubectl get pods", false),
            ("kubectl", "k3s", "kubectl server", false),
            ("curl", "curl", "curl http://kubelet", false),
        ] {
            let argv = argv.split(' ').map(str::to_owned).collect();
            let candidate = Candidate { comm: comm.to_owned(), exe: exe.to_owned(), argv, ..Candidate::default() };
            assert_eq!(known_by(&candidate).is_some(), expected, "{candidate:?}");
        }
    }

    #[test]
    fn the_port_in_proc_net_tcp6() {
        let table = "  sl  local_address remote_address st tx_queue rx_queue tr tm->when retrnsmt uid timeout inode
   0: 00000000000000000000000000000000:280A 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100
   1: 0100007F:280A 0100007F:1234 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0
   2: 0100007F:280B 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0\n";
        assert_eq!(listeners(table, PORT).collect::<Vec<_>>(), [4711]);
    }
}
