//! Bounded, tolerant reads of a proc file system: processes vanish, and what a pod wrote is never trusted.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use procfs::{FromRead as _, process::Stat};

/// No file of /proc or of a cgroup is read past this.
pub const MAX_FILE_BYTES: u64 = 64 * 1024;
/// The kernel's own tables (mountinfo, fib_trie) grow with the node's pods; they are read to here.
pub const MAX_TABLE_BYTES: u64 = 4 * 1024 * 1024;
/// PID_MAX_LIMIT of 64-bit kernels is 4 194 304; a node with more than this many processes is cut.
pub const MAX_PROCESSES: usize = 65_536;

/// A mounted proc file system, or a made-up tree in tests.
#[derive(Clone, Debug)]
pub struct ProcDir {
    root: PathBuf,
}

impl Default for ProcDir {
    fn default() -> Self {
        Self::new("/proc")
    }
}

impl ProcDir {
    /// The proc file system at `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Path of a file in it.
    pub fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.root.join(relative)
    }

    /// A file's text, cut at [`MAX_FILE_BYTES`], bytes that are no UTF-8 replaced.
    pub fn read(&self, relative: impl AsRef<Path>) -> io::Result<String> {
        read_bounded(&self.path(relative), MAX_FILE_BYTES)
    }

    /// A table's text, cut at [`MAX_TABLE_BYTES`].
    pub fn read_table(&self, relative: impl AsRef<Path>) -> io::Result<String> {
        read_bounded(&self.path(relative), MAX_TABLE_BYTES)
    }

    /// Ids of all processes, ascending, at most [`MAX_PROCESSES`].
    pub fn pids(&self) -> Vec<u32> {
        let mut pids = numbers(&self.root, MAX_PROCESSES).0;
        pids.sort_unstable();
        pids
    }

    /// Threads of a process, ascending, at most `max`; true: there were more.
    pub fn threads(&self, pid: u32, max: usize) -> (Vec<u32>, bool) {
        let (mut tids, cut) = numbers(&self.path(format!("{pid}/task")), max);
        tids.sort_unstable();
        (tids, cut)
    }

    /// Our own process id as this proc file system counts; `None`: it belongs to a namespace that does not see us.
    pub fn own_pid(&self) -> Option<u32> {
        std::fs::read_link(self.path("self")).ok()?.to_str()?.parse().ok()
    }

    /// Inode of a process's network namespace. Its thread `main` decides; needs ptrace access (CAP_SYS_PTRACE).
    pub fn netns(&self, pid: u32) -> io::Result<u64> {
        namespace_inode(&self.path(format!("{pid}/ns/net")))
    }

    /// /proc/PID/stat.
    pub fn stat(&self, pid: u32) -> io::Result<Stat> {
        parse_stat(&self.read(format!("{pid}/stat"))?)
    }

    /// argv, at most 64 KiB of it.
    pub fn argv(&self, pid: u32) -> Vec<String> {
        let text = self.read(format!("{pid}/cmdline")).unwrap_or_default();
        text.trim_end_matches('\0').split('\0').filter(|_| !text.is_empty()).map(str::to_owned).collect()
    }

    /// /proc/PID/cgroup: (controllers, path) of each hierarchy; controllers "" is cgroup v2.
    pub fn cgroups(&self, pid: u32) -> io::Result<Vec<(String, String)>> {
        let text = self.read(format!("{pid}/cgroup"))?;
        Ok(parse_cgroups(&text))
    }
}

/// Lines `hierarchy:controllers:path` (proc_cgroup_show); the path may hold colons.
pub fn parse_cgroups(text: &str) -> Vec<(String, String)> {
    text.lines()
        .filter_map(|line| {
            let mut parts = line.splitn(3, ':').skip(1);
            Some((parts.next()?.to_owned(), parts.next()?.to_owned()))
        })
        .collect()
}

/// A `stat` file of a process or thread.
pub fn parse_stat(text: &str) -> io::Result<Stat> {
    Stat::from_read(text.as_bytes()).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))
}

/// A start time of `stat`, CLOCK_BOOTTIME ns in steps of a clock tick.
pub fn start_boot_ns(stat: &Stat) -> u64 {
    ticks_to_ns(stat.starttime)
}

/// Clock ticks (USER_HZ, 100 on nearly every machine) in ns.
pub fn ticks_to_ns(ticks: u64) -> u64 {
    let per_second = procfs::ticks_per_second().max(1);
    ticks.saturating_mul(1_000_000_000 / per_second)
}

/// Text of a file, cut at `max_bytes`.
pub fn read_bounded(path: &Path, max_bytes: u64) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(max_bytes).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// `net:[4026531840]` as a number (fs/nsfs.c: ns_dname).
pub fn namespace_inode(link: &Path) -> io::Result<u64> {
    let target = std::fs::read_link(link)?;
    let inode = target.to_str().and_then(|text| text.split_once('[')?.1.strip_suffix(']')?.parse().ok());
    inode.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("{} is no namespace", target.display())))
}

/// Names of a folder that are numbers.
fn numbers(folder: &Path, max: usize) -> (Vec<u32>, bool) {
    let Ok(entries) = std::fs::read_dir(folder) else { return (Vec::new(), false) };
    let mut found: Vec<u32> =
        entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).take(max + 1).collect();
    let cut = found.len() > max;
    found.truncate(max);
    (found, cut)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_ourselves() {
        let proc = ProcDir::default();
        let own = proc.own_pid().expect("own pid");
        assert_eq!(own, std::process::id());
        assert!(proc.pids().contains(&own));
        let stat = proc.stat(own).expect("stat");
        assert_eq!(stat.pid as u32, own);
        assert!(start_boot_ns(&stat) > 0);
        assert!(!proc.argv(own).is_empty());
        assert!(proc.netns(own).expect("netns") > 0);
        let (threads, _) = proc.threads(own, 64);
        assert!(threads.contains(&own));
        assert_eq!(proc.threads(own, 0), (vec![], true));
    }

    #[test]
    fn cgroup_lines_keep_colons_and_skip_rubbish() {
        let text = "9:name=systemd:/a\n3:cpu,cpuacct:/kubepods/pod1/cri:x\nrubbish\n0::/u\n";
        let expected = [("name=systemd", "/a"), ("cpu,cpuacct", "/kubepods/pod1/cri:x"), ("", "/u")];
        assert_eq!(parse_cgroups(text), expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
    }

    #[test]
    fn a_vanished_process_is_an_error_not_a_panic() {
        let proc = ProcDir::new("/proc/nowhere");
        assert!(proc.pids().is_empty());
        assert!(proc.stat(1).is_err());
        assert!(proc.argv(1).is_empty());
    }
}
