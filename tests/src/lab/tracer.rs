//! The tracer under test: its process and its lines.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use serde::Deserialize;

use super::world::{Way, World};
use crate::{
    process::{Owned, spawn},
    schema,
};

const START_LIMIT: Duration = Duration::from_secs(60);
/// A verdict may stay open for 4 s past its deadline, and is written a moment later.
const VERDICT_LIMIT: Duration = Duration::from_secs(6);
const STOP_LIMIT: Duration = Duration::from_secs(15);

/// `probetrace run` or `probetrace record`, attached.
#[derive(Debug)]
pub struct Tracer {
    process: Owned,
    lines: PathBuf,
    messages: PathBuf,
    /// Makes the lines of a recording.
    replay: Option<Command>,
}

/// Where to find the binary: as told, else beside our own.
///
/// # Errors
/// There is none.
pub fn binary(told: Option<&Path>) -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let beside = own.with_file_name("probetrace");
    let path = told.map_or(beside, Path::to_path_buf);
    if !path.is_file() {
        bail!("no tracer at {}: build it with `cargo xtask build`, or name it with --probetrace", path.display());
    }
    Ok(path)
}

/// `probetrace run` for the prober of a world; a run directory of its own lets it work beside another tracer.
pub fn run(binary: &Path, world: &World, way: Way) -> Command {
    run_on(binary, world.prober_pid(), &world.targets_file, way)
}

/// The same, where the world is in other hands.
pub fn run_on(binary: &Path, prober: u32, targets: &Path, way: Way) -> Command {
    let mut command = without_settings(binary, targets);
    let prober = format!("pid:{prober}");
    command.args(["run", "--prober", &prober, "--way", way.name(), "--targets"]).arg(targets);
    command
}

/// The binary with nothing of the user's own settings; its run directory is beside the targets.
fn without_settings(binary: &Path, targets: &Path) -> Command {
    let mut command = Command::new(binary);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"PROBETRACE_")) {
        command.env_remove(name);
    }
    command.env("PROBETRACE_RUN_DIR", targets.with_file_name("tracer"));
    command
}

/// `probetrace record` into `file`, as [`run`].
pub fn record(binary: &Path, world: &World, way: Way, file: &Path) -> Command {
    let mut command = without_settings(binary, &world.targets_file);
    let prober = format!("pid:{}", world.prober_pid());
    command.arg("record").arg(file).args(["--node", "lab", "--prober", &prober, "--way", way.name(), "--targets"]);
    command.arg(&world.targets_file);
    command
}

impl Tracer {
    /// Starts it and waits until every hook is attached. `files`: its lines, messages and ready file get this name.
    ///
    /// # Errors
    /// It ends or is not ready in time; its messages are in the error.
    pub fn start(binary: &Path, world: &World, way: Way, files: &Path) -> Result<Self> {
        Self::spawn(run(binary, world, way), files)
    }

    /// Starts a command of [`run`] and waits the same way.
    ///
    /// # Errors
    /// As [`Tracer::start`].
    pub fn spawn(mut command: Command, files: &Path) -> Result<Self> {
        command.args(["-o", "json"]);
        Self::spawn_as_it_is(command, files, None)
    }

    /// Starts a command of [`record`] into `recording`; its lines are those of a replay.
    ///
    /// # Errors
    /// As [`Tracer::start`].
    pub fn spawn_recording(command: Command, files: &Path, recording: &Path) -> Result<Self> {
        let mut replay = Command::new(command.get_program());
        replay.arg("replay").arg(recording).args(["-o", "json"]);
        Self::spawn_as_it_is(command, files, Some(replay))
    }

