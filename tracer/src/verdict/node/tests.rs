use super::*;
use crate::{
    attempt::facts::{Attempt, Connection},
    observation::Observation,
    record::{Confidence::Likely, Outcome},
    verdict::testing::*,
};

fn unread(ms: u64, bytes: u32, state: u8) -> Observation {
    let mut seen = look_child(ms, 9, 0);
    let socket = seen.prober_socket.as_mut().unwrap();
    (socket.unread_bytes, socket.state) = (bytes, state);
    seen
}

fn timeout(connection: Connection, late: Observation) -> Attempt {
    Attempt { looks: vec![look_child(500, 9, 0), late], ..net(Outcome::Timeout, 1000, connection) }
}

#[test]
fn an_answer_that_the_prober_did_not_read() {
    let connection = answered("HTTP/1.1 200 OK\r\n", 600);
    let verdict = expect(&timeout(connection, unread(900, 18, tcp_state::CLOSE_WAIT)), Cause::ProberStarved, Likely);
    assert!(verdict.summary.starts_with("17 bytes of the answer lay unread in the prober's socket for 300 ms"));
}

#[test]
fn an_answer_that_has_just_come_or_only_a_fin_is_none() {
    let connection = || answered("HTTP/1.1 200 OK\r\n", 890);
    assert_ne!(verdict(&timeout(connection(), unread(900, 17, tcp_state::ESTABLISHED))).cause, "prober_starved");
    let fin_only = unread(900, 1, tcp_state::CLOSE_WAIT);
    assert_ne!(verdict(&timeout(connected(), fin_only)).cause, "prober_starved");
}
