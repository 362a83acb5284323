//! Developer commands of probetrace. `cargo xtask --help` lists them.

mod bench;
mod build;
mod command;
mod demo;
mod lab;
mod plain_root;
mod setup;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

/// Everything a developer of probetrace runs.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Find or install what building the kernel programs and the tests need (safe to run twice)
    Setup {
        /// Only report; exit 1 if something is missing
        #[arg(long)]
        check: bool,
    },
    /// Build the probetrace command with its kernel programs, and the lab
    Build(Profile),
    /// Set up, build, check and test everything; the command that CI runs
    Test {
        /// Only tests and scenarios whose name contains this
        filter: Option<String>,
    },
    /// Check the rules of the house and the invariants of ARCHITECTURE.md
    Tidy,
    /// Set up, build, and trace this machine's kubelet live, or the lab's prober where there is none (needs root)
    Demo {
        /// Stop after this long, such as 30s (without: Ctrl-C)
        #[arg(long)]
        duration: Option<String>,
    },
    /// Measure what the tracer costs (needs root)
    #[command(subcommand)]
    Bench(Bench),
    /// Provoke faults and compare the verdicts with the truth (needs root)
    Lab {
        #[command(flatten)]
        profile: Profile,
        /// Scenario names and options of `probetrace-lab lab` (try --help)
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<String>,
    },
}

#[derive(Subcommand)]
enum Bench {
    /// Each kernel program beside an empty one on the same hook; innocent traffic with and without the tracer
    Events {
        /// Options of `probetrace-lab bench events` (try --help)
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<String>,
    },
}

/// How to build.
#[derive(Args, Clone, Copy)]
struct Profile {
    /// Optimised
    #[arg(long)]
    release: bool,
}

fn main() -> ExitCode {
    let task = Cli::parse().task;
    let needs_mounts = matches!(task, Task::Test { .. } | Task::Demo { .. } | Task::Lab { .. } | Task::Bench(_));
    if let Err(error) = if needs_mounts { plain_root::leave() } else { Ok(()) } {
        eprintln!("error: {error:#}");
        return ExitCode::FAILURE;
    }
    let done = match task {
        Task::Setup { check } => setup::command(check),
        Task::Build(profile) => build::command(profile.release),
        Task::Test { filter } => test::command(filter.as_deref()),
        Task::Tidy => tidy::command(),
        Task::Demo { duration } => demo::command(duration.as_deref()),
        Task::Bench(Bench::Events { rest }) => bench::events(&rest),
        Task::Lab { profile, rest } => lab::command(profile.release, &rest),
    };
    done.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
