//! `cargo xtask test`: everything that has to hold, with one sum at the end.

mod lab;
mod libtest;
mod skips;
mod summary;

use std::process::ExitCode;

use anyhow::Result;

use crate::command::{cargo, is_root, run, say};
use crate::{build, setup};
use skips::Allowed;
use summary::{Counts, Summary};

/// Sets up, builds, checks, tests. With a filter: only the tests and scenarios whose name contains it.
pub fn command(filter: Option<&str>) -> Result<ExitCode> {
    setup::for_test()?;
    if !is_root() {
        eprintln!("not root: tests that load kernel programs will be skipped, by name");
    }
    build::everything(false)?;
    let mut summary = Summary::default();
    if filter.is_none() {
        summary.add("format", one("cargo fmt --all --check", cargo().args(["fmt", "--all", "--check"])));
        let mut clippy = cargo();
        clippy.args(["clippy", "--locked", "--workspace", "--all-targets", "--", "--deny", "warnings"]);
        summary.add("lints", one("cargo clippy", &mut clippy));
        summary.add("tidy", or_failed(tidy()));
    }
    summary.add("tests", or_failed(libtest::run(filter)));
    summary.add("lab", or_failed(lab::run(filter)));
    if let Some(filter) = filter.filter(|_| summary.is_empty()) {
        anyhow::bail!("no test and no scenario has `{filter}` in its name");
    }
    let ci = std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false");
    let allowed = Allowed::read()?;
    let (text, green) = summary.render(&allowed, ci);
    say(&format!("\n{text}"));
    Ok(if green { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Each check of `cargo xtask tidy` counts as one.
fn tidy() -> Result<Counts> {
    let mut counts = Counts::default();
    for (name, findings) in crate::tidy::run()? {
        match findings.len() {
            0 => counts.passed += 1,
            found => counts.failed.push(format!("{name}: {found} found")),
        }
    }
    Ok(counts)
}

/// A step that could not run is a failed one: the others still run.
fn or_failed(counts: Result<Counts>) -> Counts {
    counts.unwrap_or_else(|error| Counts { failed: vec![format!("{error:#}")], ..Counts::default() })
}

/// A check that passes or fails as a whole.
fn one(name: &str, command: &mut std::process::Command) -> Counts {
    match run(command) {
        Ok(()) => Counts { passed: 1, ..Counts::default() },
        Err(error) => Counts { failed: vec![format!("{name}: {error:#}")], ..Counts::default() },
    }
}
