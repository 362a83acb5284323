//! The command, or the way to it, was slow.

use crate::verdict::{
    engine::{Claim, Finding},
    exec::totals,
    text,
    view::View,
};

const TOTALS_ONLY: &str = "the partition of its time (sched_switch): totals only";

/// See the rule.
pub fn runtime_slow(view: &View<'_>) -> Finding {
    let Some(run) = view.run.filter(|_| view.timed_out()) else { return Finding::lost("no time-out of an exec probe") };
    let end = if run.exec_ns > 0 { run.exec_ns.min(view.attempt.ended_ns) } else { view.attempt.ended_ns };
    let set_up = end.saturating_sub(run.spawned_ns);
    let share = text::percent(set_up, view.span_ns());
    if share < 50 {
        return Finding::lost(format!("the command started after {}", text::duration(set_up)));
    }
    if run.spawned_ns == 0 {
        return Finding::lost("the runtime's helper was not seen");
    }
    let (took, limit) = (text::duration(set_up), text::duration(view.timeout_ns()));
    let summary = match run.exec_ns {
        0 => format!("the runtime had not started the command when the time-out of {limit} was over"),
        _ => format!("the runtime took {took} of the {limit} to start the command"),
    };
    let claim = Claim::inferred(summary)
        .evidence("spawn of the helper to exec of the command", took, "sched:sched_process_fork, _exec")
        .missing(TOTALS_ONLY);
    let never = run.exec_ns == 0;
    match view.absence_counts("sched:sched_process_exec") {
        Err(why) if never => Finding::lost(why),
        _ => claim.fits(),
    }
}

/// See the rule.
pub fn probe_slow(view: &View<'_>) -> Finding {
    let Some(run) = view.run.filter(|_| view.timed_out()) else { return Finding::lost("no time-out of an exec probe") };
    if run.exec_ns == 0 {
        return Finding::lost("the command was not seen to start");
    }
    let end = if run.exit_ns > 0 { run.exit_ns.min(view.attempt.ended_ns) } else { view.attempt.ended_ns };
    let ran = end.saturating_sub(run.exec_ns);
    if text::percent(ran, view.span_ns()) < 50 {
        return Finding::lost(format!("the command ran only {}", text::duration(ran)));
    }
    let comm = run.command.as_ref().map_or("the command", |command| &command.comm);
    let totals = totals(view);
    let how = totals.map_or_else(String::new, |totals| {
        let (cpu, wait) = (text::duration(totals.on_cpu_ns), text::duration(totals.run_delay_ns));
        let rest = totals.lived_ns.saturating_sub(totals.on_cpu_ns.saturating_add(totals.run_delay_ns));
        format!(": {cpu} on a CPU, {wait} waiting for one, {} asleep", text::duration(rest))
    });
    let (ran, limit) = (text::duration(ran), text::duration(view.timeout_ns()));
    let mut claim = Claim::inferred(format!("{comm} ran {ran} of the {limit} and was not done{how}"));
    claim = claim.evidence("exec to end", ran, "sched:sched_process_exec, _exit");
    if let Some(totals) = totals {
        claim = claim.evidence("CPU time", text::duration(totals.on_cpu_ns), "sched_process_exit, schedstat");
        claim = claim.evidence("waiting for a CPU", text::duration(totals.run_delay_ns), "sched_info.run_delay");
    }
    // Some runtimes do not kill it: then it ended by itself, and that tells what it needs.
    let late = run.exit.as_ref().is_some_and(|exit| exit.code() == Some(0)) && run.exit_ns > view.attempt.ended_ns;
    let needed = run.exit_ns.saturating_sub(view.began_ns).div_ceil(1_000_000_000);
    claim.timeout_seconds = u32::try_from(needed).ok().filter(|_| late);
    claim.missing(TOTALS_ONLY).fits()
}
