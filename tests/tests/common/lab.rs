//! What several tests need.

use std::process::{Command, Output};

/// Says that a test did not run, in the form that `cargo xtask test` counts.
pub fn skipped(test: &str, facility: &str) {
    eprintln!("SKIPPED {test}: {facility}");
}

/// Whether we are root; else the test is skipped.
pub fn root(test: &str) -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        skipped(test, "root");
    }
    root
}

/// Runs `probetrace-lab`.
pub fn lab(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_probetrace-lab")).args(arguments).output().expect("probetrace-lab")
}
