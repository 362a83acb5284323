//! `cargo xtask build`.

use std::process::ExitCode;

use anyhow::Result;

use crate::command::{cargo, run, say};
use crate::{setup, workspace};

/// Sets up, builds, and says where the result is.
pub fn command(release: bool) -> Result<ExitCode> {
    setup::for_build()?;
    everything(release)?;
    say(&workspace::binary("probetrace", release).display().to_string());
    Ok(ExitCode::SUCCESS)
}

/// The tracer with its kernel programs, and the lab.
pub fn everything(release: bool) -> Result<()> {
    let mut build = cargo();
    build.args(["build", "--locked", "--package", "probetrace", "--package", "probetrace-tests"]);
    if release {
        build.arg("--release");
    }
    run(&mut build)
}
