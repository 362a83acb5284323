//! exec (probe/exec: Probe): exit code 0 passes. The runtime's timer starts when the command has started (containerd's
//! execInternal: context.WithTimeout after process.Start; conmon -T likewise) and kills with SIGKILL; a command that can't be
//! started is an *error* of the call, tried three times and thrown away.

use super::{Decision, Rules, Ruling};
use crate::{
    attempt::{
        facts::Run,
        open::Open,
        timing::{CLOSE_SLACK_NS, EXEC_CALL_EXTRA_NS, EXEC_RETRY_NS, KILL_SLACK_NS},
    },
    record::Outcome,
};

const SIGKILL: u32 = 9;

pub(super) fn decide(open: &Open, run: &Run, rules: Rules) -> Ruling {
    let timeout_ns = open.candidates.iter().map(|candidate| candidate.spec.timeout_ns).max().unwrap_or_default();
    let by_runtime = rules.is_kubelet && run.helper.is_some();
    let deadline_ns = deadline_ns(run, timeout_ns, by_runtime);
    if let Some(exit) = &run.exit {
        return Ruling::Is(match (exit.signal(), exit.code()) {
            (Some(SIGKILL), _)
                if run.exit_ns.saturating_add(CLOSE_SLACK_NS) >= first_deadline(open, run, by_runtime) =>
            {
                let seen = timeout_seen(open, run, by_runtime);
                Decision { timeout_seen_ns: seen, ..Decision::new(Outcome::Timeout, run.exit_ns) }
            }
            (None, Some(0)) => Decision::new(Outcome::Success, run.exit_ns),
            _ => Decision::failure(run.exit_ns),
        });
    }
    if run.exec_ns == 0
        && let Some(decision) = not_started(open, run)
    {
        return Ruling::Is(decision);
    }
    let over_ns = deadline_ns.saturating_add(KILL_SLACK_NS);
    if rules.watermark_ns >= over_ns {
        return Ruling::Is(Decision::new(Outcome::Timeout, deadline_ns));
    }
    Ruling::Wait(over_ns)
}

/// When the prober or its runtime gives up.
pub(in crate::attempt) fn deadline_ns(run: &Run, timeout_ns: u64, by_runtime: bool) -> u64 {
    let started_ns = match run.exec_ns {
        // Not started: the kubelet's own limit of the whole call.
        0 if by_runtime => return run.spawned_ns.saturating_add(timeout_ns).saturating_add(EXEC_CALL_EXTRA_NS),
        _ if !by_runtime => run.spawned_ns,
        exec_ns => exec_ns.max(run.helper_exit_ns),
    };
    started_ns.saturating_add(timeout_ns)
}

/// The earliest moment at which a SIGKILL may be a time-out's.
fn first_deadline(open: &Open, run: &Run, by_runtime: bool) -> u64 {
    let started_ns = if by_runtime { run.exec_ns.max(run.spawned_ns) } else { run.spawned_ns };
    let shortest = open.candidates.iter().map(|candidate| candidate.spec.timeout_ns).min().unwrap_or_default();
    started_ns.saturating_add(shortest)
}

fn timeout_seen(open: &Open, run: &Run, by_runtime: bool) -> Option<u64> {
    let timeouts = open.candidates.iter().map(|candidate| candidate.spec.timeout_ns);
    timeouts.filter(|timeout| run.exit_ns.abs_diff(deadline_ns(run, *timeout, by_runtime)) <= KILL_SLACK_NS).min()
}

/// The helper is gone and the command never came.
fn not_started(open: &Open, run: &Run) -> Option<Decision> {
    let helper = run.helper_exit.as_ref()?;
    let gone = open.live == 0;
    let failed = helper.status != 0;
    if !failed && !gone {
        return None;
    }
    // A helper that ended well started something: its exec was not seen, but perhaps its end.
    let seen_end = run.others.iter().rev().find(|exit| exit.kpid != helper.kpid);
    let last_ns = run.helper_exit_ns.max(run.exit_ns);
    match (failed, seen_end) {
        (false, Some(exit)) if exit.status == 0 => Some(Decision::new(Outcome::Success, last_ns)),
        (false, None) => None,
        _ => Some(Decision::failure(last_ns).retriable(Outcome::Error, EXEC_RETRY_NS)),
    }
}
