//! From a process to the folders of its container's cgroup.

use std::path::{Path, PathBuf};

use crate::{
    kernel::look::netns::holds_token,
    proc_dir::{self, MAX_FILE_BYTES, ProcDir},
};

/// Where each controller of a process's cgroup is mounted.
#[derive(Debug, Default)]
pub struct Folders {
    /// (controllers as in /proc/PID/cgroup, path in the hierarchy, folder); "" is v2.
    hierarchies: Vec<(String, String, PathBuf)>,
}

impl Folders {
    /// Of `pid`, cut at the container's own folder (a runtime may make groups of its own below: crun's `container`,
    /// systemd in a container). With an empty id the process's own folder. A hierarchy in which the container has no
    /// folder is left out: its counters are the node's. Mounts are ours, else init's.
    pub fn of(proc: &ProcDir, pid: u32, container_id: &str) -> std::io::Result<Self> {
        let cgroups = proc.cgroups(pid)?;
        let mounts = mounts(proc);
        let hierarchies = cgroups.into_iter().filter_map(|(controllers, path)| {
            let path = container_folder(&path, container_id)?.to_owned();
            let folder = mounts.iter().find_map(|mount| mount.folder(&controllers, &path))?;
            Some((controllers, path, folder))
        });
        Ok(Self { hierarchies: hierarchies.collect() })
    }

    /// Path in the CPU controller's hierarchy, else in any; "" where no hierarchy has a folder.
    pub fn path(&self) -> &str {
        let any = self.hierarchy("cpu").or(self.hierarchies.first());
        any.map(|(_, path, _)| path.as_str()).unwrap_or_default()
    }

    /// A file of the hierarchy that has this controller: v1's, else v2's; "" asks v2 only.
    pub fn read(&self, controller: &str, file: &str) -> Option<String> {
        let (_, _, folder) = self.hierarchy(controller)?;
        proc_dir::read_bounded(&folder.join(file), MAX_FILE_BYTES).ok()
    }

    fn hierarchy(&self, controller: &str) -> Option<&(String, String, PathBuf)> {
        let with = |wanted: &str| {
            self.hierarchies.iter().find(|(controllers, ..)| controllers.split(',').any(|own| own == wanted))
        };
        with(controller).or_else(|| with(""))
    }
}

/// Path and folder of a process in the cgroup v2 hierarchy, where a cgroup2 mount shows it.
pub fn v2_folder(proc: &ProcDir, pid: u32) -> Option<(String, PathBuf)> {
    let (controllers, path) = proc.cgroups(pid).ok()?.into_iter().find(|(controllers, _)| controllers.is_empty())?;
    let folder = mounts(proc).iter().find_map(|mount| mount.folder(&controllers, &path))?;
    Some((path, folder))
}

/// `/kubepods/pod1/ID/container` → `/kubepods/pod1/ID`; `None` where the id is not in it, or it is the root.
pub fn container_folder<'a>(path: &'a str, container_id: &str) -> Option<&'a str> {
    if container_id.is_empty() {
        return Some(path).filter(|path| !path.trim_matches('/').is_empty());
    }
    let mut end = 0;
    let mut found = None;
    for component in path.split('/') {
        end += component.len();
        if holds_token(component, container_id) {
            found = path.get(..end);
        }
        end += 1;
    }
    found
}

/// One mounted hierarchy.
struct Mount {
    root: String,
    point: PathBuf,
    /// v1: its controllers; v2: "".
    controllers: Vec<String>,
}

impl Mount {
    fn folder(&self, controllers: &str, path: &str) -> Option<PathBuf> {
        if !controllers.split(',').any(|wanted| self.controllers.iter().any(|own| own == wanted)) {
            return None;
        }
        // Both are seen from our cgroup namespace: "/../.." is a host's root seen from within a container.
        let rest = if self.root == "/" { path } else { path.strip_prefix(self.root.as_str())? };
        let rest = rest.trim_start_matches('/');
        // A group outside of what is mounted.
        let inside = !Path::new(rest).components().any(|part| part == std::path::Component::ParentDir);
        inside.then(|| self.point.join(rest))
    }
}

fn mounts(proc: &ProcDir) -> Vec<Mount> {
    let own = proc.read_table("self/mountinfo").unwrap_or_default();
    let init = proc.read_table("1/mountinfo").unwrap_or_default();
    let mut found: Vec<Mount> = own.lines().filter_map(|line| mount(line, None)).collect();
    found.extend(init.lines().filter_map(|line| mount(line, Some(&proc.path("1/root")))));
    found
}

/// `30 24 0:26 ROOT POINT rw … - cgroup cgroup rw,cpu,cpuacct` (Documentation/filesystems/proc.rst, 3.5).
fn mount(line: &str, below: Option<&Path>) -> Option<Mount> {
    let (left, right) = line.split_once(" - ")?;
    let mut left = left.split(' ').skip(3);
    let (root, point) = (left.next()?.to_owned(), left.next()?);
    let mut right = right.split(' ');
    let controllers = match right.next()? {
        "cgroup2" => vec![String::new()],
        "cgroup" => right.nth(1)?.split(',').map(str::to_owned).collect(),
        _ => return None,
    };
    let point = match below {
        Some(below) => below.join(point.trim_start_matches('/')),
        None => PathBuf::from(point),
    };
    Some(Mount { root, point, controllers })
}
