//! The judge: considers every rule, weighs its rivals, and picks one cause.
//!
//! Confidence (design, part 2): `proven` only where an event or state of this attempt shows the cause and each rival is
//! excluded by an event, a state or a counter; an exclusion by *absence* counts only while nothing was lost and the hook
//! that would have shown it works. All conditions of `proven` ask for something to be present, so that removing evidence
//! never creates it.

use crate::{
    attempt::facts::{Attempt, Try},
    record::{Confidence, Evidence, Outcome, RuledOut, Verdict, WouldPassWith},
    verdict::{
        Cause, Context, application, budget, exec, healthy, http, listener, node, path, process_time, refused, rivals,
        stopped, suspects, unknown, view::View,
    },
};

/// One cause, as data: the conditions are in `test`, the rivals' in [`rivals::standing`].
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// What it decides.
    pub cause: Cause,
    /// What must be seen for it, in words.
    pub seen: &'static str,
    /// What looks alike and must be excluded for `proven`.
    pub rivals: &'static [Cause],
    /// Causes that this one brings about: they are `contributing` where they fit as well.
    pub brings: &'static [Cause],
    /// What to change.
    pub advice: &'static [&'static str],
    /// Whether it fits.
    pub test: fn(&View<'_>) -> Finding,
}

/// Whether a rule fits an attempt.
#[derive(Clone, Debug, PartialEq)]
pub enum Finding {
    /// It does not, because of this.
    Lost(String),
    /// It does.
    Fits(Box<Claim>),
}

impl Finding {
    /// It does not fit.
    pub fn lost(why: impl Into<String>) -> Self {
        Self::Lost(why.into())
    }
}

/// What a rule that fits says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Claim {
    /// An event or state of this attempt shows it; else it is an inference and stays `likely`.
    pub shown: bool,
    /// One sentence with numbers.
    pub summary: String,
    /// What was seen.
    pub evidence: Vec<Evidence>,
    /// Rivals that this rule knows more about than [`rivals::standing`].
    pub standings: Vec<(Cause, Standing)>,
    /// What would have been needed besides the exclusion of rivals.
    pub missing: Vec<String>,
    /// Advice that depends on the case; before the rule's own.
    pub advice: Vec<String>,
    /// The least timeoutSeconds that would have let it pass.
    pub timeout_seconds: Option<u32>,
}

impl Claim {
    /// A claim that is no more than consistent.
    pub fn inferred(summary: impl Into<String>) -> Self {
        Self { summary: summary.into(), ..Self::default() }
    }

    /// A claim that an event or state of this attempt shows where `shown`.
    pub fn shown_if(shown: bool, summary: impl Into<String>) -> Self {
        Self { shown, summary: summary.into(), ..Self::default() }
    }

    /// Adds what was seen.
    #[must_use]
    pub fn evidence(mut self, what: &str, value: impl ToString, source: &str) -> Self {
        self.evidence.push(Evidence { what: what.into(), value: value.to_string(), source: source.into() });
        self
    }

    /// Says where a rival stands.
    #[must_use]
    pub fn rival(mut self, cause: Cause, standing: Standing) -> Self {
        self.standings.push((cause, standing));
        self
    }

    /// Adds what is missing for more.
    #[must_use]
    pub fn missing(mut self, what: impl Into<String>) -> Self {
        self.missing.push(what.into());
        self
    }

    /// Adds advice.
    #[must_use]
    pub fn advice(mut self, what: impl Into<String>) -> Self {
        self.advice.push(what.into());
        self
    }

    /// The rule fits.
    pub fn fits(self) -> Finding {
        Finding::Fits(Box::new(self))
    }
}

/// Where a rival stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// An event, state or counter excludes it.
    Excluded(String),
    /// It would have been reported by this hook, and was not: counts only while nothing was lost.
    Absent {
        /// Why.
        why: String,
        /// The hook that would have shown it.
        hook: &'static str,
    },
    /// It remains: what would exclude it.
    Open(String),
    /// It is there itself.
    Shown(String),
}

/// One rule's result on one attempt: kept for those who ask why.
#[derive(Clone, Debug)]
pub struct Considered {
    /// The cause.
    pub cause: Cause,
    /// `None`: it does not fit.
    pub confidence: Option<Confidence>,
    /// Why it does not fit, or its summary.
    pub why: String,
    /// Rivals that are excluded, with the reason.
    pub excluded: Vec<RuledOut>,
    /// Rivals that remain, and what would exclude them.
    pub open: Vec<(Cause, String)>,
    claim: Option<Claim>,
    rule: Rule,
}

/// All rules, those that decide first on top: among equals in confidence the first wins.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    [
        healthy::RULES,
        node::RULES,
        stopped::RULES,
        exec::KILLED,
        process_time::RULES,
        exec::RULES,
        listener::RULES,
        refused::RULES,
        http::RULES,
        path::RULES,
        budget::RULES,
        application::RULES,
    ]
    .into_iter()
    .flatten()
}

