//! How one connection ends.

use crate::{
    attempt::{
        testkit::{self, Lab, MS, as_kind, kubelet, other_prober},
        unseen::unseen,
        words::error_text,
    },
    attribution::spec::ProbeKind,
    record::Outcome::{Aborted, Error, Failure, Success, Timeout},
};

fn lab() -> Lab {
    Lab::new(kubelet(), vec![testkit::http("/healthz")])
}

/// Connected, and the request sent at 1001 ms.
fn asked() -> (Lab, u64) {
    let mut lab = lab();
    let sock = lab.connect(1_000);
    lab.established(sock, 1_000).get(sock, 1_001, "/healthz");
    (lab, sock)
}

#[test]
fn success_is_200_to_399() {
    for (status, outcome) in
        [(200, Success), (204, Success), (304, Success), (399, Success), (400, Failure), (500, Failure)]
    {
        let (mut lab, sock) = asked();
        lab.status(sock, 1_002, status).close(sock, 1_003);
        let closed = lab.finish(1_100);
        assert_eq!(closed.len(), 1, "{status}");
        assert_eq!((closed[0].outcome, closed[0].ended_ns), (outcome, 1_003 * MS), "{status}");
        assert_eq!(closed[0].probe, Some(testkit::http("/healthz")));
    }
}

#[test]
fn a_passed_attempt_closes_at_once_and_asks_nothing() {
    let (mut lab, sock) = asked();
    lab.status(sock, 1_002, 200).close(sock, 1_003);
    assert_eq!(lab.closed().len(), 1);
    assert!(lab.asked().is_empty());
}

#[test]
fn refused_is_syn_sent_to_close_on_rst() {
    let mut lab = lab();
    let sock = lab.connect(1_000);
    lab.fail(sock, 1_000, 111);
    assert_eq!(lab.asked().len(), 1, "a look right after it");
    lab.answer_all(1_005);
    let closed = lab.finish(1_100);
    assert_eq!((closed[0].outcome, closed[0].ended_ns), (Failure, 1_000 * MS));
    assert_eq!(closed[0].looks.len(), 1);
    assert!(closed[0].no_loss);
}

#[test]
fn unreachable_surfaces_as_an_error() {
    let mut lab = lab();
    let sock = lab.connect(1_000);
    lab.fail(sock, 1_300, 113).answer_all(1_310);
    let closed = lab.finish(1_400);
    assert_eq!((closed[0].outcome, closed[0].ended_ns), (Failure, 1_300 * MS));
}

#[test]
fn connect_that_fails_synchronously_is_a_failure_at_once() {
    let mut lab = lab();
    let sock = lab.connect(1_000);
    lab.close(sock, 1_000).answer_all(1_001);
    assert_eq!(lab.finish(1_100)[0].outcome, Failure);
}

#[test]
fn the_outcome_is_decided_by_a_timer_of_timeout_seconds_not_by_close() {
    // Go 1.23 and later: the SYN_SENT socket lives on.
    let mut lab = lab();
    let sock = lab.connect(1_000);
    lab.retransmit(sock, 2_000);
    let closed = lab.finish(6_100);
    assert_eq!(closed.len(), 1);
    assert_eq!((closed[0].outcome, closed[0].ended_ns), (Timeout, 2_000 * MS));
    assert!(closed[0].closed_ns <= 6_100 * MS, "at most 4 s of late evidence");
    // It connects at last, unused.
    lab.established(sock, 19_500).close(sock, 19_501);
    assert_eq!(lab.finish(30_000).len(), 1, "the orphan is no attempt of its own");
    assert_eq!(lab.tracker.counters().unattributed, 0);
}

#[test]
fn go_1_22_and_older_closes_syn_sent_at_the_deadline() {
    let mut lab = lab();
    let sock = lab.connect(1_000);
    lab.close(sock, 2_002).answer_all(2_010);
    let closed = lab.finish(2_100);
    assert_eq!((closed[0].outcome, closed[0].ended_ns), (Timeout, 2_002 * MS));
}

#[test]
fn time_out_in_established_is_close_at_the_deadline() {
    let (mut lab, sock) = asked();
    lab.close(sock, 2_001).answer_all(2_010);
    let closed = lab.finish(2_100);
    assert_eq!((closed[0].outcome, closed[0].ended_ns), (Timeout, 2_001 * MS));
}

