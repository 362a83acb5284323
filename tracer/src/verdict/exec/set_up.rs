//! The command never started.

use crate::{
    attempt::facts::Run,
    event::Exit,
    record::Outcome,
    verdict::{
        Cause,
        engine::{Claim, Finding, Standing},
        look, rivals, text,
        view::View,
    },
};

/// The end of the process that should have become the command, or of the runtime's helper, with an error.
fn failed<'a>(view: &View<'a>) -> Result<(&'a Run, &'a Exit), Finding> {
    let Some(run) = view.run else { return Err(Finding::lost("no exec probe")) };
    if !matches!(view.attempt.outcome, Outcome::Failure | Outcome::Error) {
        return Err(Finding::lost("it did not fail before its time-out"));
    }
    if run.exec_ns > 0 {
        return Err(Finding::lost("the command started"));
    }
    let ends = [run.helper_exit.as_ref(), run.exit.as_ref()];
    match ends.into_iter().flatten().find(|end| end.status != 0) {
        Some(end) => Ok((run, end)),
        None => Err(Finding::lost("neither the helper nor the process for the command was seen to fail")),
    }
}

fn ended(end: &Exit) -> String {
    match (end.signal(), end.code()) {
        (Some(signal), _) => format!("by signal {signal}"),
        (None, code) => format!("with code {}", code.unwrap_or(0)),
    }
}

/// See the rule.
pub fn command_not_found(view: &View<'_>) -> Finding {
    let (_, end) = match failed(view) {
        Ok(found) => found,
        Err(lost) => return lost,
    };
    let Some(command) = view.looks().filter_map(|look| look.command.as_ref()).next() else {
        return Finding::lost("the container's root was not looked at");
    };
    let name = &command.name;
    let why = match (&command.path, &command.missing_interpreter) {
        (None, _) => format!("the container has no {name}"),
        (Some(path), Some(interpreter)) => format!("{path} asks for the interpreter {interpreter}, which is not there"),
        _ => return Finding::lost(format!("{name} is there")),
    };
    // A bare name is looked up on a PATH that may be set for the exec alone.
    let sure = name.starts_with('/') || command.missing_interpreter.is_some();
    let helper = text::process(&end.comm, end.pid);
    let claim = Claim::shown_if(sure, format!("{why}; {helper} ended {} and never started it", ended(end)))
        .evidence("command", name, "exec.command")
        .evidence(
            "in the container's root",
            if command.path.is_some() { "no interpreter" } else { "missing" },
            "/proc/PID/root",
        );
    let claim = if sure { claim } else { claim.missing("the PATH that the runtime searched") };
    claim.fits()
}

/// See the rule.
pub fn fork_failed_pids(view: &View<'_>) -> Finding {
    let (_, end) = match failed(view) {
        Ok(found) => found,
        Err(lost) => return lost,
    };
    let hits = look::cgroup_rise(view.looks(), |cgroup| cgroup.pids_max_hits);
    let Some(hits) = hits.filter(|hits| *hits > 0) else {
        return Finding::lost("pids.max was not seen to be hit between looks");
    };
    let helper = text::process(&end.comm, end.pid);
    Claim::inferred(format!("{helper} ended {}, and the container hit its pids limit meanwhile", ended(end)))
        .evidence("pids.events max rose by", hits, "pids.events of the container")
        .fits()
}

/// See the rule: an inference, since the failing step is not seen.
pub fn exec_setup_failed(view: &View<'_>) -> Finding {
    let (run, end) = match failed(view) {
        Ok(found) => found,
        Err(lost) => return lost,
    };
    if let Err(why) = view.absence_counts("sched:sched_process_exec") {
        return Finding::lost(why);
    }
    let command = view.looks().filter_map(|look| look.command.as_ref()).next();
    let standing = match command {
        Some(found) if found.path.is_some() && found.missing_interpreter.is_none() => {
            Standing::Excluded(format!("{} is in the container", found.name))
        }
        Some(_) => Standing::Shown("the container has no such command".into()),
        None => rivals::standing(view, Cause::CommandNotFound),
    };
    let not_executable = command.is_some_and(|found| found.path.is_some() && !found.executable);
    let hint = if not_executable { "; the file is not executable" } else { "" };
    let after = text::duration(run.helper_exit_ns.max(run.exit_ns).saturating_sub(run.spawned_ns));
    let helper = text::process(&end.comm, end.pid);
    Claim::inferred(format!("{helper} ended {} after {after} and never started the command{hint}", ended(end)))
        .evidence("end of the helper", ended(end), "sched:sched_process_exit")
        .missing("which step of the set-up failed: the runtime's log has it")
        .rival(Cause::CommandNotFound, standing)
        .fits()
}
