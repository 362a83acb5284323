use super::*;
use crate::{
    attempt::facts::Attempt,
    observation::ProcessState,
    record::{
        Confidence::{Likely, Proven},
        Outcome,
    },
    verdict::testing::*,
};

fn stopped(ms: u64) -> Observation {
    with(look(ms), |side| side.owner = Some(process(71, &['T', 'T'])))
}

fn frozen(ms: u64) -> Observation {
    with_cgroup(look(ms), |cgroup| cgroup.frozen = Some(true))
}

fn timeout(looks: Vec<Observation>) -> Attempt {
    Attempt { looks, ..net(Outcome::Timeout, 1000, connected()) }
}

#[test]
fn all_threads_stopped_at_two_looks_is_proof() {
    let verdict = expect(&timeout(vec![stopped(500), stopped(900)]), Cause::ApplicationStopped, Proven);
    assert!(verdict.summary.contains("all threads of nginx (pid 71) are stopped (T)"), "{}", verdict.summary);
    expect(&timeout(vec![stopped(500)]), Cause::ApplicationStopped, Likely);
}

#[test]
fn one_stopped_thread_or_a_cut_list_is_no_stop() {
    let one = |ms| with(look(ms), |side| side.owner = Some(process(71, &['T', 'S'])));
    expect(&timeout(vec![one(500), one(900)]), Cause::NeverAccepted, Likely);
    let cut = |ms| {
        let owner = ProcessState { threads_cut: true, ..process(71, &['T', 'T']) };
        with(look(ms), |side| side.owner = Some(owner))
    };
    expect(&timeout(vec![cut(500), cut(900)]), Cause::NeverAccepted, Likely);
}

#[test]
fn another_process_at_the_second_look_is_no_proof() {
    let other = with(stopped(900), |side| side.owner = Some(process(99, &['T'])));
    expect(&timeout(vec![stopped(500), other]), Cause::ApplicationStopped, Likely);
}

#[test]
fn the_stop_is_the_cause_and_the_full_queue_contributes() {
    let full = |ms| with(stopped(ms), |side| (side.child, side.listeners[0].queue_len) = (None, 129));
    let attempt = Attempt { looks: vec![full(500), full(900)], ..net(Outcome::Timeout, 1000, unanswered()) };
    let verdict = expect(&attempt, Cause::ApplicationStopped, Likely);
    assert_eq!(verdict.contributing, ["accept_queue_full"]);
}

#[test]
fn an_unanswered_syn_is_not_the_stops_doing_while_the_queue_has_room() {
    let empty = |ms| with(stopped(ms), |side| side.child = None);
    let attempt = Attempt { looks: vec![empty(500), empty(900)], ..net(Outcome::Timeout, 1000, unanswered()) };
    assert_eq!(verdict(&attempt).cause, "unknown");
}

#[test]
fn a_frozen_cgroup_at_two_looks_is_proof() {
    expect(&timeout(vec![frozen(500), frozen(900)]), Cause::ContainerFrozen, Proven);
    expect(&timeout(vec![look(500), frozen(900)]), Cause::ContainerFrozen, Likely);
    // The freezer of v1 shows its tasks in D.
    let v1 = |ms| with(frozen(ms), |side| side.owner = Some(process(71, &['D', 'D'])));
    expect(&timeout(vec![v1(500), v1(900)]), Cause::ContainerFrozen, Proven);
}

#[test]
fn a_frozen_exec_is_likely() {
    let attempt = Attempt { looks: vec![frozen(500), frozen(900)], ..exec(Outcome::Timeout, 1030, ran(None, 0)) };
    expect(&attempt, Cause::ContainerFrozen, Likely);
}
