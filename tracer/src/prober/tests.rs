use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use super::*;

/// A made-up /proc.
struct Tree(PathBuf);

impl Tree {
    fn new(name: &str) -> Self {
        let root = std::env::temp_dir().join(format!("probetrace-prober-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(&root).expect("folder");
        Self(root)
    }

    fn process(&self, pid: u32, comm: &str, exe: &str, argv: &str, cgroup: &str) {
        let folder = self.0.join(pid.to_string());
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("ns")).expect("folder");
        let write = |name: &str, text: &str| fs::write(folder.join(name), text).expect("file");
        write("comm", &format!("{comm}\n"));
        write("cmdline", &argv.replace(' ', "\0"));
        write("cgroup", &format!("0::{cgroup}\n"));
        let zeros = "0 ".repeat(17);
        write(
            "stat",
            &format!("{pid} ({comm}) S 1 {zeros}{pid} 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n"),
        );
        symlink(exe, folder.join("exe")).expect("link");
        symlink("net:[4026531840]", folder.join("ns/net")).expect("link");
    }

    fn find(&self, patterns: &[&str]) -> Result<Found, ProberError> {
        let patterns: Vec<String> = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
        find_in(&ProcDir::new(&self.0), &patterns)
    }

    fn remove(&self, pid: u32) {
        fs::remove_dir_all(self.0.join(pid.to_string())).expect("remove");
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(Path::new(&self.0));
    }
}

fn pids(found: &Found) -> Vec<u32> {
    found.processes.iter().map(|process| process.pid).collect()
}

#[test]
fn the_nodes_kubelets_and_not_a_pods() {
    let tree = Tree::new("kubelets");
    tree.process(1, "systemd", "/usr/lib/systemd/systemd", "/sbin/init", "/init.scope");
    tree.process(
        10,
        "kubelet",
        "/usr/bin/kubelet (deleted)",
        "/usr/bin/kubelet --v=2",
        "/system.slice/kubelet.service",
    );
    tree.process(11, "k3s-server", "/usr/local/bin/k3s", "/usr/local/bin/k3s server", "/system.slice/k3s.service");
    tree.process(12, "kubelet", "/kubelet", "/kubelet", "/kubepods/pod1/x");
    let found = tree.find(&[]).expect("found");
    assert_eq!((pids(&found), found.is_kubelet), (vec![10, 11], true));
    assert!(found.why.contains("pid 10") && found.why.contains("k3s"), "{}", found.why);
    assert_eq!(found.processes[0].netns, 4_026_531_840);
    assert_eq!(found.processes[0].start_boot_ns, 100_000_000, "10 ticks");
    tree.remove(10);
    tree.remove(11);
    assert_eq!(pids(&tree.find(&[]).expect("found")), [12], "a cluster inside a pod is better than none");
}

#[test]
fn by_pid_cgroup_and_name() {
    let tree = Tree::new("patterns");
    tree.process(1, "systemd", "/sbin/init", "/sbin/init", "/init.scope");
    tree.process(20, "prober", "/usr/bin/python3.11", "python3 prober.py", "/lab/prober");
    tree.process(21, "curl", "/usr/bin/curl", "curl x", "/lab/prober/child");
    for (pattern, expected) in [
        ("pid:20", vec![20]),
        ("cgroup:/lab/prober", vec![20, 21]),
        ("cgroup:/sys/fs/cgroup/lab/prober/", vec![20, 21]),
        ("prober", vec![20]),
        ("python3", vec![20]),
        ("python3.11", vec![20]),
    ] {
        let found = tree.find(&[pattern]).expect(pattern);
        assert_eq!((pids(&found), found.is_kubelet), (expected, false), "{pattern}");
    }
    assert_eq!(pids(&tree.find(&["pid:20", "prober", "curl"]).expect("both")), [20, 21]);
}

#[test]
fn an_error_names_what_was_looked_for_and_the_fix() {
    let tree = Tree::new("errors");
    tree.process(20, "proberd", "/usr/bin/proberd", "proberd", "/");
    let error = tree.find(&["prober"]).unwrap_err().to_string();
    for part in ["\"prober\"", "nearest: proberd (pid 20)", "--prober pid:N", "hostPID"] {
        assert!(error.contains(part), "{part} in {error}");
    }
    assert!(tree.find(&[]).unwrap_err().to_string().contains("10250"));
    assert!(tree.find(&["a/b"]).unwrap_err().to_string().contains("pid:N"));
    (100..200).for_each(|pid| tree.process(pid, "many", "/many", "many", "/"));
    assert_eq!(tree.find(&["many"]), Err(ProberError::TooMany { matching: 100 }));
}

#[test]
fn never_ourselves() {
    let own = format!("pid:{}", std::process::id());
    assert!(matches!(find(&[own]), Err(ProberError::NotFound { .. })));
}

#[test]
fn a_restart_is_noticed() {
    let tree = Tree::new("watch");
    tree.process(10, "kubelet", "/usr/bin/kubelet", "kubelet", "/system.slice");
    let first = tree.find(&[]).expect("found");
    let mut watch = Watch::new(ProcDir::new(&tree.0), &[], &first.processes);
    let start = Instant::now();
    assert_eq!(watch.check(start), None);
    tree.remove(10);
    let change = watch.check(start).expect("gone");
    assert_eq!((change.gone, change.appeared.len(), change.none_left), (first.processes, 0, true));
    // Forked by systemd first, the kubelet only at the next poll.
    tree.process(11, "systemd", "/sbin/init", "/sbin/init", "/system.slice");
    assert_eq!(watch.check(start), None);
    tree.process(11, "kubelet", "/usr/bin/kubelet", "kubelet", "/system.slice");
    let change = watch.check(start).expect("back");
    assert_eq!((change.appeared[0].pid, change.none_left), (11, false));
    // A second one appears while the first lives on, by fork and exec.
    tree.process(12, "bash", "/bin/bash", "bash", "/system.slice");
    assert_eq!(watch.check(start), None);
    tree.process(12, "kubelet", "/usr/bin/kubelet", "kubelet", "/system.slice");
    assert_eq!(watch.check(start).expect("second").appeared[0].pid, 12);
    assert_eq!(watch.check(start), None);
}

#[test]
fn a_living_process_is_watched_to_its_end() {
    let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("cat");
    // It answers: its exec is over.
    child.stdin.as_mut().expect("stdin").write_all(b"x").expect("write");
    child.stdout.as_mut().expect("stdout").read_exact(&mut [0]).expect("read");
    let patterns = [format!("pid:{}", child.id())];
    let found = find(&patterns).expect("found");
    assert_eq!(found.processes[0].comm, "cat");
    let mut changes = Watch::new(ProcDir::default(), &patterns, &found.processes).spawn().expect("thread");
    child.kill().expect("kill");
    child.wait().expect("wait");
    let change = changes.blocking_recv().expect("change");
    assert_eq!((change.gone, change.none_left), (found.processes, true));
}
