use super::*;
use crate::{
    attempt::facts::Attempt,
    record::Confidence::{Likely, Proven, Unknown},
    verdict::testing::*,
};

fn reset(reason: &str, has_socket: bool) -> Connection {
    let peer = Peer { local: target(), remote: prober(), reason: reason.into(), has_socket };
    Connection {
        reset_ns: at(3),
        reset_in: tcp_state::ESTABLISHED,
        closed_ns: at(3),
        error: 104,
        resets_sent: vec![(at(3), peer)],
        ..connected()
    }
}

fn closed(rx: &str) -> Connection {
    let mut connection = if rx.is_empty() { connected() } else { answered(rx, 2) };
    connection.bytes.fin_rx_ns = at(3);
    Connection { closed_ns: at(4), closed_from: tcp_state::CLOSE_WAIT, ..connection }
}

#[test]
fn a_status_of_400_or_more_is_proof() {
    let verdict = expect(&net(Outcome::Failure, 4, answered("HTTP/1.1 500 No\r\n", 3)), Cause::HttpStatus, Proven);
    assert_eq!(verdict.summary, "GET /healthz was answered with HTTP status 500 after 3.0 ms");
    let verdict = expect(&net(Outcome::Failure, 4, answered("HTTP/1.1 404 No\r\n", 3)), Cause::HttpStatus, Proven);
    assert!(verdict.advice[0].contains("httpGet.path"));
}

#[test]
fn a_stalled_body_is_not_judged_by_its_status() {
    let verdict = verdict(&net(Outcome::Error, 1000, answered("HTTP/1.1 500 No\r\n", 3)));
    assert_eq!(verdict.cause, "application_slow");
}

#[test]
fn the_applications_reset_is_proven_by_the_kernels_reason() {
    for reason in ["TCP_ABORT_ON_CLOSE", "TCP_ABORT_ON_LINGER", "TCP_STATE"] {
        let verdict = expect(&net(Outcome::Failure, 3, reset(reason, true)), Cause::ResetByApplication, Proven);
        assert!(verdict.summary.contains(reason), "{}", verdict.summary);
    }
}

#[test]
fn a_reset_of_unknown_origin_is_likely_at_best() {
    let mut unseen = reset("", true);
    unseen.resets_sent.clear();
    let verdict = expect(&net(Outcome::Failure, 3, unseen), Cause::ResetByApplication, Likely);
    assert!(verdict.missing.iter().any(|line| line.starts_with("rejected_by_firewall")), "{verdict:#?}");
    expect(&net(Outcome::Failure, 3, reset("NO_SOCKET", false)), Cause::ResetByApplication, Likely);
    let unwatched = Connection { bytes_watched: false, ..reset("TCP_ABORT_ON_CLOSE", true) };
    expect(&net(Outcome::Failure, 3, unwatched), Cause::ResetByApplication, Likely);
}

#[test]
fn a_full_queue_with_abort_on_overflow_is_named() {
    let mut unseen = reset("", false);
    unseen.resets_sent.clear();
    let full = with(look(4), |side| side.listeners[0].queue_len = 129);
    let attempt = Attempt { looks: vec![full], ..net(Outcome::Failure, 3, unseen) };
    let verdict = expect(&attempt, Cause::ResetByApplication, Likely);
    assert!(verdict.missing.iter().any(|line| line.contains("tcp_abort_on_overflow")), "{verdict:#?}");
}

#[test]
fn a_fin_without_any_answer_is_proof_of_an_early_close() {
    let verdict = expect(&net(Outcome::Failure, 4, closed("")), Cause::ClosedEarly, Proven);
    assert!(verdict.summary.contains("having sent 0 bytes"), "{}", verdict.summary);
    // A part of an answer, unwatched bytes, TLS: the answer itself is not known.
    expect(&net(Outcome::Failure, 4, closed("HTT")), Cause::ClosedEarly, Likely);
    let mut tls = net(Outcome::Failure, 4, closed(""));
    if let Handler::Http { tls, .. } = &mut tls.probe.as_mut().unwrap().handler {
        *tls = true;
    }
    let verdict = expect(&tls, Cause::ClosedEarly, Likely);
    assert!(verdict.missing[0].starts_with("tls_failed"), "{verdict:#?}");
}

#[test]
fn the_first_of_fin_and_reset_decides() {
    let fin_first = Connection { reset_ns: at(4), reset_in: tcp_state::CLOSE_WAIT, ..closed("") };
    expect(&net(Outcome::Failure, 4, fin_first), Cause::ClosedEarly, Proven);
    let mut reset_first = reset("TCP_ABORT_ON_CLOSE", true);
    reset_first.bytes.fin_rx_ns = at(9);
    expect(&net(Outcome::Failure, 3, reset_first), Cause::ResetByApplication, Proven);
}

#[test]
fn a_close_by_the_prober_is_none_of_these() {
    expect(&net(Outcome::Failure, 4, Connection { closed_ns: at(4), ..connected() }), Cause::Unknown, Unknown);
}
