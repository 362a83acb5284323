use crate::{
    attempt::facts::{Attempt, Run},
    event::Exit,
    observation::{CommandState, Observation},
    record::{
        Confidence::{Likely, Proven, Unknown},
        Outcome,
    },
    verdict::{Cause, testing::*},
};

fn with_command(path: Option<&str>, missing_interpreter: Option<&str>) -> Observation {
    let command = CommandState {
        name: "/bin/check".into(),
        path: path.map(Into::into),
        executable: path.is_some(),
        missing_interpreter: missing_interpreter.map(Into::into),
    };
    Observation { command: Some(command), ..look_nothing(41) }
}

#[test]
fn an_exit_code_is_proof() {
    let verdict = expect(&exec(Outcome::Failure, 50, ran(Some(exit(7 << 8)), 50)), Cause::ExitCode, Proven);
    assert_eq!(verdict.summary, "check ran 20.0 ms and ended with code 7");
    let verdict = expect(&exec(Outcome::Failure, 50, ran(Some(exit(127 << 8)), 50)), Cause::ExitCode, Proven);
    assert!(verdict.summary.contains("was not found"), "{}", verdict.summary);
}

#[test]
fn a_kill_may_be_the_memorys() {
    expect(&exec(Outcome::Failure, 50, ran(Some(exit(11)), 50)), Cause::ExitCode, Likely);
    let killed = exec(Outcome::Failure, 600, ran(Some(exit(137 << 8)), 600));
    expect(&killed, Cause::ExitCode, Likely);
    let later = with_cgroup(look_nothing(601), |cgroup| cgroup.oom_kills = Some(1));
    let attempt = Attempt { looks: vec![look_nothing(500), later], ..killed };
    let verdict = expect(&attempt, Cause::OutOfMemoryKilled, Likely);
    assert!(verdict.summary.contains("check was killed"), "{}", verdict.summary);
}

#[test]
fn a_code_beside_an_oom_kill_of_another_is_still_the_code() {
    let later = with_cgroup(look_nothing(601), |cgroup| cgroup.oom_kills = Some(1));
    let attempt = exec(Outcome::Failure, 600, ran(Some(exit(7 << 8)), 600));
    expect(&Attempt { looks: vec![look_nothing(500), later], ..attempt }, Cause::ExitCode, Proven);
}

#[test]
fn a_command_that_is_not_there() {
    for outcome in [Outcome::Error, Outcome::Failure] {
        let attempt = Attempt { looks: vec![with_command(None, None)], ..exec(outcome, 40, not_started()) };
        let verdict = expect(&attempt, Cause::CommandNotFound, Proven);
        assert!(verdict.summary.starts_with("the container has no /bin/check; check (pid 80) ended with code 1"));
    }
    let attempt = exec(Outcome::Error, 40, not_started());
    let no_shell = with_command(Some("/bin/check"), Some("/bin/sh"));
    let verdict = expect(&Attempt { looks: vec![no_shell], ..attempt.clone() }, Cause::CommandNotFound, Proven);
    assert!(verdict.summary.contains("asks for the interpreter /bin/sh"), "{}", verdict.summary);
    // A bare name depends on the PATH that the runtime used.
    let mut bare = with_command(None, None);
    bare.command.as_mut().unwrap().name = "check".into();
    expect(&Attempt { looks: vec![bare], ..attempt }, Cause::CommandNotFound, Likely);
}

#[test]
fn a_set_up_that_failed_otherwise() {
    let attempt = exec(Outcome::Error, 40, not_started());
    let there = with_command(Some("/bin/check"), None);
    let verdict = expect(&Attempt { looks: vec![there.clone()], ..attempt.clone() }, Cause::ExecSetupFailed, Likely);
    assert!(verdict.ruled_out.iter().any(|one| one.cause == "command_not_found"), "{verdict:#?}");
    // That no exec came means nothing while events are lost.
    let lossy = Attempt { looks: vec![there], no_loss: false, ..attempt.clone() };
    expect(&lossy, Cause::Unknown, Unknown);
    let hit = |ms, hits| with_cgroup(look_nothing(ms), |cgroup| cgroup.pids_max_hits = Some(hits));
    expect(&Attempt { looks: vec![hit(20, 0), hit(41, 2)], ..attempt }, Cause::ForkFailedPids, Likely);
}