#[test]
fn looks_come_at_half_and_nine_tenths_of_the_time_out_and_at_the_deadline() {
    let (mut lab, _) = asked();
    lab.advance(2_010);
    let at: Vec<u64> = lab.asked().iter().map(|request| request.at_ns / MS).collect();
    assert_eq!(at, [1_500, 1_900, 2_000]);
    let (local, remote) = lab.asked()[0].connection.unwrap();
    assert_eq!((local.port(), remote), (40_001, testkit::target()));
}

#[test]
fn kubelet_late_application_innocent_is_a_time_out() {
    // The answer lay unread in the socket at the deadline: close sends RST.
    let (mut lab, sock) = asked();
    lab.status(sock, 1_800, 200).close_unread(sock, 2_001).answer_all(2_010);
    assert_eq!(lab.finish(2_100)[0].outcome, Timeout);
}

#[test]
fn what_comes_after_the_deadline_or_the_probers_close_is_no_answer() {
    // kubelet 1.20, timeoutSeconds 1: it closed, and the server that noticed sent its answer.
    for (close, answer) in [(2_000, 2_000), (2_001, 2_000), (1_999, 2_001), (2_001, 2_003)] {
        let (mut lab, sock) = asked();
        if answer < close {
            lab.status(sock, answer, 200).close(sock, close);
        } else {
            lab.close(sock, close).status(sock, answer, 200);
            lab.retransmit(sock, answer + 1);
        }
        lab.answer_all(2_010);
        let closed = lab.finish(6_500);
        assert_eq!(closed.len(), 1, "{close} {answer}");
        assert_eq!((closed[0].outcome, closed[0].tries.len()), (Timeout, 1), "{close} {answer}");
    }
}

#[test]
fn an_answer_at_the_last_moment_passes() {
    let (mut lab, sock) = asked();
    lab.status(sock, 1_998, 200).close(sock, 1_999);
    assert_eq!(lab.finish(2_100)[0].outcome, Success);
}

#[test]
fn a_body_over_10_kib_ends_in_rst_and_is_a_success() {
    let (mut lab, sock) = asked();
    lab.response(sock, 1_002, &[b"HTTP/1.1 200 OK\r\n\r\n".as_slice(), &[b'x'; 50_000]].concat());
    lab.close_unread(sock, 1_003);
    assert_eq!(lab.finish(1_100)[0].outcome, Success);
}

#[test]
fn rst_before_the_headers_is_a_failure() {
    let (mut lab, sock) = asked();
    lab.fail(sock, 1_010, 104).answer_all(1_020);
    let closed = lab.finish(1_200);
    assert_eq!((closed[0].outcome, closed[0].ended_ns), (Failure, 1_010 * MS));
}

#[test]
fn eof_before_the_headers_is_a_failure() {
    let (mut lab, sock) = asked();
    lab.fin(sock, 1_010).close(sock, 1_011).answer_all(1_020);
    assert_eq!(lab.finish(1_200)[0].outcome, Failure);
}

