//! The lab's scenarios as tests: one line of JSON each (`probetrace-lab lab -o json`).

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::skips::Skip;
use super::summary::Counts;
use crate::command::{is_root, output, say, shown};
use crate::workspace;

/// What is read of a scenario's line.
#[derive(Deserialize)]
struct Line {
    name: String,
    expected: String,
    #[serde(default)]
    found: String,
    #[serde(default)]
    confidence: String,
    passed: bool,
    skipped: Option<String>,
    #[serde(default)]
    problems: Vec<String>,
}

/// Scenarios whose name contains `filter`.
pub fn run(filter: Option<&str>) -> Result<Counts> {
    let mut counts = Counts::default();
    let names = names(filter)?;
    if names.is_empty() {
        return Ok(counts);
    }
    if !is_root() {
        let skips = names.into_iter().map(|name| Skip { test: format!("lab {name}"), facility: "root".into() });
        counts.skipped = skips.collect();
        return Ok(counts);
    }
    let mut lab = Command::new(workspace::binary("probetrace-lab", false));
    lab.args(["lab", "-o", "json"]).args(&names).stdin(Stdio::null()).stdout(Stdio::piped());
    eprintln!("    $ {}", shown(&lab));
    let mut child = lab.spawn().with_context(|| format!("cannot start {}", shown(&lab)))?;
    let stdout = child.stdout.take().context("the lab has no stdout")?;
    let mut missing = names;
    for text in BufReader::new(stdout).lines() {
        let text = text.context("reading the lab's output")?;
        let Ok(line) = serde_json::from_str::<Line>(&text) else { bail!("the lab printed no scenario: {text}") };
        missing.retain(|name| *name != line.name);
        say(&count(line, &mut counts));
    }
    let status = child.wait().context("waiting for the lab")?;
    counts.failed.extend(missing.into_iter().map(|name| format!("{name}: no result, the lab ended with {status}")));
    Ok(counts)
}

/// Of `probetrace-lab lab --list`: the first word of each line.
fn names(filter: Option<&str>) -> Result<Vec<String>> {
    let list = output(Command::new(workspace::binary("probetrace-lab", false)).args(["lab", "--list"]))?;
    let names = list.lines().filter_map(|line| line.split_whitespace().next());
    Ok(names.filter(|name| filter.is_none_or(|filter| name.contains(filter))).map(str::to_owned).collect())
}

/// Adds it, and says it in one line.
fn count(line: Line, counts: &mut Counts) -> String {
    let Line { name, expected, found, confidence, .. } = line;
    if let Some(facility) = line.skipped {
        let text = format!("lab {name} ... skipped: {facility}");
        counts.skipped.push(Skip { test: format!("lab {name}"), facility });
        return text;
    }
    if line.passed {
        counts.passed += 1;
        return format!("lab {name} ... ok: {found} ({confidence})");
    }
    let why = match line.problems.is_empty() {
        true => format!("expected {expected}, found {found} ({confidence})"),
        false => line.problems.join("; "),
    };
    let text = format!("lab {name} ... FAILED: {why}");
    counts.failed.push(format!("{name}: {why}"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_passes_fails_or_is_skipped() {
        let mut counts = Counts::default();
        for (passed, skipped) in [("true", "null"), ("false", "null"), ("false", "\"IPv6\"")] {
            let text = format!(
                "{{\"type\":\"scenario\",\"name\":\"n\",\"expected\":\"a\",\"found\":\"b\",\"passed\":{passed},\"skipped\":{skipped}}}"
            );
            count(serde_json::from_str(&text).unwrap(), &mut counts);
        }
        assert_eq!((counts.passed, counts.failed.len(), counts.skipped.len()), (1, 1, 1));
        assert!(counts.failed[0].contains("expected a, found b"));
    }
}
