//! The command line: what can be asked for. Values come from flag > `PROBETRACE_*` > file > default.

mod help;
mod output;
mod trace;
mod values;

use std::{ffi::OsString, path::PathBuf};

use clap::{Arg, ArgAction, CommandFactory, FromArgMatches, Parser, Subcommand};

pub use output::OutputArgs;
pub use trace::{TraceArgs, Way};

use crate::{config, filters::Filter};

/// Prefix of the environment variables.
const ENV_PREFIX: &str = "PROBETRACE_";

/// `probetrace …`
#[derive(Clone, Debug, Parser)]
#[command(name = "probetrace", version, long_version = help::LONG_VERSION)]
#[command(about = help::ABOUT, long_about = help::LONG_ABOUT, after_long_help = help::AFTER)]
#[command(subcommand_required = true, arg_required_else_help = true, max_term_width = 120)]
pub struct Cli {
    /// Settings file (TOML; keys are the long names of the flags) [default: /etc/probetrace/config.toml if it is there]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Log on standard error down to this level; `RUST_LOG` refines it by module
    #[arg(long, global = true, value_name = "LEVEL", default_value = "info")]
    #[arg(value_parser = ["off", "error", "warn", "info", "debug", "trace"])]
    pub log_level: String,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Trace probes on this node: each attempt with its latency, its stages and why it failed
    #[command(long_about = help::RUN)]
    Run(RunArgs),
    /// Say what this node can show and what it can't, hook by hook, and what to do about it
    #[command(long_about = help::DOCTOR)]
    Doctor(DoctorArgs),
    /// Trace, and keep every input in FILE for `replay`
    #[command(long_about = help::RECORD)]
    Record(RecordArgs),
    /// Give the records of a recording again: no root, no kernel, the same lines
    #[command(long_about = help::REPLAY)]
    Replay(ReplayArgs),
    /// Print a completion script
    #[command(long_about = help::COMPLETIONS)]
    Completions {
        /// For which shell
        shell: clap_complete::Shell,
    },
    /// Print a manual page
    #[command(long_about = help::MAN)]
    Man {
        /// Of this command; without it, of probetrace itself
        command: Option<String>,
    },
}

/// `run`
#[derive(Clone, Debug, clap::Args)]
pub struct RunArgs {
    /// How it is shown.
    #[command(flatten)]
    pub output: OutputArgs,
    /// What is shown.
    #[command(flatten)]
    pub filter: Filter,
    /// What is traced.
    #[command(flatten)]
    pub trace: TraceArgs,
}

/// `doctor`
#[derive(Clone, Debug, clap::Args)]
pub struct DoctorArgs {
    /// Make one passing and one refused probe of its own and show both verdicts
    #[arg(long)]
    pub live: bool,
    /// Be the prober of `--live`: makes the probes that standard input names.
    #[arg(long, hide = true)]
    pub be_prober: bool,
    /// How it is shown.
    #[command(flatten)]
    pub output: OutputArgs,
    /// What is traced.
    #[command(flatten)]
    pub trace: TraceArgs,
}

/// `record`
#[derive(Clone, Debug, clap::Args)]
pub struct RecordArgs {
    /// Where to; it must not exist yet, and only its owner can read it (0600)
    pub file: PathBuf,
    /// What is traced.
    #[command(flatten)]
    pub trace: TraceArgs,
}

/// `replay`
#[derive(Clone, Debug, clap::Args)]
pub struct ReplayArgs {
    /// The recording; `-` for standard input
    pub file: PathBuf,
    /// How it is shown.
    #[command(flatten)]
    pub output: OutputArgs,
    /// What is shown.
    #[command(flatten)]
    pub filter: Filter,
}

/// Reads the command line, the environment and the settings file. Help and version are errors, too, of clap's kind.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> anyhow::Result<Cli> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let file = config::load(named_config(&arguments))?;
    let matches = match file {
        Some(file) => config::apply(command(), &file)?,
        None => command(),
    }
    .try_get_matches_from(&arguments)?;
    Ok(Cli::from_arg_matches(&matches)?)
}

/// The whole command, with an environment variable for each flag.
pub fn command() -> clap::Command {
    with_environment(Cli::command())
}

fn with_environment(command: clap::Command) -> clap::Command {
    command.mut_args(with_variable).mut_subcommands(with_environment)
}

/// `--ready-file` is `PROBETRACE_READY_FILE`. Lists are divided at commas there.
fn with_variable(arg: Arg) -> Arg {
    let Some(long) = arg.get_long().map(str::to_owned) else { return arg };
    let variable = format!("{ENV_PREFIX}{}", long.to_uppercase().replace('-', "_"));
    let is_list = matches!(arg.get_action(), ArgAction::Append);
    let arg = arg.env(variable).hide_env_values(true);
    if is_list { arg.value_delimiter(',') } else { arg }
}

/// The file that `--config` or `PROBETRACE_CONFIG` names, before anything else is understood of the line.
fn named_config(arguments: &[OsString]) -> Option<PathBuf> {
    let lenient = command().ignore_errors(true).subcommand_required(false).arg_required_else_help(false);
    let matches = lenient.disable_help_flag(true).disable_version_flag(true).try_get_matches_from(arguments).ok()?;
    let mut level = Some(&matches);
    let mut found = None;
    while let Some(matches) = level {
        found = matches.try_get_one::<PathBuf>("config").ok().flatten().cloned().or(found);
        level = matches.subcommand().map(|(_, below)| below);
    }
    found
}

#[cfg(test)]
mod tests;