#[test]
fn deadline_during_the_body_is_an_error_of_the_kubelet() {
    let (mut lab, sock) = asked();
    lab.response(sock, 1_002, b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nx").close(sock, 2_001).answer_all(2_010);
    assert_eq!(lab.finish(2_300)[0].outcome, Error);
}

#[test]
fn a_body_shorter_than_promised_is_an_error() {
    let (mut lab, sock) = asked();
    lab.response(sock, 1_002, b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\nx").fin(sock, 1_003).close(sock, 1_004);
    lab.answer_all(1_010);
    assert_eq!(lab.finish(1_300)[0].outcome, Error);
}

#[test]
fn rst_after_a_whole_answer_that_is_not_retried_counts_by_its_status() {
    let (mut lab, sock) = asked();
    lab.status(sock, 1_002, 200).fail(sock, 1_002, 104).answer_all(1_010);
    assert_eq!(lab.finish(1_300)[0].outcome, Success);
}

#[test]
fn tcp_passes_when_the_kernel_finished_the_handshake() {
    let mut lab = Lab::new(kubelet(), vec![testkit::tcp()]);
    let sock = lab.connect(1_000);
    lab.established(sock, 1_001).close(sock, 1_002);
    let closed = lab.finish(1_100);
    assert_eq!((closed[0].outcome, closed[0].ended_ns), (Success, 1_002 * MS));
}

#[test]
fn tcp_fails_by_a_rst_before_the_probers_close_and_passes_by_one_after_it() {
    let mut lab = Lab::new(kubelet(), vec![testkit::tcp()]);
    let sock = lab.connect(1_000);
    lab.established(sock, 1_001).fail(sock, 1_002, 104).answer_all(1_010);
    let sock = lab.connect(11_000);
    lab.established(sock, 11_001).close(sock, 11_002).fail(sock, 11_002, 104);
    let closed = lab.finish(12_000);
    let outcomes: Vec<_> = closed.iter().map(|attempt| (attempt.outcome, attempt.ended_ns)).collect();
    assert_eq!(outcomes, [(Failure, 1_002 * MS), (Success, 11_002 * MS)]);
    assert_eq!(unseen(&closed[0]), ["whether the prober had seen the connection before the RST came"]);
    let text = error_text(&closed[0]);
    assert_eq!(text.as_deref(), Some("dial tcp 10.0.0.7:8080: connect: connection reset by peer"));
}

#[test]
fn a_rst_before_the_request_names_no_handler() {
    let both = vec![testkit::http("/healthz"), as_kind(&testkit::tcp(), ProbeKind::Readiness)];
    let mut lab = Lab::new(kubelet(), both.clone());
    let sock = lab.connect(1_000);
    lab.established(sock, 1_001).fail(sock, 1_002, 104).answer_all(1_010);
    // Its own close, and nothing sent: tcp.
    let sock = lab.connect(5_000);
    lab.established(sock, 5_001).close(sock, 5_002);
    let closed = lab.finish(6_000);
    assert_eq!((closed[0].outcome, closed[0].ambiguous.len()), (Failure, 1));
    assert_eq!((closed[1].outcome, closed[1].ambiguous.len()), (Success, 0));
    assert_eq!(closed[1].probe.as_ref(), Some(&both[1]));
}

#[test]
fn a_late_connection_with_no_bytes_is_an_orphan_not_a_tcp_success() {
    let mut lab = Lab::new(kubelet(), vec![testkit::tcp()]);
    let sock = lab.connect(1_000);
    lab.established(sock, 2_500).close(sock, 2_501).answer_all(2_600);
    let closed = lab.finish(7_000);
    assert_eq!(closed.len(), 1);
    assert_eq!((closed[0].outcome, closed[0].ended_ns), (Timeout, 2_000 * MS));
}

#[test]
fn grpc_passes_when_the_prober_closes_after_http2() {
    let mut lab = Lab::new(kubelet(), vec![testkit::grpc()]);
    let sock = lab.connect(1_000);
    lab.established(sock, 1_000).bytes(sock, 1_002, b"PRI * HTTP/2.0", &[0, 0, 0, 4, 0]).close(sock, 1_010);
    assert_eq!(lab.finish(1_100)[0].outcome, Success);
}

#[test]
fn certificate_problems_never_fail_a_probe_but_plain_http_does() {
    for (answer, outcome) in
        [(b"\x16\x03\x03".as_slice(), Success), (b"HTTP/1.0 400 Bad", Failure), (b"\x15\x03\x03", Failure)]
    {
        let mut lab = Lab::new(kubelet(), vec![testkit::https("/healthz")]);
        let sock = lab.connect(1_000);
        lab.established(sock, 1_001).bytes(sock, 1_010, b"\x16\x03\x01", answer).close(sock, 1_020).answer_all(1_030);
        assert_eq!(lab.finish(1_200)[0].outcome, outcome);
    }
}

#[test]
fn a_kubelet_that_goes_aborts_another_prober_gives_up() {
    for (start, outcome) in [(kubelet(), Aborted), (other_prober(), Timeout)] {
        let mut lab = Lab::new(start, vec![testkit::http("/healthz")]);
        let sock = lab.connect(1_000);
        lab.established(sock, 1_000).get(sock, 1_001, "/healthz").close(sock, 1_400).answer_all(1_410);
        let closed = lab.finish(6_000);
        assert_eq!((closed[0].outcome, closed[0].ended_ns), (outcome, 1_400 * MS));
    }
}

#[test]
fn stop_aborts_what_is_open_once() {
    let (mut lab, _) = asked();
    let closed = lab.stop(1_300);
    assert_eq!(closed.len(), 1);
    assert_eq!((closed[0].outcome, closed[0].ended_ns), (Aborted, 1_300 * MS));
    assert_eq!(lab.stop(1_301).len(), 1);
}
