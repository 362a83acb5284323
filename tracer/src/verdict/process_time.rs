//! The time of a process: throttled, starved, blocked; of an exec probe's command, or of the server.
//!
//! All of these are totals of tasks and cgroups, which are no partition of wall time: `run_delay` contains throttling,
//! `throttled_time` is summed over CPUs, threads overlap. So they give `likely`, never more.

use crate::{
    observation::{Observation, ProcessState},
    verdict::{
        Cause,
        engine::{Claim, Finding, Rule},
        exec, listener,
        look::{self, Throttling},
        text,
        view::View,
    },
};

/// Of the time between the looks, from which throttling may decide.
const THROTTLED_PERCENT: u64 = 25;
/// Of the time, from which waiting for a CPU may decide.
const WAITING_PERCENT: u64 = 50;

/// The family.
pub const RULES: &[Rule] = &[
    Rule {
        cause: Cause::CpuThrottled,
        seen: "time-out; the cgroup was throttled for a good part of the time between looks, and its tasks were runnable",
        rivals: &[Cause::CpuStarved],
        brings: &[Cause::AcceptQueueFull],
        advice: &["raise or remove the container's CPU limit, or make what runs in it cheaper"],
        test: cpu_throttled,
    },
    Rule {
        cause: Cause::BlockedOnIo,
        seen: "time-out; all its threads are in uninterruptible sleep (D) at two looks",
        rivals: &[Cause::MemoryThrottled],
        brings: &[Cause::AcceptQueueFull],
        advice: &["look at the storage it waits for: the kernel stack and wchan in the evidence name the layer"],
        test: blocked_on_io,
    },
    Rule {
        cause: Cause::CpuStarved,
        seen: "time-out; its tasks waited in run queues most of the time, and no quota throttled them",
        rivals: &[Cause::CpuThrottled],
        brings: &[Cause::AcceptQueueFull],
        advice: &["the node is short of CPU for this pod: raise its CPU request, or take load from the node"],
        test: cpu_starved,
    },
];

/// What waits for the processes: `None` where no process is waited for.
fn subject(view: &View<'_>) -> Option<String> {
    if !view.timed_out() {
        return None;
    }
    if let Some(run) = view.run {
        let comm = run.command.as_ref().map_or("the command's set-up", |command| &command.comm);
        return Some(comm.to_owned());
    }
    let waited_for = view.established().is_some() || view.unanswered().is_some() && listener::is_full(view);
    let target = view.targets().map(|(_, target)| target).find(|target| target.owner.is_some());
    waited_for.then(|| target.map_or_else(|| "the server".into(), look::owner_name))
}

/// The longest interval between looks. Those after the outcome count as well: the counters go on.
fn interval<'a>(view: &View<'a>) -> Option<(&'a Observation, &'a Observation)> {
    let mut looks = view.looks().filter(|look| look.cgroup.is_some());
    let first = looks.next()?;
    Some((first, looks.last()?))
}

/// Share of the time that the tasks waited for a CPU, in percent; `None` where it cannot be told.
fn waiting_percent(view: &View<'_>) -> Option<u64> {
    if view.run.is_some() {
        let totals = exec::totals(view)?;
        return Some(text::percent(totals.run_delay_ns, totals.lived_ns));
    }
    let pair = view.pair()?;
    let times = look::holder_times(&pair)?;
    Some(text::percent(times.longest_delay_ns, pair.late.at_ns.saturating_sub(pair.mid.at_ns)))
}

/// A thread is runnable at a look, and its wait therefore not yet counted.
fn is_runnable(view: &View<'_>) -> bool {
    let runs = |process: &ProcessState| process.threads.iter().any(|thread| thread.state == 'R');
    match view.run {
        Some(_) => view.looks().flat_map(|look| &look.processes).any(runs),
        None => view.targets().any(|(_, target)| look::holders(target).any(runs)),
    }
}

