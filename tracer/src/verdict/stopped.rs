//! The server's processes could not run at all: stopped by a signal or debugger, or frozen.

use crate::{
    observation::Observation,
    verdict::{
        Cause,
        engine::{Claim, Finding, Rule},
        listener, look, text,
        view::{Pair, View},
    },
};

/// The family.
pub const RULES: &[Rule] = &[
    Rule {
        cause: Cause::ApplicationStopped,
        seen: "time-out; all threads of the server are in state T or t at two looks of this attempt",
        rivals: &[Cause::ProberStarved],
        brings: &[Cause::AcceptQueueFull],
        advice: &["find who sent SIGSTOP or holds a debugger on it; SIGCONT to that process lets it go on"],
        test: application_stopped,
    },
    Rule {
        cause: Cause::ContainerFrozen,
        seen: "time-out; the container's cgroup is frozen at two looks of this attempt",
        rivals: &[Cause::ApplicationStopped, Cause::ProberStarved],
        brings: &[Cause::AcceptQueueFull],
        advice: &["find who froze the cgroup (docker pause, a checkpoint, a backup agent) and thaw it"],
        test: container_frozen,
    },
];

/// What the prober waited for when it gave up: a connection in the server's hands, or a full queue.
fn waiting(view: &View<'_>) -> Option<(bool, &'static str)> {
    if !view.timed_out() || view.connection.is_none() {
        return None;
    }
    if view.established().is_some() {
        return Some((true, "the connection was established and not served"));
    }
    listener::is_full(view).then_some((false, "the SYN was not answered, the accept queue is full"))
}

fn application_stopped(view: &View<'_>) -> Finding {
    let Some((established, state)) = waiting(view) else {
        return Finding::lost("no time-out that waits for the server");
    };
    let Some(pair) = view.pair() else { return one_look(view) };
    let all = |test| look::all_threads(pair.mid_target, test) && look::all_threads(pair.late_target, test);
    if !all(look::is_stopped) {
        return Finding::lost("not all threads of the server are stopped at both looks");
    }
    let who = look::owner_name(pair.late_target);
    let tracer = pair.late_target.owner.as_ref().map_or(0, |owner| owner.tracer_pid);
    let by = if tracer > 0 { format!(", held by the debugger {tracer}") } else { String::new() };
    let summary = format!("{state}: all threads of {who} are stopped (T) at {}{by}", at_looks(view, &pair));
    // A stop that lasted has no run time between the looks; two short ones around them have.
    let ran = look::holder_times(&pair).map(|times| times.on_cpu_ns);
    let claim = Claim::shown_if(established && look::same_owner(&pair) && ran == Some(0), summary)
        .evidence("state of the server's threads", "T, T", "/proc/PID/task/TID/stat")
        .evidence("debugger", tracer, "/proc/PID/status TracerPid");
    let claim = match (established, look::same_owner(&pair)) {
        (false, _) => claim.missing("that the SYN was dropped for the full queue: needs tcp_conn_request"),
        (true, false) => claim.missing("the same process at both looks"),
        (true, true) if ran != Some(0) => claim.missing("that it did not run between the looks"),
        (true, true) => claim,
    };
    claim.fits()
}

/// Only one look: consistent, no more.
fn one_look(view: &View<'_>) -> Finding {
    let stopped = view.targets().find(|(_, target)| look::all_threads(target, look::is_stopped));
    let Some((seen, target)) = stopped else {
        return Finding::lost("the server's threads were not seen, or not stopped");
    };
    let who = look::owner_name(target);
    let summary = format!("all threads of {who} are stopped (T) at {}", view.since_begin(seen.at_ns));
    Claim::inferred(summary).missing("a second look at its threads").fits()
}

fn container_frozen(view: &View<'_>) -> Finding {
    let frozen = |look: &Observation| look.cgroup.as_ref().is_some_and(|cgroup| cgroup.frozen == Some(true));
    let both = view.mid.is_some_and(frozen) && view.late.is_some_and(frozen);
    let Some(seen) = view.looks().find(|look| frozen(look)) else {
        return Finding::lost("the container's cgroup is not frozen at any look");
    };
    let (shown, state) = match (view.run, waiting(view)) {
        (Some(_), _) if view.timed_out() => (false, "the command did not end"),
        (None, Some((established, state))) => (established && both, state),
        _ => return Finding::lost("no time-out that waits for the container"),
    };
    let when = if both { "both looks".to_owned() } else { view.since_begin(seen.at_ns) };
    let claim = Claim::shown_if(shown, format!("{state}: the container's cgroup is frozen at {when}")).evidence(
        "frozen",
        "1",
        "cgroup freezer",
    );
    let claim = match (both, shown) {
        (false, _) => claim.missing("the freezer's state at two looks"),
        (true, false) => claim.missing("that nothing else kept the answer back"),
        (true, true) => claim,
    };
    claim.fits()
}

/// `503 ms and 901 ms of 1.00 s`.
pub fn at_looks(view: &View<'_>, pair: &Pair<'_>) -> String {
    let (mid, late) = (view.since_begin(pair.mid.at_ns), view.since_begin(pair.late.at_ns));
    format!("{mid} and {late} of {}", text::duration(view.timeout_ns()))
}

#[cfg(test)]
mod tests;