    fn spawn_as_it_is(mut command: Command, files: &Path, replay: Option<Command>) -> Result<Self> {
        let (lines, messages) = (files.with_extension("jsonl"), files.with_extension("stderr"));
        let ready = files.with_extension("ready");
        command.arg("--ready-file").arg(&ready);
        command.stdin(Stdio::null()).stdout(File::create(&lines)?).stderr(File::create(&messages)?);
        let process = spawn(&mut command, Signal::TERM)?;
        let mut tracer = Self { process, lines, messages, replay };
        let deadline = Instant::now() + START_LIMIT;
        while !ready.exists() {
            if let Some(code) = tracer.process.ended() {
                bail!("probetrace ended with {code} before it was ready:\n{}", tracer.messages());
            }
            if Instant::now() > deadline {
                bail!("probetrace was not ready after {START_LIMIT:?}:\n{}", tracer.messages());
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(tracer)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// What it said on its standard error.
    pub fn messages(&self) -> String {
        fs::read_to_string(&self.messages).unwrap_or_default()
    }

    /// Waits until it has told as much as the prober made, or as long as a verdict may stay open.
    pub fn wait_told(&mut self, attempts: usize) {
        let deadline = Instant::now() + VERDICT_LIMIT;
        let told = |text: &str| text.lines().filter(|line| line.starts_with("{\"type\":\"attempt\"")).count();
        while told(&self.text().unwrap_or_default()) < attempts
            && Instant::now() < deadline
            && self.process.ended().is_none()
        {
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Ends it with SIGINT and reads what it saw.
    ///
    /// # Errors
    /// It ends with another code than 0, not in time, or its lines are no JSON.
    pub fn stop(mut self) -> Result<Seen> {
        self.process.signal(Signal::INT);
        let code = self.process.wait(STOP_LIMIT).context("probetrace after SIGINT")?;
        if code != 0 {
            bail!("probetrace ended with {code}:\n{}", self.messages());
        }
        Seen::parse(&self.text()?)
    }

    /// The lines so far.
    fn text(&mut self) -> Result<String> {
        let Some(replay) = &mut self.replay else { return Ok(fs::read_to_string(&self.lines)?) };
        let output = replay.output().context("start the replay")?;
        if !output.status.success() {
            bail!("the replay ended with {}:\n{}", output.status, String::from_utf8_lossy(&output.stderr));
        }
        fs::write(&self.lines, &output.stdout)?;
        String::from_utf8(output.stdout).context("the replay's lines")
    }
}

/// The lines of one run.
#[derive(Debug, Default)]
pub struct Seen {
    /// Attempts, in the order of their verdicts.
    pub attempts: Vec<Attempt>,
    /// Lines by type.
    pub lines: std::collections::BTreeMap<String, u64>,
    /// The last health line.
    pub health: Option<serde_json::Value>,
}

/// What the judge needs of an attempt's line: read by name, as any user of the contract would.
#[derive(Clone, Debug, Deserialize)]
pub struct Attempt {
    /// RFC 3339.
    pub started_at: jiff::Timestamp,
    /// How many tries.
    pub tries: u32,
    /// `None`: attributed to no probe.
    pub probe: Option<ProbeField>,
    /// See above.
    pub kubernetes: Option<KubernetesField>,
    /// `namespace/pod/container/kind`.
    #[serde(default)]
    pub ambiguous: Vec<String>,
    /// Outcome.
    pub outcome: String,
    /// ns.
    pub latency_ns: u64,
    /// Verdict.
    pub verdict: VerdictField,
}

/// `probe` of the record.
#[derive(Clone, Debug, Deserialize)]
pub struct ProbeField {
    /// `liveness` …
    pub kind: String,
    /// `http` …
    pub handler: String,
    /// Where.
    pub target: String,
    /// timeoutSeconds.
    pub timeout_ns: u64,
}

/// `kubernetes` of the record.
#[derive(Clone, Debug, Deserialize)]
pub struct KubernetesField {
    /// Pod.
    pub pod: String,
    /// Container.
    pub container: String,
}

/// `verdict` of the record.
#[derive(Clone, Debug, Deserialize)]
pub struct VerdictField {
    /// Stable id.
    pub cause: String,
    /// `proven` …
    pub confidence: String,
    /// A sentence.
    pub summary: String,
    /// What it would have taken.
    #[serde(default)]
    pub missing: Vec<String>,
}

impl Attempt {
    /// `pod/container/kind`, as in the prober's log; "" where unattributed.
    pub fn key(&self) -> String {
        match (&self.kubernetes, &self.probe) {
            (Some(kubernetes), Some(probe)) => format!("{}/{}/{}", kubernetes.pod, kubernetes.container, probe.kind),
            _ => String::new(),
        }
    }

    /// Whether it is of this probe, or says that it may be.
    pub fn may_be(&self, key: &str) -> bool {
        self.key() == key || self.ambiguous.iter().any(|name| name.split_once('/').is_some_and(|(_, rest)| rest == key))
    }

    /// Begin, CLOCK_REALTIME ns.
    pub fn started_wall_ns(&self) -> i64 {
        i64::try_from(self.started_at.as_nanosecond()).unwrap_or(i64::MAX)
    }
}

impl Seen {
    /// One JSON object a line.
    ///
    /// # Errors
    /// A line is none or not as the schema says, or an attempt lacks a field of the contract.
    pub fn parse(text: &str) -> Result<Self> {
        let mut seen = Self::default();
        for line in text.lines() {
            schema::check(line)?;
            let value: serde_json::Value = serde_json::from_str(line).with_context(|| format!("no JSON: {line}"))?;
            let kind = value["type"].as_str().with_context(|| format!("no type: {line}"))?.to_owned();
            match kind.as_str() {
                "attempt" => {
                    let attempt = serde_json::from_value(value).with_context(|| format!("attempt: {line}"))?;
                    seen.attempts.push(attempt);
                }
                "health" => seen.health = Some(value),
                _ => {}
            }
            *seen.lines.entry(kind).or_default() += 1;
        }
        Ok(seen)
    }
}
