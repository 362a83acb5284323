//! The connection is there; the application does the rest, or not.

use super::{Action, Row, Scenario, answering, http, serving, treating};
use crate::{
    plan::{Kind, Outcome},
    target::{Accept, Answer},
};

pub(super) fn all() -> Vec<Scenario> {
    vec![
        healthy(),
        slow_but_passed(),
        big_body(),
        redirect(),
        slow(),
        http_500(),
        reset_after_accept(),
        never_read(),
        never_accepted(),
        stopped_target(),
        closed_early(),
        http_body_stall(),
    ]
}

const OK: Answer = Answer::Status(200, 0);

fn healthy() -> Scenario {
    let readiness = Row { kind: Kind::Readiness, how: super::How::Tcp(super::PORT), ..http(5) };
    Scenario::new("healthy", "answers at once; probed by http and tcp", "none").rival("slow_but_passed").pod(
        "healthy",
        vec![answering(OK)],
        vec![http(5).healthy(), readiness.healthy()],
    )
}

fn slow_but_passed() -> Scenario {
    Scenario::new("slow_but_passed", "answers after 800 ms of a time-out of 1 s", "slow_but_passed").rival("none").pod(
        "nearly-late",
        vec![answering(Answer::Status(200, 800))],
        vec![http(5).every(2).healthy()],
    )
}

fn big_body() -> Scenario {
    Scenario::new("big_body", "50 kB: the prober closes after 10 KiB, which ends in RST and is a success", "none")
        .rival("reset_by_application")
        .pod("big", vec![answering(Answer::BigBody)], vec![http(5).healthy()])
}

fn redirect() -> Scenario {
    let routes = [("/", Answer::Redirect("/there".into())), ("/there", OK)];
    Scenario::new("redirect", "302 to another path of the same host: two connections, one attempt", "none")
        .rival("http_status")
        .pod("redirect", vec![serving(&routes)], vec![http(5).healthy()])
}

fn slow() -> Scenario {
    Scenario::new("slow", "reads the request and answers after 3 s", "application_slow")
        .fails(Outcome::Timeout)
        .rival("accepted_never_read")
        .pod("slow", vec![answering(Answer::Status(200, 3000))], vec![http(4).every(2)])
}

fn http_500() -> Scenario {
    Scenario::new("http_500", "answers 500", "http_status").fails(Outcome::Failure).rival("closed_early").pod(
        "http-500",
        vec![answering(Answer::Status(500, 0))],
        vec![http(5)],
    )
}

fn reset_after_accept() -> Scenario {
    Scenario::new("reset_after_accept", "accepts and resets (SO_LINGER 0)", "reset_by_application")
        .fails(Outcome::Failure)
        .rival("closed_early")
        .pod("resets", vec![treating(Accept::Reset)], vec![http(5)])
}

fn never_read() -> Scenario {
    Scenario::new("never_read", "accepts and never reads", "accepted_never_read")
        .fails(Outcome::Timeout)
        .rival("application_slow")
        .pod("never-reads", vec![treating(Accept::NeverRead)], vec![http(4).every(2)])
}

fn never_accepted() -> Scenario {
    Scenario::new("never_accepted", "listens with room in its queue and never accepts", "never_accepted")
        .fails(Outcome::Timeout)
        .rival("accept_queue_full")
        .pod("never-accepts", vec![treating(Accept::Never)], vec![http(4).every(2)])
}

fn stopped_target() -> Scenario {
    Scenario::new("stopped_target", "a server that worked is stopped by SIGSTOP", "application_stopped")
        .fails(Outcome::Timeout)
        .rival("never_accepted")
        .pod("stopped", vec![answering(OK)], vec![http(5).every(2)])
        .step(2, Action::Freeze)
}

fn closed_early() -> Scenario {
    Scenario::new("closed_early", "reads the request and closes without an answer", "closed_early")
        .fails(Outcome::Failure)
        .rival("reset_by_application")
        .pod("closes", vec![treating(Accept::CloseEarly)], vec![http(5)])
}

fn http_body_stall() -> Scenario {
    Scenario::new("http_body_stall", "status line and ten bytes of a body of 100, then nothing", "application_slow")
        .fails(Outcome::Error)
        .rival("none")
        .pod("stalls", vec![answering(Answer::StalledBody)], vec![http(3).every(4)])
}
