//! The command `probetrace-lab`.

use std::{
    io::Write,
    net::IpAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use anyhow::Result;
use clap::{Parser, Subcommand};
use probetrace_tests::{bench, demo, lab, load, prober, runc, session::Session, signal, target};

#[derive(Parser)]
#[command(
    name = "probetrace-lab",
    about = "Honest faults, a prober like the kubelet, and a judge of what probetrace says"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run scenarios against the tracer.
    Lab(lab::command::Options),
    /// Thousands of attempts of all handlers beside unrelated traffic: how many are seen, and how exactly.
    Coverage(lab::coverage::Options),
    /// Six targets, a prober and the tracer, live.
    Demo(demo::Options),
    /// What the tracer costs.
    #[command(subcommand)]
    Bench(Bench),
    /// Unrelated connections.
    Load(LoadOptions),
    /// Remove what killed runs left.
    Clean,
    /// Processes of the lab itself.
    #[command(subcommand, hide = true)]
    Internal(Internal),
}

#[derive(Subcommand)]
enum Bench {
    /// Each kernel program beside an empty one on the same hook, and innocent traffic with and without.
    Events(bench::Options),
}

#[derive(Subcommand)]
enum Internal {
    Empty,
    Innocent,
    Prober,
    Target,
}

#[derive(clap::Args)]
struct LoadOptions {
    /// Connections a second.
    #[arg(long, default_value_t = 2000)]
    connections_per_s: u32,
    /// How long.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Where its servers listen.
    #[arg(long, default_value = "127.0.0.1")]
    address: IpAddr,
    /// Namespace file of the clients.
    #[arg(long)]
    client_netns: Option<PathBuf>,
    /// Namespace file of the servers.
    #[arg(long)]
    server_netns: Option<PathBuf>,
}

/// The one of this process.
static SESSION: OnceLock<Arc<Session>> = OnceLock::new();

fn main() -> ExitCode {
    let argv: Vec<String> = std::env::args().collect();
    match argv.first().and_then(|name| Path::new(name).file_name()).and_then(|name| name.to_str()) {
        Some("runc") => return runc::main(&argv),
        Some("burn") => return burn(argv.get(1)),
        _ => {}
    }
    let done = command(Cli::parse().command);
    // Also waits where a signal has begun the removal.
    let removed = SESSION.get().map_or(Ok(()), |session| session.end());
    match done.and_then(|code| removed.map(|()| code)) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "probetrace-lab: {error:#}");
            ExitCode::from(3)
        }
    }
}

fn command(command: Command) -> Result<u8> {
    match command {
        Command::Lab(options) => Ok(u8::from(!lab::command::run(&options, || begin(130))?)),
        Command::Coverage(options) => Ok(u8::from(!lab::coverage::run(&options, || begin(130))?)),
        Command::Demo(options) => {
            let code = demo::run(&options, || begin(0))?;
            Ok(u8::try_from(code).unwrap_or(1))
        }
        Command::Bench(Bench::Events(options)) => bench::run(&options, || begin(130)).map(|()| 0),
        Command::Load(options) => generate(options).map(|()| 0),
        Command::Clean => probetrace_tests::session::clean_leftovers().map(|()| 0),
        Command::Internal(Internal::Empty) => bench::empty_main().map(|()| 0),
        Command::Internal(Internal::Innocent) => bench::innocent_main().map(|()| 0),
        Command::Internal(Internal::Prober) => prober::main().map(|()| 0),
        Command::Internal(Internal::Target) => target::main().map(|()| 0),
    }
}

/// A session that is removed at its end, and by SIGINT, SIGTERM and SIGHUP.
fn begin(code_of_signals: i32) -> Result<Arc<Session>> {
    signal::block();
    let session = Arc::new(Session::begin()?);
    let session = SESSION.get_or_init(|| session);
    signal::on_end(move |_| {
        if let Err(error) = session.end() {
            let _ = writeln!(std::io::stderr(), "probetrace-lab: {error:#}");
        }
        std::process::exit(code_of_signals);
    })?;
    Ok(Arc::clone(session))
}

fn generate(options: LoadOptions) -> Result<()> {
    let mut out = std::io::stdout();
    let load = load::Load {
        client_netns: options.client_netns,
        server_netns: options.server_netns,
        address: options.address,
        connections_per_s: options.connections_per_s,
        duration: Duration::from_secs(options.seconds),
    };
    let done = load::run(&load, || Ok(writeln!(std::io::stdout(), "ready")?))?;
    Ok(writeln!(out, "{} connections answered, {} failed", done.answered, done.failed)?)
}

/// Uses this many ms of CPU time, for a command that a quota slows down.
fn burn(ms: Option<&String>) -> ExitCode {
    let Some(ms) = ms.and_then(|ms| ms.parse().ok()) else { return ExitCode::from(2) };
    let cpu = || {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
    };
    let limit = Instant::now() + Duration::from_secs(60);
    while cpu() < Duration::from_millis(ms) && Instant::now() < limit {
        std::hint::spin_loop();
    }
    ExitCode::SUCCESS
}
