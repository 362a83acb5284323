//! Which cgroup versions there are, and where pods live in them.

use std::path::{Path, PathBuf};

use crate::doctor::{Need, Node, Row, State};

/// Folders of pods by driver: cgroupfs, systemd, nested (kind).
const POD_FOLDERS: [&str; 4] =
    ["kubepods", "kubepods.slice", "kubelet/kubepods", "kubelet.slice/kubelet-kubepods.slice"];

pub fn all(node: &Node) -> Vec<Row> {
    let mounts = mounts(node);
    vec![versions(&mounts), pods(&mounts), pressure(node)]
}

/// (filesystem, mount point), cgroup2 first.
fn mounts(node: &Node) -> Vec<(bool, PathBuf)> {
    let text = node.proc.read_table("self/mountinfo").unwrap_or_default();
    let mut found: Vec<(bool, PathBuf)> = text
        .lines()
        .filter_map(|line| {
            let (left, right) = line.split_once(" - ")?;
            let is_v2 = match right.split(' ').next()? {
                "cgroup2" => true,
                "cgroup" => false,
                _ => return None,
            };
            Some((is_v2, PathBuf::from(left.split(' ').nth(4)?)))
        })
        .collect();
    found.sort_by_key(|(is_v2, _)| !is_v2);
    found
}

fn versions(mounts: &[(bool, PathBuf)]) -> Row {
    let v1 = mounts.iter().filter(|(is_v2, _)| !is_v2).count();
    let v2 = mounts.iter().find(|(is_v2, _)| *is_v2).map(|(_, point)| point.display().to_string());
    match (v2, v1) {
        (Some(point), 0) => Row::ok("cgroups", "cgroup v2", point),
        (Some(point), v1) => Row::ok("cgroups", "cgroup v2", format!("{point}, beside {v1} v1 hierarchies (hybrid)")),
        (None, v1) => Row::ok("cgroups", "cgroup v2", format!("not mounted; {v1} v1 hierarchies")).but(
            State::Missing,
            "hooks on the prober's own cgroup: its sockets are then found by node-wide tracepoints",
            "mkdir -p /run/cgroup2 && mount -t cgroup2 none /run/cgroup2; in a container mount the node's /sys/fs/cgroup",
        ),
    }
}

fn pods(mounts: &[(bool, PathBuf)]) -> Row {
    let holds = |point: &Path| POD_FOLDERS.iter().map(|folder| point.join(folder)).find(|folder| folder.is_dir());
    let found: Vec<String> = mounts.iter().filter_map(|(_, point)| Some(holds(point)?.display().to_string())).collect();
    match found.first() {
        Some(first) => {
            let more =
                if found.len() > 1 { format!(" and {} more hierarchies", found.len() - 1) } else { String::new() };
            Row::ok("cgroups", "pods' cgroups", format!("{first}{more}"))
        }
        None => Row::ok("cgroups", "pods' cgroups", "no kubepods folder").need(Need::Optional).but(
            State::Missing,
            "exec probes are matched to containers by their cgroup",
            "nothing on a node without pods; in a container mount the node's /sys/fs/cgroup",
        ),
    }
}

/// Reading answers EOPNOTSUPP where PSI is built in and off (kernel/sched/psi.c).
fn pressure(node: &Node) -> Row {
    let row = |found: &str| Row::ok("cgroups", "pressure (PSI)", found);
    let lost = "how long a container waited for CPU, memory and IO";
    match node.proc.read("pressure/cpu") {
        Ok(_) => row("on"),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            row("not in this kernel").need(Need::Optional).but(State::Missing, lost, "a kernel with CONFIG_PSI=y")
        }
        Err(_) => row("off").but(State::Missing, lost, "boot with psi=1"),
    }
}
