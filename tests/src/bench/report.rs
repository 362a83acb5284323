//! Sums of the rounds, and the lines that are printed.

use std::{collections::BTreeMap, io::Write};

use anyhow::Result;
use serde::Serialize;

use super::{
    empty::PROGRAMS,
    innocent::{Mode, Rates},
    stats::Stats,
};

/// Whose programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// `probetrace run`.
    Tracer,
    /// Empty programs.
    Empty,
}

/// What happens meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Load {
    /// The prober alone.
    Probes,
    /// And 5 000 unrelated connections a second.
    Unrelated,
}

/// All rounds.
#[derive(Default)]
pub struct Report {
    rounds: BTreeMap<(&'static str, Load, Subject), Vec<Stats>>,
    connections: BTreeMap<Subject, u64>,
    innocent: BTreeMap<Mode, Vec<Rates>>,
}

/// One program under one load (design: lines of the tools that check us). Absent figures: it did not run.
#[derive(Debug, Serialize)]
struct Line {
    r#type: &'static str,
    program: &'static str,
    hook: &'static str,
    load: Load,
    events: u64,
    /// Times the kernel skipped the tracer's program, as it ran on this CPU already.
    missed: u64,
    ns_per_event: Option<f64>,
    /// Lowest and highest round.
    ns_per_event_band: Option<[f64; 2]>,
    empty_ns_per_event: Option<f64>,
    empty_ns_per_event_band: Option<[f64; 2]>,
    ratio: Option<f64>,
    difference_ns: Option<f64>,
    /// Of one core, at 20 000 unrelated connections a second; only under that load.
    percent_of_core: Option<f64>,
}

/// Rates of innocent traffic in one mode.
#[derive(Debug, Serialize)]
struct InnocentLine {
    r#type: &'static str,
    innocent: Mode,
    rounds: usize,
    connections_per_s: f64,
    connections_per_s_band: [f64; 2],
    /// Median of the rounds' differences to the round with nothing.
    connections_change_percent: f64,
    packets_per_s: f64,
    packets_per_s_band: [f64; 2],
    packets_change_percent: f64,
}

impl Report {
    /// One round of all programs.
    pub fn add(&mut self, subject: Subject, load: Load, connections: u64, stats: &BTreeMap<&'static str, Stats>) {
        for (program, stats) in stats {
            self.rounds.entry((program, load, subject)).or_default().push(*stats);
        }
        *self.connections.entry(subject).or_default() += connections;
    }

    /// One round of innocent traffic.
    pub fn innocent(&mut self, mode: Mode, rates: Rates) {
        self.innocent.entry(mode).or_default().push(rates);
    }

    /// Prints everything.
    ///
    /// # Errors
    /// Nobody reads.
    pub fn print(&self, json: bool) -> Result<()> {
        let mut out = std::io::stdout().lock();
        let mut sum = 0.0;
        for load in [Load::Probes, Load::Unrelated] {
            for (program, hook) in PROGRAMS {
                let line = self.line(program, hook, load);
                sum += line.percent_of_core.unwrap_or(0.0);
                if json {
                    writeln!(out, "{}", serde_json::to_string(&line)?)?;
                } else if line.events > 0 {
                    writeln!(out, "{}", line.text())?;
                }
            }
        }
        let total = serde_json::json!({"type": "bench", "load": "unrelated", "at_connections_per_s": AT, "percent_of_core": sum});
        if json {
            writeln!(out, "{total}")?;
        } else {
            writeln!(out, "all programs at {AT} unrelated connections/s: {sum:.2}% of one core")?;
        }
        for line in self.innocent.keys().filter_map(|mode| self.innocent_line(*mode)) {
            if json {
                writeln!(out, "{}", serde_json::to_string(&line)?)?;
            } else {
                writeln!(out, "{}", line.text())?;
            }
        }
        Ok(())
    }

    fn line(&self, program: &'static str, hook: &'static str, load: Load) -> Line {
        let rounds = |subject| self.rounds.get(&(program, load, subject)).map(Vec::as_slice).unwrap_or_default();
        let (tracer, empty) = (rounds(Subject::Tracer), rounds(Subject::Empty));
        let (ns, empty_ns) = (mean(tracer), mean(empty));
        let runs = tracer.iter().map(|round| round.runs).sum();
        let connections = self.connections.get(&Subject::Tracer).copied().unwrap_or(0);
        let at_rate = ns.filter(|_| load == Load::Unrelated && connections > 0);
        Line {
            r#type: "bench",
            program,
            hook,
            load,
            events: runs,
            missed: tracer.iter().map(|round| round.missed).sum(),
            ns_per_event: ns,
            ns_per_event_band: band(tracer),
            empty_ns_per_event: empty_ns,
            empty_ns_per_event_band: band(empty),
            ratio: ns.zip(empty_ns).map(|(ns, empty)| ns / empty),
            difference_ns: ns.zip(empty_ns).map(|(ns, empty)| ns - empty),
            percent_of_core: at_rate.map(|ns| ns * runs as f64 / connections as f64 * f64::from(AT) / 1e9 * 100.0),
        }
    }

