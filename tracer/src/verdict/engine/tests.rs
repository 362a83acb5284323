use std::collections::BTreeSet;

use super::*;
use crate::{attempt::facts::Attempt, record::Outcome, verdict::testing::*};

#[test]
fn the_table_of_rules_is_sound() {
    let mut seen = BTreeSet::new();
    for rule in rules() {
        assert!(seen.insert(rule.cause), "{}: two rules", rule.cause);
        assert!(!rule.rivals.contains(&rule.cause) && !rule.brings.contains(&rule.cause), "{}", rule.cause);
        assert!(!rule.seen.is_empty());
        assert!(!rule.advice.is_empty() || rule.cause == Cause::None, "{}: no advice", rule.cause);
    }
}

#[test]
fn every_rule_is_kept_with_the_reason_it_lost() {
    let attempt = Attempt { looks: vec![look(500), look(900)], ..net(Outcome::Timeout, 1000, connected()) };
    let start = start();
    let considered = consider(&attempt, &Context { start: &start, clock: clock() });
    assert_eq!(considered.len(), rules().count());
    assert!(considered.iter().all(|one| !one.why.is_empty()));
    let fit: Vec<_> = considered.iter().filter(|one| one.confidence.is_some()).map(|one| one.cause).collect();
    assert_eq!(fit, [Cause::NeverAccepted]);
}

#[test]
fn a_cut_attempt_is_not_judged() {
    let verdict = verdict(&net(Outcome::Aborted, 4, answered("HTTP/1.1 500 No\r\n", 3)));
    assert_eq!((verdict.cause.as_str(), verdict.confidence), ("unknown", Confidence::Unknown));
    assert!(verdict.summary.contains("was cut"), "{}", verdict.summary);
}

#[test]
fn an_exclusion_by_absence_counts_only_without_loss_and_with_its_hook() {
    fn test(_: &View<'_>) -> Finding {
        let absent = rivals::absent("no reset was sent", "tcp:tcp_send_reset");
        Claim::shown_if(true, "shown").rival(Cause::LostOnPath, absent).fits()
    }
    let rule = Rule { cause: Cause::HttpStatus, seen: "", rivals: &[], brings: &[], advice: &[], test };
    let weighed = |no_loss, hooks: bool| {
        let attempt = Attempt { no_loss, ..net(Outcome::Failure, 4, connected()) };
        let mut start = start();
        if !hooks {
            start.hooks.clear();
        }
        let context = Context { start: &start, clock: clock() };
        weigh(rule, &View::new(&attempt, &context)).confidence
    };
    assert_eq!(weighed(true, true), Some(Confidence::Proven));
    assert_eq!(weighed(false, true), Some(Confidence::Likely));
    assert_eq!(weighed(true, false), Some(Confidence::Likely));
}

#[test]
fn the_reader_is_told_of_deletion_and_ambiguity() {
    let mut attempt = net(Outcome::Failure, 4, answered("HTTP/1.1 503 No\r\n", 3));
    attempt.ambiguous = vec![spec(http())];
    let mut deleting = container(3_600_000);
    deleting.deleting = true;
    attempt.probe.as_mut().unwrap().container = std::sync::Arc::new(deleting);
    let notes: Vec<_> = verdict(&attempt).evidence.into_iter().map(|one| one.what).collect();
    assert!(notes.contains(&"the pod is being deleted".into()) && notes.contains(&"the probe is ambiguous".into()));
}
