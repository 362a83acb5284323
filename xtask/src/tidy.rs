//! `cargo xtask tidy`: the rules of the house and the invariants of ARCHITECTURE.md, where a machine can check them.

mod architecture;
mod causes;
mod hooks;
mod layers;
mod leaks;
mod lints;
mod packages;
mod panics;
mod safety;
mod size;
mod source;

use std::process::ExitCode;

use anyhow::Result;

use crate::command::say;
use source::Tree;

/// What is wrong, and where (`path` or `path:line`).
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    pub place: String,
    pub what: String,
}

impl Finding {
    pub fn new(place: impl Into<String>, what: impl Into<String>) -> Self {
        Finding { place: place.into(), what: what.into() }
    }
}

type Check = fn(&Tree) -> Result<Vec<Finding>>;

/// Name on the screen, and what runs.
const CHECKS: &[(&str, Check)] = &[
    ("layers: who may know aya, Kubernetes, I/O, output formats", layers::check),
    ("lints: denied everywhere, nothing allowed, no mod.rs", lints::check),
    ("panics: no unwrap, expect or panic on runtime paths", panics::check),
    ("safety: each unsafe says why it is sound", safety::check),
    ("size: files and functions", size::check),
    ("leaks: no paths or hosts of the machine it was made on", leaks::check),
    ("hooks: kernel programs never change a packet's fate", hooks::check),
    ("causes: each has a scenario or a reason", causes::check),
    ("architecture: ARCHITECTURE.md names what is there", architecture::check),
    ("packages: number, licences, advisories, duplicates", packages::check),
];

/// Prints each check with its findings.
pub fn command() -> Result<ExitCode> {
    let failed = run()?.iter().filter(|(_, findings)| !findings.is_empty()).count();
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs all checks; each with what it found.
pub fn run() -> Result<Vec<(&'static str, Vec<Finding>)>> {
    let tree = Tree::read(crate::workspace::root())?;
    let mut results = Vec::new();
    for (name, check) in CHECKS {
        let mut findings = check(&tree)?;
        findings.sort();
        say(&format!("{} {name}", if findings.is_empty() { "ok    " } else { "FAILED" }));
        for finding in &findings {
            say(&format!("       {}: {}", finding.place, finding.what));
        }
        results.push((*name, findings));
    }
    say(&size::figures(&tree));
    Ok(results)
}
