use super::Cause;
use crate::{
    attempt::facts::Attempt,
    observation::Observation,
    record::{
        Confidence::{Likely, Proven, Unknown},
        Outcome,
    },
    verdict::testing::*,
};

type Change = fn(Observation) -> Observation;

fn timeout(looks: Vec<Observation>) -> Attempt {
    Attempt { looks, ..net(Outcome::Timeout, 1000, connected()) }
}

#[test]
fn never_accepted_is_proven_by_the_states_at_three_looks() {
    let verdict = expect(&timeout(vec![look(500), look(900), look(1001)]), Cause::NeverAccepted, Proven);
    // It may have been accepted at the last moment, or closed by the server, which leaves an orphan.
    expect(&timeout(vec![look(500), look(900)]), Cause::NeverAccepted, Likely);
    expect(&timeout(vec![look(500), look(900), look_child(1001, 9, 0)]), Cause::NeverAccepted, Likely);
    let orphan = |ms| with(look(ms), |side| side.child.as_mut().unwrap().state = 4);
    expect(&timeout(vec![orphan(500), orphan(900), orphan(1001)]), Cause::Unknown, Unknown);
    assert_eq!(
        verdict.summary,
        "connected in 0.10 ms, request sent; at 500 ms and 900 ms of 1.00 s it waits in the accept queue: nginx (pid 71) \
         had not accepted it"
    );
    for rival in ["application_stopped", "cpu_throttled", "fd_exhausted", "container_frozen", "accept_queue_full"] {
        assert!(verdict.ruled_out.iter().any(|one| one.cause == rival), "{rival}: {verdict:#?}");
    }
}

#[test]
fn one_look_is_not_enough() {
    expect(&timeout(vec![look(900)]), Cause::NeverAccepted, Likely);
    expect(&timeout(vec![look(500)]), Cause::NeverAccepted, Likely);
    // Read only after the deadline: no proof of the state before it.
    expect(&timeout(vec![look(500), look(1000)]), Cause::NeverAccepted, Likely);
}

#[test]
fn a_rival_that_cannot_be_excluded_is_named() {
    let cases: [(&str, Change); 6] = [
        ("application_stopped", |seen| with(seen, |side| side.owner.as_mut().unwrap().threads[1].state = 'T')),
        ("blocked_on_io", |seen| with(seen, |side| side.owner.as_mut().unwrap().threads[1].state = 'D')),
        ("cpu_starved", |seen| with(seen, |side| side.owner.as_mut().unwrap().threads[0].state = 'R')),
        ("fd_exhausted", |seen| with(seen, |side| side.owner.as_mut().unwrap().fds = None)),
        ("container_frozen", |seen| with_cgroup(seen, |cgroup| cgroup.frozen = None)),
        ("cpu_throttled", |seen| with_cgroup(seen, |cgroup| cgroup.nr_throttled = Some(8))),
    ];
    for (rival, change) in cases {
        let verdict = expect(&timeout(vec![look(500), change(look(900))]), Cause::NeverAccepted, Likely);
        assert!(verdict.missing.iter().any(|line| line.starts_with(rival)), "{rival}: {verdict:#?}");
    }
}

#[test]
fn a_stopped_worker_among_holders_leaves_a_doubt() {
    let shared = |ms| with(look(ms), |side| side.co_owners = vec![process(90, &['T'])]);
    expect(&timeout(vec![shared(500), shared(900)]), Cause::NeverAccepted, Likely);
}

#[test]
fn another_connections_child_says_nothing() {
    let other = |ms| with(look(ms), |side| side.child.as_mut().unwrap().remote.set_port(1));
    expect(&timeout(vec![other(500), other(900)]), Cause::Unknown, Unknown);
}

#[test]
fn accepted_never_read_is_proven_by_unread_bytes() {
    let unread = u32::try_from(REQUEST).unwrap();
    let looks = [500, 900, 1001].map(|ms| look_child(ms, 9, unread)).to_vec();
    let verdict = expect(&timeout(looks), Cause::AcceptedNeverRead, Proven);
    assert!(verdict.summary.contains("58 bytes unread in the server's receive queue"), "{}", verdict.summary);
    assert!(verdict.summary.contains("nginx (pid 71) accepted the connection and had not read it"));
    // Accepted between the looks: the second alone is no proof.
    expect(&timeout(vec![look_child(500, 0, unread), look_child(900, 9, unread)]), Cause::AcceptedNeverRead, Likely);
}

#[test]
fn a_part_read_is_a_slow_application() {
    let looks = vec![look_child(500, 9, 20), look_child(900, 9, 20)];
    expect(&timeout(looks), Cause::ApplicationSlow, Likely);
}

#[test]
fn a_read_request_without_answer_is_slow_and_its_dependency_a_doubt() {
    let verdict = expect(&timeout(vec![look_child(500, 9, 0), look_child(900, 9, 0)]), Cause::ApplicationSlow, Likely);
    assert!(verdict.missing.iter().any(|line| line.starts_with("dependency_blocked")), "{verdict:#?}");
    assert!(verdict.summary.contains("GET /healthz"), "{}", verdict.summary);
    assert_eq!(verdict.would_pass_with.timeout_seconds, None);
}

#[test]
fn a_late_answer_tells_the_timeout_that_would_do() {
    let mut attempt = net(Outcome::Timeout, 1000, answered("HTTP/1.1 200 OK\r\n", 2300));
    attempt.looks = vec![look_child(500, 9, 0), look_child(900, 9, 0)];
    assert_eq!(expect(&attempt, Cause::ApplicationSlow, Likely).would_pass_with.timeout_seconds, Some(3));
}

#[test]
fn a_stalled_body_is_an_error_of_a_slow_application() {
    let mut attempt = net(Outcome::Error, 1000, answered("HTTP/1.1 200 OK\r\n", 5));
    attempt.looks = vec![look_child(500, 9, 0), look_child(900, 9, 0)];
    let verdict = expect(&attempt, Cause::ApplicationSlow, Likely);
    assert!(verdict.summary.contains("its answer began and was not complete"), "{}", verdict.summary);
}

#[test]
fn without_looks_the_servers_end_is_missing() {
    let verdict = expect(&timeout(vec![]), Cause::Unknown, Unknown);
    assert!(verdict.missing[0].contains("the server's end"), "{verdict:#?}");
}
