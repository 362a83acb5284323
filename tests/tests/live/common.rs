//! What several tests need.

use std::{
    process::{Command, Output},
    sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

/// Says that a test did not run, in the form that `cargo xtask test` counts.
pub fn skipped(test: &str, facility: &str) {
    eprintln!("SKIPPED {test}: {facility}");
}

/// Tests run beside each other, but for those that measure.
static MACHINE: RwLock<()> = RwLock::new(());

/// The machine to be shared with other tests; `None`: we are not root, and the test is skipped.
pub fn root(test: &str) -> Option<RwLockReadGuard<'static, ()>> {
    is_root(test).then(|| MACHINE.read().unwrap_or_else(PoisonError::into_inner))
}

/// The machine for this test alone.
pub fn root_alone(test: &str) -> Option<RwLockWriteGuard<'static, ()>> {
    is_root(test).then(|| MACHINE.write().unwrap_or_else(PoisonError::into_inner))
}

fn is_root(test: &str) -> bool {
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
