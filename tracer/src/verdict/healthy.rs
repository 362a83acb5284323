//! Probes that passed.

use crate::{
    attribution::spec::Handler,
    record::Outcome,
    verdict::{
        Cause,
        engine::{Claim, Finding, Rule},
        text,
        view::View,
    },
};

/// The family.
pub const RULES: &[Rule] = &[
    Rule {
        cause: Cause::SlowButPassed,
        seen: "success after more than half of timeoutSeconds",
        rivals: &[],
        brings: &[],
        advice: &["raise timeoutSeconds, or find what the time goes into: the next slow answer fails"],
        test: slow,
    },
    Rule {
        cause: Cause::None,
        seen: "success within half of timeoutSeconds",
        rivals: &[],
        brings: &[],
        advice: &[],
        test: none,
    },
];

const UNSEEN: &str = "the status of the answer was not seen";

/// http, https or gRPC without a sign of the answer: a failing status looks the same. Of what is encrypted or in frames,
/// bytes that flowed are the sign.
fn is_guessed(view: &View<'_>) -> bool {
    let Some(connection) = view.connection else { return false };
    let flowed = connection.bytes.rx > 0 || connection.response.is_some();
    match view.probe().map(|probe| &probe.handler) {
        Some(Handler::Tcp { .. }) => false,
        Some(Handler::Http { tls: true, .. } | Handler::Grpc { .. }) => !flowed,
        _ => connection.http_status().is_none(),
    }
}

fn is_slow(view: &View<'_>) -> bool {
    view.probe().is_some_and(|probe| view.span_ns().saturating_mul(2) > probe.timeout_ns)
}

fn slow(view: &View<'_>) -> Finding {
    if view.attempt.outcome != Outcome::Success {
        return Finding::lost("it did not pass");
    }
    if is_guessed(view) {
        return Finding::lost(UNSEEN);
    }
    if !is_slow(view) {
        return Finding::lost("it passed within half of its time-out");
    }
    let took = text::duration(view.span_ns());
    let limit = text::duration(view.timeout_ns());
    passed(view, format!("passed after {took} of a {limit} time-out: {}", how(view))).fits()
}

fn none(view: &View<'_>) -> Finding {
    if view.attempt.outcome != Outcome::Success {
        return Finding::lost("it did not pass");
    }
    if is_guessed(view) {
        return Finding::lost(UNSEEN);
    }
    if is_slow(view) {
        return Finding::lost("it used more than half of its time-out");
    }
    passed(view, format!("passed in {}: {}", text::duration(view.span_ns()), how(view))).fits()
}

/// The claim with the event that shows the success, by the kubelet's rules (pkg/probe/{http,tcp,exec}).
fn passed(view: &View<'_>, summary: String) -> Claim {
    let handler = view.probe().map(|probe| &probe.handler);
    if let Some(connection) = view.connection {
        let status = connection.http_status().filter(|status| (200..400).contains(status));
        if let Some(status) = status {
            let claim = Claim::shown_if(true, summary);
            return claim.evidence("HTTP status", status, "first bytes that the prober received");
        }
        let by_handshake = matches!(handler, Some(Handler::Tcp { .. })) && view.established().is_some();
        let claim = Claim::shown_if(by_handshake, summary);
        let claim = if by_handshake { claim } else { claim.missing("the answer's status: its bytes were not seen") };
        return claim.evidence("handshake", "done", "sock:inet_sock_set_state");
    }
    let code = view.run.and_then(|run| run.exit.as_ref()).and_then(|exit| exit.code());
    let shown = code == Some(0) && view.run.is_some_and(|run| run.exec_ns > 0);
    let claim = Claim::shown_if(shown, summary);
    match code {
        Some(code) if shown => claim.evidence("exit code", code, "sched:sched_process_exit"),
        Some(_) => claim.missing("the command's start was not seen"),
        None => claim.missing("the command's exit was not seen"),
    }
}

fn how(view: &View<'_>) -> String {
    if let Some(connection) = view.connection {
        let connected = view.established().map_or_else(String::new, |one| {
            format!("connected in {}", text::duration(one.established_ns.saturating_sub(one.began_ns)))
        });
        if matches!(view.probe().map(|probe| &probe.handler), Some(Handler::Tcp { .. })) {
            return format!("{connected}; the target's kernel completes a handshake, the application need not have");
        }
        let answer = connection.http_status().map_or_else(String::new, |status| format!(", HTTP status {status}"));
        let begun = match connection.bytes.first_rx_ns {
            0 => String::new(),
            at_ns => format!(", first answer byte at {}", view.since_begin(at_ns)),
        };
        return format!("{connected}{begun}{answer}");
    }
    let Some(run) = view.run.filter(|run| run.exec_ns > 0) else { return "its command was not seen".into() };
    let set_up = text::duration(run.exec_ns.saturating_sub(run.spawned_ns));
    let ran = text::duration(run.exit_ns.saturating_sub(run.exec_ns));
    format!("the runtime took {set_up} to start the command, the command ran {ran}")
}

#[cfg(test)]
mod tests;
