//! exec attempts by the runtime's process tree. Wait statuses: exit code << 8, signal in the low bits.

use crate::{
    attempt::{
        facts::{Attempt, Run, Try},
        testkit::{self, BOOT_AHEAD_NS, CONTAINER, Lab, MS, PROBER, kubelet, other_prober, update},
    },
    attribution::spec::{ProbeKind, SpecSource},
    input::Input,
    record::Outcome::{Aborted, Error, Failure, Success, Timeout},
};

const CHECK: &str = "/bin/check -live";

fn lab() -> Lab {
    Lab::new(
        kubelet(),
        vec![testkit::exec(CHECK), testkit::as_kind(&testkit::exec("/bin/check -ready"), ProbeKind::Readiness)],
    )
}

fn run(attempt: &Attempt) -> &Run {
    let Some(Try::Exec(run)) = attempt.tries.last() else { panic!("no run") };
    run
}

#[test]
fn exit_status_0_passes_and_the_legs_are_known() {
    let mut lab = lab();
    lab.runc(1_000, 50, CHECK).command_exit(1_100, 50, 1_000, 0);
    let closed = lab.finish(1_200);
    assert_eq!(closed.len(), 1);
    assert_eq!((closed[0].outcome, closed[0].began_ns, closed[0].ended_ns), (Success, 1_000 * MS, 1_100 * MS));
    assert_eq!(closed[0].probe, Some(testkit::exec(CHECK)));
    let run = run(&closed[0]);
    assert_eq!((run.spawned_ns, run.exec_ns, run.helper_exit_ns), (1_000 * MS, 1_020 * MS, 1_021 * MS));
    assert_eq!(closed[0].prober.pid, PROBER);
}

#[test]
fn exit_status_not_0_is_a_failure() {
    let mut lab = lab();
    lab.runc(1_000, 50, CHECK).command_exit(1_100, 50, 1_000, 3 << 8).answer_all(1_110);
    assert_eq!(lab.finish(1_300)[0].outcome, Failure);
    assert_eq!(lab.asked().len(), 1, "a look right after it");
}

#[test]
fn sigkill_at_the_time_out_is_the_time_out_and_earlier_a_failure() {
    for (at_ms, outcome) in [(2_021, Timeout), (1_500, Failure)] {
        let mut lab = lab();
        lab.runc(1_000, 50, CHECK).command_exit(at_ms, 50, 1_000, 9).answer_all(at_ms + 10);
        let closed = lab.finish(at_ms + 300);
        assert_eq!((closed[0].outcome, closed[0].ended_ns), (outcome, at_ms * MS));
    }
}

#[test]
fn still_alive_after_the_time_out_is_a_time_out() {
    let mut lab = lab();
    lab.runc(1_000, 50, CHECK).advance(2_300).answer_all(2_300);
    let closed = lab.finish(2_400);
    assert_eq!((closed[0].outcome, closed[0].ended_ns), (Timeout, 2_021 * MS));
    let request = &lab.asked()[0];
    assert_eq!((request.container_id.as_str(), request.pids.clone()), (CONTAINER, vec![51]));
}

#[test]
fn the_runtimes_timer_starts_when_the_command_has_started() {
    // runc took 1.5 s of a time-out of 1 s: containerd has not begun to count.
    let mut lab = lab();
    let line = format!("runc exec --process /tmp/p --detach {CONTAINER}");
    let cgroup = format!("cri-containerd-{CONTAINER}.scope");
    lab.fork(1_000, 0, 50).exec(1_001, 50, 1_000, &line).fork(1_010, 50, 51);
    lab.exec_in(2_500, 51, 1_010, CHECK, &cgroup).exit(2_501, 50, 1_000, 0).exit(2_600, 51, 1_010, 0);
    let closed = lab.finish(2_700);
    assert_eq!((closed[0].outcome, closed[0].ended_ns), (Success, 2_600 * MS));
}

#[test]
fn three_identical_execs_in_one_tick_are_error_retries() {
    let mut lab = Lab::new(kubelet(), vec![testkit::exec(CHECK)]);
    lab.runc_fails(1_000, 50).runc_fails(1_030, 60).runc_fails(1_060, 70).answer_all(1_075);
    let closed = lab.finish(1_500);
    assert_eq!(closed.len(), 1);
    assert_eq!((closed[0].outcome, closed[0].tries.len()), (Error, 3));
    assert_eq!(lab.asked()[0].command.as_deref(), Some("/bin/check"));
}

#[test]
fn a_start_that_succeeds_at_the_second_try_passes() {
    let mut lab = Lab::new(kubelet(), vec![testkit::exec(CHECK)]);
    lab.runc_fails(1_000, 50).runc(1_030, 60, CHECK).command_exit(1_080, 60, 1_030, 0);
    let closed = lab.finish(1_500);
    assert_eq!(closed.len(), 1);
    assert_eq!((closed[0].outcome, closed[0].tries.len()), (Success, 2));
}

