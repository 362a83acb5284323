//! What comes late, is unknown, or is cut.

use crate::{
    attempt::{
        Output,
        facts::Try,
        testkit::{self, Lab, MS, kubelet, target, update},
    },
    attribution::spec::SpecSource,
    event::{Peer, SockChange, What, tcp_state},
    input::{Input, Losses},
    record::Outcome::{Failure, Success},
};

#[test]
fn a_new_pods_first_probes_come_up_to_9_s_before_its_address() {
    let mut lab = Lab::empty(kubelet());
    let sock = lab.connect(1_000);
    lab.established(sock, 1_001).get(sock, 1_001, "/healthz").status(sock, 1_002, 200).close(sock, 1_003);
    assert!(lab.finish(9_000).is_empty());
    lab.feed(Input::Specs(update(9_900, SpecSource::Api, vec![testkit::http("/healthz")])));
    let closed = lab.finish(10_000);
    assert_eq!(closed.len(), 1);
    assert_eq!((closed[0].outcome, closed[0].began_ns), (Success, 1_000 * MS));
    assert_eq!(closed[0].spec_source, Some(SpecSource::Api));
    assert_eq!(lab.tracker.counters().unattributed, 0);
}

#[test]
fn what_no_source_comes_to_know_is_counted_and_gives_no_record() {
    let mut lab = Lab::empty(kubelet());
    lab.connect_to(1_000, "10.96.0.1:443".parse().unwrap());
    lab.finish(12_000);
    assert!(lab.closed().is_empty());
    assert_eq!(lab.tracker.counters().unattributed, 1);
    lab.feed(Input::Specs(update(12_100, SpecSource::Api, vec![testkit::http("/healthz")])));
    assert!(lab.stop(13_000).is_empty());
}

#[test]
fn a_request_that_no_probe_makes_is_no_probe() {
    let mut lab = Lab::new(kubelet(), vec![testkit::http("/healthz")]);
    lab.pass(1_000, "/lifecycle");
    assert!(lab.finish(6_000).is_empty());
    assert_eq!(lab.tracker.counters().unattributed, 1);
}

#[test]
fn sockets_from_before_the_start_of_tracing_are_ignored_and_counted() {
    let mut lab = Lab::new(kubelet(), vec![testkit::http("/healthz")]);
    let mut sock = {
        let id = lab.connect_to(500, "10.0.0.9:1".parse().unwrap());
        lab.sock(id).clone()
    };
    (sock.id, sock.remote, sock.born_ns) = (77, target(), 0);
    sock.change = SockChange::State { from: tcp_state::SYN_SENT, to: tcp_state::ESTABLISHED };
    lab.event(1_000, What::Sock(sock));
    assert!(lab.stop(2_000).is_empty());
    assert_eq!(lab.tracker.counters().bounds["sockets_cut_by_start"], 1);
}

#[test]
fn a_lost_first_event_is_made_up_for_by_the_sockets_birth() {
    let mut lab = Lab::new(kubelet(), vec![testkit::http("/healthz")]);
    let mut sock = {
        let id = lab.connect_to(500, "10.0.0.9:1".parse().unwrap());
        lab.sock(id).clone()
    };
    (sock.id, sock.remote, sock.born_ns, sock.error) = (77, target(), 900 * MS, 111);
    sock.change = SockChange::State { from: tcp_state::SYN_SENT, to: tcp_state::CLOSE };
    lab.event(901, What::Sock(sock));
    lab.answer_all(910);
    let closed = lab.finish(5_000);
    assert_eq!((closed.len(), closed[0].outcome, closed[0].began_ns), (1, Failure, 900 * MS));
}

#[test]
fn a_reset_seen_at_the_target_joins_the_connection_whose_port_comes_later() {
    let mut lab = Lab::new(kubelet(), vec![testkit::http("/healthz")]);
    let sock = lab.connect(1_000);
    let peer = Peer {
        local: target(),
        remote: "10.0.0.1:40001".parse().unwrap(),
        reason: "NO_SOCKET".into(),
        has_socket: false,
    };
    lab.event(1_000, What::ResetSent(peer.clone()));
    lab.event(1_000, What::ResetSent(Peer { remote: "10.0.0.2:40001".parse().unwrap(), ..peer.clone() }));
    lab.fail(sock, 1_000, 111).answer_all(1_001);
    let closed = lab.finish(1_100);
    let Try::Net(connections) = &closed[0].tries[0] else { panic!("no connection") };
    assert_eq!(connections[0].resets_sent, [(1_000 * MS, peer)]);
}

#[test]
fn an_answer_inside_the_window_is_attached_and_a_later_one_counted() {
    let mut lab = Lab::new(kubelet(), vec![testkit::http("/healthz")]);
    let sock = lab.connect(1_000);
    lab.fail(sock, 1_000, 111);
    assert!(lab.finish(3_000).is_empty(), "waits for the look");
    lab.answer_all(3_100);
    assert_eq!(lab.closed()[0].looks.len(), 1);
    lab.answer_all(3_200);
    assert_eq!(lab.tracker.counters().bounds["answers_after_close"], 1);
}

#[test]
fn a_look_without_an_answer_holds_for_4_s_at_most() {
    let mut lab = Lab::new(kubelet(), vec![testkit::http("/healthz")]);
    let sock = lab.connect(1_000);
    lab.fail(sock, 1_000, 111);
    let closed = lab.finish(5_100);
    assert_eq!(closed.len(), 1);
    assert!(closed[0].closed_ns <= 5_050 * MS);
}

#[test]
fn a_loss_in_the_window_is_said() {
    let mut lab = Lab::new(kubelet(), vec![testkit::http("/healthz")]);
    let sock = lab.connect(1_000);
    lab.fail(sock, 1_000, 111).answer_all(1_001);
    lab.feed(Input::Losses(Losses { at_ns: 1_002 * MS, ring_full: 1, ..Losses::default() }));
    lab.feed(Input::Tick { now_ns: 1_100 * MS });
    lab.feed(Input::Losses(Losses { at_ns: 1_101 * MS, ring_full: 1, ..Losses::default() }));
    assert!(!lab.closed()[0].no_loss);
}

#[test]
fn targets_are_said_when_they_change() {
    let mut lab = Lab::new(kubelet(), vec![testkit::http("/a"), testkit::http("/b")]);
    lab.feed(Input::Specs(update(1, SpecSource::File, vec![testkit::http("/a")])));
    lab.feed(Input::Specs(update(2, SpecSource::File, Vec::new())));
    let targets: Vec<_> = lab.out.iter().filter(|output| matches!(output, Output::Targets(_))).cloned().collect();
    let here = (target().ip(), target().port());
    assert_eq!(targets, [Output::Targets(vec![here]), Output::Targets(Vec::new())]);
}

#[test]
fn an_attempt_is_matched_against_the_specs_valid_at_its_time() {
    let mut lab = Lab::new(kubelet(), vec![testkit::http("/healthz")]);
    let sock = lab.connect(1_000);
    let other = testkit::with_container(&testkit::http("/healthz"), |container| container.pod_uid = "uid-2".into());
    lab.feed(Input::Specs(update(1_001, SpecSource::File, vec![other.clone()])));
    lab.established(sock, 1_002).get(sock, 1_002, "/healthz").status(sock, 1_003, 200).close(sock, 1_003);
    lab.pass(2_000, "/healthz");
    let closed = lab.finish(3_000);
    assert_eq!(closed[0].probe, Some(testkit::http("/healthz")));
    assert_eq!(closed[1].probe, Some(other));
}
