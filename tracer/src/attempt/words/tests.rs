use super::*;
use crate::attempt::testkit::{self, Lab, kubelet};

/// Text of the only attempt that `play` makes of this probe.
fn text(spec: ProbeSpec, play: impl FnOnce(&mut Lab)) -> Option<String> {
    let mut lab = Lab::new(kubelet(), vec![spec]);
    play(&mut lab);
    let closed = lab.finish(20_000);
    assert_eq!(closed.len(), 1);
    error_text(&closed[0])
}

fn asked(lab: &mut Lab) -> u64 {
    let sock = lab.connect(1_000);
    lab.established(sock, 1_000).get(sock, 1_001, "/healthz");
    sock
}

#[test]
fn words_of_http() {
    let http = || testkit::http("/healthz");
    let get = "Get \"http://10.0.0.7:8080/healthz\": ";
    let refused = text(http(), |lab| {
        let sock = lab.connect(1_000);
        lab.fail(sock, 1_000, 111);
    });
    assert_eq!(refused, Some(format!("{get}dial tcp 10.0.0.7:8080: connect: connection refused")));
    let no_route = text(http(), |lab| {
        let sock = lab.connect(1_000);
        lab.fail(sock, 1_100, 113);
    });
    assert_eq!(no_route, Some(format!("{get}dial tcp 10.0.0.7:8080: connect: no route to host")));
    let late = text(http(), |lab| {
        lab.connect(1_000);
    });
    assert_eq!(late, Some(format!("{get}context deadline exceeded (Client.Timeout exceeded while awaiting headers)")));
    let eof = text(http(), |lab| {
        let sock = asked(lab);
        lab.fin(sock, 1_002).close(sock, 1_003);
    });
    assert_eq!(eof, Some(format!("{get}EOF")));
    let reset = text(http(), |lab| {
        let sock = asked(lab);
        lab.fail(sock, 1_002, 104);
    });
    assert_eq!(reset, Some(format!("{get}read tcp 10.0.0.1:40001->10.0.0.7:8080: read: connection reset by peer")));
    let status = text(http(), |lab| {
        let sock = asked(lab);
        lab.status(sock, 1_002, 500).close(sock, 1_003);
    });
    assert_eq!(status.as_deref(), Some("HTTP probe failed with statuscode: 500"));
    let passed = text(http(), |lab| {
        let sock = asked(lab);
        lab.status(sock, 1_002, 200).close(sock, 1_003);
    });
    assert_eq!(passed, None);
    let body = text(http(), |lab| {
        let sock = asked(lab);
        lab.response(sock, 1_002, b"HTTP/1.1 200 OK\r\n\r\nx").close(sock, 2_001);
    });
    assert_eq!(
        body.as_deref(),
        Some("context deadline exceeded (Client.Timeout or context cancellation while reading body)")
    );
    let no_port = text(http(), |lab| {
        let id = lab.connect(1_000);
        let mut sock = lab.sock(id).clone();
        sock.change = crate::event::SockChange::State { from: tcp_state::SYN_SENT, to: tcp_state::CLOSE };
        lab.event(1_000, crate::event::What::Sock(sock));
    });
    assert_eq!(no_port, Some(format!("{get}dial tcp 10.0.0.7:8080: connect: cannot assign requested address")));
}

#[test]
fn words_of_tcp_and_grpc() {
    let late = text(testkit::tcp(), |lab| {
        lab.connect(1_000);
    });
    assert_eq!(late.as_deref(), Some("dial tcp 10.0.0.7:8080: i/o timeout"));
    let refused = text(testkit::tcp(), |lab| {
        let sock = lab.connect(1_000);
        lab.fail(sock, 1_000, 111);
    });
    assert_eq!(refused.as_deref(), Some("dial tcp 10.0.0.7:8080: connect: connection refused"));
    let grpc = text(testkit::grpc(), |lab| {
        let sock = lab.connect(1_000);
        lab.fail(sock, 1_000, 111);
    });
    let words = "timeout: failed to connect service \"10.0.0.7:8080\" within 1s: context deadline exceeded";
    assert_eq!(grpc.as_deref(), Some(words));
    let slow = text(testkit::grpc(), |lab| {
        let sock = lab.connect(1_000);
        lab.established(sock, 1_000).bytes(sock, 1_001, b"PRI * HTTP/2.0", &[0, 0, 0, 4]).close(sock, 2_001);
    });
    assert_eq!(slow.as_deref(), Some("timeout: health rpc did not complete within 1s"));
}

#[test]
fn words_of_exec() {
    let late = text(testkit::exec("a b c"), |lab| {
        lab.runc(1_000, 50, "a b c").command_exit(2_022, 50, 1_000, 9);
    });
    assert_eq!(late.as_deref(), Some("command \"a b c\" timed out"));
    let code = text(testkit::exec("a b c"), |lab| {
        lab.runc(1_000, 50, "a b c").command_exit(1_100, 50, 1_000, 2 << 8);
    });
    assert_eq!(code.as_deref(), Some("command \"a b c\" exited with 2"));
    let gone = text(testkit::exec("nothing"), |lab| {
        lab.runc_fails(1_000, 50);
    });
    assert!(gone.unwrap().starts_with("rpc error: code = Unknown"));
}
