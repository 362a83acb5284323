//! What of a tracer or of a lab can stay behind in the system.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    time::{Duration, Instant},
};

/// Names of all namespaces and cgroup folders that a lab made, of any owner.
pub fn lab_leftovers() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let hierarchies = probetrace_tests::cgroup::hierarchies().expect("mountinfo");
    let folders = hierarchies.into_iter().map(|hierarchy| hierarchy.mount);
    for folder in folders.chain(["/run/netns".into(), "/run".into()]) {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with("pt-lab-") {
                found.insert(entry.path().display().to_string());
            }
        }
    }
    found
}

/// Those of one lab.
pub fn leftovers_of(lab: u32) -> Vec<String> {
    let (exact, prefix) = (format!("/pt-lab-{lab}"), format!("/pt-lab-{lab}-"));
    lab_leftovers().into_iter().filter(|path| path.ends_with(&exact) || path.contains(&prefix)).collect()
}

/// BPF programs (and links, maps) that a process holds, by the ids in its fdinfo.
pub fn bpf_ids(pid: u32) -> BTreeSet<(String, u64)> {
    let mut ids = BTreeSet::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fdinfo")).into_iter().flatten().flatten() {
        let text = fs::read_to_string(entry.path()).unwrap_or_default();
        for line in text.lines() {
            let Some((name, value)) = line.split_once(":\t") else { continue };
            if ["prog_id", "link_id", "map_id"].contains(&name)
                && let Ok(id) = value.trim().parse()
            {
                ids.insert((name.to_owned(), id));
            }
        }
    }
    ids
}

/// Ids that exist in the kernel now, by bpftool; `None` where it is not installed.
pub fn bpf_ids_alive() -> Option<BTreeSet<(String, u64)>> {
    let mut ids = BTreeSet::new();
    for (object, name) in [("prog", "prog_id"), ("link", "link_id"), ("map", "map_id")] {
        let output = std::process::Command::new("bpftool").args(["-j", object, "show"]).output().ok()?;
        let list: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap_or_default();
        ids.extend(list.iter().filter_map(|one| Some((name.to_owned(), one["id"].as_u64()?))));
    }
    Some(ids)
}

/// Waits until `done` holds: what the kernel frees after a process' end, it frees a moment later.
pub fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !done() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Files pinned in bpffs and mounts, to compare before and after.
pub fn pins_and_mounts() -> (Vec<String>, String) {
    let mut pins: Vec<String> = Vec::new();
    let mut folders = vec![Path::new("/sys/fs/bpf").to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            pins.push(entry.path().display().to_string());
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(entry.path());
            }
        }
    }
    let mounts = fs::read_to_string("/proc/self/mountinfo").expect("mountinfo");
    let mounts = mounts.lines().filter(|line| !line.contains("pt-lab-")).map(|line| format!("{line}\n")).collect();
    pins.sort_unstable();
    (pins, mounts)
}
