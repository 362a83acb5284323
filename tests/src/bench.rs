//! `probetrace-lab bench`: what the tracer's kernel programs cost, and what they cost traffic that is no probe.
//!
//! Rounds of the tracer and of empty programs on the same hooks take turns in one run, so that what else happens on the
//! machine meets both. Times are the kernel's own (`bpf_stats`, kernel/bpf/syscall.c: bpf_enable_stats).

mod empty;
mod innocent;
mod report;
mod stats;

use std::{
    io::BufRead,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    thread,
    time::Duration,
};

use anyhow::{Context, Result};
use rustix::process::Signal;

pub use self::{empty::main as empty_main, innocent::main as innocent_main};
use self::{
    empty::{Empty, Which},
    innocent::Mode,
    report::{Load, Report, Subject},
};
use crate::{
    lab::{
        tracer::{self, Tracer},
        world::{Way, World},
    },
    process::spawn,
    scenario,
    session::Session,
};

/// Unrelated connections a second under load (b).
const UNRELATED_PER_S: u32 = 5000;

/// Options of the command.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Object with the empty programs (`cargo xtask bench` builds it).
    #[arg(long)]
    empty_object: PathBuf,
    /// The tracer's binary.
    #[arg(long, env = "PROBETRACE_BIN")]
    probetrace: Option<PathBuf>,
    /// Rounds of each kind.
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Length of a round.
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// How the tracer can see the prober.
    #[arg(long, value_enum, default_value_t)]
    way: Way,
    /// Lines of JSON instead of a table.
    #[arg(short = 'o', long, value_parser = ["json", "jsonl", "table"], default_value = "table")]
    output: String,
}

/// Runs all of it and prints the figures.
///
/// # Errors
/// No root, no tracer, no statistics in this kernel.
pub fn run(options: &Options, session: impl FnOnce() -> Result<Arc<Session>>) -> Result<()> {
    let binary = tracer::binary(options.probetrace.as_deref())?;
    let session = session()?;
    let _counting = aya::sys::enable_stats(aya::sys::Stats::RunTime).context("BPF_ENABLE_STATS: kernel ≥ 5.8")?;
    let scenario = scenario::busy();
    let mut world = World::build(&session, &scenario, 1, options.way)?;
    world.go()?;
    let bench = Bench { options, binary, session: session.clone(), place: Place::of(&world, &session)? };
    // Reads the prober's log so that the prober never waits; ends with the process.
    thread::spawn(move || while let Ok(Some(_)) = world.next_entry(&scenario) {});
    let mut report = Report::default();
    for round in 0..options.rounds {
        eprintln!("round {} of {}", round + 1, options.rounds);
        for load in [Load::Probes, Load::Unrelated] {
            bench.programs(load, round, &mut report)?;
        }
        bench.innocent(round, &mut report)?;
    }
    report.print(options.output != "table")
}

/// What is known of the world once its prober runs.
struct Place {
    prober: u32,
    targets: PathBuf,
    node_netns: PathBuf,
    pod_netns: PathBuf,
    address: String,
    /// Folder of the prober in cgroup v2; `None`: only the node-wide hooks are used.
    cgroup: Option<PathBuf>,
}

impl Place {
    fn of(world: &World, session: &Session) -> Result<Self> {
        let unified = session.hierarchies.iter().find(|hierarchy| hierarchy.unified);
        Ok(Self {
            prober: world.prober_pid(),
            targets: world.targets_file.clone(),
            node_netns: world.node_netns.clone(),
            pod_netns: world.pod_netns.first().context("no pod")?.clone(),
            address: world.addresses.first().context("no pod")?.to_string(),
            cgroup: unified.map(|root| root.mount.join(&session.name).join("prober-1")).filter(|path| path.is_dir()),
        })
    }
}

struct Bench<'a> {
    options: &'a Options,
    binary: PathBuf,
    session: Arc<Session>,
    place: Place,
}

impl Bench<'_> {
    /// One round of the tracer, and one of the empty programs.
    fn programs(&self, load: Load, round: u32, report: &mut Report) -> Result<()> {
        let tracer = self.tracer(round)?;
        self.measure(tracer.pid(), Subject::Tracer, load, report)?;
        tracer.stop()?;
        let empty = Empty::start(&self.options.empty_object, self.place.cgroup.as_deref(), Which::All)?;
        self.measure(empty.pid(), Subject::Empty, load, report)
    }

    fn measure(&self, pid: u32, subject: Subject, load: Load, report: &mut Report) -> Result<()> {
        let before = stats::of(pid)?;
        let connections = match load {
            Load::Probes => {
                thread::sleep(Duration::from_secs(self.options.seconds));
                0
            }
            Load::Unrelated => self.unrelated()?,
        };
        report.add(subject, load, connections, &stats::difference(&before, &stats::of(pid)?));
        Ok(())
    }

    /// Unrelated connections for the length of a round; how many there were.
    fn unrelated(&self) -> Result<u64> {
        let mut command = Command::new(std::env::current_exe()?);
        let per_s = UNRELATED_PER_S.to_string();
        command.args(["load", "--connections-per-s", &per_s, "--address", &self.place.address]);
        command.arg("--seconds").arg(self.options.seconds.to_string());
        command.arg("--client-netns").arg(&self.place.node_netns);
        command.arg("--server-netns").arg(&self.place.pod_netns);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = spawn(&mut command, Signal::KILL)?;
        let (_input, output) = process.pipes()?;
        let lines = output.lines().collect::<std::io::Result<Vec<_>>>()?;
        let last = lines.last().context("the load said nothing")?;
        last.split(' ').next().and_then(|count| count.parse().ok()).with_context(|| format!("the load said: {last}"))
    }

    /// Innocent traffic with nothing, with programs on a cgroup where nobody is, with all of the tracer.
    fn innocent(&self, round: u32, report: &mut Report) -> Result<()> {
        report.innocent(Mode::Nothing, innocent::measure()?);
        if let Some(cgroup) = &self.place.cgroup {
            let idle = cgroup.with_file_name("idle");
            self.session.make(|| Ok(std::fs::create_dir_all(&idle)?))?;
            let empty = Empty::start(&self.options.empty_object, Some(&idle), Which::OfCgroup)?;
            report.innocent(Mode::EmptyCgroup, innocent::measure()?);
            drop(empty);
        }
        let tracer = self.tracer(round)?;
        report.innocent(Mode::All, innocent::measure()?);
        tracer.stop()?;
        Ok(())
    }

    fn tracer(&self, round: u32) -> Result<Tracer> {
        let files: &Path = &self.session.folder.join(format!("bench-{round}"));
        Tracer::spawn(tracer::run_on(&self.binary, self.place.prober, &self.place.targets, self.options.way), files)
    }
}
