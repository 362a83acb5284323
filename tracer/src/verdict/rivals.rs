//! How the absence of each rival is known, once for all rules. Exclusions ask for something seen, never for silence.

use crate::verdict::{
    Cause,
    engine::Standing::{self, Absent, Excluded, Open, Shown},
    look::{self, Throttling},
    text,
    view::{Pair, View},
};

const TWO_LOOKS: &str = "needs the target's state at half of the time and just before the end";

/// Where a rival stands, as far as it does not depend on the rule.
pub fn standing(view: &View<'_>, rival: Cause) -> Standing {
    match rival {
        Cause::ApplicationStopped => of_pair(view, stopped),
        Cause::BlockedOnIo => of_pair(view, blocked),
        Cause::CpuStarved => of_pair(view, starved),
        Cause::ContainerFrozen => frozen(view),
        Cause::CpuThrottled => throttled(view),
        Cause::FdExhausted => of_pair(view, descriptors),
        Cause::ProberStarved => answer_waits(view),
        Cause::RejectedByFirewall => {
            Open("a firewall's reset looks the same: needs tcp:tcp_send_reset with its reason".into())
        }
        Cause::OutOfMemoryKilled => oom(view),
        Cause::ForkFailedPids => pids(view),
        other => Open(missing_hook(other).into()),
    }
}

/// What would show or exclude a cause that this rung cannot see.
pub fn missing_hook(cause: Cause) -> &'static str {
    match cause {
        Cause::DependencyBlocked => "needs the server's own connections, which this rung does not follow",
        Cause::SynQueueFull | Cause::DeniedByLsm | Cause::ListenerOutOfMemory | Cause::AcceptQueueFull => {
            "needs fentry or kprobe on tcp_conn_request"
        }
        Cause::DroppedByNetfilter | Cause::ConntrackFull | Cause::NatInsertRace | Cause::DroppedByRpFilter => {
            "needs skb:kfree_skb with reasons, and nf_hook_slow for the rule"
        }
        Cause::DroppedByBpf | Cause::LostOnPath | Cause::ReturnPathBroken | Cause::NeighbourUnresolved => {
            "needs to see the packet at each device and at the target's listener"
        }
        Cause::TimestampRejectedTimeWait | Cause::TimestampRejectedTwRecycle => {
            "needs drop reasons, or the PAWS counters at both looks"
        }
        Cause::TlsFailed => "needs the TLS records of the answer, which are not decoded yet",
        Cause::MemoryThrottled => "needs the memory events of the cgroup",
        Cause::ProberStopped => "needs the state of the prober's threads",
        Cause::ClockJump => "needs the clocks before and after the attempt",
        Cause::RuntimeOutputHeld => "needs the holders of the command's output pipe",
        _ => "cannot be told on this rung",
    }
}

fn of_pair(view: &View<'_>, test: fn(&Pair<'_>) -> Standing) -> Standing {
    view.pair().map_or_else(|| Open(TWO_LOOKS.into()), |pair| test(&pair))
}

fn stopped(pair: &Pair<'_>) -> Standing {
    let all = |target| look::all_threads(target, look::is_stopped);
    let none = |target| look::no_thread(target, look::is_stopped);
    if all(pair.mid_target) && all(pair.late_target) {
        Shown("all threads are stopped at both looks".into())
    } else if none(pair.mid_target) && none(pair.late_target) {
        Excluded("no thread of the server is stopped at either look".into())
    } else {
        Open("needs the states of all the server's threads at both looks".into())
    }
}

fn blocked(pair: &Pair<'_>) -> Standing {
    let all = |target| look::all_threads(target, look::is_blocked);
    let none = |target| look::no_thread(target, look::is_blocked);
    if all(pair.mid_target) && all(pair.late_target) {
        Shown("all threads are in uninterruptible sleep at both looks".into())
    } else if none(pair.mid_target) && none(pair.late_target) {
        Excluded("no thread of the server is in uninterruptible sleep (D) at either look".into())
    } else {
        Open("a thread is in uninterruptible sleep, or not all states are known".into())
    }
}