    fn innocent_line(&self, mode: Mode) -> Option<InnocentLine> {
        let rounds = self.innocent.get(&mode)?;
        let nothing = self.innocent.get(&Mode::Nothing)?;
        let figures = |of: fn(&Rates) -> f64| {
            let mut values: Vec<_> = rounds.iter().map(of).collect();
            let mut changes: Vec<_> =
                rounds.iter().zip(nothing).map(|(with, without)| (of(with) / of(without) - 1.0) * 100.0).collect();
            (median(&mut values), [values[0], values[values.len() - 1]], median(&mut changes))
        };
        let (connections_per_s, connections_per_s_band, connections_change_percent) = figures(|r| r.connections_per_s);
        let (packets_per_s, packets_per_s_band, packets_change_percent) = figures(|r| r.packets_per_s);
        Some(InnocentLine {
            r#type: "bench",
            innocent: mode,
            rounds: rounds.len(),
            connections_per_s,
            connections_per_s_band,
            connections_change_percent,
            packets_per_s,
            packets_per_s_band,
            packets_change_percent,
        })
    }
}

/// The rate for which the share of a core is given.
const AT: u32 = 20_000;

impl Line {
    fn text(&self) -> String {
        let [ns, empty, ratio, difference] =
            [self.ns_per_event, self.empty_ns_per_event, self.ratio, self.difference_ns].map(Option::unwrap_or_default);
        let load = if self.load == Load::Probes { "probes" } else { "unrelated" };
        let share = self.percent_of_core.map(|share| format!("  {share:.2}% of a core")).unwrap_or_default();
        format!(
            "{load:9} {:26} {:>8} events {ns:>7.0} ns  empty {empty:>6.0} ns  ratio {ratio:>5.2}  +{difference:.0} ns{share}",
            self.hook, self.events
        )
    }
}

impl InnocentLine {
    fn text(&self) -> String {
        format!(
            "innocent  {:26} {:>8.0} connections/s ({:+.1}%)  {:>8.0} packets/s ({:+.1}%)",
            format!("{:?}", self.innocent),
            self.connections_per_s,
            self.connections_change_percent,
            self.packets_per_s,
            self.packets_change_percent
        )
    }
}

/// ns a run over all rounds; `None`: it never ran.
fn mean(rounds: &[Stats]) -> Option<f64> {
    let runs: u64 = rounds.iter().map(|round| round.runs).sum();
    let ns: u64 = rounds.iter().map(|round| round.run_ns).sum();
    (runs > 0).then(|| ns as f64 / runs as f64)
}

fn band(rounds: &[Stats]) -> Option<[f64; 2]> {
    let each = || rounds.iter().filter_map(|round| mean(std::slice::from_ref(round)));
    Some([each().reduce(f64::min)?, each().reduce(f64::max)?])
}

/// Sorts, too.
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let mut report = Report::default();
        let round = |run_ns, runs| BTreeMap::from([("bytes_sent", Stats { run_ns, runs, missed: 0 })]);
        for ns in [200, 400] {
            report.add(Subject::Tracer, Load::Unrelated, 100, &round(ns * 10, 10));
            report.add(Subject::Empty, Load::Unrelated, 100, &round(1000, 10));
        }
        report
    }

    #[test]
    fn rounds_are_weighed_by_their_events_and_compared_with_the_empty_program() {
        let line = report().line("bytes_sent", "cgroup:skb_egress", Load::Unrelated);
        assert_eq!((line.events, line.ns_per_event, line.ratio), (20, Some(300.0), Some(3.0)));
        assert_eq!(line.ns_per_event_band, Some([200.0, 400.0]));
        // 20 events by 200 connections, 300 ns each, at 20 000/s: 0.6 ms a second.
        assert!(line.percent_of_core.is_some_and(|share| (share - 0.06).abs() < 1e-9));
    }

    #[test]
    fn what_never_ran_has_no_figure() {
        let line = report().line("bytes_sent", "cgroup:skb_egress", Load::Probes);
        assert_eq!((line.events, line.ns_per_event, line.percent_of_core), (0, None, None));
    }

    #[test]
    fn innocent_traffic_is_compared_round_by_round() {
        let mut report = Report::default();
        for base in [100.0, 200.0, 300.0] {
            report.innocent(Mode::Nothing, Rates { connections_per_s: base, packets_per_s: base });
            report.innocent(Mode::All, Rates { connections_per_s: base * 0.9, packets_per_s: base });
        }
        let line = report.innocent_line(Mode::All);
        assert!(line.is_some_and(|line| (line.connections_change_percent + 10.0).abs() < 1e-9));
    }
}
