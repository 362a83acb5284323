//! What looks say of the server's processes and its cgroup. Each function answers one question of the rules.

use crate::{
    observation::{CgroupState, Observation, ProcessState, TargetState, ThreadState},
    verdict::{text, view::Pair},
};

/// The processes that hold the listener or the child.
pub fn holders(target: &TargetState) -> impl Iterator<Item = &ProcessState> {
    target.owner.iter().chain(&target.co_owners)
}

/// `nginx (pid 71)`, where the holder is known.
pub fn owner_name(target: &TargetState) -> String {
    target.owner.as_ref().map_or_else(|| "the application".into(), |owner| text::process(&owner.comm, owner.pid))
}

fn threads(target: &TargetState) -> impl Iterator<Item = &ThreadState> {
    holders(target).flat_map(|process| &process.threads)
}

/// A thread that a stop signal or a debugger holds (fs/proc/array.c: task_state_array).
pub fn is_stopped(thread: &ThreadState) -> bool {
    matches!(thread.state, 'T' | 't')
}

/// A thread in uninterruptible sleep.
pub fn is_blocked(thread: &ThreadState) -> bool {
    thread.state == 'D'
}

/// Every thread of every holder is so, and all were seen.
pub fn all_threads(target: &TargetState, test: fn(&ThreadState) -> bool) -> bool {
    threads(target).next().is_some()
        && threads(target).all(test)
        && holders(target).all(|process| !process.threads.is_empty() && !process.threads_cut)
}

/// No thread of any holder is so, and all were seen.
pub fn no_thread(target: &TargetState, test: fn(&ThreadState) -> bool) -> bool {
    threads(target).next().is_some()
        && !threads(target).any(test)
        && holders(target).all(|process| !process.threads.is_empty() && !process.threads_cut)
}

/// The same process (by its start too) holds the socket at both looks.
pub fn same_owner(pair: &Pair<'_>) -> bool {
    match (&pair.mid_target.owner, &pair.late_target.owner) {
        (Some(mid), Some(late)) => mid.pid == late.pid && mid.start_boot_ns == late.start_boot_ns,
        _ => false,
    }
}

/// What the threads of the holders did between the looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ThreadTimes {
    /// On CPU, summed over threads.
    pub on_cpu_ns: u64,
    /// Runnable and waiting, summed over threads.
    pub run_delay_ns: u64,
    /// The longest wait of one thread.
    pub longest_delay_ns: u64,
}

/// Differences of the threads that both looks show; `None` where a thread is missing in one of them.
pub fn thread_times(mid: &[&ProcessState], late: &[&ProcessState]) -> Option<ThreadTimes> {
    let mut times = ThreadTimes::default();
    let mut any = false;
    for process in late {
        let before = mid.iter().find(|one| one.pid == process.pid && one.start_boot_ns == process.start_boot_ns)?;
        for thread in &process.threads {
            let before = before.threads.iter().find(|one| one.tid == thread.tid)?;
            let delay = thread.run_delay_ns.saturating_sub(before.run_delay_ns);
            times.on_cpu_ns += thread.on_cpu_ns.saturating_sub(before.on_cpu_ns);
            times.run_delay_ns += delay;
            times.longest_delay_ns = times.longest_delay_ns.max(delay);
            any = true;
        }
    }
    any.then_some(times)
}

/// [`thread_times`] of the target's holders.
pub fn holder_times(pair: &Pair<'_>) -> Option<ThreadTimes> {
    let mid: Vec<_> = holders(pair.mid_target).collect();
    let late: Vec<_> = holders(pair.late_target).collect();
    thread_times(&mid, &late)
}

/// What the cgroup's quota did between two looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Throttling {
    /// It has no quota, or was not throttled.
    No,
    /// Periods with throttling, and time summed over CPUs, in the interval.
    Yes {
        /// Periods.
        periods: u64,
        /// Time, over all CPUs.
        throttled_ns: u64,
        /// Between the looks.
        interval_ns: u64,
    },
}

/// Throttling between two looks; `None` where it cannot be told.
pub fn throttling(from: &Observation, to: &Observation) -> Option<Throttling> {
    let (before, after) = (from.cgroup.as_ref()?, to.cgroup.as_ref()?);
    if before.path != after.path {
        return None;
    }
    let periods = match (before.nr_throttled, after.nr_throttled) {
        (Some(before), Some(after)) => after.saturating_sub(before),
        // No bandwidth control in this group: no file, no limit.
        (None, None) if after.cpu_limit.is_none() && after.usage_ns.is_some() => 0,
        _ => return None,
    };
    if periods == 0 {
        return Some(Throttling::No);
    }
    let throttled_ns = after.throttled_ns.unwrap_or(0).saturating_sub(before.throttled_ns.unwrap_or(0));
    Some(Throttling::Yes { periods, throttled_ns, interval_ns: to.at_ns.saturating_sub(from.at_ns) })
}

/// How much a counter of the target's network namespace rose between two looks; `None` where a look or it is missing.
pub fn rise(from: &TargetState, to: &TargetState, name: &str) -> Option<u64> {
    Some(counter(to, name)?.saturating_sub(counter(from, name)?))
}

/// A counter of the target's network namespace.
pub fn counter(target: &TargetState, name: &str) -> Option<u64> {
    target.counters.iter().find(|(one, _)| one == name).map(|(_, value)| *value)
}

/// How much a counter of the container's cgroup rose from the first look to the last.
pub fn cgroup_rise<'a>(
    looks: impl Iterator<Item = &'a Observation>,
    value: fn(&CgroupState) -> Option<u64>,
) -> Option<u64> {
    let values: Vec<u64> = looks.filter_map(|look| value(look.cgroup.as_ref()?)).collect();
    if values.len() < 2 { None } else { Some(values.last()?.saturating_sub(*values.first()?)) }
}
