//! Exec probes: the runtime's way to the command, and the command's own end.

mod outcome;
mod set_up;
mod slow;

use crate::verdict::{Cause, engine::Rule, view::View};

/// Ends by the kernel's hand: before all that only looks slow.
pub const KILLED: &[Rule] = &[Rule {
    cause: Cause::OutOfMemoryKilled,
    seen: "killed by signal 9 before its time-out, and the cgroup's oom_kill counter rose between looks",
    rivals: &[],
    brings: &[],
    advice: &["raise the container's memory limit: the probe's command is charged to it as well"],
    test: outcome::out_of_memory_killed,
}];

/// The family.
pub const RULES: &[Rule] = &[
    Rule {
        cause: Cause::CommandNotFound,
        seen: "the runtime failed to start the command, and the container's root has no such file",
        rivals: &[],
        brings: &[],
        advice: &["correct exec.command, or add the program to the image; a shell is needed for shell syntax"],
        test: set_up::command_not_found,
    },
    Rule {
        cause: Cause::ForkFailedPids,
        seen: "the runtime failed to start the command, and pids.max was hit between looks",
        rivals: &[Cause::ExecSetupFailed],
        brings: &[],
        advice: &["look for processes that nobody reaps in the container (zombies), then raise the pod's pids limit"],
        test: set_up::fork_failed_pids,
    },
    Rule {
        cause: Cause::ExecSetupFailed,
        seen: "the runtime's helper ended with an error, and the command never started",
        rivals: &[Cause::CommandNotFound, Cause::ForkFailedPids, Cause::OutOfMemoryKilled],
        brings: &[],
        advice: &["read the runtime's log for this container at that time: it names the step that failed"],
        test: set_up::exec_setup_failed,
    },
    Rule {
        cause: Cause::ExitCode,
        seen: "the command was started and ended with a code that is not 0, or by a signal",
        rivals: &[],
        brings: &[],
        advice: &["run the command in the container by hand and read its output"],
        test: outcome::exit_code,
    },
    Rule {
        cause: Cause::RuntimeSlow,
        seen: "time-out; most of the time passed before the command started",
        rivals: &[Cause::CpuThrottled, Cause::CpuStarved],
        brings: &[],
        advice: &["look at the node's load and the runtime's log; each exec probe costs several processes"],
        test: slow::runtime_slow,
    },
    Rule {
        cause: Cause::ProbeSlow,
        seen: "time-out; most of the time passed in the command itself",
        rivals: &[Cause::CpuThrottled, Cause::CpuStarved, Cause::BlockedOnIo, Cause::RuntimeOutputHeld],
        brings: &[],
        advice: &["make the command cheaper, or raise timeoutSeconds above what it needs"],
        test: slow::probe_slow,
    },
];

/// Totals of the command and the processes that it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// On CPU.
    pub on_cpu_ns: u64,
    /// Runnable and not running.
    pub run_delay_ns: u64,
    /// From the spawn to the end, or to the last look.
    pub lived_ns: u64,
}

/// By the command's exit, else by the last look at its processes. A task's totals begin at its spawn.
pub fn totals(view: &View<'_>) -> Option<Totals> {
    let run = view.run?;
    let began = run.spawned_ns;
    if let (Some(exit), Some(command)) = (&run.exit, &run.command) {
        let children = run.others.iter().filter(|other| other.start_boot_ns > command.start_boot_ns);
        let all = || children.clone().chain([exit]);
        return Some(Totals {
            on_cpu_ns: all().map(|one| one.on_cpu_ns).sum(),
            run_delay_ns: all().map(|one| one.run_delay_ns).max().unwrap_or(0),
            lived_ns: run.exit_ns.saturating_sub(began),
        });
    }
    let look = view.looks().filter(|look| !look.processes.is_empty()).last()?;
    let threads = || look.processes.iter().flat_map(|process| &process.threads);
    Some(Totals {
        on_cpu_ns: threads().map(|thread| thread.on_cpu_ns).sum(),
        run_delay_ns: threads().map(|thread| thread.run_delay_ns).max().unwrap_or(0),
        lived_ns: look.at_ns.saturating_sub(began),
    })
}

#[cfg(test)]
mod tests;
