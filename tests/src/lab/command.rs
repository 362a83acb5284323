//! `probetrace-lab lab`: runs scenarios and prints a line for each.

use std::{
    io::{IsTerminal, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use rustix::process::Signal;

use super::{
    join::join,
    judge::{Line, judge},
    tracer::{self, Tracer},
    world::{Way, World},
};
use crate::{
    cgroup, netns,
    plan::Entry,
    process::{Owned, spawn},
    scenario::{self, Facility, Scenario},
    session::Session,
};

/// Options of the command.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Scenarios to run; none: all of them.
    names: Vec<String>,
    /// Run all of them.
    #[arg(long)]
    all: bool,
    /// List the scenarios and what each sets up.
    #[arg(long)]
    list: bool,
    /// Lines of JSON; on a terminal the default is a table.
    #[arg(short = 'o', long, value_parser = ["json", "jsonl", "table"])]
    output: Option<String>,
    /// Run each so many times.
    #[arg(long, default_value_t = 1)]
    times: u32,
    /// How the tracer can see the prober.
    #[arg(long, value_enum, default_value_t)]
    way: Way,
    /// The tracer's binary.
    #[arg(long, env = "PROBETRACE_BIN")]
    probetrace: Option<PathBuf>,
    /// Print the prober's own log and no verdicts: the truth of each scenario.
    #[arg(long)]
    without_tracer: bool,
    /// Keep the targets file, the tracer's lines and messages, and the prober's log of each run here.
    #[arg(long)]
    keep: Option<PathBuf>,
    /// Let the tracer record into this folder, as NAME.ptrec, and judge what a replay says.
    #[arg(long, conflicts_with = "without_tracer")]
    record: Option<PathBuf>,
    /// Let each probe make no more than so many attempts.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    attempts: Option<u32>,
}

/// Runs it; false: a scenario failed.
///
/// # Errors
/// Unknown names, no root, no tracer.
pub fn run(options: &Options, session: impl FnOnce() -> Result<std::sync::Arc<Session>>) -> Result<bool> {
    let mut out = std::io::stdout();
    let mut scenarios = choose(&options.names)?;
    if let Some(most) = options.attempts {
        scenarios.iter_mut().for_each(|scenario| scenario.at_most(most));
    }
    if options.list {
        for scenario in scenarios {
            writeln!(out, "{:22} {:22} {}", scenario.name, scenario.expected, scenario.about)?;
        }
        return Ok(true);
    }
    let binary = if options.without_tracer { None } else { Some(tracer::binary(options.probetrace.as_deref())?) };
    let session = session()?;
    let table = match options.output.as_deref() {
        None => out.is_terminal(),
        Some(output) => output == "table",
    };
    let mut passed = true;
    let mut number = 0;
    for _ in 0..options.times {
        for scenario in &scenarios {
            number += 1;
            let mut run = Run { session: &session, scenario, number, options };
            if binary.is_none() {
                run.truth(&mut out)?;
                continue;
            }
            let line = run.line(binary.as_deref());
            passed &= line.passed || line.skipped.is_some();
            if table {
                show(&mut out, &line)?;
            } else {
                serde_json::to_writer(&mut out, &line)?;
                writeln!(out)?;
            }
        }
    }
    Ok(passed)
}

fn choose(names: &[String]) -> Result<Vec<Scenario>> {
    let all = scenario::all();
    if names.is_empty() {
        return Ok(all);
    }
    let find = |name: &String| {
        let found = all.iter().find(|scenario| scenario.name == name);
        found.cloned().with_context(|| format!("no scenario {name}; `probetrace-lab lab --list` names them"))
    };
    names.iter().map(find).collect()
}

struct Run<'a> {
    session: &'a Session,
    scenario: &'a Scenario,
    number: u32,
    options: &'a Options,
}

