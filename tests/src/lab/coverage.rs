//! `probetrace-lab coverage`: attempts seen of attempts made, over many probes of all handlers, with the noise on.

use std::{collections::BTreeMap, io::Write, path::PathBuf, sync::Arc};

use anyhow::Result;
use serde::Serialize;

use super::{
    command::start_noise,
    join::{Joined, join, percentile},
    tracer::{self, Seen, Tracer},
    world::{Way, World},
};
use crate::{scenario, session::Session};

/// Issue's figures: seen of made, and the latency's error.
const LEAST_PERCENT: f64 = 99.9;
const MOST_MEDIAN_NS: u64 = 200_000;
const MOST_P99_NS: u64 = 2_000_000;
/// Misses that are told one by one.
const MAX_TOLD: usize = 50;

/// Options of the command.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Attempts to make, at least.
    #[arg(long, default_value_t = 20_000)]
    attempts: u32,
    /// Unrelated connections a second beside them; 0: none.
    #[arg(long, default_value_t = 2000)]
    noise: u32,
    /// How the tracer can see the prober.
    #[arg(long, value_enum, default_value_t)]
    way: Way,
    /// The tracer's binary.
    #[arg(long, env = "PROBETRACE_BIN")]
    probetrace: Option<PathBuf>,
    /// Keep the tracer's lines in this file.
    #[arg(long)]
    keep: Option<PathBuf>,
}

/// The one line that is printed.
#[derive(Debug, Serialize)]
struct Line {
    r#type: &'static str,
    way: &'static str,
    noise_per_s: u32,
    attempts_made: usize,
    attempts_seen: usize,
    coverage_percent: f64,
    surplus: usize,
    outcomes_wrong: usize,
    /// By handler: made, seen, latency error p50 and p99 in ns.
    handlers: BTreeMap<String, (usize, usize, u64, u64)>,
    latency_error_p50_ns: u64,
    latency_error_p99_ns: u64,
    /// Made, by outcome.
    outcomes: BTreeMap<&'static str, usize>,
    /// What was not seen, told wrong, or invented: the first 50.
    told: Vec<String>,
    /// The tracer's own account of what it lost.
    health: Option<serde_json::Value>,
    passed: bool,
}

/// Runs it; false: a figure was missed.
///
/// # Errors
/// No root, no tracer, or the set-up is refused.
pub fn run(options: &Options, session: impl FnOnce() -> Result<Arc<Session>>) -> Result<bool> {
    let binary = tracer::binary(options.probetrace.as_deref())?;
    let session = session()?;
    let scenario = scenario::coverage(options.attempts);
    let mut world = World::build(&session, &scenario, 1, options.way)?;
    let noise = if options.noise > 0 { Some(start_noise(&world, options.noise)?) } else { None };
    let files = session.folder.join("coverage");
    let mut tracer = Tracer::start(&binary, &world, options.way, &files)?;
    world.go()?;
    let entries = world.all_entries(&scenario)?;
    tracer.wait_told(entries.len());
    let seen = tracer.stop();
    drop(noise);
    if let Some(keep) = &options.keep {
        std::fs::copy(files.with_extension("jsonl"), keep)?;
    }
    let seen = seen?;
    let handlers: BTreeMap<String, &'static str> =
        world.probes.iter().map(|(probe, row)| (probe.key(), row.how.name())).collect();
    let line = line(options, &handlers, &join(&entries, &seen.attempts), &seen);
    let mut out = std::io::stdout();
    serde_json::to_writer(&mut out, &line)?;
    writeln!(out)?;
    Ok(line.passed)
}

fn line(options: &Options, handlers: &BTreeMap<String, &'static str>, joined: &Joined<'_>, seen: &Seen) -> Line {
    let mut told = Vec::new();
    let mut outcomes: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut by_handler: BTreeMap<String, (usize, usize, Vec<u64>)> = BTreeMap::new();
    let mut outcomes_wrong = 0;
    for (entry, attempt) in &joined.pairs {
        *outcomes.entry(entry.outcome.name()).or_default() += 1;
        let of = by_handler.entry(handlers.get(&entry.probe).copied().unwrap_or_default().to_owned()).or_default();
        of.0 += 1;
        match attempt {
            None => told.push(format!(
                "not seen: {} #{} {} {}",
                entry.probe,
                entry.number,
                entry.outcome.name(),
                entry.text
            )),
            Some(attempt) if attempt.outcome != entry.outcome.name() => {
                of.1 += 1;
                outcomes_wrong += 1;
                told.push(format!(
                    "{} #{}: {} is called {}",
                    entry.probe,
                    entry.number,
                    entry.outcome.name(),
                    attempt.outcome
                ));
            }
            Some(attempt) => {
                of.1 += 1;
                of.2.push(attempt.latency_ns.abs_diff(entry.latency_ns));
            }
        }
    }
    let surplus: Vec<_> = joined.surplus.iter().filter(|attempt| attempt.outcome != "aborted").collect();
    told.extend(
        surplus.iter().map(|attempt| format!("not made: {} {} {}", attempt.key(), attempt.outcome, attempt.started_at)),
    );
    told.truncate(MAX_TOLD);
    let made = joined.pairs.len();
    let seen_of_made = joined.pairs.iter().filter(|(_, attempt)| attempt.is_some()).count();
    #[expect(clippy::cast_precision_loss, reason = "a percentage of some ten thousands")]
    let coverage_percent = 100.0 * seen_of_made as f64 / made.max(1) as f64;
    let errors = joined.latency_errors_ns();
    let (p50, p99) = (percentile(&errors, 50), percentile(&errors, 99));
    Line {
        r#type: "coverage",
        way: options.way.name(),
        noise_per_s: options.noise,
        attempts_made: made,
        attempts_seen: seen_of_made,
        coverage_percent,
        surplus: surplus.len(),
        outcomes_wrong,
        handlers: by_handler
            .into_iter()
            .map(|(name, (made, seen, errors))| (name, figures(made, seen, errors)))
            .collect(),
        latency_error_p50_ns: p50,
        latency_error_p99_ns: p99,
        outcomes,
        told,
        health: seen.health.clone(),
        passed: coverage_percent >= LEAST_PERCENT
            && p50 <= MOST_MEDIAN_NS
            && p99 <= MOST_P99_NS
            && surplus.is_empty()
            && outcomes_wrong == 0,
    }
}

fn figures(made: usize, seen: usize, mut errors: Vec<u64>) -> (usize, usize, u64, u64) {
    errors.sort_unstable();
    (made, seen, percentile(&errors, 50), percentile(&errors, 99))
}
