use std::{fs, os::unix::fs::symlink, path::Path};

use super::*;

const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const UID: &str = "1b2c3d4e-0000-4000-8000-00000000000a";

fn process(root: &Path, pid: u32, inode: u64, cgroup: &str, address: &str) {
    let folder = root.join(pid.to_string());
    fs::create_dir_all(folder.join("ns")).expect("folder");
    fs::create_dir_all(folder.join("net")).expect("folder");
    let _ = fs::remove_file(folder.join("ns/net"));
    symlink(format!("net:[{inode}]"), folder.join("ns/net")).expect("link");
    fs::write(folder.join("cgroup"), cgroup).expect("cgroup");
    let fib = format!("Local:\n  |-- {address}\n     /32 host LOCAL\n");
    fs::write(folder.join("net/fib_trie"), fib).expect("fib_trie");
}

fn tree() -> (PathBuf, NetnsIndex) {
    static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let root = std::env::temp_dir().join(format!("probetrace-netns-{}-{number}", std::process::id()));
    let _ = fs::remove_dir_all(&root);
    fs::create_dir_all(&root).expect("folder");
    (root.clone(), NetnsIndex::new(ProcDir::new(root)))
}

#[test]
fn tokens_are_whole_words() {
    for (text, token, expected) in [
        (format!("3:cpu:/kubepods/burstable/pod{UID}/{ID}"), ID, true),
        (format!("0::/kubepods.slice/cri-containerd-{ID}.scope"), ID, true),
        (format!("0::/kubepods.slice/crio-{ID}.scope/container"), ID, true),
        (format!("0::/kubepods.slice/crio-conmon-{ID}.scope"), ID, false),
        (format!("0::/kubepods/pod{UID}/x"), UID, true),
        (format!("0::/kubepods/{ID}0"), ID, false),
        ("0::/web2".to_owned(), "web", false),
        ("0::/lab/web".to_owned(), "web", true),
    ] {
        assert_eq!(holds_token(&text, token), expected, "{text} {token}");
    }
}

#[test]
fn finds_by_container_pod_and_address() {
    let (root, mut index) = tree();
    let systemd = format!("0::/kubepods.slice/kubepods-pod{}.slice/cri-containerd-{ID}.scope\n", UID.replace('-', "_"));
    process(&root, 10, 1, "0::/\n", "192.0.2.1");
    process(&root, 20, 2, &systemd, "10.0.0.7");
    process(&root, 30, 3, "0::/other\n", "10.0.0.7");
    let now = Instant::now();
    assert_eq!(index.container_pids(ID, now), [20]);
    assert_eq!(index.pod_pids(UID, now), [20]);
    assert_eq!(index.of_processes(&[20]), Some(2));
    assert_eq!(index.by_address("192.0.2.1".parse().expect("address"), now), [1]);
    assert_eq!(index.by_address("10.0.0.7".parse().expect("address"), now), [2, 3], "two clusters on one node");
    assert_eq!(index.pids_of(2), [20]);
    fs::remove_dir_all(root).expect("clean");
}

#[test]
fn walks_again_on_a_miss_at_most_once_a_second() {
    let (root, mut index) = tree();
    process(&root, 10, 1, "0::/\n", "192.0.2.1");
    let now = Instant::now();
    assert!(index.container_pids(ID, now).is_empty());
    process(&root, 20, 2, &format!("0::/{ID}\n"), "10.0.0.7");
    assert!(index.container_pids(ID, now).is_empty(), "too soon");
    assert_eq!(index.container_pids(ID, now + REFRESH_AT_MOST_EVERY), [20]);
    assert_eq!(index.refreshes, 2);
    // Pid 20 is another process now: what was remembered must not be believed.
    process(&root, 20, 1, "0::/\n", "192.0.2.1");
    assert!(index.container_pids(ID, now + REFRESH_AT_MOST_EVERY).is_empty());
    assert!(index.by_address("10.0.0.7".parse().expect("address"), now + REFRESH_AT_MOST_EVERY).is_empty());
    fs::remove_dir_all(root).expect("clean");
}

#[test]
fn a_mounted_namespace_needs_no_process() {
    let (root, _) = tree();
    fs::create_dir_all(root.join("self")).expect("folder");
    let line =
        "36 35 0:4 net:[4026532281] /run/netns/a rw shared:1 - nsfs nsfs rw\n37 35 0:4 mnt:[4] /m rw - nsfs nsfs rw\n";
    fs::write(root.join("self/mountinfo"), line).expect("mountinfo");
    let found = enter::mounted_namespaces(&ProcDir::new(&root));
    assert_eq!(found, [(4_026_532_281, "/run/netns/a".into())]);
    fs::remove_dir_all(root).expect("clean");
}
