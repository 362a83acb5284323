//! What the run saw, on standard error when it ends.

use std::io::Write;

use crate::record::Record;

use super::{
    Flow, Sink, SinkError,
    tally::{Health, Key, Row, Tally},
    units,
};

/// Lines of probes that are printed; the rest is told as a number.
const MAX_LINES: usize = 40;

/// Collects, and prints at the end.
pub struct Summary<W> {
    out: W,
    tally: Tally,
}

impl<W: Write + Send> Summary<W> {
    /// To standard error, as a rule.
    pub fn new(out: W) -> Self {
        Self { out, tally: Tally::default() }
    }
}

impl<W: Write + Send> Sink for Summary<W> {
    fn record(&mut self, record: &Record) -> Result<(), SinkError> {
        self.tally.add(record);
        Ok(())
    }

    fn tick(&mut self, now_ns: u64) -> Result<Flow, SinkError> {
        self.tally.tick(now_ns);
        Ok(Flow::Continue)
    }

    fn finish(&mut self) -> Result<(), SinkError> {
        let text = render(&self.tally);
        let written = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
        written.map_err(|error| SinkError::of_io("standard error", error))
    }
}

/// The whole summary.
fn render(tally: &Tally) -> String {
    let rows = tally.sick_first();
    let sum = |of: fn(&Row) -> u64| rows.iter().map(|(_, row)| of(row)).sum::<u64>();
    let attempts = sum(|row| row.attempts) + tally.gone_attempts;
    let mut text = format!(
        "probetrace: {attempts} attempts of {} probes: {} failed, {} errors, {} aborted\n",
        rows.len() as u64 + tally.gone_probes,
        sum(|row| row.failed),
        sum(|row| row.errors),
        sum(|row| row.aborted),
    );
    if !rows.is_empty() {
        text += "attempts failed    p50    p99 timeout  probe, main cause of what failed\n";
    }
    for (key, row) in rows.iter().take(MAX_LINES) {
        text += &probe_line(key, row);
    }
    let more = &rows[rows.len().min(MAX_LINES)..];
    if !more.is_empty() {
        let sick = more.iter().filter(|(_, row)| row.health() != Health::Passing).count();
        text += &format!("and {} more probes, {sick} of them not well\n", more.len());
    }
    text + &notes(tally)
}

fn probe_line(key: &Key, row: &Row) -> String {
    let time = |percent| units::duration(row.latencies.percentile(percent));
    let limit = if row.timeout_ns == 0 { "-".to_owned() } else { units::limit(row.timeout_ns) };
    let cause = match row.main_cause() {
        Some((cause, count)) => format!(": {cause} ({count} of {})", row.failed + row.errors),
        None => String::new(),
    };
    let probe = format!("{} {} {}", key.name(), key.kind, row.handler);
    let (attempts, failed) = (row.attempts, row.failed);
    format!("{attempts:>8} {failed:>6} {:>6} {:>6} {limit:>7}  {}{cause}\n", time(50), time(99), probe.trim_end())
}

/// What makes the figures above incomplete.
fn notes(tally: &Tally) -> String {
    let mut text = String::new();
    if tally.gone_probes > 0 {
        text += &format!("of pods that are gone: {} attempts of {} probes\n", tally.gone_attempts, tally.gone_probes);
    }
    if tally.beyond_bound > 0 {
        text += &format!("not counted per probe (too many probes): {} attempts\n", tally.beyond_bound);
    }
    if let Some(health) = &tally.health {
        let hit = health.bounds.iter().filter(|(_, count)| **count > 0);
        let hit: Vec<_> = hit.map(|(name, count)| format!("{name} {count}")).collect();
        if health.events.missed > 0 || !hit.is_empty() {
            let missed = health.events.missed;
            text += &format!("not all was seen: {missed} missed by the kernel; bounds reached: {}\n", hit.join(", "));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{record::Outcome, sink::samples};

    fn summary(records: impl IntoIterator<Item = Record>) -> String {
        let mut sink = Summary::new(Vec::new());
        records.into_iter().for_each(|record| sink.record(&record).unwrap());
        sink.finish().unwrap();
        String::from_utf8(sink.out).unwrap()
    }

    #[test]
    fn says_per_probe_what_failed_and_mainly_why() {
        use Outcome::{Success, Timeout};
        let text = summary([
            samples::attempt("shop", "web-1", Success),
            samples::attempt("shop", "web-2", Timeout),
            samples::attempt("shop", "web-2", Success),
            samples::health(),
        ]);
        let expected = "\
probetrace: 3 attempts of 2 probes: 1 failed, 0 errors, 0 aborted
attempts failed    p50    p99 timeout  probe, main cause of what failed
       2      1  2.0ms  1.00s      1s  shop/web-2/app liveness http: accept_queue_full (1 of 1)
       1      0  2.0ms  2.0ms      1s  shop/web-1/app liveness http
not all was seen: 1 missed by the kernel; bounds reached: ring_full 3
";
        assert_eq!(text, expected);
    }

    #[test]
    fn nothing_seen_is_said_too() {
        assert_eq!(summary([]), "probetrace: 0 attempts of 0 probes: 0 failed, 0 errors, 0 aborted\n");
    }

    #[test]
    fn many_probes_are_cut() {
        let text = summary((0..100).map(|n| samples::attempt("n", &format!("p{n}"), Outcome::Success)));
        assert_eq!(text.lines().count(), MAX_LINES + 3);
        assert!(text.ends_with("and 60 more probes, 0 of them not well\n"), "{text}");
    }
}
