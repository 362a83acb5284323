//! How the command ended.

use crate::{
    record::Outcome,
    verdict::{
        Cause,
        engine::{Claim, Finding, Standing},
        look, text,
        view::View,
    },
};

/// `128 + SIGKILL`: a shell's code for a child that was killed.
const KILLED_CODE: u32 = 137;

/// See the rule.
pub fn exit_code(view: &View<'_>) -> Finding {
    let Some(run) = view.run else { return Finding::lost("no exec probe") };
    if !matches!(view.attempt.outcome, Outcome::Failure | Outcome::Error) {
        return Finding::lost("it did not fail before its time-out");
    }
    if run.exec_ns == 0 {
        return Finding::lost("the command was not seen to start");
    }
    let Some(exit) = &run.exit else { return Finding::lost("the command's end was not seen") };
    let comm = run.command.as_ref().map_or("the command", |command| &command.comm);
    let ran = text::duration(run.exit_ns.saturating_sub(run.exec_ns));
    if let Some(signal) = exit.signal() {
        return Claim::inferred(format!("{comm} was ended by signal {signal} after {ran}"))
            .evidence("signal", signal, "sched:sched_process_exit")
            .missing("who sent the signal")
            .fits();
    }
    let code = exit.code().unwrap_or(0);
    if code == 0 {
        return Finding::lost("the command ended with code 0");
    }
    let hint = match code {
        126 => ": of a shell, the program is not executable",
        127 => ": of a shell, the program was not found",
        _ => "",
    };
    let claim = Claim::shown_if(code != KILLED_CODE, format!("{comm} ran {ran} and ended with code {code}{hint}"));
    let claim = claim.evidence("exit code", code, "sched:sched_process_exit");
    let killed = || Standing::Open("code 137 is also a shell's answer when the kernel killed its child".into());
    match code {
        KILLED_CODE => claim.rival(Cause::OutOfMemoryKilled, killed()).fits(),
        _ => claim.fits(),
    }
}

/// See the rule.
pub fn out_of_memory_killed(view: &View<'_>) -> Finding {
    let Some(run) = view.run else { return Finding::lost("no exec probe") };
    if !matches!(view.attempt.outcome, Outcome::Failure | Outcome::Error) {
        return Finding::lost("it did not fail before its time-out");
    }
    let kills = look::cgroup_rise(view.looks(), |cgroup| cgroup.oom_kills);
    let Some(kills) = kills.filter(|kills| *kills > 0) else {
        return Finding::lost("no OOM kill in the container's cgroup was seen between looks");
    };
    let ends = [&run.exit, &run.helper_exit].into_iter().flatten().chain(&run.others);
    let Some(victim) = ends.into_iter().find(|end| end.signal() == Some(9) || end.code() == Some(KILLED_CODE)) else {
        return Finding::lost("none of its processes was killed");
    };
    let summary = format!("{} was killed while the container ran out of memory", victim.comm);
    Claim::inferred(summary)
        .evidence("oom_kill rose by", kills, "memory.events of the container")
        .evidence("killed", text::process(&victim.comm, victim.pid), "sched:sched_process_exit")
        .missing("the victim itself: needs oom:mark_victim")
        .fits()
}
