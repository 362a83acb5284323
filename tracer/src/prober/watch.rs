//! Notices probers that end and new ones: a restarted kubelet is traced again within a second.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, pidfd_open},
};
use tokio::sync::mpsc;

use super::{Candidate, Pattern, Process, find_in};
use crate::proc_dir::{self, ProcDir};

const POLL_EVERY: Duration = Duration::from_secs(1);
/// A process becomes a prober by its exec, some time after its fork: new ones count as news for so many polls.
const NEWS_FOR_POLLS: u8 = 5;
/// All processes are looked at again this often, whether or not there is news.
const LOOK_AGAIN_EVERY: Duration = Duration::from_secs(60);
/// Changes that may wait to be taken.
const QUEUE: usize = 16;

/// What changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// New probers.
    pub appeared: Vec<Process>,
    /// Probers that are gone.
    pub gone: Vec<Process>,
    /// None is left.
    pub none_left: bool,
}

/// Compares the probers with those of the last time.
pub struct Watch {
    proc: ProcDir,
    patterns: Vec<String>,
    known: BTreeMap<(u32, u64), Process>,
    /// Process → polls since it was first seen.
    seen: BTreeMap<u32, u8>,
    looked: Option<Instant>,
}

impl Watch {
    /// From what [`super::find`] gave; none: everything is news.
    pub fn new(proc: ProcDir, patterns: &[String], first: &[Process]) -> Self {
        let known = first.iter().map(|process| ((process.pid, process.start_boot_ns), process.clone())).collect();
        Self { proc, patterns: patterns.to_vec(), known, seen: BTreeMap::new(), looked: None }
    }

    /// What changed since the last call. Walks all of /proc only where there may be something new.
    pub fn check(&mut self, now: Instant) -> Option<Change> {
        let news = self.news().into_iter().any(|pid| self.may_be_prober(pid));
        let due = self.looked.is_none_or(|last| now.saturating_duration_since(last) >= LOOK_AGAIN_EVERY);
        let lost = self.known.values().any(|process| !self.is_alive(process));
        if !(news || due || lost || self.known.is_empty()) {
            return None;
        }
        self.looked = Some(now);
        let found = find_in(&self.proc, &self.patterns).map(|found| found.processes).unwrap_or_default();
        let found: BTreeMap<(u32, u64), Process> =
            found.into_iter().map(|process| ((process.pid, process.start_boot_ns), process)).collect();
        let minus = |left: &BTreeMap<(u32, u64), Process>, right: &BTreeMap<(u32, u64), Process>| -> Vec<Process> {
            left.iter().filter(|(key, _)| !right.contains_key(key)).map(|(_, process)| process.clone()).collect()
        };
        let change = Change {
            appeared: minus(&found, &self.known),
            gone: minus(&self.known, &found),
            none_left: found.is_empty(),
        };
        self.known = found;
        (!change.appeared.is_empty() || !change.gone.is_empty()).then_some(change)
    }

    /// Watches on a thread of its own, until nobody takes the changes any more.
    pub fn spawn(mut self) -> io::Result<mpsc::Receiver<Change>> {
        let (changes, taken) = mpsc::channel(QUEUE);
        std::thread::Builder::new().name("prober-watch".to_owned()).spawn(move || {
            while !changes.is_closed() {
                if let Some(change) = self.check(Instant::now())
                    && changes.blocking_send(change).is_err()
                {
                    return;
                }
                self.wait();
            }
        })?;
        Ok(taken)
    }

    /// Until a prober ends, at most [`POLL_EVERY`].
    fn wait(&self) {
        let handles: Vec<OwnedFd> = self
            .known
            .keys()
            .filter_map(|(pid, _)| Pid::from_raw(i32::try_from(*pid).ok()?))
            .filter_map(|pid| pidfd_open(pid, PidfdFlags::empty()).ok())
            .collect();
        let mut waiting: Vec<PollFd<'_>> = handles.iter().map(|handle| PollFd::new(handle, PollFlags::IN)).collect();
        let timeout = Timespec { tv_sec: POLL_EVERY.as_secs() as i64, tv_nsec: 0 };
        // A signal only makes us look earlier.
        let _ = poll(&mut waiting, Some(&timeout));
    }

    fn is_alive(&self, process: &Process) -> bool {
        let stat = self.proc.stat(process.pid);
        stat.is_ok_and(|stat| {
            proc_dir::start_boot_ns(&stat) == process.start_boot_ns && !matches!(stat.state, 'Z' | 'X')
        })
    }

    fn may_be_prober(&self, pid: u32) -> bool {
        if self.known.keys().any(|(known, _)| *known == pid) {
            return false;
        }
        let Ok(patterns) = Pattern::parse_all(&self.patterns) else { return false };
        let candidate = Candidate::read(&self.proc, pid);
        candidate.is_some_and(|candidate| patterns.iter().any(|pattern| pattern.may_match(&candidate)))
    }

    /// Processes that are new.
    fn news(&mut self) -> Vec<u32> {
        let own = self.proc.own_pid();
        let pids: BTreeSet<u32> = self.proc.pids().into_iter().filter(|pid| Some(*pid) != own).collect();
        let first = self.seen.is_empty();
        self.seen.retain(|pid, _| pids.contains(pid));
        let mut news = Vec::new();
        for pid in pids {
            let polls = self.seen.entry(pid).or_insert(if first { NEWS_FOR_POLLS } else { 0 });
            if *polls < NEWS_FOR_POLLS {
                news.push(pid);
            }
            *polls = polls.saturating_add(1);
        }
        news
    }
}