fn cpu_throttled(view: &View<'_>) -> Finding {
    let Some(who) = subject(view) else { return Finding::lost("no time-out that waits for a process") };
    let throttling = interval(view).and_then(|(from, to)| look::throttling(from, to));
    let Some(Throttling::Yes { periods, throttled_ns, interval_ns }) = throttling else {
        return Finding::lost("no throttling of the container's cgroup was seen between looks");
    };
    let share = text::percent(throttled_ns, interval_ns);
    if share < THROTTLED_PERCENT {
        return Finding::lost(format!("the cgroup was throttled for only {share}% of the time"));
    }
    let waiting = waiting_percent(view);
    if waiting.is_some_and(|percent| percent < 20) && !is_runnable(view) {
        return Finding::lost("its tasks did not wait for a CPU: they sleep");
    }
    let limit = view.looks().filter_map(|look| look.cgroup.as_ref()?.cpu_limit).last();
    let limit = limit.map_or_else(|| "its limit".into(), |cpus| format!("its limit of {cpus} CPUs"));
    let summary = format!(
        "{who} ran against {limit}: throttled in {} for {} (summed over CPUs) of {}",
        text::count(periods, "period"),
        text::duration(throttled_ns),
        text::duration(interval_ns)
    );
    let mut claim = Claim::inferred(summary)
        .evidence("nr_throttled rose by", periods, "cpu.stat of the container")
        .evidence("throttled time rose by", text::duration(throttled_ns), "cpu.stat of the container");
    if let Some(percent) = waiting {
        claim = claim.evidence("waiting for a CPU", format!("{percent}% of its time"), "schedstat");
    }
    claim.missing("the partition of its time (sched_switch): totals only").fits()
}

fn cpu_starved(view: &View<'_>) -> Finding {
    let Some(who) = subject(view) else { return Finding::lost("no time-out that waits for a process") };
    let Some(percent) = waiting_percent(view) else { return Finding::lost("its run delay is not known") };
    if percent < WAITING_PERCENT {
        return Finding::lost(format!("it waited for a CPU for only {percent}% of its time"));
    }
    let throttling = interval(view).and_then(|(from, to)| look::throttling(from, to));
    if matches!(throttling, Some(Throttling::Yes { throttled_ns, interval_ns, .. })
        if text::percent(throttled_ns, interval_ns) >= THROTTLED_PERCENT)
    {
        return Finding::lost("its quota throttled it");
    }
    let summary = format!("{who} was runnable and waited for a CPU for {percent}% of its time");
    Claim::inferred(summary)
        .evidence("waiting for a CPU", format!("{percent}% of its time"), "schedstat")
        .missing("the partition of its time (sched_switch): totals only")
        .fits()
}

fn blocked_on_io(view: &View<'_>) -> Finding {
    let Some(who) = subject(view) else { return Finding::lost("no time-out that waits for a process") };
    let blocked = |processes: &mut dyn Iterator<Item = &ProcessState>| {
        let threads: Vec<_> = processes.flat_map(|process| &process.threads).collect();
        !threads.is_empty() && threads.iter().all(|thread| look::is_blocked(thread))
    };
    let at = |look: &Observation| match (view.run, &look.target) {
        (Some(_), _) => blocked(&mut look.processes.iter()),
        (None, Some(target)) => blocked(&mut look::holders(target)),
        (None, None) => false,
    };
    let looks: Vec<_> = view.looks().filter(|look| at(look)).collect();
    let (Some(first), Some(last)) = (looks.first(), looks.last()) else {
        return Finding::lost("not all its threads are in uninterruptible sleep at any look");
    };
    if looks.len() < 2 {
        return Finding::lost("all its threads are in uninterruptible sleep at one look only");
    }
    if looks.iter().any(|look| look.cgroup.as_ref().is_some_and(|cgroup| cgroup.frozen == Some(true))) {
        return Finding::lost("its cgroup is frozen");
    }
    let (from, to) = (view.since_begin(first.at_ns), view.since_begin(last.at_ns));
    let mut claim =
        Claim::inferred(format!("all threads of {who} are in uninterruptible sleep (D) at {from} and {to}"));
    let target = last.target.iter().flat_map(look::holders);
    for thread in last.processes.iter().chain(target).flat_map(|process| &process.threads).take(1) {
        let place = if thread.stack.is_empty() { thread.wchan.clone() } else { thread.stack.join(" < ") };
        claim = claim.evidence("blocked in", place, "/proc/PID/task/TID/{stack,wchan}");
    }
    claim.missing("what it waits for: block-IO delay is not accounted here").fits()
}

#[cfg(test)]
mod tests;
