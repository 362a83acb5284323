//! What passed, failed and was skipped, step by step.

use super::skips::{Allowed, Skip};

/// Results of one step.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub passed: u64,
    /// Name of each, with what is known.
    pub failed: Vec<String>,
    pub skipped: Vec<Skip>,
}

/// Results of all steps.
#[derive(Default)]
pub struct Summary {
    steps: Vec<(&'static str, Counts)>,
}

impl Summary {
    pub fn add(&mut self, step: &'static str, counts: Counts) {
        self.steps.push((step, counts));
    }

    /// Nothing ran.
    pub fn is_empty(&self) -> bool {
        self.steps.iter().all(|(_, counts)| *counts == Counts::default())
    }

    /// All of it, ending with `N passed, N failed, N skipped`, and whether this is green.
    pub fn render(&self, allowed: &Allowed, ci: bool) -> (String, bool) {
        let mut lines = Vec::new();
        let mut failures: Vec<String> = Vec::new();
        for (step, counts) in &self.steps {
            let (passed, failed, skipped) = (counts.passed, counts.failed.len(), counts.skipped.len());
            lines.push(format!("{step:<10} {passed:>5} passed {failed:>4} failed {skipped:>4} skipped"));
            failures.extend(counts.failed.iter().map(|name| format!("{step}: {name}")));
        }
        for skip in self.steps.iter().flat_map(|(_, counts)| &counts.skipped) {
            let reason = allowed.reason(skip);
            let why = reason.unwrap_or("not in tests/allowed-skips.txt");
            lines.push(format!("skipped    {}: {} ({why})", skip.test, skip.facility));
            if ci && reason.is_none() {
                failures
                    .push(format!("{} was skipped in CI, and tests/allowed-skips.txt has no such facility", skip.test));
            }
        }
        lines.extend(failures.iter().map(|failure| format!("FAILED     {failure}")));
        let sum = |count: fn(&Counts) -> u64| self.steps.iter().map(|(_, counts)| count(counts)).sum::<u64>();
        let (passed, skipped) = (sum(|c| c.passed), sum(|c| c.skipped.len() as u64));
        lines.push(format!("{passed} passed, {} failed, {skipped} skipped", failures.len()));
        (lines.join("\n"), failures.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skipped() -> Summary {
        let skip = Skip { test: "lab".into(), facility: "kprobes".into() };
        let mut summary = Summary::default();
        summary.add("tests", Counts { passed: 1, failed: vec![], skipped: vec![skip] });
        summary
    }

    #[test]
    fn a_skip_without_entry_fails_only_in_ci() {
        assert!(skipped().render(&Allowed::parse("").unwrap(), false).1);
        assert!(!skipped().render(&Allowed::parse("").unwrap(), true).1);
        assert!(skipped().render(&Allowed::parse("kprobes: not built in").unwrap(), true).1);
    }

    #[test]
    fn one_failure_is_red() {
        let mut summary = Summary::default();
        summary.add("lints", Counts { passed: 0, failed: vec!["x".into()], skipped: vec![] });
        let (text, green) = summary.render(&Allowed::parse("").unwrap(), false);
        assert!(!green && text.ends_with("0 passed, 1 failed, 0 skipped"), "{text}");
    }
}