#[test]
fn kubectl_exec_is_no_probe() {
    let mut lab = lab();
    lab.runc(1_000, 50, "/bin/sh -i").command_exit(1_100, 50, 1_000, 0);
    assert!(lab.finish(1_300).is_empty());
    let counters = lab.tracker.counters();
    assert_eq!((counters.unattributed, counters.bounds["execs_of_other_commands"]), (1, 1));
}

#[test]
fn identical_argv_is_ambiguous() {
    let liveness = testkit::exec(CHECK);
    let readiness = testkit::as_kind(&liveness, ProbeKind::Readiness);
    let mut lab = Lab::new(kubelet(), vec![liveness, readiness.clone()]);
    lab.runc(1_000, 50, CHECK).command_exit(1_100, 50, 1_000, 0);
    assert_eq!(lab.finish(1_200)[0].ambiguous, [readiness]);
}

#[test]
fn a_prober_that_runs_its_command_itself() {
    for (status, outcome) in [(0, Success), (1 << 8, Failure)] {
        let mut lab = Lab::new(other_prober(), vec![testkit::exec(CHECK)]);
        lab.fork(1_000, PROBER, 50).exec(1_001, 50, 1_000, CHECK).exit(1_050, 50, 1_000, status).answer_all(1_060);
        let closed = lab.finish(1_200);
        assert_eq!((closed.len(), closed[0].outcome, closed[0].began_ns), (1, outcome, 1_000 * MS));
    }
}

#[test]
fn a_used_again_pid_is_another_process() {
    let mut lab = lab();
    lab.runc(1_000, 50, CHECK).command_exit(1_100, 50, 1_000, 0);
    lab.runc(2_000, 50, CHECK).command_exit(2_100, 50, 2_000, 1 << 8).answer_all(2_110);
    let outcomes: Vec<_> = lab.finish(2_300).iter().map(|attempt| attempt.outcome).collect();
    assert_eq!(outcomes, [Success, Failure]);
}

#[test]
fn a_command_whose_forks_were_lost_is_found_by_its_cgroup() {
    let mut lab = Lab::new(kubelet(), vec![testkit::exec(CHECK)]);
    let line = format!("runc exec --process /tmp/p --detach {CONTAINER}");
    lab.exec(1_001, 50, 1_000, &line).lost_fork(50, 51);
    lab.exec_in(1_020, 51, 1_010, CHECK, &format!("crio-{CONTAINER}.scope")).exit(1_050, 51, 1_010, 0);
    let closed = lab.finish(1_200);
    assert_eq!((closed.len(), closed[0].outcome), (1, Success));
    assert_eq!(closed[0].began_ns, 1_000 * MS, "from its start, not from the exec");
}

#[test]
fn conmon_is_the_helper_of_cri_o() {
    let mut lab = Lab::new(kubelet(), vec![testkit::exec(CHECK)]);
    let conmon = format!("/usr/bin/conmon -c {CONTAINER} -r /usr/bin/runc -e -T 1 --exec-process-spec /tmp/p");
    let runc = format!("/usr/bin/runc exec --pid-file /p --process /tmp/p -d {CONTAINER}");
    lab.fork(1_000, 0, 50).exec(1_001, 50, 1_000, &conmon).fork(1_003, 50, 51).exit(1_004, 50, 1_000, 0);
    lab.fork(1_005, 51, 52).exec(1_006, 52, 1_005, &runc).fork(1_010, 52, 53).exec(1_011, 53, 1_010, "runc init");
    lab.exec_in(1_020, 53, 1_010, CHECK, &format!("crio-{CONTAINER}.scope")).exit(1_021, 52, 1_005, 0);
    lab.exit(2_030, 53, 1_010, 9).answer_all(2_040);
    let closed = lab.finish(2_300);
    assert_eq!((closed.len(), closed[0].outcome), (1, Timeout));
}

#[test]
fn a_container_that_is_known_late_gets_its_attempt_whole() {
    let mut lab = Lab::empty(kubelet());
    lab.runc(1_000, 50, CHECK).command_exit(1_100, 50, 1_000, 0);
    lab.runc(1_200, 60, "/bin/other").command_exit(1_300, 60, 1_200, 0);
    lab.finish(5_000);
    lab.feed(Input::Specs(update(5_000, SpecSource::Api, vec![testkit::exec(CHECK)])));
    let closed = lab.finish(5_100);
    assert_eq!(closed.len(), 1);
    assert_eq!((closed[0].outcome, closed[0].began_ns, closed[0].ended_ns), (Success, 1_000 * MS, 1_100 * MS));
    assert_eq!(lab.tracker.counters().unattributed, 1);
}

#[test]
fn other_runtime_calls_are_no_attempts() {
    let mut lab = lab();
    lab.fork(1_000, 0, 50).exec(1_001, 50, 1_000, &format!("runc create --bundle /b {CONTAINER}")).fork(1_002, 50, 51);
    lab.exec_in(1_100, 51, 1_002, CHECK, &format!("cri-containerd-{CONTAINER}.scope")).exit(1_200, 51, 1_002, 0);
    assert!(lab.stop(2_000).is_empty());
}

