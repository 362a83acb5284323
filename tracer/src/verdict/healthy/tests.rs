use super::*;
use crate::{
    attempt::facts::{Attempt, Connection},
    record::Confidence::{Likely, Proven, Unknown},
    verdict::testing::*,
};

#[test]
fn http_passes_by_its_status() {
    let verdict = expect(&net(Outcome::Success, 4, answered("HTTP/1.1 204 OK\r\n", 3)), Cause::None, Proven);
    assert_eq!(verdict.summary, "passed in 4.0 ms: connected in 0.10 ms, first answer byte at 3.0 ms, HTTP status 204");
    assert!(verdict.advice.is_empty() && verdict.ruled_out.is_empty());
}

#[test]
fn without_bytes_no_status_is_claimed() {
    let unseen = Connection { bytes_watched: false, ..connected() };
    let https = Handler::Http { address: None, host_name: None, port: 8080, path: "/".into(), tls: true };
    let grpc = Handler::Grpc { address: None, port: 8080, service: String::new() };
    for handler in [http(), https.clone(), grpc] {
        let mut attempt = net(Outcome::Success, 4, unseen.clone());
        attempt.probe.as_mut().unwrap().handler = handler;
        let verdict = expect(&attempt, Cause::Unknown, Unknown);
        assert_eq!(verdict.missing, ["the status of the answer was not seen: bytes are not watched"]);
    }
    // TLS hides the status, but something was answered and the prober was content.
    let mut flowed = net(Outcome::Success, 4, answered("\u{16}", 3));
    flowed.probe.as_mut().unwrap().handler = https;
    expect(&flowed, Cause::None, Likely);
}

#[test]
fn tcp_passes_by_the_kernels_handshake() {
    let mut attempt = net(Outcome::Success, 1, connected());
    attempt.probe.as_mut().unwrap().handler = Handler::Tcp { address: None, host_name: None, port: 8080 };
    let verdict = expect(&attempt, Cause::None, Proven);
    assert!(verdict.summary.contains("the application need not have"), "{}", verdict.summary);
}

#[test]
fn exec_passes_by_its_code() {
    let verdict = expect(&exec(Outcome::Success, 45, ran(Some(exit(0)), 45)), Cause::None, Proven);
    assert!(verdict.summary.contains("the runtime took 30.0 ms to start the command, the command ran 15.0 ms"));
    expect(&exec(Outcome::Success, 45, ran(None, 0)), Cause::None, Likely);
}

#[test]
fn more_than_half_of_the_timeout_is_slow() {
    expect(&net(Outcome::Success, 500, answered("HTTP/1.1 200 OK\r\n", 499)), Cause::None, Proven);
    let slow = net(Outcome::Success, 501, answered("HTTP/1.1 200 OK\r\n", 499));
    expect(&slow, Cause::SlowButPassed, Proven);
    // Another candidate may have another time-out.
    let ambiguous = Attempt { ambiguous: vec![spec(http())], ..slow };
    expect(&ambiguous, Cause::SlowButPassed, Likely);
}
