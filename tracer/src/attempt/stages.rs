//! Where the time of an attempt went: stages that follow each other, and what lies in none.

use super::facts::{Attempt, Connection, Run, Try};
use crate::{
    attribution::spec::Handler,
    event::Exit,
    record::{Outcome, PartRecord, StageRecord},
};

/// A look this late (in hundredths of the latency) shows the state at the end.
const LATE_LOOK_PERCENT: u64 = 80;

/// Stages in order, and the part of the latency that lies in none. Both tries and connections follow each other, so names
/// repeat there. A stage that did not happen is absent.
pub fn stages(attempt: &Attempt) -> (Vec<StageRecord>, u64) {
    let mut line =
        Line { began_ns: attempt.began_ns, end_ns: attempt.ended_ns, at_ns: attempt.began_ns, stages: Vec::new() };
    for (index, one) in attempt.tries.iter().enumerate() {
        let is_last = index + 1 == attempt.tries.len();
        match one {
            Try::Net(connections) => {
                for (index, connection) in connections.iter().enumerate() {
                    let is_last = is_last && index + 1 == connections.len();
                    add_connection(&mut line, attempt, connection, is_last);
                }
            }
            Try::Exec(run) => add_run(&mut line, run),
        }
    }
    let covered_ns: u64 = line.stages.iter().map(|stage| stage.duration_ns).sum();
    let latency_ns = attempt.ended_ns.saturating_sub(attempt.began_ns);
    (line.stages, latency_ns.saturating_sub(covered_ns))
}

/// The line of time: stages are cut so that none overlaps another or leaves the attempt.
struct Line {
    began_ns: u64,
    end_ns: u64,
    at_ns: u64,
    stages: Vec<StageRecord>,
}

impl Line {
    fn add(&mut self, name: &str, from_ns: u64, to_ns: u64, parts: Vec<PartRecord>) {
        let from_ns = from_ns.max(self.at_ns).min(self.end_ns.max(self.at_ns));
        let to_ns = to_ns.min(self.end_ns).max(from_ns);
        if to_ns > from_ns {
            let (start_ns, duration_ns) = (from_ns - self.began_ns, to_ns - from_ns);
            self.stages.push(StageRecord { name: name.to_owned(), start_ns, duration_ns, parts });
            self.at_ns = to_ns;
        }
    }
}

fn add_connection(line: &mut Line, attempt: &Attempt, connection: &Connection, is_last: bool) {
    // What the last connection still waited for lasts until the outcome.
    let end_ns = match connection.closed_ns {
        closed if closed != 0 && !is_last => closed,
        _ => line.end_ns,
    };
    let Connection { began_ns, established_ns, .. } = *connection;
    if established_ns == 0 || established_ns > line.end_ns {
        line.add("connect", began_ns, end_ns, Vec::new());
        return;
    }
    line.add("connect", began_ns, established_ns, Vec::new());
    let handler = attempt.probe.as_ref().map(|probe| &probe.handler);
    let (tx_ns, rx_ns) = (connection.bytes.last_tx_ns, connection.bytes.first_rx_ns);
    if matches!(handler, Some(Handler::Tcp { .. })) || tx_ns == 0 {
        return;
    }
    // In TLS and HTTP/2 both sides speak in turn: then the last byte sent does not end the request.
    if rx_ns == 0 || tx_ns <= rx_ns {
        line.add("request", established_ns, tx_ns, Vec::new());
    }
    if rx_ns == 0 {
        let name = if never_accepted(attempt, connection) { "accept_wait" } else { "response_wait" };
        line.add(name, established_ns, end_ns, Vec::new());
        return;
    }
    line.add("response_wait", established_ns, rx_ns, Vec::new());
    line.add("response", rx_ns, end_ns, Vec::new());
}

/// The last look of a time-out, near its end, still saw the connection in the queue: no process held it.
fn never_accepted(attempt: &Attempt, connection: &Connection) -> bool {
    let latency_ns = attempt.ended_ns.saturating_sub(attempt.began_ns);
    let late_ns = attempt.began_ns.saturating_add(latency_ns / 100 * LATE_LOOK_PERCENT);
    let mut children = attempt.looks.iter().filter(|look| look.at_ns >= late_ns).filter_map(|look| {
        let child = look.target.as_ref()?.child.as_ref()?;
        (child.remote.port() == connection.local.port()).then(|| child.waits_for_accept())
    });
    attempt.outcome == Outcome::Timeout && children.next_back() == Some(true)
}

fn add_run(line: &mut Line, run: &Run) {
    if run.exec_ns == 0 {
        let end_ns = if run.helper_exit_ns != 0 { run.helper_exit_ns } else { line.end_ns };
        line.add("runtime", run.spawned_ns, end_ns, Vec::new());
        return;
    }
    line.add("runtime", run.spawned_ns, run.exec_ns, Vec::new());
    let end_ns = if run.exit_ns != 0 { run.exit_ns } else { line.end_ns };
    let length_ns = end_ns.min(line.end_ns).saturating_sub(run.exec_ns);
    let parts = run.exit.as_ref().map(|exit| parts(exit, length_ns)).unwrap_or_default();
    line.add("run", run.exec_ns, end_ns, parts);
}

/// A task's totals, as long as they fit into the stage: of several threads they overlap and are no partition. They hold the
/// process' whole life, of which the time before its exec is the runtime's.
fn parts(exit: &Exit, length_ns: u64) -> Vec<PartRecord> {
    let known_ns = exit.on_cpu_ns.saturating_add(exit.run_delay_ns);
    if known_ns == 0 || known_ns > length_ns {
        return Vec::new();
    }
    let parts = [("on_cpu", exit.on_cpu_ns), ("cpu_wait", exit.run_delay_ns), ("other", length_ns - known_ns)];
    let parts = parts.into_iter().filter(|(_, duration_ns)| *duration_ns > 0);
    parts.map(|(name, duration_ns)| PartRecord { name: name.to_owned(), duration_ns }).collect()
}

#[cfg(test)]
mod tests;
