//! The `probetrace` command: read the line, do it, say how it went.

use std::process::ExitCode;

use probetrace::{cli, commands, exit, logging};

fn main() -> ExitCode {
    let done = cli::parse(std::env::args_os()).and_then(|cli| {
        logging::start(&cli.log_level)?;
        commands::dispatch(cli)
    });
    exit::code(done)
}