fn ended(on_cpu_ms: u64, run_delay_ms: u64) -> Attempt {
    let exit = Exit { on_cpu_ns: on_cpu_ms * MS, run_delay_ns: run_delay_ms * MS, ..exit(9) };
    exec(Outcome::Timeout, 1030, ran(Some(exit), 1030))
}

#[test]
fn a_sleeping_command_is_slow_by_itself() {
    let verdict = expect(&ended(2, 1), Cause::ProbeSlow, Likely);
    assert_eq!(
        verdict.summary,
        "check ran 1.00 s of the 1.00 s and was not done: 2.0 ms on a CPU, 1.0 ms waiting for one, 1.03 s asleep"
    );
    assert!(verdict.missing.iter().any(|line| line.starts_with("cpu_throttled")), "{verdict:#?}");
}

#[test]
fn a_command_that_outlived_its_timeout_tells_what_it_needs() {
    let run = ran(Some(exit(0)), 3200);
    let verdict = expect(&exec(Outcome::Timeout, 1000, run), Cause::ProbeSlow, Likely);
    assert_eq!(verdict.would_pass_with.timeout_seconds, Some(4));
}

#[test]
fn a_runtime_that_takes_most_of_the_time() {
    let late = Run { exec_ns: at(800), ..ran(Some(exit(9)), 1000) };
    let verdict = expect(&exec(Outcome::Timeout, 1000, late), Cause::RuntimeSlow, Likely);
    assert!(verdict.summary.contains("took 800 ms of the 1.00 s"), "{}", verdict.summary);
    let never = Run { exec_ns: 0, command: None, ..ran(None, 0) };
    let attempt = exec(Outcome::Timeout, 1000, never);
    expect(&attempt, Cause::RuntimeSlow, Likely);
    expect(&Attempt { no_loss: false, ..attempt }, Cause::Unknown, Unknown);
}

fn throttled(ms: u64, periods: u64, throttled_ms: u64) -> Observation {
    with_cgroup(look_nothing(ms), |cgroup| {
        (cgroup.nr_throttled, cgroup.throttled_ns) = (Some(periods), Some(throttled_ms * MS));
    })
}

#[test]
fn a_command_against_its_quota_is_throttled() {
    let attempt = Attempt { looks: vec![throttled(500, 4, 400), throttled(930, 8, 780)], ..ended(100, 850) };
    let verdict = expect(&attempt, Cause::CpuThrottled, Likely);
    assert!(verdict.summary.contains("limit of 0.5 CPUs: throttled in 4 periods for 380 ms"), "{}", verdict.summary);
    // A neighbour in the container is throttled while the command sleeps.
    let asleep = Attempt { looks: vec![throttled(500, 4, 400), throttled(930, 8, 780)], ..ended(2, 1) };
    expect(&asleep, Cause::ProbeSlow, Likely);
}

#[test]
fn a_command_that_waits_without_a_quota_is_starved() {
    let attempt = Attempt { looks: vec![throttled(500, 4, 400), throttled(930, 4, 400)], ..ended(100, 850) };
    let verdict = expect(&attempt, Cause::CpuStarved, Likely);
    assert!(verdict.ruled_out.iter().any(|one| one.cause == "cpu_throttled"), "{verdict:#?}");
}

#[test]
fn a_command_blocked_on_its_disk() {
    let blocked = |ms| Observation { processes: vec![process(80, &['D'])], ..look_nothing(ms) };
    let attempt = Attempt { looks: vec![blocked(500), blocked(930)], ..exec(Outcome::Timeout, 1030, ran(None, 0)) };
    expect(&attempt, Cause::BlockedOnIo, Likely);
    expect(&Attempt { looks: vec![blocked(500)], ..attempt }, Cause::ProbeSlow, Likely);
}
