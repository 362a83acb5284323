//! A prober that behaves like the kubelet on the wire: a worker for each probe, a ticker's grid, a timer for the
//! time-out, three tries on errors (kubelet: prober/worker.go:run, prober/prober.go:runProbeWithRetries).

pub mod dial;
pub mod exec;
pub mod http;
mod response;
pub mod tcp;

use std::{
    io::{BufRead, Write},
    path::Path,
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::{
    clock,
    place::Place,
    plan::{Entry, Handler, Outcome, Plan, Probe},
};

/// Tries of one attempt while each is an error (kubelet: maxProbeRetries).
const MAX_TRIES: u32 = 3;

/// How one try ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// Success, failure or time-out count; an error is tried again.
    pub outcome: Outcome,
    /// In the kubelet's words.
    pub text: String,
}

impl End {
    /// Shorthand.
    pub fn new(outcome: Outcome, text: impl Into<String>) -> Self {
        Self { outcome, text: text.into() }
    }
}

/// First line of the prober's standard input.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ProberPlan {
    /// Where to live.
    pub place: Place,
    /// What to probe.
    pub plan: Plan,
}

/// The prober's process: reads its plan, says `ready`, waits for a line, and logs to its standard output.
///
/// # Errors
/// The plan can't be read, or the place not entered.
pub fn main() -> Result<()> {
    let mut lines = std::io::stdin().lock().lines();
    let ProberPlan { place, plan } = serde_json::from_str(&lines.next().context("no plan")??)?;
    place.enter()?;
    // The commands of exec probes become our children when their helper ends.
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    writeln!(std::io::stdout(), "ready")?;
    if lines.next().transpose()?.is_none() {
        return Ok(());
    }
    run(plan, std::io::stdout().lock())?;
    // A kubelet does not end with its last probe: what it left in the kernel stays until we are told to go.
    lines.next();
    Ok(())
}

/// Runs the plan until every worker made its attempts; log lines go to `log` as each attempt ends.
///
/// # Errors
/// The log can't be written.
pub fn run(plan: Plan, mut log: impl Write) -> Result<()> {
    let (lines, ended) = mpsc::sync_channel::<Entry>(1024);
    let state = Arc::new(plan.state);
    let start = Instant::now();
    for probe in plan.probes {
        let lines = lines.clone();
        let state = Arc::clone(&state);
        thread::Builder::new()
            .stack_size(128 * 1024)
            .spawn(move || worker(&probe, &state, start, &lines))
            .context("thread of a worker")?;
    }
    drop(lines);
    for entry in ended {
        serde_json::to_writer(&mut log, &entry).context("prober's log")?;
        log.write_all(b"\n").and_then(|()| log.flush()).context("prober's log")?;
    }
    Ok(())
}

/// First attempt after the phase, then a grid; ticks that come while an attempt runs collapse into one (Go's Ticker has
/// a buffer of 1), so a long attempt is followed at once by the next and then the grid again.
fn worker(probe: &Probe, state: &Path, start: Instant, lines: &mpsc::SyncSender<Entry>) {
    let period = Duration::from_millis(probe.period_ms.max(1));
    let grid = start + Duration::from_millis(probe.phase_ms);
    let mut next = grid;
    let mut number = 0;
    while probe.attempts == 0 || number < probe.attempts {
        thread::sleep(next.saturating_duration_since(Instant::now()));
        let ticks = grid.elapsed().as_nanos() / period.as_nanos() + 1;
        next = grid + period * u32::try_from(ticks).unwrap_or(u32::MAX);
        number += 1;
        if lines.send(attempt(probe, state, number)).is_err() {
            return;
        }
    }
}

fn attempt(probe: &Probe, state: &Path, number: u32) -> Entry {
    let mut tries = 1;
    let Tried { mut end, began_ns: started_ns, mut ended_ns } = one_try(probe, state);
    let started_wall_ns = clock::wall_ns() - i64::try_from(clock::mono_ns() - started_ns).unwrap_or(0);
    while end.outcome == Outcome::Error && tries < MAX_TRIES {
        tries += 1;
        Tried { end, ended_ns, .. } = one_try(probe, state);
    }
    let latency_ns = ended_ns.saturating_sub(started_ns);
    let (outcome, text) = (end.outcome, end.text);
    Entry { probe: probe.key(), number, started_ns, started_wall_ns, latency_ns, outcome, text, tries }
}

/// One try. What comes before `began_ns` and after `ended_ns` is the prober's own: files of exec, and close(), which may
/// block for up to 1 s (SO_LINGER).
#[derive(Debug)]
pub struct Tried {
    /// How it ended.
    pub end: End,
    /// Before the first connect or spawn, CLOCK_MONOTONIC.
    pub began_ns: u64,
    /// When the outcome was decided.
    pub ended_ns: u64,
}

fn one_try(probe: &Probe, state: &Path) -> Tried {
    let timeout = Duration::from_millis(probe.timeout_ms);
    let began_ns = clock::mono_ns();
    let (end, ended_ns) = match &probe.handler {
        Handler::Http { to, path } => http::probe(*to, path, timeout, probe.dial_outlives_timeout),
        Handler::Tcp { to } => tcp::probe(*to, timeout),
        Handler::Exec { argv, container_id, cgroup_procs } => {
            return exec::probe(state, &exec::Command { argv, container_id, cgroup_procs }, timeout);
        }
    };
    Tried { end, began_ns, ended_ns }
}
