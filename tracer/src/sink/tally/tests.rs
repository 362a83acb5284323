use super::*;
use crate::{
    record::Outcome,
    sink::samples::{self, attempt, attempt_record},
};

const SECOND: u64 = 1_000_000_000;

fn names(tally: &Tally) -> Vec<String> {
    tally.sick_first().iter().map(|(key, _)| key.pod.clone()).collect()
}

#[test]
fn the_sick_come_first_then_names() {
    let mut tally = Tally::default();
    for (pod, outcomes) in [
        ("a-fine", vec![Outcome::Success]),
        ("b-recovering", vec![Outcome::Timeout, Outcome::Success]),
        ("c-failing", vec![Outcome::Success, Outcome::Failure]),
        ("d-cut", vec![Outcome::Failure, Outcome::Aborted]),
        ("e-aborted-only", vec![Outcome::Aborted]),
    ] {
        outcomes.into_iter().for_each(|outcome| tally.add(&attempt("n", pod, outcome)));
    }
    let mut tight = attempt_record("n", "f-tight", Outcome::Success);
    tight.latency_ns = 900_000_000;
    tally.add(&Record::Attempt(Box::new(tight)));
    assert_eq!(names(&tally), ["c-failing", "d-cut", "b-recovering", "f-tight", "a-fine", "e-aborted-only"]);
}

#[test]
fn counts_are_kept_apart() {
    let mut tally = Tally::default();
    use Outcome::{Aborted, Error, Failure, Success, Timeout};
    for outcome in [Success, Failure, Timeout, Error, Aborted, Timeout] {
        tally.add(&attempt("n", "p", outcome));
    }
    let rows = tally.sick_first();
    let row = rows[0].1;
    assert_eq!((row.attempts, row.failed, row.errors, row.aborted, row.failed_in_row), (6, 3, 1, 1, 3));
    assert_eq!(row.main_cause(), Some(("accept_queue_full", 4)));
    assert_eq!(row.margin_percent(), Some(0), "a time-out has used all of it");
}

#[test]
fn a_refused_connection_is_no_latency() {
    let mut tally = Tally::default();
    let mut refused = attempt_record("n", "p", Outcome::Failure);
    refused.latency_ns = 1_000;
    tally.add(&Record::Attempt(Box::new(refused)));
    assert_eq!(tally.sick_first()[0].1.latencies.percentile(50), None);
}

#[test]
fn a_restart_keeps_the_row_and_a_new_pod_gets_one() {
    let mut tally = Tally::default();
    let mut record = attempt_record("n", "p", Outcome::Success);
    tally.add(&Record::Attempt(Box::new(record.clone())));
    if let Some(of) = &mut record.kubernetes {
        of.container_id = "c2".into();
    }
    tally.add(&Record::Attempt(Box::new(record.clone())));
    assert_eq!((tally.sick_first().len(), tally.sick_first()[0].1.restarts), (1, 1));
    if let Some(of) = &mut record.kubernetes {
        of.pod_uid = "another".into();
    }
    tally.add(&Record::Attempt(Box::new(record)));
    assert_eq!(tally.sick_first().len(), 2);
}

#[test]
fn rows_of_gone_pods_go_and_are_counted() {
    let mut tally = Tally::default();
    tally.tick(SECOND);
    tally.add(&attempt("n", "old", Outcome::Failure));
    tally.tick(50 * SECOND);
    tally.add(&attempt("n", "new", Outcome::Success));
    assert_eq!(names(&tally), ["old", "new"]);
    tally.tick(62 * SECOND);
    assert_eq!(names(&tally), ["new", "old"], "silent for longer than a minute: last");
    tally.tick(602 * SECOND);
    assert_eq!(names(&tally), ["new"]);
    assert_eq!((tally.gone_probes, tally.gone_attempts), (1, 1));
}

#[test]
fn the_number_of_rows_is_bounded_and_silent_ones_make_room() {
    let mut tally = Tally::default();
    for n in 0..MAX_ROWS + 3 {
        tally.add(&attempt("n", &format!("pod-{n}"), Outcome::Success));
    }
    assert_eq!((tally.sick_first().len(), tally.beyond_bound), (MAX_ROWS, 3));
    tally.tick(61 * SECOND);
    tally.add(&attempt("n", "late", Outcome::Success));
    assert_eq!(names(&tally), ["late"]);
    assert_eq!(tally.gone_probes, MAX_ROWS as u64);
}

#[test]
fn hostile_text_is_harmless_before_it_is_kept() {
    let mut record = attempt_record("n\u{1b}[2J", "p\u{202e}", Outcome::Failure);
    record.verdict.summary = "\u{9b}31m".repeat(1000);
    record.error = Some("\r\n".into());
    record.started_at = "éééééééééééééééé".into();
    let mut tally = Tally::default();
    tally.add(&Record::Attempt(Box::new(record)));
    let shown = format!("{:?}", tally.sick_first());
    assert!(!shown.contains('\u{1b}') && !shown.contains('\u{202e}') && !shown.contains('\u{9b}'));
    assert!(shown.len() < 10_000);
}

#[test]
fn attempts_without_a_probe_share_a_row_of_their_prober() {
    let mut tally = Tally::default();
    tally.add(&samples::unattributed());
    tally.add(&samples::unattributed());
    let rows = tally.sick_first();
    assert_eq!((rows.len(), rows[0].0.name().as_str()), (1, "(unknown probe of kubelet)"));
}
