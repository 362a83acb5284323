use super::*;
use crate::attempt::testkit::{self, MS};

fn of(kind: ProbeKind, period_s: u64) -> ProbeSpec {
    let mut spec = testkit::as_kind(&testkit::http("/"), kind);
    spec.period_ns = period_s * 1_000 * MS;
    spec
}

fn learned(specs: &[(&ProbeSpec, u64)]) -> Phases {
    let mut phases = Phases::new(8);
    for (spec, first_ms) in specs {
        for tick in 0..3 {
            phases.learn(spec, first_ms * MS + tick * spec.period_ns);
        }
    }
    phases
}

#[test]
fn attempt_times_modulo_the_period_are_constant_per_worker() {
    let (live, ready) = (of(ProbeKind::Liveness, 10), of(ProbeKind::Readiness, 10));
    let phases = learned(&[(&live, 1_000), (&ready, 4_000)]);
    assert_eq!(phases.choose(&[&live, &ready], 51_003 * MS), Some(0));
    assert_eq!(phases.choose(&[&live, &ready], 53_998 * MS), Some(1));
}

#[test]
fn readiness_is_also_triggered_off_the_grid() {
    let (live, ready) = (of(ProbeKind::Liveness, 10), of(ProbeKind::Readiness, 10));
    let phases = learned(&[(&live, 1_000), (&ready, 4_000)]);
    // Off both grids: only readiness leaves its own.
    assert_eq!(phases.choose(&[&live, &ready], 57_000 * MS), Some(1));
    let phases = learned(&[(&ready, 4_000)]);
    assert_eq!(phases.choose(&[&live, &ready], 57_000 * MS), None, "readiness could be anywhere");
}

#[test]
fn one_known_grid_does_not_decide_for_its_owner() {
    // Two workers of one AddPod have the same phase more often than not.
    let (live, ready) = (of(ProbeKind::Liveness, 10), of(ProbeKind::Readiness, 10));
    let phases = learned(&[(&live, 1_000)]);
    assert_eq!(phases.choose(&[&live, &ready], 51_000 * MS), None);
}

#[test]
fn the_same_phase_decides_nothing() {
    let (live, ready) = (of(ProbeKind::Liveness, 10), of(ProbeKind::Readiness, 10));
    let phases = learned(&[(&live, 1_000), (&ready, 1_001)]);
    assert_eq!(phases.choose(&[&live, &ready], 51_000 * MS), None);
}

#[test]
fn different_periods_are_told_apart_by_their_earlier_ticks() {
    let (live, ready) = (of(ProbeKind::Liveness, 10), of(ProbeKind::Readiness, 5));
    let specs = [&live, &ready];
    let mut phases = Phases::new(8);
    let mut begins: Vec<(u64, usize)> = (0..8).map(|tick| (1_000 + tick * 10_000, 0)).collect();
    begins.extend((0..16).map(|tick| (3_000 + tick * 5_000, 1)));
    begins.sort();
    let mut right = 0;
    for (at_ms, truth) in begins {
        phases.note(&specs, at_ms * MS);
        match phases.choose(&specs, at_ms * MS) {
            Some(chosen) => {
                assert_eq!(chosen, truth, "at {at_ms}");
                right += 1;
            }
            None => assert!(at_ms < 40_000, "undecided at {at_ms}"),
        }
    }
    assert!(right >= 14, "{right}");
}

#[test]
fn different_periods_with_one_phase_stay_open_where_they_coincide() {
    let (live, ready) = (of(ProbeKind::Liveness, 10), of(ProbeKind::Readiness, 5));
    let specs = [&live, &ready];
    let mut phases = Phases::new(8);
    for tick in 0..12 {
        let at = 1_000 * MS + tick * ready.period_ns;
        phases.note(&specs, at);
        if tick % 2 == 0 {
            phases.note(&specs, at + MS);
            assert_eq!(phases.choose(&specs, at), None);
        }
    }
}

#[test]
fn a_reset_ticker_is_learned_anew() {
    let (live, ready) = (of(ProbeKind::Liveness, 10), of(ProbeKind::Readiness, 10));
    let mut phases = learned(&[(&live, 1_000), (&ready, 4_000)]);
    for at_ms in [46_000, 56_000, 66_000, 76_000] {
        phases.learn(&ready, at_ms * MS);
    }
    assert_eq!(phases.choose(&[&live, &ready], 86_001 * MS), Some(1));
}

#[test]
fn probes_and_sets_are_bounded_and_counted() {
    let mut phases = Phases::new(2);
    for index in 0..4u64 {
        let spec =
            testkit::with_container(&of(ProbeKind::Liveness, 10), |container| container.name = index.to_string());
        phases.learn(&spec, index);
        phases.note(&[&spec], index);
    }
    assert_eq!((phases.grids.len(), phases.rivals.len(), phases.dropped()), (2, 2, 4));
}

#[test]
fn a_late_begin_of_a_starved_prober_has_not_left_its_grid() {
    let (live, ready) = (of(ProbeKind::Liveness, 10), of(ProbeKind::Readiness, 10));
    let phases = learned(&[(&live, 3_000)]);
    assert_eq!(phases.choose(&[&live, &ready], 23_600 * MS), None);
    assert_eq!(phases.choose(&[&live, &ready], 28_000 * MS), Some(1));
}
