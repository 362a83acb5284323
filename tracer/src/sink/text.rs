//! One plain line per finished attempt, for pipes into grep, dumb terminals and replays.

use std::io::Write;

use crate::record::{AttemptRecord, Confidence, EventsRecord, Outcome, Record};

use super::{Sink, SinkError, escape::for_terminal, units};

/// Writes the lines.
pub struct Text<W> {
    out: W,
    /// Of the last health line.
    events: EventsRecord,
}

impl<W: Write + Send> Text<W> {
    /// To standard output, as a rule.
    pub fn new(out: W) -> Self {
        Self { out, events: EventsRecord::default() }
    }

    /// A line only when more was lost than before.
    fn loss_line(&mut self, events: EventsRecord) -> Option<String> {
        let before = std::mem::replace(&mut self.events, events);
        let (lost, missed) = (events.lost.saturating_sub(before.lost), events.missed.saturating_sub(before.missed));
        (lost + missed > 0)
            .then(|| format!("health: {lost} events lost, {missed} missed by the kernel since the last line"))
    }
}

impl<W: Write + Send> Sink for Text<W> {
    fn record(&mut self, record: &Record) -> Result<(), SinkError> {
        let line = match record {
            Record::Attempt(attempt) => Some(attempt_line(attempt)),
            Record::Health(health) => self.loss_line(health.events),
            Record::Node(node) => {
                let lacks =
                    if node.lacks.is_empty() { String::new() } else { format!("; lacks {}", node.lacks.join(", ")) };
                Some(for_terminal(&format!("node {}, kernel {}{lacks}", node.node, node.kernel), 1000))
            }
        };
        let Some(line) = line else { return Ok(()) };
        let written = writeln!(self.out, "{line}").and_then(|()| self.out.flush());
        written.map_err(|error| SinkError::of_io("standard output", error))
    }

    fn finish(&mut self) -> Result<(), SinkError> {
        self.out.flush().map_err(|error| SinkError::of_io("standard output", error))
    }
}

/// The word of the record.
pub fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Success => "success",
        Outcome::Failure => "failure",
        Outcome::Timeout => "timeout",
        Outcome::Error => "error",
        Outcome::Aborted => "aborted",
    }
}

/// The word of the record.
pub fn confidence_name(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Unknown => "unknown",
        Confidence::Likely => "likely",
        Confidence::Proven => "proven",
    }
}

/// `12:30:45.250 shop/web-1/app liveness http timeout 1.00s of 1s: accept_queue_full (likely): The listener's …`
fn attempt_line(attempt: &AttemptRecord) -> String {
    let time = attempt.started_at.get(11..23).unwrap_or(&attempt.started_at);
    let name = match &attempt.kubernetes {
        Some(of) => format!("{}/{}/{}", of.namespace, of.pod, of.container),
        None => format!("(unknown probe of {})", attempt.prober.comm),
    };
    let probe = attempt.probe.as_ref().map_or(String::new(), |probe| format!(" {} {}", probe.kind, probe.handler));
    let limit = attempt.probe.as_ref().map_or(String::new(), |probe| format!(" of {}", units::limit(probe.timeout_ns)));
    let latency = units::duration(Some(attempt.latency_ns));
    let mut line = format!("{time} {name}{probe} {} {latency}{limit}", outcome_name(attempt.outcome));
    let verdict = &attempt.verdict;
    if verdict.cause != "none" {
        line += &format!(": {} ({}): {}", verdict.cause, confidence_name(verdict.confidence), verdict.summary);
    }
    for_terminal(&line, 1000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::samples;

    fn lines(records: &[Record]) -> Vec<String> {
        let mut sink = Text::new(Vec::new());
        records.iter().for_each(|record| sink.record(record).unwrap());
        String::from_utf8(sink.out).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_line_says_who_what_how_long_and_why() {
        let records =
            [samples::attempt("shop", "web-1", Outcome::Timeout), samples::attempt("shop", "web-1", Outcome::Success)];
        assert_eq!(
            lines(&records),
            [
                "12:30:45.250 shop/web-1/app liveness http timeout 1.00s of 1s: accept_queue_full (likely): The \
                 listener's accept queue is full",
                "12:30:45.250 shop/web-1/app liveness http success 2.0ms of 1s"
            ]
        );
        assert_eq!(lines(&[samples::unattributed()]), ["12:30:45.250 (unknown probe of kubelet) success 2.0ms"]);
    }

    #[test]
    fn health_is_a_line_only_when_something_was_lost() {
        let expected = ["health: 3 events lost, 1 missed by the kernel since the last line"];
        assert_eq!(lines(&[samples::health(), samples::health()]), expected);
    }

    #[test]
    fn a_record_is_one_line_whatever_is_in_it() {
        let mut record = samples::attempt_record("a\nb", "c\u{1b}[2Jd", Outcome::Failure);
        record.verdict.summary = "x\ry".into();
        assert_eq!(lines(&[Record::Attempt(Box::new(record))]).len(), 1);
    }
}
