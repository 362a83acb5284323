//! The probe's own numbers are too small for what it asks.

use crate::verdict::{
    Cause, application,
    engine::{Claim, Finding, Rule},
    text,
    view::View,
};

/// So many earlier successes make a distribution.
const ENOUGH: usize = 8;
/// Median of the successes, in percent of the time-out, from which the time-out is the trouble.
const CLOSE_PERCENT: u64 = 60;

/// The family.
pub const RULES: &[Rule] = &[Rule {
    cause: Cause::TimeoutTooShort,
    seen: "time-out, and the earlier successes of this probe took nearly as long as its time-out",
    rivals: &[Cause::CpuThrottled, Cause::CpuStarved, Cause::DependencyBlocked],
    brings: &[],
    advice: &["raise timeoutSeconds well above the slowest healthy answer"],
    test: timeout_too_short,
}];

fn timeout_too_short(view: &View<'_>) -> Finding {
    if !view.timed_out() || view.probe().is_none() {
        return Finding::lost("no time-out of a known probe");
    }
    if view.connection.is_some() && view.established().is_none() {
        return Finding::lost("the connection was not even established");
    }
    if application::at_last_look(view).is_some_and(application::Server::is_untouched) {
        return Finding::lost("the server did not touch the request");
    }
    let mut latencies = view.attempt.history.recent_latencies_ns.clone();
    latencies.sort_unstable();
    if latencies.len() < ENOUGH {
        return Finding::lost("too few earlier successes to compare with");
    }
    let at = |percent: usize| latencies.get(latencies.len() * percent / 100).or(latencies.last()).copied().unwrap_or(0);
    let (median, high, timeout) = (at(50), at(95), view.timeout_ns());
    if text::percent(median, timeout) < CLOSE_PERCENT {
        return Finding::lost(format!("earlier successes took {} in the median", text::duration(median)));
    }
    let summary = format!(
        "timed out at {}; the last {} took {} in the median and {} at the 95th percentile",
        text::duration(timeout),
        text::count(latencies.len() as u64, "success").replace("successs", "successes"),
        text::duration(median),
        text::duration(high)
    );
    let claim = Claim::inferred(summary).evidence("median of earlier successes", text::duration(median), "attempts");
    let claim = Claim { timeout_seconds: application::late_answer_seconds(view), ..claim };
    claim.evidence("timeoutSeconds", text::duration(timeout), "manifest").fits()
}

#[cfg(test)]
mod tests;
