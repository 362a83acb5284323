//! `probetrace completions SHELL`

use std::io::Write;

use crate::{cli, exit::Exit};

/// Prints the script.
pub fn completions(shell: clap_complete::Shell) -> anyhow::Result<Exit> {
    // Collected first: the generator panics where writing fails.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut cli::command(), "probetrace", &mut script);
    std::io::stdout().write_all(&script)?;
    Ok(Exit::Ok)
}
