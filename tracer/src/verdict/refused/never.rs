//! Nothing listens: never, not yet, or no longer.

use crate::verdict::{
    Cause,
    engine::{Claim, Finding, Standing},
    refused::{
        evidence::{is_starting, saw_all_attempts},
        if_refused,
    },
    text,
    view::{View, holder},
};

/// See the rule.
pub fn stopped_listening(view: &View<'_>) -> Finding {
    if_refused(view, |refusal| {
        let history = &view.attempt.history;
        if history.successes == 0 {
            return Finding::lost("no earlier success of this container was seen");
        }
        if !refusal.no_socket && (refusal.after.is_none() || !refusal.listeners().is_empty()) {
            return Finding::lost("neither the target's TCP was seen to refuse, nor that nothing listens");
        }
        let ago = text::duration(refusal.at_ns.saturating_sub(history.last_success_ns));
        let now = match refusal.listeners().first() {
            Some(listener) => format!("; {} listens again since", holder(listener)),
            None => "; nothing listens there now".into(),
        };
        let summary = format!("{}; the same container passed {ago} ago{now}", refusal.text(view));
        let claim = Claim::shown_if(refusal.is_proof(), summary)
            .evidence("successes of this container before", history.successes, "earlier attempts")
            .rival(Cause::NotListeningYet, Standing::Excluded("the same container's probe passed before".into()));
        let claim = refusal.missing(claim);
        refusal.evidence(view, claim).fits()
    })
}

/// See the rule.
pub fn not_listening_yet(view: &View<'_>) -> Finding {
    if_refused(view, |refusal| {
        if view.attempt.history.successes > 0 {
            return Finding::lost("the same container's probe passed before");
        }
        if refusal.after.is_none() {
            return Finding::lost("the target's listeners were not seen: it may listen elsewhere");
        }
        let began_since = refusal.no_socket && !refusal.listeners().is_empty();
        if !began_since && is_starting(view) != Some(true) {
            return Finding::lost("the container is past its start-up budget, or its start is not known");
        }
        if !began_since && !refusal.listeners().is_empty() {
            return Finding::lost("a listener is there, and the target's TCP was not seen to refuse");
        }
        let processes = view.looks().filter_map(|look| look.cgroup.as_ref()?.pids).last();
        if !began_since && processes.is_some_and(|(now, _)| now == 0) {
            return Finding::lost("the container has no process");
        }
        let age = match view.container_age_ns() {
            Some(age_ns) => format!("the container is {} old", text::duration(age_ns)),
            None => "the container's age is unknown".into(),
        };
        let now = match refusal.listeners().first() {
            Some(listener) => format!("; {} began to listen meanwhile", holder(listener)),
            None => " and nothing listens there yet".into(),
        };
        let standing = if began_since {
            Standing::Excluded("a listener is there now".into())
        } else {
            Standing::Open("only a later success tells a slow start from none".into())
        };
        let claim = Claim::inferred(format!("{}; {age}{now}", refusal.text(view)))
            .rival(Cause::NotListening, standing)
            .missing("whether it had listened before as well");
        refusal.evidence(view, claim).fits()
    })
}

/// See the rule.
pub fn not_listening(view: &View<'_>) -> Finding {
    if_refused(view, |refusal| {
        if refusal.after.is_none() {
            return Finding::lost("the target's listeners were not seen: it may listen elsewhere");
        }
        if !refusal.listeners().is_empty() {
            return Finding::lost("a listener that would accept is there");
        }
        let seen = if refusal.nothing_listens() { " and nothing listens there" } else { "" };
        let history = &view.attempt.history;
        let before = match history.attempts {
            0 => "the first attempt seen".to_owned(),
            more => format!("none of {} before passed", text::count(more, "attempt")),
        };
        let summary = format!("{}{seen}; {before}", refusal.text(view));
        let claim = Claim::shown_if(refusal.is_proof(), summary);
        let claim = refusal.missing(claim);
        let claim = claim.rival(Cause::StoppedListening, ever(view)).rival(Cause::NotListeningYet, starting(view));
        refusal.evidence(view, claim).fits()
    })
}

fn ever(view: &View<'_>) -> Standing {
    if view.attempt.history.successes > 0 {
        Standing::Shown("the same container's probe passed before".into())
    } else if saw_all_attempts(view) {
        Standing::Excluded("every attempt since the container's start was seen, none passed".into())
    } else {
        Standing::Open("it may have listened before tracing began".into())
    }
}

fn starting(view: &View<'_>) -> Standing {
    match is_starting(view) {
        Some(false) => {
            Standing::Excluded("the container is older than initialDelay + failureThreshold × period".into())
        }
        Some(true) => Standing::Open("the container is still within its start-up budget".into()),
        None => Standing::Open("needs the container's start time".into()),
    }
}
