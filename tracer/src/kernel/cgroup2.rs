//! The cgroup v2 tree: where programs for a prober's own sockets are attached.

use std::{
    fs,
    os::fd::{AsFd, OwnedFd},
};

use rustix::{
    fs::{CWD, Mode, OFlags, fstatfs, openat},
    mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen},
};

/// The tree's root, mounted somewhere or only for us.
pub struct Cgroup2 {
    root: OwnedFd,
}

impl Cgroup2 {
    /// Opens the mounted tree, else a mount of our own that no one else sees and that ends with us.
    ///
    /// # Errors
    /// Why neither works.
    pub fn open() -> Result<Self, String> {
        let mounted = mount_point(&fs::read_to_string("/proc/self/mountinfo").unwrap_or_default());
        // A mount may be hidden below another one, as in a container that mounts its own /sys/fs/cgroup.
        let visible = mounted.and_then(|path| open_tree(&path));
        let root = match visible {
            Some(root) => root,
            None => private_mount().map_err(|error| format!("cgroup v2 can't be mounted: {error}"))?,
        };
        Ok(Self { root })
    }

    /// Opens a folder by its path in the tree (`/kubelet.slice`).
    ///
    /// # Errors
    /// The folder's path and why it can't be opened.
    pub fn folder(&self, path: &str) -> Result<OwnedFd, String> {
        let relative = path.trim_start_matches('/');
        let relative = if relative.is_empty() { "." } else { relative };
        openat(&self.root, relative, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
            .map_err(|error| format!("cgroup {path}: {error}"))
    }
}

/// The folder, if it is one of a cgroup v2 tree (include/uapi/linux/magic.h: CGROUP2_SUPER_MAGIC).
fn open_tree(path: &str) -> Option<OwnedFd> {
    const CGROUP2_SUPER_MAGIC: i64 = 0x6367_7270;
    let folder = openat(CWD, path, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let found = fstatfs(&folder).ok()?;
    (found.f_type as i64 == CGROUP2_SUPER_MAGIC).then_some(folder)
}

fn private_mount() -> rustix::io::Result<OwnedFd> {
    let context = fsopen("cgroup2", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_create(context.as_fd())?;
    let mount = fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())?;
    openat(&mount, ".", OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

/// Where the whole tree is mounted (proc_pid_mountinfo(5): the fourth field is the root within the file system).
fn mount_point(mountinfo: &str) -> Option<String> {
    let of_line = |line: &str| {
        let (mount, source) = line.split_once(" - ")?;
        let fields: Vec<&str> = mount.split(' ').collect();
        let whole = source.split(' ').next() == Some("cgroup2") && fields.get(3) == Some(&"/");
        whole.then(|| fields.get(4).map(|path| path.replace("\\040", " ")))?
    };
    mountinfo.lines().find_map(of_line)
}

/// Path of a process's cgroup in the v2 tree.
///
/// # Errors
/// It is gone, has none, or lies outside of our cgroup namespace.
pub fn folder_of(pid: u32) -> Result<String, String> {
    let path = format!("/proc/{pid}/cgroup");
    let text = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    let folder = text.lines().find_map(|line| line.strip_prefix("0::")).ok_or(format!("{path}: no cgroup v2"))?;
    if folder.starts_with("/..") {
        return Err(format!("process {pid} is outside of this cgroup namespace (run with the host's: hostPID)"));
    }
    Ok(folder.trim_end_matches(" (deleted)").to_owned())
}

/// Where programs are to be attached for probers in these folders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Folders for the bytes' programs: together they hold every prober.
    pub bytes: Vec<String>,
    /// Whether these may also decide what is claimed: each prober is in a folder of its own; else why not.
    pub scoped: Result<(), String>,
}

/// Decides by the probers' folders; `Err` is a folder that isn't known.
pub fn plan(folders: &[Result<String, String>]) -> Plan {
    let unknown = folders.iter().find_map(|folder| folder.as_ref().err());
    if let Some(why) = unknown {
        return Plan { bytes: vec!["/".to_owned()], scoped: Err(why.clone()) };
    }
    let mut known: Vec<String> = folders.iter().flatten().cloned().collect();
    known.sort();
    known.dedup();
    if known.is_empty() {
        return Plan { bytes: known, scoped: Err("no prober yet".to_owned()) };
    }
    if known.iter().any(|folder| folder == "/") {
        return Plan { bytes: vec!["/".to_owned()], scoped: Err("a prober is in the root cgroup".to_owned()) };
    }
    // A program of a folder runs for those below it too: each socket must be counted once.
    let below =
        |folder: &String, above: &String| folder.strip_prefix(above.as_str()).is_some_and(|rest| rest.starts_with('/'));
    let bytes = known.iter().filter(|folder| !known.iter().any(|above| below(folder, above))).cloned().collect();
    Plan { bytes, scoped: Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(folders: &[&str]) -> Vec<Result<String, String>> {
        folders.iter().map(|folder| Ok((*folder).to_owned())).collect()
    }

    #[test]
    fn the_mounted_tree_is_found() {
        let text = "30 23 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n\
                    31 30 0:27 /kubepods /mnt rw - cgroup2 cgroup2 rw\n\
                    32 30 0:27 / /sys/fs/cgroup/unified rw,relatime shared:5 - cgroup2 cgroup2 rw\n";
        assert_eq!(mount_point(text).as_deref(), Some("/sys/fs/cgroup/unified"));
        assert_eq!(mount_point("nonsense\n - \n"), None);
    }

    #[test]
    fn a_folder_below_another_is_covered_by_it() {
        let plan = plan(&known(&["/a/b", "/a", "/ab", "/a"]));
        assert_eq!(plan, Plan { bytes: vec!["/a".to_owned(), "/ab".to_owned()], scoped: Ok(()) });
    }

    #[test]
    fn the_root_or_an_unknown_folder_is_not_scoped() {
        assert_eq!(plan(&known(&["/a", "/"])).bytes, ["/"]);
        assert!(plan(&known(&["/a", "/"])).scoped.is_err());
        assert_eq!(plan(&[Err("gone".to_owned())]).scoped, Err("gone".to_owned()));
        assert!(plan(&[]).bytes.is_empty());
    }
}
