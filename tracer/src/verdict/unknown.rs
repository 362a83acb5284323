//! What to say when no rule fits: where it ended, and what would tell more.

use crate::{
    attempt::unseen::unseen,
    record::{Confidence, Outcome, Verdict, WouldPassWith},
    verdict::{
        Cause, Considered, application::late_answer_seconds, refused::Refusal, rivals, suspects, text, view::View,
    },
};

/// Rivals of a SYN that nobody answered, when no queue is seen full.
const UNANSWERED: &[Cause] =
    &[Cause::DroppedByNetfilter, Cause::LostOnPath, Cause::SynQueueFull, Cause::TimestampRejectedTimeWait];

/// The verdict `unknown`.
pub fn verdict(view: &View<'_>, considered: &[Considered]) -> Verdict {
    let (summary, mut missing) = situation(view);
    if view.attempt.outcome == Outcome::Success {
        missing.extend(unseen(view.attempt).into_iter().map(str::to_owned));
    }
    for failure in view.looks().flat_map(|look| &look.failures).take(4) {
        missing.push(format!("a look could not read: {failure}"));
    }
    let may_look = !matches!(view.attempt.outcome, Outcome::Aborted | Outcome::Success);
    if view.connection.is_some() && view.looks().next().is_none() && may_look {
        missing.push("no look at the target was possible in time".into());
    }
    if !view.attempt.no_loss {
        missing.push("events were lost meanwhile".into());
    }
    debug_assert!(considered.iter().all(|one| one.confidence.is_none()), "a rule fits");
    Verdict {
        cause: Cause::Unknown.id().into(),
        confidence: Confidence::Unknown,
        summary,
        evidence: view.notes(),
        contributing: Vec::new(),
        ruled_out: suspects::ruled_out(view),
        missing,
        advice: Vec::new(),
        would_pass_with: WouldPassWith { timeout_seconds: late_answer_seconds(view) },
    }
}

fn situation(view: &View<'_>) -> (String, Vec<String>) {
    if view.attempt.outcome == Outcome::Aborted {
        let missing = "the begin or the end of the attempt: tracing or the prober started or ended meanwhile";
        return ("the attempt was cut and is not judged".into(), vec![missing.into()]);
    }
    let took = text::duration(view.span_ns());
    if view.attempt.outcome == Outcome::Success {
        let took =
            format!("the prober closed after {took}, before its time-out: it got an answer, probably a good one");
        return (took, Vec::new());
    }
    if view.run.is_some() {
        return (format!("the command failed after {took}; how is not known"), vec!["its exit status".into()]);
    }
    let Some(connection) = view.connection else {
        return (format!("it failed after {took}, no connection was seen"), vec!["the connection's events".into()]);
    };
    let remote = connection.remote;
    if view.unanswered().is_some() {
        let again = text::count(connection.syn_retransmits.into(), "retransmit");
        let seen = if view.targets().any(|(_, target)| !target.listeners.is_empty()) {
            "; a listener is there, its accept queue is not full"
        } else {
            ""
        };
        let missing = UNANSWERED.iter().map(|cause| format!("{cause}: {}", rivals::missing_hook(*cause))).collect();
        return (format!("the SYN to {remote} was not answered within {took} ({again}){seen}"), missing);
    }
    if let Some(refusal) = Refusal::of(view) {
        let missing = "the target's listeners and addresses at once after the refusal";
        return (refusal.text(view), vec![missing.into()]);
    }
    if view.established().is_none() {
        let error = connection.error;
        return (format!("the connection to {remote} failed with errno {error}"), vec!["who caused this error".into()]);
    }
    let missing = "the server's end: whether it accepted and read the request just before the deadline";
    (format!("connected to {remote}, and no complete answer within {took}"), vec![missing.into()])
}
