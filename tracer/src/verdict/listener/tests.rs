use super::*;
use crate::{
    attempt::facts::{Attempt, Connection},
    observation::Observation,
    record::{
        Confidence::{Likely, Unknown},
        Outcome,
    },
    verdict::testing::*,
};

fn full(ms: u64, overflows: u64) -> Observation {
    with(look(ms), |side| {
        (side.child, side.listeners[0].queue_len, side.listeners[0].queue_max) = (None, 2, 1);
        side.counters = vec![("ListenOverflows".into(), overflows)];
    })
}

fn timeout(connection: Connection, looks: Vec<Observation>) -> Attempt {
    Attempt { looks, ..net(Outcome::Timeout, 1000, connection) }
}

#[test]
fn a_full_queue_drops_the_syn() {
    let verdict = expect(&timeout(unanswered(), vec![full(500, 1), full(900, 3)]), Cause::AcceptQueueFull, Likely);
    assert!(verdict.summary.contains("the accept queue of nginx (pid 71) on 10.0.0.7:8080 holds 2 of 1"));
    assert!(verdict.evidence.iter().any(|one| one.what == "ListenOverflows rose by" && one.value == "2"));
    assert!(verdict.missing.iter().any(|line| line.contains("tcp_conn_request")), "{verdict:#?}");
    assert!(verdict.ruled_out.iter().any(|one| one.cause == "timestamp_rejected_tw_recycle"), "{verdict:#?}");
}

#[test]
fn a_queue_at_its_limit_still_takes_one() {
    let at_limit = |ms| with(full(ms, 0), |side| side.listeners[0].queue_len = 1);
    let verdict = expect(&timeout(unanswered(), vec![at_limit(500), at_limit(900)]), Cause::Unknown, Unknown);
    assert!(verdict.missing.iter().any(|line| line.starts_with("dropped_by_netfilter")), "{verdict:#?}");
    assert!(verdict.summary.contains("its accept queue is not full"), "{}", verdict.summary);
}

#[test]
fn one_of_two_reuseport_listeners_leaves_a_doubt() {
    let half = |ms| with(full(ms, 0), |side| side.listeners.push(listener(target())));
    let verdict = expect(&timeout(unanswered(), vec![half(500), half(900)]), Cause::AcceptQueueFull, Likely);
    assert!(verdict.missing[0].contains("SO_REUSEPORT"), "{verdict:#?}");
}

#[test]
fn on_the_final_ack_the_prober_believes_itself_connected() {
    let connection = Connection { synack_retransmits: 1, ..connected() };
    let verdict = expect(&timeout(connection, vec![full(500, 1), full(900, 1)]), Cause::AcceptQueueFull, Likely);
    assert!(verdict.summary.starts_with("the prober believes itself connected"), "{}", verdict.summary);
    // Nothing is repeated, or the target has the connection: something else.
    let verdict = verdict_of(connected(), vec![full(500, 1), full(900, 1)]);
    assert_eq!(verdict, "unknown");
    let has_child = |ms| with(look(ms), |side| (side.listeners[0].queue_len, side.listeners[0].queue_max) = (2, 1));
    assert_eq!(verdict_of(connected(), vec![has_child(500), has_child(900)]), "never_accepted");
}

#[test]
fn no_descriptor_left_for_accept() {
    let used_up = |ms| with(look(ms), |side| side.owner.as_mut().unwrap().fds = Some((1024, 1024)));
    let verdict = expect(&timeout(connected(), vec![used_up(500), used_up(900)]), Cause::FdExhausted, Likely);
    assert!(verdict.summary.contains("1024 of 1024"), "{}", verdict.summary);
    let full = |ms| with(used_up(ms), |side| (side.child, side.listeners[0].queue_len) = (None, 129));
    let verdict = expect(&timeout(unanswered(), vec![full(500), full(900)]), Cause::FdExhausted, Likely);
    assert_eq!(verdict.contributing, ["accept_queue_full"]);
}

fn verdict_of(connection: Connection, looks: Vec<Observation>) -> String {
    verdict(&timeout(connection, looks)).cause
}