impl Run<'_> {
    fn line(&mut self, binary: Option<&Path>) -> Line {
        if let Some(facility) = lacking(self.session, self.scenario) {
            return Line::skipped(self.scenario, facility);
        }
        match binary.context("no tracer").and_then(|binary| self.traced(binary)) {
            Ok(line) => line,
            Err(error) => Line::broken(self.scenario, &error),
        }
    }

    fn traced(&self, binary: &Path) -> Result<Line> {
        let mut world = World::build(self.session, self.scenario, self.number, self.options.way)?;
        let noise = self.noise(&world)?;
        let files = self.session.folder.join(format!("run-{}-{}", self.scenario.name, self.number));
        let mut tracer = self.tracer(binary, &world, &files)?;
        world.go()?;
        let entries = world.all_entries(self.scenario)?;
        tracer.wait_told(entries.len());
        let seen = tracer.stop();
        drop(noise);
        let faulty: Vec<String> =
            world.probes.iter().filter(|(_, row)| row.faulty).map(|(probe, _)| probe.key()).collect();
        self.keep(&world, &entries, &files)?;
        let seen = seen?;
        Ok(judge(self.scenario, &faulty, &join(&entries, &seen.attempts)))
    }

    fn tracer(&self, binary: &Path, world: &World, files: &Path) -> Result<Tracer> {
        let Some(folder) = &self.options.record else {
            return Tracer::start(binary, world, self.options.way, files);
        };
        std::fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
        let recording = folder.join(self.scenario.name).with_extension("ptrec");
        Tracer::spawn_recording(tracer::record(binary, world, self.options.way, &recording), files, &recording)
    }

    fn keep(&self, world: &World, entries: &[Entry], files: &Path) -> Result<()> {
        let Some(folder) = &self.options.keep else { return Ok(()) };
        std::fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
        let name = format!("{}-{}", self.scenario.name, self.number);
        std::fs::copy(&world.targets_file, folder.join(format!("{name}.targets.json")))?;
        for extension in ["jsonl", "stderr"] {
            std::fs::copy(files.with_extension(extension), folder.join(format!("{name}.{extension}")))?;
        }
        let log: Vec<String> = entries.iter().map(serde_json::to_string).collect::<Result<_, _>>()?;
        std::fs::write(folder.join(format!("{name}.prober.jsonl")), log.join("\n") + "\n").context("keep the log")
    }

    /// The prober's own log.
    fn truth(&mut self, out: &mut impl Write) -> Result<()> {
        if let Some(facility) = lacking(self.session, self.scenario) {
            serde_json::to_writer(&mut *out, &Line::skipped(self.scenario, facility))?;
            return Ok(writeln!(out)?);
        }
        let mut world = World::build(self.session, self.scenario, self.number, self.options.way)?;
        let noise = self.noise(&world)?;
        world.go()?;
        for entry in world.all_entries(self.scenario)? {
            let mut value = serde_json::to_value(&entry)?;
            value["scenario"] = self.scenario.name.into();
            writeln!(out, "{value}")?;
        }
        drop(noise);
        Ok(())
    }

    fn noise(&self, world: &World) -> Result<Option<Owned>> {
        if self.scenario.noise_per_s == 0 {
            return Ok(None);
        }
        start_noise(world, self.scenario.noise_per_s).map(Some)
    }
}

/// A load between the node and its first pod, until it is dropped; returns when its servers listen.
///
/// # Errors
/// A port is in use.
pub fn start_noise(world: &World, per_s: u32) -> Result<Owned> {
    let (address, pod_netns) = world.addresses.first().zip(world.pod_netns.first()).context("no pod for the noise")?;
    let address = address.to_string();
    let mut command = std::process::Command::new(std::env::current_exe()?);
    command.args(["load", "--seconds", "3600", "--connections-per-s", &per_s.to_string(), "--address", &address]);
    command.arg("--client-netns").arg(&world.node_netns).arg("--server-netns").arg(pod_netns);
    command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut process = spawn(&mut command, Signal::KILL)?;
    let (_, mut output) = process.pipes()?;
    let mut line = String::new();
    std::io::BufRead::read_line(&mut output, &mut line)?;
    if line.trim() != "ready" {
        bail!("the load did not start");
    }
    Ok(process)
}

/// What this machine lacks for a scenario.
fn lacking(session: &Session, scenario: &Scenario) -> Option<&'static str> {
    if !netns::has("ip") {
        return Some("network namespaces by iproute2");
    }
    scenario.needs.iter().find_map(|facility| match facility {
        Facility::CpuController if cgroup::with_cpu(&session.hierarchies).is_none() => Some("cgroup cpu controller"),
        Facility::Ipv6 if !Path::new("/proc/net/if_inet6").exists() => Some("IPv6"),
        Facility::Iptables if !netns::has("iptables") => Some("iptables"),
        Facility::Mptcp if !std::fs::read("/proc/sys/net/mptcp/enabled").is_ok_and(|text| text.starts_with(b"1")) => {
            Some("MPTCP")
        }
        _ => None,
    })
}

fn show(out: &mut impl Write, line: &Line) -> Result<()> {
    let result = match (&line.skipped, line.passed) {
        (Some(facility), _) => format!("SKIPPED: {facility}"),
        (None, true) => "ok".into(),
        (None, false) => "FAILED".into(),
    };
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let ms = |ns: u64| ns as f64 / 1e6;
    writeln!(
        out,
        "{:22} {:22} {:22} {:8} {:>2}/{:<2} latency ±{:.2}/{:.2} ms  {result}",
        line.name,
        line.expected,
        line.found,
        line.confidence,
        line.attempts_seen,
        line.attempts_made,
        ms(line.latency_error_p50_ns),
        ms(line.latency_error_p99_ns),
    )?;
    for problem in &line.problems {
        writeln!(out, "    {problem}")?;
    }
    Ok(())
}
