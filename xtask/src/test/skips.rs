//! Tests that did not run, and which of those may.
//!
//! A test that lacks a facility prints `SKIPPED <test>: <facility>` and returns. tests/allowed-skips.txt has
//! one `<facility>: <reason>` a line; in CI a skip for any other facility is a failure.

use anyhow::{Context, Result, bail};

use crate::workspace::root;

/// One test that did not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skip {
    pub test: String,
    pub facility: String,
}

impl Skip {
    /// Reads a line that a test printed.
    pub fn parse(line: &str) -> Option<Self> {
        let (test, facility) = line.trim().strip_prefix("SKIPPED ")?.split_once(": ")?;
        Some(Skip { test: test.trim().to_owned(), facility: facility.trim().to_owned() })
    }
}

/// The committed list.
pub struct Allowed(Vec<(String, String)>);

impl Allowed {
    pub fn read() -> Result<Self> {
        let file = root().join("tests/allowed-skips.txt");
        let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        Self::parse(&text).with_context(|| format!("in {}", file.display()))
    }

    pub fn parse(text: &str) -> Result<Self> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let entry = |line: &str| match line.split_once(": ") {
            Some((facility, reason)) if !reason.trim().is_empty() => {
                Ok((facility.to_owned(), reason.trim().to_owned()))
            }
            _ => bail!("`{line}` is not `<facility>: <reason>`"),
        };
        Ok(Allowed(lines.map(entry).collect::<Result<_>>()?))
    }

    /// Why this skip is accepted. What a test adds behind the facility's name, in brackets or after a comma or colon, is detail.
    pub fn reason(&self, skip: &Skip) -> Option<&str> {
        let name = skip.facility.split([',', '(', ':']).next().unwrap_or_default().trim();
        self.0.iter().find(|(facility, _)| facility == name).map(|(_, reason)| reason.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skip_line_names_test_and_facility() {
        let skip = Skip::parse("  SKIPPED kubelet::probes_match: kubernetes kit").unwrap();
        assert_eq!(skip, Skip { test: "kubelet::probes_match".into(), facility: "kubernetes kit".into() });
        assert_eq!(Skip::parse("test a ... ok"), None);
    }

    #[test]
    fn an_entry_needs_a_reason() {
        assert!(Allowed::parse("kprobes").is_err());
        assert!(Allowed::parse("# comment\n\nkprobes: not built in").is_ok());
    }

    #[test]
    fn detail_behind_the_facility_does_not_matter_but_its_name_does() {
        let allowed = Allowed::parse("kprobes: not built in").unwrap();
        let skip = |facility: &str| Skip { test: "t".into(), facility: facility.into() };
        assert!(allowed.reason(&skip("kprobes (CONFIG_KPROBES unset)")).is_some());
        assert!(allowed.reason(&skip("kprobes-missing")).is_none());
    }
}
