//! The prober, and where its probes can be known from.

use crate::{
    doctor::{Need, Node, Row, State},
    prober::{self, Found, Process},
};

const PORT: u16 = 10250;
const READ_ONLY_PORT: u16 = 10255;
/// Where kubeadm puts static pods.
const DEFAULT_STATIC_PODS: &str = "/etc/kubernetes/manifests";

pub fn all(node: &Node, patterns: &[String]) -> Vec<Row> {
    let found = match prober::find_in(&node.proc, patterns) {
        Ok(found) => found,
        Err(error) => {
            let row = Row::ok("kubelet", "prober", "none found").need(Need::Required);
            return vec![row.but(State::Missing, "there is nobody whose probes could be traced", error.to_string())];
        }
    };
    let mut rows = vec![Row::ok("kubelet", "prober", &found.why).need(Need::Required)];
    rows.extend(found.processes.iter().filter(|process| process.cgroup_v2.is_some()).map(own_cgroup));
    if found.is_kubelet {
        rows.extend(sources(node, &found));
    }
    rows
}

fn own_cgroup(process: &Process) -> Row {
    let folder = process.cgroup_v2.as_ref().map(|folder| folder.display().to_string()).unwrap_or_default();
    let row = Row::ok("kubelet", format!("cgroup of pid {}", process.pid), folder);
    if !process.in_root_cgroup {
        return row;
    }
    row.but(
        State::Degraded,
        "hooks on its cgroup: the root holds every process, so node-wide tracepoints are used",
        "run the prober as a service of its own (systemd gives it a cgroup)",
    )
}

/// Whence the probes' specifications can come, besides the API and `--targets`.
fn sources(node: &Node, found: &Found) -> Vec<Row> {
    let Some(kubelet) = found.processes.first() else { return Vec::new() };
    let tables = ["tcp", "tcp6"].map(|table| node.proc.read_table(format!("{}/net/{table}", kubelet.pid)));
    let readable = tables.iter().any(Result::is_ok);
    let listens = |port: u16| tables.iter().flatten().any(|table| prober::listeners(table, port).next().is_some());
    let port = |name: &str, port: u16, off: &str| {
        let row = |found: String| Row::ok("kubelet", name, found).need(Need::Optional);
        match (readable, listens(port)) {
            (false, _) => row("its sockets can't be read".to_owned()).but(State::Unknown, "", "run as root"),
            (true, true) => row(format!("listens on {port}")),
            (true, false) => {
                row(format!("nothing listens on {port}")).but(State::Missing, "one source of pods and probes", off)
            }
        }
    };
    vec![
        port("kubelet's port", PORT, "give the specifications by --targets, static pods or the API"),
        port(
            "kubelet's read-only port",
            READ_ONLY_PORT,
            "nothing: it is off on most nodes; 10250 serves the same with a token",
        ),
        static_pods(node, kubelet.pid),
    ]
}

/// `--pod-manifest-path`, `staticPodPath` of its `--config`, or kubeadm's default, seen from the kubelet's root.
fn static_pods(node: &Node, pid: u32) -> Row {
    let row = |found: String| Row::ok("kubelet", "static pods", found).need(Need::Optional);
    let argv = node.proc.argv(pid);
    let root = node.proc.path(format!("{pid}/root"));
    let within = |path: &str| root.join(path.trim_start_matches('/'));
    let configured = flag(&argv, "--config").and_then(|path| {
        let text = crate::proc_dir::read_bounded(&within(&path), crate::proc_dir::MAX_FILE_BYTES).ok()?;
        let value = text.lines().find_map(|line| line.strip_prefix("staticPodPath:"))?;
        Some(value.trim().trim_matches(['"', '\'']).to_owned())
    });
    let path = flag(&argv, "--pod-manifest-path").or(configured).filter(|path| !path.is_empty());
    let path = path.unwrap_or_else(|| DEFAULT_STATIC_PODS.to_owned());
    match std::fs::read_dir(within(&path)) {
        Ok(files) => row(format!("{path}: {} files", files.take(1000).count())),
        Err(_) => row(format!("no folder {path}")).but(
            State::Missing,
            "one source of pods and probes",
            "nothing, where the node has none",
        ),
    }
}

/// `--name value` or `--name=value`.
fn flag(argv: &[String], name: &str) -> Option<String> {
    argv.iter().enumerate().find_map(|(at, word)| match word.strip_prefix(name)? {
        "" => argv.get(at + 1).cloned(),
        rest => rest.strip_prefix('=').map(str::to_owned),
    })
}
