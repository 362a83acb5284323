//! `cargo xtask lab`: builds the lab and hands over to it.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use anyhow::{Result, anyhow};

use crate::command::require_root;
use crate::{build, setup, workspace};

/// Does not return where the lab could be started.
pub fn command(release: bool, rest: &[String]) -> Result<ExitCode> {
    require_root("lab")?;
    setup::for_test()?;
    build::everything(release)?;
    Err(exec("lab", release, rest))
}

/// Becomes `probetrace-lab SUBCOMMAND …`, which then gets Ctrl-C itself and cleans up.
pub fn exec(subcommand: &str, release: bool, rest: &[String]) -> anyhow::Error {
    let lab = workspace::binary("probetrace-lab", release);
    let failed = Command::new(&lab).arg(subcommand).args(rest).exec();
    anyhow!("cannot start {}: {failed}", lab.display())
}
