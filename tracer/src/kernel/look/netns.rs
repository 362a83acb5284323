//! Which processes live in which network namespace and container: an index of /proc, read again when something is not
//! found, at most once a second.

pub mod addresses;
mod enter;

use std::{
    collections::{BTreeMap, HashMap},
    io,
    net::IpAddr,
    path::PathBuf,
    time::{Duration, Instant},
};

use addresses::Addresses;
pub use enter::Entered;

use crate::proc_dir::ProcDir;

/// Processes remembered of one namespace, and of one cgroup.
pub const MAX_PROCESSES: usize = 512;
/// Namespaces remembered.
const MAX_NAMESPACES: usize = 4096;
/// Different cgroups remembered.
const MAX_CGROUPS: usize = 16_384;
const ADDRESSES_FOR: Duration = Duration::from_secs(5);
const REFRESH_AT_MOST_EVERY: Duration = Duration::from_secs(1);

/// One network namespace.
#[derive(Debug, Default)]
struct Namespace {
    /// Processes in it, ascending.
    pids: Vec<u32>,
    /// Where it is bind-mounted (`ip netns`, CNI).
    mounted: Option<PathBuf>,
    /// Read when asked for.
    addresses: Option<(Instant, Addresses)>,
}

/// The index.
#[derive(Debug)]
pub struct NetnsIndex {
    proc: ProcDir,
    namespaces: BTreeMap<u64, Namespace>,
    /// Text of /proc/PID/cgroup → processes with it.
    cgroups: HashMap<String, Vec<u32>>,
    refreshed: Option<Instant>,
    /// Processes and namespaces that did not fit.
    pub cut: u64,
    /// How often /proc was walked.
    pub refreshes: u64,
}

impl NetnsIndex {
    /// An empty index over this proc file system.
    pub fn new(proc: ProcDir) -> Self {
        Self { proc, namespaces: BTreeMap::new(), cgroups: HashMap::new(), refreshed: None, cut: 0, refreshes: 0 }
    }

    /// Living processes of a container, oldest first, as cgroup paths name it (containerd, CRI-O, docker; cgroupfs and
    /// systemd drivers; v1 and v2).
    pub fn container_pids(&mut self, container_id: &str, now: Instant) -> Vec<u32> {
        self.living(now, |index| index.pids_with(container_id), container_id.is_empty())
    }

    /// Living processes of any container of a pod, also of its sandbox.
    pub fn pod_pids(&mut self, pod_uid: &str, now: Instant) -> Vec<u32> {
        // The systemd driver writes the uid with '_' (kubelet: cm/cgroup_manager_linux.go, escapeSystemdCgroupName).
        let escaped = pod_uid.replace('-', "_");
        let find = |index: &Self| {
            let found = index.pids_with(pod_uid);
            if found.is_empty() { index.pids_with(&escaped) } else { found }
        };
        self.living(now, find, pod_uid.is_empty())
    }

    fn living(&mut self, now: Instant, find: impl Fn(&Self) -> Vec<u32>, nothing: bool) -> Vec<u32> {
        if nothing {
            return Vec::new();
        }
        let found = find(self);
        if found.is_empty() && self.refresh(now) { find(self) } else { found }
    }

    fn pids_with(&self, token: &str) -> Vec<u32> {
        let matching = self.cgroups.iter().filter(|(text, _)| holds_token(text, token));
        let mut pids: Vec<u32> = matching.flat_map(|(_, pids)| pids.iter().copied()).take(MAX_PROCESSES).collect();
        // A pid may live on in another process.
        pids.retain(|pid| self.proc.read(format!("{pid}/cgroup")).is_ok_and(|text| holds_token(&text, token)));
        pids.sort_unstable();
        pids
    }

    /// The namespace that most of the first of these processes are in (a runtime's helper passes through a
    /// container's cgroup before or after it has joined its namespaces).
    pub fn of_processes(&self, pids: &[u32]) -> Option<u64> {
        let mut counts: BTreeMap<u64, usize> = BTreeMap::new();
        for inode in pids.iter().take(8).filter_map(|pid| self.proc.netns(*pid).ok()) {
            *counts.entry(inode).or_default() += 1;
        }
        counts.into_iter().max_by_key(|(_, count)| *count).map(|(inode, _)| inode)
    }

    /// Namespaces that own this address, after another walk where none is known.
    pub fn by_address(&mut self, address: IpAddr, now: Instant) -> Vec<u64> {
        let found = self.find_address(address, now);
        if !found.is_empty() || !self.refresh(now) {
            return found;
        }
        self.find_address(address, now)
    }

    fn find_address(&mut self, address: IpAddr, now: Instant) -> Vec<u64> {
        let inodes: Vec<u64> = self.namespaces.keys().copied().collect();
        let owns = |index: &mut Self, inode: u64| {
            index.addresses(inode, now).is_ok_and(|addresses| addresses.reachable().any(|own| own == address))
        };
        inodes.into_iter().filter(|inode| owns(self, *inode) && self.is_alive(*inode)).collect()
    }