fn starved(pair: &Pair<'_>) -> Standing {
    let interval = pair.late.at_ns.saturating_sub(pair.mid.at_ns);
    let Some(times) = look::holder_times(pair) else {
        return Open("needs the run delay of all the server's threads at both looks".into());
    };
    // run_delay grows only when a thread gets its CPU (kernel/sched/stats.h: sched_info_arrive): one that is runnable at
    // the look may have waited all the time, unless it ran most of it.
    let runnable = !look::no_thread(pair.late_target, |thread| thread.state == 'R');
    let waited = text::duration(times.run_delay_ns);
    if times.run_delay_ns.saturating_mul(5) > interval {
        Open(format!("its threads waited {waited} for a CPU in {}", text::duration(interval)))
    } else if runnable && times.on_cpu_ns.saturating_mul(2) < interval {
        Open("a thread is runnable at the look and its wait is not counted yet".into())
    } else {
        Excluded(format!("its threads waited only {waited} for a CPU in {}", text::duration(interval)))
    }
}

fn frozen(view: &View<'_>) -> Standing {
    let at = |look: Option<&crate::observation::Observation>| look?.cgroup.as_ref()?.frozen;
    match (at(view.mid), at(view.late)) {
        (Some(true), Some(true)) => Shown("the cgroup is frozen at both looks".into()),
        (Some(false), Some(false)) => Excluded("the container's cgroup is not frozen at either look".into()),
        _ => Open("needs the freezer's state of the container's cgroup at both looks".into()),
    }
}

fn throttled(view: &View<'_>) -> Standing {
    match view.mid.zip(view.late).and_then(|(mid, late)| look::throttling(mid, late)) {
        Some(Throttling::No) => Excluded("the container's CPU quota did not throttle between the looks".into()),
        Some(Throttling::Yes { periods, .. }) => {
            Open(format!("the container was throttled in {} between the looks", text::count(periods, "period")))
        }
        None => Open("needs the container's cpu.stat at both looks".into()),
    }
}

fn descriptors(pair: &Pair<'_>) -> Standing {
    let free =
        |process: &crate::observation::ProcessState| process.fds.is_some_and(|(open, limit)| u64::from(open) < limit);
    let full =
        |process: &crate::observation::ProcessState| process.fds.is_some_and(|(open, limit)| u64::from(open) >= limit);
    let (mid, late) = (pair.mid_target, pair.late_target);
    if late.owner.as_ref().is_some_and(full) {
        Shown("its descriptors are used up".into())
    } else if [mid, late].iter().all(|one| one.owner.is_some() && look::holders(one).all(free)) {
        Excluded("the server has file descriptors left at both looks".into())
    } else {
        Open("needs the server's open files and their limit at both looks".into())
    }
}

fn answer_waits(view: &View<'_>) -> Standing {
    let Some(socket) = view.late.and_then(|late| view.prober_socket(late)) else {
        return Open("needs the prober's socket just before the end".into());
    };
    if socket.unread_bytes > 0 {
        Open(format!("{} lay unread in the prober's socket", text::count(socket.unread_bytes.into(), "byte")))
    } else {
        Excluded("nothing lay unread in the prober's socket just before the end".into())
    }
}

fn oom(view: &View<'_>) -> Standing {
    match look::cgroup_rise(view.looks(), |cgroup| cgroup.oom_kills) {
        Some(0) => Excluded("the cgroup's oom_kill counter did not move between the looks".into()),
        Some(kills) => Open(format!("the cgroup counts {} meanwhile", text::count(kills, "OOM kill"))),
        None => Open("needs the cgroup's oom_kill counter before and after".into()),
    }
}

fn pids(view: &View<'_>) -> Standing {
    match look::cgroup_rise(view.looks(), |cgroup| cgroup.pids_max_hits) {
        Some(0) => Excluded("the cgroup's pids.max was not hit between the looks".into()),
        Some(hits) => Open(format!("pids.max was hit {} between the looks", text::count(hits, "time"))),
        None => Open("needs the cgroup's pids.events before and after".into()),
    }
}

/// A rival that an event of `hook` would have shown.
pub fn absent(why: &str, hook: &'static str) -> Standing {
    Absent { why: why.into(), hook }
}
