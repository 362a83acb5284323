use super::*;
use crate::{
    attempt::facts::{Attempt, History},
    observation::Observation,
    record::{
        Confidence::{Likely, Proven},
        Outcome,
    },
    verdict::testing::*,
};

fn timeout(earlier_ms: u64, looks: Vec<Observation>) -> Attempt {
    let recent_latencies_ns = (0..16).map(|one| (earlier_ms + one) * MS).collect();
    let history = History { attempts: 20, successes: 16, recent_latencies_ns, ..History::default() };
    Attempt { history, looks, ..net(Outcome::Timeout, 1000, connected()) }
}

fn served() -> Vec<Observation> {
    vec![look_child(500, 9, 0), look_child(900, 9, 0)]
}

#[test]
fn successes_close_to_the_timeout_show_that_it_is_short() {
    let verdict = expect(&timeout(700, served()), Cause::TimeoutTooShort, Likely);
    assert!(verdict.summary.contains("the last 16 successes took 708 ms in the median"), "{}", verdict.summary);
    expect(&timeout(100, served()), Cause::ApplicationSlow, Likely);
    let few = Attempt { history: History::default(), ..timeout(700, served()) };
    expect(&few, Cause::ApplicationSlow, Likely);
}

#[test]
fn a_request_that_nobody_touched_is_not_a_question_of_time() {
    expect(&timeout(700, vec![look(500), look(900), look(1001)]), Cause::NeverAccepted, Proven);
    expect(&timeout(700, vec![look(500)]), Cause::NeverAccepted, Likely);
}