    /// Addresses of a namespace, not older than [`ADDRESSES_FOR`].
    pub fn addresses(&mut self, inode: u64, now: Instant) -> io::Result<&Addresses> {
        let known = self.namespaces.get(&inode).and_then(|namespace| namespace.addresses.as_ref());
        let read = match known {
            Some((at, _)) if now.saturating_duration_since(*at) < ADDRESSES_FOR => None,
            _ => {
                let fib_trie = self.read_net(inode, "fib_trie")?;
                let if_inet6 = self.read_net(inode, "if_inet6").unwrap_or_default();
                Some((now, Addresses::parse(&fib_trie, &if_inet6)))
            }
        };
        let namespace = self.namespaces.entry(inode).or_default();
        if read.is_some() {
            namespace.addresses = read;
        }
        Ok(&namespace.addresses.get_or_insert_with(|| (now, Addresses::default())).1)
    }

    /// Makes sure that a namespace is known through this process.
    pub fn learn(&mut self, inode: u64, pid: u32) {
        let pids = &mut self.namespaces.entry(inode).or_default().pids;
        if !pids.contains(&pid) && pids.len() < MAX_PROCESSES {
            pids.push(pid);
        }
    }

    /// Processes of a namespace, as of the last walk, at most [`MAX_PROCESSES`].
    pub fn pids_of(&self, inode: u64) -> &[u32] {
        self.namespaces.get(&inode).map(|namespace| namespace.pids.as_slice()).unwrap_or_default()
    }

    /// Where this namespace is bind-mounted.
    fn mounted(&self, inode: u64) -> Option<&PathBuf> {
        self.namespaces.get(&inode)?.mounted.as_ref()
    }

    /// A process that is in this namespace now.
    fn witness(&self, inode: u64) -> Option<u32> {
        self.pids_of(inode).iter().copied().find(|pid| self.proc.netns(*pid).is_ok_and(|own| own == inode))
    }

    fn is_alive(&self, inode: u64) -> bool {
        self.witness(inode).is_some() || self.mounted(inode).is_some_and(|path| path.exists())
    }

    /// Knows the namespace with this inode, after another walk if need be.
    pub fn ensure(&mut self, inode: u64, now: Instant) -> bool {
        self.is_alive(inode) || (self.refresh(now) && self.is_alive(inode))
    }

    /// Walks /proc; false: it was walked less than a second ago.
    pub fn refresh(&mut self, now: Instant) -> bool {
        if self.refreshed.is_some_and(|last| now.saturating_duration_since(last) < REFRESH_AT_MOST_EVERY) {
            return false;
        }
        self.refreshed = Some(now);
        self.refreshes += 1;
        self.namespaces.clear();
        self.cgroups.clear();
        for pid in self.proc.pids() {
            if let Ok(inode) = self.proc.netns(pid) {
                self.add_process(inode, pid);
            }
            if let Ok(text) = self.proc.read(format!("{pid}/cgroup")) {
                self.add_to_cgroup(text, pid);
            }
        }
        for (inode, path) in enter::mounted_namespaces(&self.proc) {
            if self.namespaces.len() < MAX_NAMESPACES || self.namespaces.contains_key(&inode) {
                self.namespaces.entry(inode).or_default().mounted.get_or_insert(path);
            } else {
                self.cut += 1;
            }
        }
        true
    }

    fn add_to_cgroup(&mut self, text: String, pid: u32) {
        if self.cgroups.len() >= MAX_CGROUPS && !self.cgroups.contains_key(&text) {
            self.cut += 1;
            return;
        }
        let pids = self.cgroups.entry(text).or_default();
        if pids.len() < MAX_PROCESSES {
            pids.push(pid);
        } else {
            self.cut += 1;
        }
    }

    fn add_process(&mut self, inode: u64, pid: u32) {
        if self.namespaces.len() >= MAX_NAMESPACES && !self.namespaces.contains_key(&inode) {
            self.cut += 1;
            return;
        }
        let pids = &mut self.namespaces.entry(inode).or_default().pids;
        if pids.len() < MAX_PROCESSES {
            pids.push(pid);
        } else {
            self.cut += 1;
        }
    }
}

/// Whether a cgroup path names `token` as a whole word; the folder of a container's monitor (`crio-conmon-ID.scope`) is
/// not the container's.
pub fn holds_token(text: &str, token: &str) -> bool {
    text.match_indices(token).any(|(at, _)| {
        let before = text.get(..at).unwrap_or_default();
        let after = text.get(at + token.len()..).unwrap_or_default();
        let folder = before.rsplit('/').next().unwrap_or_default();
        // "pod" stands directly before a uid.
        let starts = before.ends_with("pod") || !before.ends_with(|letter: char| letter.is_ascii_alphanumeric());
        let ends = !after.starts_with(|letter: char| letter.is_ascii_alphanumeric());
        starts && ends && !folder.contains("conmon")
    })
}

#[cfg(test)]
mod tests;
