//! One file a command.

mod completions;
mod man;

use anyhow::bail;

use crate::{
    cli::{Cli, Command},
    exit::Exit,
};

/// Does what the command line says.
pub fn dispatch(cli: Cli) -> anyhow::Result<Exit> {
    match cli.command {
        Command::Completions { shell } => completions::completions(shell),
        Command::Man { command } => man::man(command.as_deref()),
        Command::Run(_) | Command::Doctor(_) | Command::Record(_) | Command::Replay(_) => bail!("not wired yet"),
    }
}