#[test]
fn stop_aborts_a_command_that_runs() {
    let mut lab = lab();
    lab.runc(1_000, 50, CHECK);
    assert_eq!(lab.stop(1_500)[0].outcome, Aborted);
}

#[test]
fn the_spawn_is_the_childs_own_start() {
    let mut lab = lab();
    let fork = crate::event::Fork {
        ppid: PROBER,
        kppid: PROBER,
        pid: 50,
        kpid: 50,
        start_boot_ns: 999 * MS + BOOT_AHEAD_NS,
        root_kpid: PROBER,
        is_first: true,
    };
    lab.event(1_000, crate::event::What::Fork(fork));
    lab.exec(1_001, 50, 999, &format!("runc exec {CONTAINER}"));
    assert_eq!(lab.stop(1_100)[0].began_ns, 999 * MS);
}

/// As recorded under a kubelet with containerd 1.6 and runc 1.1: runc is its tree's root, its init runs itself twice, then
/// forks twice, and runc ends (0) before the last of these runs the command.
fn runc_1_1(lab: &mut Lab, at_ms: u64, pid: u32, command: &str) {
    let line = format!(
        "runc --root /run/containerd/runc/k8s.io --log /run/x/{CONTAINER}/log.json --log-format json exec --process /tmp/runc-process1 --detach --pid-file /run/x/{CONTAINER}/1.pid {CONTAINER}"
    );
    let (parent, child, init) = (pid + 1, pid + 2, pid + 3);
    lab.exec(at_ms + 1, pid, at_ms, &line).fork(at_ms + 5, pid, parent);
    lab.exec(at_ms + 5, parent, at_ms + 5, "runc init").exec(at_ms + 6, parent, at_ms + 5, "runc init");
    lab.fork(at_ms + 7, parent, child).fork(at_ms + 7, child, init);
    lab.exit(at_ms + 8, child, at_ms + 7, 0).exit(at_ms + 8, parent, at_ms + 5, 0).exit(at_ms + 18, pid, at_ms, 0);
    lab.exec_in(at_ms + 19, init, at_ms + 7, command, CONTAINER);
}

#[test]
fn the_stages_of_a_real_runc_are_one_tree() {
    for (status, outcome) in [(0, Success), (7 << 8, Failure)] {
        let mut lab = lab();
        runc_1_1(&mut lab, 1_000, 50, CHECK);
        lab.exit(1_030, 53, 1_007, status).answer_all(1_040);
        let closed = lab.finish(1_200);
        assert_eq!(closed.len(), 1);
        assert_eq!((closed[0].outcome, closed[0].began_ns, closed[0].ended_ns), (outcome, 1_000 * MS, 1_030 * MS));
        let run = run(&closed[0]);
        assert_eq!((run.exec_ns, run.helper_exit_ns, run.others.len()), (1_019 * MS, 1_018 * MS, 2));
    }
}

#[test]
fn a_command_of_a_real_runc_is_killed_at_the_time_out() {
    let mut lab = lab();
    runc_1_1(&mut lab, 1_000, 50, CHECK);
    lab.exit(2_020, 53, 1_007, 9).answer_all(2_030);
    assert_eq!(lab.finish(2_300)[0].outcome, Timeout);
}

#[test]
fn what_the_container_itself_runs_while_a_helper_waits_is_not_its_command() {
    // A container that began under our eyes is of the tree of its `runc create`.
    let mut lab = lab();
    lab.exec(500, 40, 490, &format!("runc create --bundle /b {CONTAINER}")).fork(501, 40, 41).exit(502, 40, 490, 0);
    lab.exec_in(510, 41, 501, "/bin/app", CONTAINER);
    let line = format!("runc exec --process /tmp/p --detach {CONTAINER}");
    lab.exec(1_001, 50, 1_000, &line).fork(1_005, 50, 51);
    lab.fork(1_010, 41, 42).exec_in(1_011, 42, 1_010, "/bin/date", CONTAINER).exit(1_012, 42, 1_010, 1 << 8);
    lab.exec_in(1_020, 51, 1_005, CHECK, CONTAINER).exit(1_021, 50, 1_000, 0).exit(1_050, 51, 1_005, 0);
    let closed = lab.finish(1_200);
    assert_eq!((closed.len(), closed[0].outcome), (1, Success));
}

#[test]
fn a_containers_own_program_is_no_other_probers_command() {
    let mut lab = Lab::new(other_prober(), vec![testkit::exec(CHECK)]);
    lab.exec(500, 40, 490, &format!("runc create --bundle /b {CONTAINER}")).fork(501, 40, 41).exit(502, 40, 490, 0);
    lab.exec_in(510, 41, 501, CHECK, CONTAINER).exit(600, 41, 501, 0);
    assert!(lab.stop(1_000).is_empty());
}
