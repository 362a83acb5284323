//! Which connections make one attempt.

use crate::{
    attempt::{
        facts::{Attempt, Try},
        testkit::{self, Lab, MS, as_kind, kubelet, other_prober},
    },
    attribution::spec::{Handler, ProbeKind},
    record::Outcome::{Error, Failure, Success, Timeout},
};

fn connections(attempt: &Attempt) -> usize {
    attempt.tries.iter().map(|one| if let Try::Net(connections) = one { connections.len() } else { 0 }).sum()
}

fn stalled_body(lab: &mut Lab, at_ms: u64) {
    let sock = lab.connect(at_ms);
    lab.established(sock, at_ms).get(sock, at_ms, "/healthz");
    lab.response(sock, at_ms + 2, b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nx").close(sock, at_ms + 1_000);
}

#[test]
fn three_tries_back_to_back_when_the_body_fails() {
    let mut lab = Lab::new(kubelet(), vec![testkit::http("/healthz")]);
    for at in [1_000, 2_001, 3_002] {
        stalled_body(&mut lab, at);
    }
    lab.answer_all(4_010);
    let closed = lab.finish(8_200);
    assert_eq!(closed.len(), 1);
    assert_eq!((closed[0].outcome, closed[0].tries.len()), (Error, 3));
    assert_eq!((closed[0].began_ns, closed[0].ended_ns), (1_000 * MS, 4_002 * MS));
}

/// Each try ends at the moment at which another probe of the same port begins.
fn stalls_beside_tcp(tcp_first: bool) -> Vec<Attempt> {
    let mut lab = Lab::new(kubelet(), vec![testkit::http("/healthz"), as_kind(&testkit::tcp(), ProbeKind::Readiness)]);
    let begin = |lab: &mut Lab, at| {
        let sock = lab.connect(at);
        lab.established(sock, at);
        sock
    };
    let mut at = 1_000;
    for _ in 0..3 {
        let (http, tcp) = if tcp_first {
            let tcp = begin(&mut lab, at);
            (begin(&mut lab, at), tcp)
        } else {
            let http = begin(&mut lab, at);
            (http, begin(&mut lab, at))
        };
        lab.close(tcp, at + 1).get(http, at + 1, "/healthz");
        lab.response(http, at + 2, b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nx").close(http, at + 1_000);
        at += 1_001;
    }
    // After the last one only tcp comes.
    let tcp = begin(&mut lab, at);
    lab.close(tcp, at + 1).advance(at + 5).answer_all(at + 5);
    lab.finish(20_000)
}

#[test]
fn a_next_try_is_known_by_its_request_not_by_its_moment() {
    for tcp_first in [false, true] {
        let closed = stalls_beside_tcp(tcp_first);
        let is_tcp = |attempt: &&Attempt| matches!(attempt.probe.as_ref().unwrap().handler, Handler::Tcp { .. });
        let tcp: Vec<_> = closed.iter().filter(is_tcp).map(|attempt| attempt.outcome).collect();
        assert_eq!((closed.len(), tcp), (5, vec![Success; 4]));
        let http = closed.iter().find(|attempt| !is_tcp(attempt)).unwrap();
        assert_eq!((http.outcome, http.tries.len(), http.ambiguous.len()), (Error, 3, 0));
        assert_eq!((http.began_ns, http.ended_ns), (1_000 * MS, 4_002 * MS));
    }
}

#[test]
fn a_retry_that_passes_makes_the_attempt_pass() {
    let mut lab = Lab::new(kubelet(), vec![testkit::http("/healthz")]);
    stalled_body(&mut lab, 1_000);
    lab.pass(2_001, "/healthz");
    let closed = lab.finish(3_000);
    assert_eq!(closed.len(), 1);
    assert_eq!((closed[0].outcome, closed[0].tries.len()), (Success, 2));
}

#[test]
fn failure_with_err_nil_is_not_retried() {
    let mut lab = Lab::new(kubelet(), vec![testkit::http("/healthz")]);
    for at in [1_000, 1_002] {
        let sock = lab.connect(at);
        lab.fail(sock, at, 111);
    }
    lab.answer_all(1_010);
    assert_eq!(lab.finish(6_000).len(), 2);
}

#[test]
fn redirects_to_the_same_host_are_followed_also_to_another_port() {
    let mut lab = Lab::new(kubelet(), vec![testkit::http("/healthz")]);
    let first = lab.connect(1_000);
    lab.established(first, 1_000).get(first, 1_001, "/healthz").status(first, 1_002, 302).close(first, 1_003);
    let second = lab.connect_to(1_004, "10.0.0.7:9443".parse().unwrap());
    lab.established(second, 1_004).get(second, 1_005, "/login").status(second, 1_006, 500).close(second, 1_007);
    let closed = lab.finish(1_200);
    assert_eq!(closed.len(), 1);
    assert_eq!((closed[0].outcome, connections(&closed[0])), (Failure, 2));
    assert_eq!(closed[0].ended_ns, 1_007 * MS);
}

#[test]
fn a_redirect_to_another_host_is_success() {
    let mut lab = Lab::new(kubelet(), vec![testkit::http("/healthz")]);
    let first = lab.connect(1_000);
    lab.established(first, 1_000).get(first, 1_001, "/healthz").status(first, 1_002, 302).close(first, 1_003);
    let closed = lab.finish(1_200);
    assert_eq!((closed.len(), closed[0].outcome), (1, Success));
}

#[test]
fn redirects_end_after_ten_requests() {
    let mut lab = Lab::new(kubelet(), vec![testkit::http("/a")]);
    for index in 0..10 {
        let at = 1_000 + index * 4;
        let sock = lab.connect(at);
        lab.established(sock, at).get(sock, at, "/a").status(sock, at + 1, 302).close(sock, at + 2);
    }
    let closed = lab.finish(1_500);
    assert_eq!(closed.len(), 1);
    assert_eq!((closed[0].outcome, connections(&closed[0])), (Failure, 10));
}

#[test]
fn grpc_retries_a_refused_port_inside_the_attempt_and_times_out() {
    let mut spec = testkit::grpc();
    spec.timeout_ns = 3_000 * MS;
    let mut lab = Lab::new(kubelet(), vec![spec]);
    for at in [1_000, 2_000, 3_500] {
        let sock = lab.connect(at);
        lab.fail(sock, at, 111);
    }
    lab.advance(4_050).answer_all(4_050);
    let closed = lab.finish(9_000);
    assert_eq!(closed.len(), 1);
    assert_eq!((closed[0].outcome, connections(&closed[0])), (Timeout, 3));
    assert_eq!(closed[0].ended_ns, 4_000 * MS);
}

#[test]
fn the_kubelets_rules_of_errors_hold_whoever_probes() {
    let outcomes = |prober| {
        let mut lab = Lab::new(prober, vec![testkit::http("/healthz")]);
        stalled_body(&mut lab, 1_000);
        stalled_body(&mut lab, 2_001);
        lab.answer_all(3_010);
        lab.finish(8_000).iter().map(|attempt| (attempt.outcome, attempt.tries.len())).collect::<Vec<_>>()
    };
    assert_eq!(outcomes(other_prober()), outcomes(kubelet()));
    assert_eq!(outcomes(kubelet())[0], (Error, 2));
}

#[test]
fn two_attempts_at_one_moment_stay_two() {
    let mut lab = Lab::new(kubelet(), vec![testkit::http("/live"), testkit::http("/ready")]);
    let (one, two) = (lab.connect(1_000), lab.connect(1_000));
    lab.established(one, 1_000).established(two, 1_000).get(two, 1_001, "/ready").get(one, 1_001, "/live");
    lab.status(one, 1_002, 200).close(one, 1_003).status(two, 1_002, 200).close(two, 1_003);
    let closed = lab.finish(1_100);
    let paths: Vec<_> = closed.iter().map(|attempt| (attempt.probe.clone().unwrap(), attempt.chosen_by)).collect();
    assert_eq!(paths, [(testkit::http("/live"), "path"), (testkit::http("/ready"), "path")]);
}

#[test]
fn a_port_that_is_used_again_is_another_attempt() {
    let mut lab = Lab::new(kubelet(), vec![testkit::http("/healthz")]);
    lab.pass(1_000, "/healthz").pass(11_000, "/healthz");
    assert_eq!(lab.finish(12_000).len(), 2);
    assert_eq!(lab.closed()[1].history.successes, 1);
}
