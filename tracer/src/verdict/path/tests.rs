use super::*;
use crate::{
    attempt::facts::{Attempt, Connection},
    record::{Confidence::Likely, Confidence::Unknown, Outcome},
    verdict::testing::*,
};

fn failed(error: i32, ms: u64) -> Attempt {
    let connection = Connection { error, closed_ns: at(ms), syn_retransmits: 0, ..unanswered() };
    net(Outcome::Failure, ms, connection)
}

#[test]
fn each_errno_has_its_cause() {
    expect(&failed(errno::EADDRNOTAVAIL, 0), Cause::EphemeralPortsExhausted, Likely);
    expect(&failed(errno::ENETUNREACH, 0), Cause::NoRoute, Likely);
    expect(&failed(errno::EHOSTUNREACH, 1), Cause::NoRoute, Likely);
    let verdict = expect(&failed(errno::EHOSTUNREACH, 3000), Cause::NeighbourUnresolved, Likely);
    assert!(verdict.summary.contains("EHOSTUNREACH after 3.00 s"), "{}", verdict.summary);
    let verdict = expect(&failed(22, 0), Cause::Unknown, Unknown);
    assert!(verdict.summary.contains("errno 22"), "{}", verdict.summary);
}

#[test]
fn an_error_of_an_established_connection_is_none_of_these() {
    let connection = Connection { error: errno::EHOSTUNREACH, closed_ns: at(3), ..connected() };
    assert_eq!(verdict(&net(Outcome::Failure, 3, connection)).cause, "unknown");
}