/// Every rule with its result, in the order of [`rules`].
pub fn consider(attempt: &Attempt, context: &Context<'_>) -> Vec<Considered> {
    let view = View::new(attempt, context);
    rules().map(|rule| weigh(*rule, &view)).collect()
}

fn weigh(rule: Rule, view: &View<'_>) -> Considered {
    let mut considered = Considered {
        cause: rule.cause,
        confidence: None,
        why: String::new(),
        excluded: Vec::new(),
        open: Vec::new(),
        claim: None,
        rule,
    };
    let mut claim = match (rule.test)(view) {
        Finding::Lost(why) => return Considered { why, ..considered },
        Finding::Fits(claim) => *claim,
    };
    claim.missing.extend(doubts(view).map(str::to_owned));
    let own = claim.standings.iter().map(|(cause, _)| *cause);
    let own = own.filter(|cause| !rule.rivals.contains(cause) && *cause != rule.cause);
    let names: Vec<Cause> = rule.rivals.iter().copied().chain(own).collect();
    for rival in names {
        let own = claim.standings.iter().find(|(cause, _)| *cause == rival);
        match own.map_or_else(|| rivals::standing(view, rival), |(_, standing)| standing.clone()) {
            Standing::Excluded(why) => considered.excluded.push(RuledOut { cause: rival.id().into(), why }),
            Standing::Absent { why, hook } => match view.absence_counts(hook) {
                Ok(()) => considered.excluded.push(RuledOut { cause: rival.id().into(), why }),
                Err(needed) => considered.open.push((rival, needed)),
            },
            Standing::Open(needed) => considered.open.push((rival, needed)),
            Standing::Shown(why) => return Considered { why: format!("{rival}: {why}"), ..considered },
        }
    }
    let proven = claim.shown && claim.missing.is_empty() && considered.open.is_empty();
    considered.confidence = Some(if proven { Confidence::Proven } else { Confidence::Likely });
    considered.why = claim.summary.clone();
    considered.claim = Some(claim);
    considered
}

/// What keeps parts of the attempt from surely being one attempt: two look like one where the events between are lost.
fn doubts(view: &View<'_>) -> impl Iterator<Item = &'static str> {
    let is_open = |tried: &Try| match tried {
        Try::Net(connections) => connections.iter().any(|connection| connection.closed_ns == 0),
        Try::Exec(_) => false,
    };
    let earlier = view.attempt.tries.split_last().map(|(_, earlier)| earlier).unwrap_or_default();
    let command = view.run.is_some_and(|run| run.is_command_guessed);
    [
        command.then_some("the fork of the command: it may be another run's in this container"),
        (!view.attempt.ambiguous.is_empty()).then_some("which of the candidates it is"),
        earlier.iter().any(is_open).then_some("the close of an earlier try: the next may be an attempt of its own"),
    ]
    .into_iter()
    .flatten()
}

/// The verdict of one attempt.
pub fn judge(attempt: &Attempt, context: &Context<'_>) -> Verdict {
    let view = View::new(attempt, context);
    if attempt.outcome == Outcome::Aborted {
        return unknown::verdict(&view, &[]);
    }
    let all: Vec<Considered> = rules().map(|rule| weigh(*rule, &view)).collect();
    // The first of the highest confidence: max_by_key takes the last of equals, so from the end.
    let best = all.iter().rev().filter(|one| one.confidence.is_some()).max_by_key(|one| one.confidence);
    let Some((best, claim)) = best.and_then(|best| Some((best, best.claim.as_ref()?))) else {
        return unknown::verdict(&view, &all);
    };
    let contributing = all
        .iter()
        .filter(|one| one.confidence.is_some() && best.rule.brings.contains(&one.cause))
        .map(|one| one.cause.id().to_owned())
        .collect();
    let mut ruled_out = best.excluded.clone();
    for suspect in suspects::ruled_out(&view) {
        if ruled_out.iter().all(|known| known.cause != suspect.cause) && suspect.cause != best.cause.id() {
            ruled_out.push(suspect);
        }
    }
    let rivals = best.open.iter().map(|(rival, needed)| format!("{rival} is not excluded: {needed}"));
    let advice = claim.advice.iter().cloned().chain(best.rule.advice.iter().map(|line| (*line).to_owned()));
    Verdict {
        cause: best.cause.id().into(),
        confidence: best.confidence.unwrap_or(Confidence::Unknown),
        summary: claim.summary.clone(),
        evidence: claim.evidence.iter().cloned().chain(view.notes()).collect(),
        contributing,
        ruled_out,
        missing: claim.missing.iter().cloned().chain(rivals).collect(),
        advice: advice.collect(),
        would_pass_with: WouldPassWith { timeout_seconds: claim.timeout_seconds },
    }
}

#[cfg(test)]
mod tests;
