//! Cgroups named like those of pods, in folders of our own at the top of each hierarchy.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

/// A mounted hierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hierarchy {
    /// Mount point.
    pub mount: PathBuf,
    /// cgroup v2.
    pub unified: bool,
    /// Controllers: of v1 by the mount's options, of v2 those that the root hands down.
    pub controllers: Vec<String>,
}

/// All that a process can simply be put into. cpuset needs settings of its own first, and devices guards nothing here.
///
/// # Errors
/// /proc is not mounted.
pub fn hierarchies() -> Result<Vec<Hierarchy>> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").context("/proc/self/mountinfo")?;
    let mut found: Vec<Hierarchy> = Vec::new();
    for hierarchy in mounts.lines().filter_map(parse) {
        let known =
            found.iter().any(|other| other.unified == hierarchy.unified && other.controllers == hierarchy.controllers);
        if !known {
            found.push(hierarchy);
        }
    }
    Ok(found)
}

/// `ID PARENT MAJ:MIN ROOT MOUNT OPTIONS… - TYPE SOURCE SUPER_OPTIONS` (proc(5)).
fn parse(line: &str) -> Option<Hierarchy> {
    let (before, after) = line.split_once(" - ")?;
    let mount = PathBuf::from(before.split(' ').nth(4)?);
    let mut fields = after.split(' ');
    let unified = match fields.next()? {
        "cgroup" => false,
        "cgroup2" => true,
        _ => return None,
    };
    let controllers: Vec<String> = if unified {
        let handed_down = fs::read_to_string(mount.join("cgroup.subtree_control")).unwrap_or_default();
        handed_down.split_whitespace().map(str::to_owned).collect()
    } else {
        let options = fields.nth(1)?.split(',');
        options.filter(|word| !["rw", "ro", "xattr", "clone_children"].contains(word)).map(str::to_owned).collect()
    };
    let plain = !controllers.iter().any(|name| name == "cpuset" || name == "devices");
    (unified || plain).then_some(Hierarchy { mount, unified, controllers })
}

/// Where CPU time can be limited.
pub fn with_cpu(hierarchies: &[Hierarchy]) -> Option<&Hierarchy> {
    hierarchies.iter().find(|hierarchy| hierarchy.controllers.iter().any(|name| name == "cpu"))
}

/// Makes `path` in each hierarchy and returns the `cgroup.procs` files. In v2 the controllers are handed down to it.
///
/// # Errors
/// The kernel refuses.
pub fn create(hierarchies: &[Hierarchy], path: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for hierarchy in hierarchies {
        let mut folder = hierarchy.mount.clone();
        for part in path.components() {
            folder.push(part);
            if let Err(error) = fs::create_dir(&folder)
                && error.kind() != std::io::ErrorKind::AlreadyExists
            {
                return Err(error).with_context(|| format!("make {}", folder.display()));
            }
            if hierarchy.unified && hierarchy.mount.join(path) != folder && !hierarchy.controllers.is_empty() {
                let hand_down: Vec<String> = hierarchy.controllers.iter().map(|name| format!("+{name}")).collect();
                fs::write(folder.join("cgroup.subtree_control"), hand_down.join(" "))
                    .with_context(|| format!("controllers of {}", folder.display()))?;
            }
        }
        files.push(folder.join("cgroup.procs"));
    }
    Ok(files)
}

/// Limits `path` to so much of one CPU, in periods of 100 ms as the kubelet does.
///
/// # Errors
/// No hierarchy has the cpu controller.
pub fn limit_cpu(hierarchies: &[Hierarchy], path: &Path, cpus: f64) -> Result<()> {
    let Some(hierarchy) = with_cpu(hierarchies) else { bail!("no cgroup hierarchy with the cpu controller") };
    let folder = hierarchy.mount.join(path);
    let quota_us = (cpus * 100_000.0).round();
    let (file, text) = if hierarchy.unified {
        ("cpu.max", format!("{quota_us} 100000"))
    } else {
        ("cpu.cfs_quota_us", format!("{quota_us}"))
    };
    fs::write(folder.join(file), text).with_context(|| format!("{} of {}", file, folder.display()))
}

/// Kills what lives under `top` and removes it. Only for folders that we made.
///
/// # Errors
/// A process does not die or a folder can't be removed within 5 s.
pub fn remove(top: &Path) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        match remove_once(top) {
            Ok(()) => return Ok(()),
            Err(error) if Instant::now() > deadline => {
                return Err(error).with_context(|| format!("remove {}", top.display()));
            }
            Err(_) => thread::sleep(Duration::from_millis(10)),
        }
    }
}

fn remove_once(folder: &Path) -> std::io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_once(&entry.path())?;
        }
    }
    for line in fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default().lines() {
        if let Some(pid) = line.parse().ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
    match fs::remove_dir(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_mounts() {
        let v1 =
            parse("36 32 0:31 / /sys/fs/cgroup/cpu rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct").expect("v1");
        assert_eq!((v1.unified, v1.controllers), (false, vec!["cpu".to_owned(), "cpuacct".to_owned()]));
        assert_eq!(parse("36 32 0:31 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset"), None);
        assert_eq!(parse("36 32 0:31 / /proc rw - proc proc rw"), None);
        assert!(parse("36 32 0:31 / /x rw - cgroup2 cgroup2 rw").expect("v2").unified);
    }
}
