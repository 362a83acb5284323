//! Nothing listens, not any more, not yet, elsewhere; the listener drops.

use super::{Action, Facility, Row, Scenario, answering, http, serving, tcp, treating};
use crate::{
    plan::{Kind, Outcome},
    target::{Accept, Answer, Server},
};

pub(super) fn all() -> Vec<Scenario> {
    vec![
        refused(),
        stopped_listening(),
        listens_late(),
        listening_elsewhere(),
        rejected_by_firewall(),
        queue_full(),
        queue_full_tcp(),
        orphan_dial(),
    ]
}

fn ok() -> Server {
    answering(Answer::Status(200, 0))
}

fn refused() -> Scenario {
    Scenario::new("refused", "nothing listens on the port; the container is an hour old", "not_listening")
        .fails(Outcome::Failure)
        .rival("stopped_listening")
        .pod("refused", vec![], vec![http(5)])
}

fn stopped_listening() -> Scenario {
    Scenario::new("stopped_listening", "answers, then closes its listening socket", "stopped_listening")
        .fails(Outcome::Failure)
        .rival("not_listening")
        .pod("stops", vec![ok()], vec![http(6)])
        .step(3, Action::StopListening)
}

fn listens_late() -> Scenario {
    let row = Row { kind: Kind::Startup, ..http(6) };
    Scenario::new(
        "listens_late",
        "a container just started that listens only after three attempts",
        "not_listening_yet",
    )
    .accepts("not_listening", "before the first success nothing tells never from not yet but the container's age")
    .fails(Outcome::Failure)
    .rival("not_listening")
    .pod("late", vec![Server { listens: false, ..ok() }], vec![row])
    .with(|pod| pod.started_ago_s = 0)
    .step(3, Action::Listen)
}

fn listening_elsewhere() -> Scenario {
    let loopback = Server { bind: std::net::Ipv4Addr::LOCALHOST.into(), ..ok() };
    Scenario::new("listening_elsewhere", "listens on 127.0.0.1 only", "listening_elsewhere")
        .fails(Outcome::Failure)
        .rival("not_listening")
        .pod("loopback", vec![loopback], vec![http(5)])
}

fn rejected_by_firewall() -> Scenario {
    Scenario::new("rejected_by_firewall", "listens, but netfilter in the pod answers with RST", "rejected_by_firewall")
        .fails(Outcome::Failure)
        .rival("not_listening")
        .needs(Facility::Iptables)
        .pod("rejected", vec![ok()], vec![http(5)])
        .with(|pod| pod.rejects = Some(super::PORT))
}

fn full() -> Server {
    Server { backlog: 1, filled: true, ..treating(Accept::Never) }
}

fn queue_full() -> Scenario {
    Scenario::new("accept_queue_full", "backlog 1, filled before the first probe, nobody accepts", "accept_queue_full")
        .fails(Outcome::Timeout)
        .rival("never_accepted")
        .pod("full", vec![full()], vec![http(4).every(2)])
}

fn queue_full_tcp() -> Scenario {
    Scenario::new(
        "accept_queue_full_tcp",
        "the same, probed by tcp: its own probes fill the queue",
        "accept_queue_full",
    )
    .fails(Outcome::Timeout)
    .rival("never_accepted")
    .pod("filling", vec![Server { backlog: 1, ..treating(Accept::Never) }], vec![tcp(5).every(2)])
}

fn orphan_dial() -> Scenario {
    let row = Row { dial_outlives_timeout: true, ..http(4).every(2) };
    let healthy = Row { kind: Kind::Readiness, how: super::How::Http(8081, "/"), ..http(4).every(2).healthy() };
    let second = Server { port: 8081, ..serving(&[("/", Answer::Status(200, 0))]) };
    Scenario::new(
        "orphan_dial",
        "full queue, and dials that live on after their time-out (Go 1.23)",
        "accept_queue_full",
    )
    .fails(Outcome::Timeout)
    .rival("never_accepted")
    .pod("orphans", vec![full(), second], vec![row, healthy])
}
