//! Who makes the probes: the kubelet in its many packagings, or what `--prober` names. Found again after a restart.

mod kubelet;
mod pattern;
mod watch;

use std::{fmt, path::PathBuf};

pub(crate) use kubelet::listeners;
pub use pattern::{Pattern, PatternError};
pub use watch::{Change, Watch};

use crate::{
    kernel::look::cgroup,
    proc_dir::{self, ProcDir},
};

/// Probers that are traced at once; a pattern that matches more is too wide.
pub const MAX_PROBERS: usize = 64;
/// Processes named in an error.
const MAX_NEAREST: usize = 5;

/// A process that makes probes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// As the tracer sees it.
    pub pid: u32,
    /// Its name.
    pub comm: String,
    /// Start, CLOCK_BOOTTIME ns: with the pid its identity.
    pub start_boot_ns: u64,
    /// Inode of its network namespace; 0: not readable.
    pub netns: u64,
    /// Its cgroup v2 folder, where a cgroup2 mount shows it.
    pub cgroup_v2: Option<PathBuf>,
    /// That folder is the hierarchy's root: it holds everything, so it tells nobody apart.
    pub in_root_cgroup: bool,
}

/// The probers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// At least one; ascending by pid.
    pub processes: Vec<Process>,
    /// All of them are kubelets.
    pub is_kubelet: bool,
    /// By what they were found, for people.
    pub why: String,
}

/// Why there is no prober.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProberError {
    /// The pattern itself.
    Pattern(PatternError),
    /// Nothing matches.
    NotFound {
        /// What was looked for, and where.
        looked_for: String,
        /// `comm (pid)` of those nearest by name.
        nearest: Vec<String>,
    },
    /// More than [`MAX_PROBERS`] match.
    TooMany {
        /// How many.
        matching: usize,
    },
}

impl fmt::Display for ProberError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fix = "name the process that probes: --prober NAME, --prober pid:N or --prober cgroup:/PATH";
        match self {
            Self::Pattern(error) => error.fmt(out),
            Self::NotFound { looked_for, nearest } => {
                write!(out, "no prober found: {looked_for}")?;
                if !nearest.is_empty() {
                    write!(out, "; nearest: {}", nearest.join(", "))?;
                }
                write!(out, "; {fix}")
            }
            Self::TooMany { matching } => {
                write!(out, "{matching} processes match as probers, at most {MAX_PROBERS} can be traced; {fix}")
            }
        }
    }
}

impl std::error::Error for ProberError {}

/// Finds the probers; no pattern: the kubelets of this node.
pub fn find(patterns: &[String]) -> Result<Found, ProberError> {
    find_in(&ProcDir::default(), patterns)
}

/// The same over another proc file system.
pub fn find_in(proc: &ProcDir, patterns: &[String]) -> Result<Found, ProberError> {
    let patterns = Pattern::parse_all(patterns).map_err(ProberError::Pattern)?;
    let candidates = Candidate::all(proc);
    let mut matching: Vec<(&Candidate, String)> = Vec::new();
    for pattern in &patterns {
        matching.extend(pattern.matches(proc, &candidates));
    }
    matching.sort_by_key(|(candidate, _)| candidate.pid);
    matching.dedup_by_key(|(candidate, _)| candidate.pid);
    match matching.len() {
        0 => Err(not_found(proc, &patterns, &candidates)),
        1..=MAX_PROBERS => Ok(found(proc, &matching)),
        matching => Err(ProberError::TooMany { matching }),
    }
}

fn found(proc: &ProcDir, matching: &[(&Candidate, String)]) -> Found {
    let processes: Vec<Process> = matching.iter().filter_map(|(candidate, _)| process(proc, candidate.pid)).collect();
    let why: Vec<String> =
        matching.iter().map(|(candidate, why)| format!("{} (pid {}): {why}", candidate.comm, candidate.pid)).collect();
    let is_kubelet = matching.iter().all(|(candidate, _)| candidate.kubelet_by.is_some());
    Found { processes, is_kubelet, why: why.join("; ") }
}

/// `None`: it is gone.
fn process(proc: &ProcDir, pid: u32) -> Option<Process> {
    let stat = proc.stat(pid).ok()?;
    let folder = cgroup::v2_folder(proc, pid);
    Some(Process {
        pid,
        start_boot_ns: proc_dir::start_boot_ns(&stat),
        comm: stat.comm,
        netns: proc.netns(pid).unwrap_or(0),
        in_root_cgroup: folder.as_ref().is_some_and(|(path, _)| path.trim_matches('/').is_empty()),
        cgroup_v2: folder.map(|(_, folder)| folder),
    })
}

fn not_found(proc: &ProcDir, patterns: &[Pattern], candidates: &[Candidate]) -> ProberError {
    let looked: Vec<String> = patterns.iter().map(Pattern::looked_for).collect();
    let seen = candidates.len();
    // Without the host's pid namespace a tracer sees few processes, and not the kubelet.
    let hidden = if proc.path("1").exists() { "" } else { " (is this the node's /proc? In a pod set hostPID: true)" };
    let nearest = pattern::nearest(patterns, candidates, MAX_NEAREST);
    ProberError::NotFound { looked_for: format!("{} among {seen} processes{hidden}", looked.join(" and ")), nearest }
}

/// What is compared of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Candidate {
    /// Process id.
    pid: u32,
    /// comm.
    comm: String,
    /// Base name of the executable, "" where it can't be read.
    exe: String,
    /// argv, empty where the process overwrote it.
    argv: Vec<String>,
    /// /proc/PID/cgroup.
    cgroups: Vec<(String, String)>,
    /// By what it is known as a kubelet.
    kubelet_by: Option<&'static str>,
}

impl Candidate {
    /// Every process but ourselves and kernel threads.
    fn all(proc: &ProcDir) -> Vec<Self> {
        let own = proc.own_pid();
        proc.pids().into_iter().filter(|pid| Some(*pid) != own).filter_map(|pid| Self::read(proc, pid)).collect()
    }

    fn read(proc: &ProcDir, pid: u32) -> Option<Self> {
        let argv = proc.argv(pid);
        let exe = std::fs::read_link(proc.path(format!("{pid}/exe"))).unwrap_or_default();
        // An upgraded kubelet runs on from "/usr/bin/kubelet (deleted)" until it is restarted.
        let exe = base_name(exe.to_string_lossy().trim_end_matches(" (deleted)")).to_owned();
        if argv.is_empty() && exe.is_empty() {
            return None; // A kernel thread or a zombie.
        }
        let comm = proc.read(format!("{pid}/comm")).ok()?.trim_end().to_owned();
        let mut found = Self { pid, comm, exe, argv, cgroups: proc.cgroups(pid).unwrap_or_default(), kubelet_by: None };
        found.kubelet_by = kubelet::known_by(&found);
        Some(found)
    }

    /// Base name of argv[0].
    fn called(&self) -> &str {
        self.argv.first().map(|argv| base_name(argv)).unwrap_or_default()
    }
}

fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests;
