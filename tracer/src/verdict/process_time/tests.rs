use super::*;
use crate::{
    attempt::facts::Attempt,
    record::{Confidence::Likely, Outcome},
    verdict::testing::*,
};

/// The server has read the request; its cgroup and first thread have these totals.
fn look_at(ms: u64, periods: u64, throttled_ms: u64, state: char, run_delay_ms: u64) -> Observation {
    let seen = with_cgroup(look_child(ms, 9, 0), |cgroup| {
        (cgroup.nr_throttled, cgroup.throttled_ns) = (Some(periods), Some(throttled_ms * MS));
    });
    with(seen, |side| {
        let thread = &mut side.owner.as_mut().unwrap().threads[0];
        (thread.state, thread.run_delay_ns) = (state, run_delay_ms * MS);
    })
}

fn timeout(looks: Vec<Observation>) -> Attempt {
    Attempt { looks, ..net(Outcome::Timeout, 1000, connected()) }
}

#[test]
fn a_throttled_server_is_throttled() {
    let verdict = expect(
        &timeout(vec![look_at(500, 4, 200, 'R', 100), look_at(900, 8, 500, 'R', 400)]),
        Cause::CpuThrottled,
        Likely,
    );
    assert!(verdict.summary.starts_with("nginx (pid 71) ran against its limit of 0.5 CPUs"), "{}", verdict.summary);
}

#[test]
fn a_throttled_neighbour_is_not_the_server() {
    let looks = vec![look_at(500, 4, 200, 'S', 100), look_at(900, 8, 500, 'S', 101)];
    let verdict = expect(&timeout(looks), Cause::ApplicationSlow, Likely);
    assert!(verdict.missing.iter().any(|line| line.starts_with("cpu_throttled")), "{verdict:#?}");
}

#[test]
fn a_little_throttling_decides_nothing() {
    expect(
        &timeout(vec![look_at(500, 4, 200, 'R', 100), look_at(900, 5, 230, 'R', 130)]),
        Cause::ApplicationSlow,
        Likely,
    );
}

#[test]
fn a_server_that_waits_without_throttling_is_starved() {
    let looks = vec![look_at(500, 4, 200, 'R', 100), look_at(900, 4, 200, 'R', 450)];
    expect(&timeout(looks), Cause::CpuStarved, Likely);
}

#[test]
fn a_server_in_uninterruptible_sleep_is_blocked() {
    let blocked = |ms| {
        with(look_child(ms, 9, 0), |side| {
            let mut owner = process(71, &['D', 'D']);
            owner.threads[0].stack = vec!["io_schedule".into(), "folio_wait_bit".into()];
            side.owner = Some(owner);
        })
    };
    let verdict = expect(&timeout(vec![blocked(500), blocked(900)]), Cause::BlockedOnIo, Likely);
    assert!(verdict.evidence.iter().any(|one| one.value.starts_with("io_schedule < ")), "{verdict:#?}");
    let one_look = timeout(vec![look_child(500, 9, 0), blocked(900)]);
    expect(&one_look, Cause::ApplicationSlow, Likely);
}
