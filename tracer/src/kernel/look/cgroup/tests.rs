use std::{fs, path::PathBuf};

use super::{folders::container_folder, *};
use crate::proc_dir::ProcDir;

const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// A /proc with one process, and its cgroup mounts below it.
struct Tree(PathBuf);

impl Tree {
    fn new(name: &str, cgroup: &str, mounts: &[(&str, &str, &str)]) -> Self {
        let root = std::env::temp_dir().join(format!("probetrace-cgroup-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(root.join("self")).expect("folder");
        fs::create_dir_all(root.join("7")).expect("folder");
        fs::write(root.join("7/cgroup"), cgroup).expect("cgroup");
        let lines: Vec<String> = mounts
            .iter()
            .map(|(from, kind, options)| {
                format!("1 2 0:3 {from} {}/{options} rw - {kind} x rw,{options}", root.join("fs").display())
            })
            .collect();
        fs::write(root.join("self/mountinfo"), lines.join("\n")).expect("mountinfo");
        Self(root)
    }

    fn file(&self, path: &str, text: &str) {
        let path = self.0.join("fs").join(path);
        fs::create_dir_all(path.parent().expect("parent")).expect("folder");
        fs::write(path, text).expect("file");
    }

    fn state(&self, id: &str) -> CgroupState {
        read(&Folders::of(&ProcDir::new(&self.0), 7, id).expect("folders"))
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn v2_below_the_containers_own_folder() {
    let scope = format!("kubepods.slice/crio-{ID}.scope");
    let tree = Tree::new("v2", &format!("0::/{scope}/container\n"), &[("/", "cgroup2", "u")]);
    let file = |name: &str, text: &str| tree.file(&format!("u/{scope}/{name}"), text);
    file("cpu.stat", "usage_usec 5\nuser_usec 1\nnr_periods 9\nnr_throttled 3\nthrottled_usec 70\n");
    file("cpu.max", "50000 100000\n");
    file("cgroup.events", "populated 1\nfrozen 1\n");
    file("pids.current", "4\n");
    file("pids.max", "max\n");
    file("pids.events", "max 2\n");
    file("memory.events", "low 0\noom 1\noom_kill 6\noom_group_kill 8\n");
    for name in ["cpu", "memory", "io"] {
        file(&format!("{name}.pressure"), "some avg10=0.00 avg60=0.00 avg300=0.00 total=11\nfull avg10=0.00 total=9\n");
    }
    let expected = CgroupState {
        path: format!("/{scope}"),
        nr_throttled: Some(3),
        throttled_ns: Some(70_000),
        cpu_limit: Some(0.5),
        usage_ns: Some(5_000),
        frozen: Some(true),
        pids: Some((4, None)),
        pids_max_hits: Some(2),
        oom_kills: Some(6),
        pressure_ns: Some((11_000, 11_000, 11_000)),
    };
    assert_eq!(tree.state(ID), expected);
}

#[test]
fn hybrid_takes_each_controller_where_it_lives() {
    let cgroup = format!("5:pids:/\n4:cpu,cpuacct:/k/{ID}\n3:freezer:/k/{ID}\n2:memory:/k/{ID}\n0::/k/{ID}\n");
    let mounts =
        [("/", "cgroup", "cpu,cpuacct"), ("/", "cgroup", "freezer"), ("/", "cgroup", "memory"), ("/", "cgroup2", "u")];
    let tree = Tree::new("hybrid", &cgroup, &mounts);
    tree.file(&format!("cpu,cpuacct/k/{ID}/cpu.stat"), "nr_periods 1\nnr_throttled 2\nthrottled_time 300\n");
    tree.file(&format!("cpu,cpuacct/k/{ID}/cpu.cfs_quota_us"), "-1\n");
    tree.file(&format!("cpu,cpuacct/k/{ID}/cpu.cfs_period_us"), "100000\n");
    tree.file(&format!("cpu,cpuacct/k/{ID}/cpuacct.usage"), "12345\n");
    tree.file(&format!("freezer/k/{ID}/freezer.state"), "THAWED\n");
    tree.file(&format!("memory/k/{ID}/memory.oom_control"), "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n");
    tree.file("pids/pids.current", "1000");
    tree.file(&format!("u/k/{ID}/cpu.stat"), "usage_usec 1\n");
    let state = tree.state(ID);
    assert_eq!((state.nr_throttled, state.throttled_ns, state.cpu_limit), (Some(2), Some(300), None));
    assert_eq!((state.usage_ns, state.frozen, state.oom_kills), (Some(12345), Some(false), Some(1)));
    assert_eq!((state.pids, state.pressure_ns), (None, None), "what is not there is not 0");
}

#[test]
fn seen_from_within_a_container() {
    let tree = Tree::new("inside", &format!("0::/../../k/{ID}\n"), &[("/../..", "cgroup2", "u")]);
    tree.file(&format!("u/k/{ID}/pids.current"), "4\n");
    tree.file(&format!("u/k/{ID}/pids.max"), "9\n");
    assert_eq!(tree.state(ID).pids, Some((4, Some(9))));
    let hidden = Tree::new("hidden", &format!("0::/../../k/{ID}\n"), &[("/", "cgroup2", "u")]);
    assert_eq!(hidden.state(ID), CgroupState::default(), "outside of the mounted part");
}

#[test]
fn container_folders() {
    let path = format!("/k/{ID}/{ID}/x");
    assert_eq!(container_folder(&path, ID), path.strip_suffix("/x"), "the innermost: docker in docker");
    assert_eq!(container_folder("/a/b", ID), None);
    assert_eq!(container_folder("/a/b", ""), Some("/a/b"));
    assert_eq!(container_folder("/", ""), None, "the node's");
}
