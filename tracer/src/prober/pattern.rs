//! What `--prober` may say.

use std::{cmp::Reverse, fmt};

use super::{Candidate, kubelet};
use crate::proc_dir::ProcDir;

/// One pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// The node's kubelets, however packaged.
    Kubelet,
    /// This process.
    Pid(u32),
    /// All processes of this cgroup and those below (v1 or v2; a path under /sys/fs/cgroup is understood too).
    Cgroup(String),
    /// comm, base name of the executable or of argv[0].
    Name(String),
}

/// It is none of the forms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternError(String);

impl fmt::Display for PatternError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "no prober pattern: {:?}; write NAME, pid:N or cgroup:/PATH", self.0)
    }
}

impl std::str::FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let error = || PatternError(text.to_owned());
        match text.split_once(':') {
            Some(("pid", pid)) => pid.parse().ok().filter(|pid| *pid > 0).map(Self::Pid).ok_or_else(error),
            Some(("cgroup", path)) if path.starts_with('/') => Ok(Self::Cgroup(path.trim_end_matches('/').to_owned())),
            None if text == "kubelet" => Ok(Self::Kubelet),
            None if !text.is_empty() && !text.contains('/') => Ok(Self::Name(text.to_owned())),
            _ => Err(error()),
        }
    }
}

impl Pattern {
    /// None given: the kubelet.
    pub fn parse_all(texts: &[String]) -> Result<Vec<Self>, PatternError> {
        if texts.is_empty() { Ok(vec![Self::Kubelet]) } else { texts.iter().map(|text| text.parse()).collect() }
    }

    /// Whether this process alone would match (the kubelet's port apart, which costs a search).
    pub fn may_match(&self, candidate: &Candidate) -> bool {
        match self {
            Self::Kubelet => candidate.kubelet_by.is_some(),
            Self::Pid(pid) => candidate.pid == *pid,
            Self::Cgroup(path) => candidate.cgroups.iter().any(|(_, own)| is_below(own, path)),
            // comm is cut at 15 bytes (TASK_COMM_LEN).
            Self::Name(name) => {
                [candidate.comm.as_str(), candidate.exe.as_str(), candidate.called()].contains(&name.as_str())
            }
        }
    }

    /// Those that match, each with why.
    pub fn matches<'a>(&self, proc: &ProcDir, candidates: &'a [Candidate]) -> Vec<(&'a Candidate, String)> {
        let why = match self {
            Self::Kubelet => return kubelet::all(proc, candidates),
            Self::Pid(_) => "by its pid".to_owned(),
            Self::Cgroup(path) => format!("in cgroup {path}"),
            Self::Name(name) => format!("by its name {name}"),
        };
        let matching = candidates.iter().filter(|candidate| self.may_match(candidate));
        matching.map(|candidate| (candidate, why.clone())).collect()
    }

    /// For an error.
    pub fn looked_for(&self) -> String {
        match self {
            Self::Kubelet => kubelet::NAMES.to_owned(),
            Self::Pid(pid) => format!("process {pid} (not this one, no kernel thread)"),
            Self::Cgroup(path) => format!("a process in cgroup {path}"),
            Self::Name(name) => format!("a process whose comm, executable or argv[0] is {name:?}"),
        }
    }
}

/// Whether the cgroup `own` is `wanted` or below it; `wanted` may also be a path as mounted.
fn is_below(own: &str, wanted: &str) -> bool {
    let under = |wanted: &str| own.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if under(wanted) {
        return true;
    }
    // /sys/fs/cgroup/PATH (v2), /sys/fs/cgroup/CONTROLLER/PATH (v1, hybrid).
    let Some(mounted) = wanted.strip_prefix("/sys/fs/cgroup").filter(|rest| rest.len() > 1) else { return false };
    let within = mounted.trim_start_matches('/').split_once('/').map(|(_, rest)| format!("/{rest}"));
    under(mounted) || within.is_some_and(|path| under(&path))
}

/// Processes whose name is like one that was looked for.
pub fn nearest(patterns: &[Pattern], candidates: &[Candidate], max: usize) -> Vec<String> {
    let wanted: Vec<&str> = patterns
        .iter()
        .filter_map(|pattern| match pattern {
            Pattern::Kubelet => Some("kubelet"),
            Pattern::Name(name) => Some(name.as_str()),
            Pattern::Pid(_) | Pattern::Cgroup(_) => None,
        })
        .collect();
    let likeness = |candidate: &Candidate| {
        let names = [candidate.comm.as_str(), candidate.exe.as_str(), candidate.called()];
        let of = |name: &str| wanted.iter().map(|wanted| alike(name, wanted)).max().unwrap_or(0);
        names.into_iter().map(of).max().unwrap_or(0)
    };
    let mut ranked: Vec<(usize, &Candidate)> =
        candidates.iter().map(|candidate| (likeness(candidate), candidate)).filter(|(score, _)| *score >= 3).collect();
    ranked.sort_by_key(|(score, candidate)| (Reverse(*score), candidate.pid));
    ranked.into_iter().take(max).map(|(_, candidate)| format!("{} (pid {})", candidate.comm, candidate.pid)).collect()
}

/// Letters in common from the start, or all of the shorter where one holds the other.
fn alike(left: &str, right: &str) -> usize {
    if left.contains(right) || right.contains(left) {
        return left.len().min(right.len());
    }
    left.bytes().zip(right.bytes()).take_while(|(left, right)| left.eq_ignore_ascii_case(right)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        assert_eq!("kubelet".parse(), Ok(Pattern::Kubelet));
        assert_eq!("pid:7".parse(), Ok(Pattern::Pid(7)));
        assert_eq!("cgroup:/a/".parse(), Ok(Pattern::Cgroup("/a".to_owned())));
        assert_eq!("curl".parse(), Ok(Pattern::Name("curl".to_owned())));
        for text in ["", "pid:0", "pid:x", "cgroup:a", "tid:4", "/usr/bin/curl"] {
            assert!(text.parse::<Pattern>().unwrap_err().to_string().contains("pid:N"), "{text}");
        }
        assert_eq!(Pattern::parse_all(&[]), Ok(vec![Pattern::Kubelet]));
    }

    #[test]
    fn cgroup_paths() {
        for (own, wanted, expected) in [
            ("/system.slice/kubelet.service", "/system.slice/kubelet.service", true),
            ("/system.slice/kubelet.service/x", "/system.slice/kubelet.service", true),
            ("/system.slice/kubelet.service2", "/system.slice/kubelet.service", false),
            ("/a/b", "/sys/fs/cgroup/a/b", true),
            ("/a/b", "/sys/fs/cgroup/unified/a/b", true),
            ("/a/b", "/sys/fs/cgroup", false),
            ("/a/b", "", true),
        ] {
            assert_eq!(is_below(own, wanted), expected, "{own} {wanted}");
        }
    }
}
