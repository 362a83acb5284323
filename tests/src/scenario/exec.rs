//! Commands.

use super::{Facility, Row, Scenario, command};
use crate::plan::{Kind, Outcome};

pub(super) fn all() -> Vec<Scenario> {
    vec![quick_exec(), slow_exec(), throttled_exec(), exec_exit_code(), command_not_found()]
}

fn quick_exec() -> Scenario {
    Scenario::new("quick_exec", "a command that passes at once", "none").rival("probe_slow").pod(
        "quick-exec",
        vec![],
        vec![command(&["true"], 5).healthy()],
    )
}

fn slow_exec() -> Scenario {
    Scenario::new("slow_exec", "a command that sleeps 3 s", "probe_slow")
        .fails(Outcome::Timeout)
        .rival("cpu_throttled")
        .pod("slow-exec", vec![], vec![command(&["sleep", "3"], 4).every(2)])
}

fn throttled_exec() -> Scenario {
    Scenario::new("throttled_exec", "300 ms of CPU under a quota of a tenth of a CPU", "cpu_throttled")
        .fails(Outcome::Timeout)
        .rival("probe_slow")
        .needs(Facility::CpuController)
        .pod("throttled", vec![], vec![command(&["burn", "300"], 4).every(2)])
        .with(|pod| pod.cpus = Some(0.1))
}

fn exec_exit_code() -> Scenario {
    let healthy = Row { kind: Kind::Readiness, ..command(&["sh", "-c", "exit 0"], 5).healthy() };
    Scenario::new("exec_exit_code", "a command that ends with 7, beside one that passes", "exit_code")
        .fails(Outcome::Failure)
        .rival("command_not_found")
        .pod("exit-code", vec![], vec![command(&["sh", "-c", "exit 7"], 5), healthy])
}

fn command_not_found() -> Scenario {
    Scenario::new(
        "command_not_found",
        "no such command: an error, tried three times and thrown away",
        "command_not_found",
    )
    .fails(Outcome::Error)
    .rival("exit_code")
    .pod("no-command", vec![], vec![command(&["/no/such/command"], 4)])
}
