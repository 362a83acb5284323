use std::sync::Arc;

use crate::{
    attempt::facts::{Attempt, History},
    attribution::spec::Container,
    observation::Observation,
    record::{
        Confidence::{Likely, Proven, Unknown},
        Outcome,
    },
    verdict::{Cause, testing::*},
};

fn failed(no_socket: bool, looks: Vec<Observation>) -> Attempt {
    Attempt { looks, ..net(Outcome::Failure, 1, refused(no_socket)) }
}

fn of(mut attempt: Attempt, container: Container) -> Attempt {
    attempt.probe.as_mut().unwrap().container = Arc::new(container);
    attempt
}

/// 400 attempts of a 10 s period were seen of a container that is an hour old: all of them.
fn all_seen() -> History {
    History { is_whole: true, attempts: 400, failures_in_row: 400, ..History::default() }
}

#[test]
fn not_listening_is_proven_by_the_kernels_reason_a_look_at_once_and_the_whole_history() {
    let attempt = Attempt { history: all_seen(), ..failed(true, vec![look_nothing(2)]) };
    let verdict = expect(&attempt, Cause::NotListening, Proven);
    assert!(
        verdict.summary.starts_with("the SYN to 10.0.0.7:8080 was answered with a RST after 0.10 ms"),
        "{verdict:#?}"
    );
    assert!(verdict.ruled_out.iter().any(|one| one.cause == "rejected_by_firewall"));
}

#[test]
fn each_thing_that_is_missing_makes_it_likely() {
    let proven = Attempt { history: all_seen(), ..failed(true, vec![look_nothing(2)]) };
    // A success may have been lost.
    let lossy = History { is_whole: false, ..all_seen() };
    expect(&Attempt { history: lossy, ..proven.clone() }, Cause::NotListening, Likely);
    // It may have listened before tracing began.
    expect(&Attempt { history: History::default(), ..proven.clone() }, Cause::NotListening, Likely);
    // A firewall's reset looks the same.
    expect(&Attempt { history: all_seen(), ..failed(false, vec![look_nothing(2)]) }, Cause::NotListening, Likely);
    // Without a look it may listen elsewhere, and without the kernel's reason it may be a firewall's reset, too.
    let unseen = expect(&Attempt { looks: vec![], ..proven.clone() }, Cause::Unknown, Unknown);
    assert!(unseen.missing[0].contains("the target's listeners"), "{unseen:#?}");
    // Too late to say what was there at the refusal.
    expect(&Attempt { looks: vec![look_nothing(600)], ..proven.clone() }, Cause::NotListening, Likely);
    let unknown_start = Container { started_at_wall_ns: 0, ..container(0) };
    expect(&of(proven, unknown_start), Cause::NotListening, Likely);
}

#[test]
fn stopped_listening_needs_an_earlier_success_of_the_container() {
    let history = History { attempts: 9, successes: 8, last_success_ns: BEGAN - 10_000 * MS, ..History::default() };
    let attempt = Attempt { history, ..failed(true, vec![look_nothing(2)]) };
    let verdict = expect(&attempt, Cause::StoppedListening, Proven);
    assert!(verdict.summary.contains("passed 10 s ago"), "{}", verdict.summary);
    expect(&Attempt { looks: vec![], ..attempt }, Cause::StoppedListening, Likely);
}

#[test]
fn a_young_container_is_still_starting() {
    let attempt = of(failed(true, vec![look_nothing(2)]), container(4_000));
    let verdict = expect(&attempt, Cause::NotListeningYet, Likely);
    assert!(verdict.summary.contains("4.00 s old"), "{}", verdict.summary);
    // One without a process does not start.
    let dead = with_cgroup(look_nothing(2), |cgroup| cgroup.pids = Some((0, None)));
    expect(&Attempt { looks: vec![dead], ..attempt.clone() }, Cause::NotListening, Likely);
    // Past initialDelay + failureThreshold × period.
    expect(&of(attempt, container(31_000)), Cause::NotListening, Likely);
}

#[test]
fn a_listener_that_came_meanwhile_was_late() {
    expect(&failed(true, vec![look(2)]), Cause::NotListeningYet, Likely);
}

