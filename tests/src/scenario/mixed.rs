//! Several probes on one thing, other protocols, other traffic.

use super::{Facility, How, PORT, Pod, Row, Scenario, answering, http, serving};
use crate::{
    plan::{Kind, Outcome},
    target::{Answer, Server},
};

pub(super) fn all() -> Vec<Scenario> {
    vec![two_probes_one_port(), two_on_one_url(), noise(), mptcp(), reuseport(), ipv6(), ipv6_refused()]
}

const OK: Answer = Answer::Status(200, 0);
const SLOW: Answer = Answer::Status(200, 3000);

fn readiness(path: &'static str, attempts: u32) -> Row {
    Row { kind: Kind::Readiness, how: How::Http(PORT, path), ..http(attempts).healthy() }
}

fn liveness(path: &'static str, attempts: u32) -> Row {
    Row { how: How::Http(PORT, path), ..http(attempts) }
}

fn two_probes_one_port() -> Scenario {
    let server = serving(&[("/live", Answer::Status(503, 0)), ("/ready", OK)]);
    Scenario::new("two_probes_one_port", "liveness fails, readiness of the same port passes", "http_status")
        .fails(Outcome::Failure)
        .rival("none")
        .pod("two-paths", vec![server], vec![liveness("/live", 5), readiness("/ready", 5)])
}

fn two_on_one_url() -> Scenario {
    Scenario::new(
        "two_on_one_url",
        "liveness and readiness of one URL, told apart by phase or called ambiguous",
        "none",
    )
    .rival("none")
    .pod(
        "one-url",
        vec![answering(OK)],
        vec![liveness("/", 5).every(2).healthy(), readiness("/", 5).every(2).phase(700)],
    )
}

fn noise() -> Scenario {
    let mut scenario =
        Scenario::new("noise", "2 000 unrelated connections a second beside a failing probe", "not_listening")
            .fails(Outcome::Failure)
            .rival("none")
            .pod("noisy", vec![answering(OK)], vec![readiness("/", 5)])
            .pod("refused", vec![], vec![http(5)]);
    scenario.noise_per_s = 2000;
    scenario
}

fn mptcp() -> Scenario {
    let server = Server { mptcp: true, ..serving(&[("/slow", SLOW), ("/", OK)]) };
    Scenario::new("mptcp", "an MPTCP listener, one path slow", "application_slow")
        .fails(Outcome::Timeout)
        .rival("accepted_never_read")
        .needs(Facility::Mptcp)
        .pod("mptcp", vec![server], vec![liveness("/slow", 4).every(2), readiness("/", 5)])
}

fn reuseport() -> Scenario {
    let ok = || Server { reuseport: true, ..answering(OK) };
    Scenario::new("reuseport", "two listeners with SO_REUSEPORT on one port", "none").rival("never_accepted").pod(
        "reuseport",
        vec![ok(), ok()],
        vec![http(6).healthy()],
    )
}

fn v6(pod: &mut Pod) {
    pod.v6 = true;
}

fn ipv6() -> Scenario {
    let server = serving(&[("/slow", SLOW), ("/", OK)]);
    Scenario::new("ipv6", "a pod with an IPv6 address, one path slow", "application_slow")
        .fails(Outcome::Timeout)
        .rival("accepted_never_read")
        .needs(Facility::Ipv6)
        .pod("ipv6", vec![server], vec![liveness("/slow", 4).every(2), readiness("/", 5)])
        .with(v6)
}

fn ipv6_refused() -> Scenario {
    let v4_only = Server { bind: std::net::Ipv4Addr::UNSPECIFIED.into(), ..answering(OK) };
    Scenario::new("ipv6_refused", "listens on IPv4 only, probed by IPv6", "listening_elsewhere")
        .fails(Outcome::Failure)
        .rival("not_listening")
        .needs(Facility::Ipv6)
        .pod("v4-only", vec![v4_only], vec![http(5)])
        .with(v6)
}
