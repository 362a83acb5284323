//! One file a command.

mod completions;
mod doctor;
mod man;
mod record;
mod replay;
mod run;
mod trace;

use crate::{
    cli::{Cli, Command},
    exit::Exit,
};

/// Does what the command line says.
pub fn dispatch(cli: Cli) -> anyhow::Result<Exit> {
    match cli.command {
        Command::Completions { shell } => completions::completions(shell),
        Command::Man { command } => man::man(command.as_deref()),
        Command::Run(args) => run::run(&args),
        Command::Record(args) => record::record(&args),
        Command::Replay(args) => replay::replay(&args),
        Command::Doctor(args) => doctor::doctor(&args),
    }
}