#[test]
fn the_same_port_on_another_address_or_family() {
    for (other, how) in [("127.0.0.1:8080", "another address"), ("[::1]:8080", "the other address family")] {
        let seen = with(look_nothing(2), |side| side.other_listeners = vec![listener(other.parse().unwrap())]);
        let verdict = expect(&failed(true, vec![seen]), Cause::ListeningElsewhere, Proven);
        assert!(verdict.summary.ends_with(&format!("nginx (pid 71) listens on {other}, {how}")), "{}", verdict.summary);
    }
}

#[test]
fn anothers_listener_is_not_the_targets() {
    let others = |in_container| {
        with(look_nothing(2), |side| {
            let mut one = listener("127.0.0.1:8080".parse().unwrap());
            one.in_container = in_container;
            side.other_listeners = vec![one];
        })
    };
    expect(&failed(true, vec![others(Some(false))]), Cause::NotListening, Likely);
    expect(&failed(true, vec![others(None)]), Cause::ListeningElsewhere, Likely);
    // On the host network any process of the node may hold it.
    let host = Container { host_network: true, ..container(3_600_000) };
    expect(&of(failed(true, vec![others(None)]), host), Cause::NotListening, Likely);
}

#[test]
fn another_port_is_a_hint_of_a_settled_container_only() {
    let seen = with(look_nothing(2), |side| side.other_listeners = vec![listener("0.0.0.0:8081".parse().unwrap())]);
    let attempt = failed(true, vec![seen]);
    expect(&attempt, Cause::ListeningElsewhere, Likely);
    // A port that the manifest declares has a reason of its own.
    let only_that = Container { ports: vec![8081], ..container(3_600_000) };
    expect(&of(attempt.clone(), only_that), Cause::NotListening, Likely);
    // What another probe is for, or the manifest declares, is listened on as meant.
    expect(&Attempt { meant_ports: vec![8080, 8081], ..attempt.clone() }, Cause::NotListening, Likely);
    expect(&of(attempt.clone(), container(4_000)), Cause::NotListeningYet, Likely);
    let history = History { attempts: 9, successes: 8, ..History::default() };
    expect(&Attempt { history, ..attempt }, Cause::StoppedListening, Proven);
}

#[test]
fn an_address_that_the_container_does_not_have() {
    let seen = with(look_nothing(2), |side| side.address_is_local = false);
    expect(&failed(true, vec![seen.clone()]), Cause::WrongTarget, Likely);
    let host = Container { host_network: true, ..container(3_600_000) };
    expect(&of(failed(true, vec![seen]), host), Cause::NotListening, Likely);
}

#[test]
fn a_reset_that_the_targets_kernel_did_not_send() {
    let verdict = expect(&failed(false, vec![look(2)]), Cause::RejectedByFirewall, Likely);
    assert!(verdict.missing.iter().any(|line| line.starts_with("not_listening_yet")), "{verdict:#?}");
    // Silence proves nothing while events are lost, without the hook, or on a kernel where it is silent.
    let lossy = Attempt { no_loss: false, ..failed(false, vec![look(2)]) };
    assert_ne!(verdict_cause(&lossy, |_| ()), "rejected_by_firewall");
    assert_ne!(verdict_cause(&failed(false, vec![look(2)]), |start| start.hooks.clear()), "rejected_by_firewall");
    let old = |start: &mut crate::input::Start| start.kernel = "6.1.0-13-amd64".into();
    assert_ne!(verdict_cause(&failed(false, vec![look(2)]), old), "rejected_by_firewall");
}

#[test]
fn an_icmp_error_is_no_reset() {
    let mut attempt = failed(false, vec![look_nothing(2)]);
    if let Some(crate::attempt::facts::Try::Net(connections)) = attempt.tries.first_mut() {
        connections[0].reset_ns = 0;
    }
    let verdict = expect(&attempt, Cause::RejectedByFirewall, Likely);
    assert!(verdict.summary.contains("an ICMP error"), "{}", verdict.summary);
}

#[test]
fn grpc_calls_a_refused_port_a_timeout() {
    let attempt = Attempt { looks: vec![look_nothing(2)], ..net(Outcome::Timeout, 1000, refused(true)) };
    expect(&attempt, Cause::NotListening, Likely);
}

fn verdict_cause(attempt: &Attempt, change: impl FnOnce(&mut crate::input::Start)) -> String {
    let mut start = start();
    change(&mut start);
    crate::verdict::judge(attempt, &crate::verdict::Context { start: &start, clock: clock() }).cause
}
