//! A prober that behaves like the kubelet on the wire: a worker for each probe, a ticker's grid, a timer for the
//! time-out, three tries on errors (kubelet: prober/worker.go:run, prober/prober.go:runProbeWithRetries).

pub mod dial;
pub mod exec;
pub mod http;
mod response;
pub mod tcp;

use std::{
    io::{BufRead, Write},
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
    run(plan, std::io::stdout().lock())
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
fn worker(probe: &Probe, state: &std::path::Path, start: Instant, lines: &mpsc::SyncSender<Entry>) {
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

fn attempt(probe: &Probe, state: &std::path::Path, number: u32) -> Entry {
    let started_wall_ns = clock::wall_ns();
    let started_ns = clock::mono_ns();
    let mut tries = 0;
    let (end, ended_ns) = loop {
        tries += 1;
        let (end, ended_ns) = one_try(probe, state);
        if end.outcome != Outcome::Error || tries == MAX_TRIES {
            break (end, ended_ns);
        }
    };
    let latency_ns = ended_ns.saturating_sub(started_ns);
    let (outcome, text) = (end.outcome, end.text);
    Entry { probe: probe.key(), number, started_ns, started_wall_ns, latency_ns, outcome, text, tries }
}

/// The try's end, and when it was decided: close() comes after it and may block for up to 1 s (SO_LINGER).
fn one_try(probe: &Probe, state: &std::path::Path) -> (End, u64) {
    let timeout = Duration::from_millis(probe.timeout_ms);
    match &probe.handler {
        Handler::Http { to, path } => http::probe(*to, path, timeout, probe.dial_outlives_timeout),
        Handler::Tcp { to } => tcp::probe(*to, timeout),
        Handler::Exec { argv, container_id, cgroup_procs } => {
            let end = exec::probe(state, &exec::Command { argv, container_id, cgroup_procs }, timeout);
            (end, clock::mono_ns())
        }
    }
}
