//! What the prober would have seen, in the kubelet's words (pkg/probe/{http,tcp,grpc,exec}), so that a record is found
//! from an event's text. What a command printed is not known.

use std::net::SocketAddr;

use crate::{
    attempt::facts::{Attempt, Connection, Run, Try},
    attribution::spec::Handler,
    event::tcp_state,
    record::Outcome,
};

/// The text; `None` where it passed or was cut.
pub fn text(attempt: &Attempt) -> Option<String> {
    if matches!(attempt.outcome, Outcome::Success | Outcome::Aborted) {
        return None;
    }
    let handler = attempt.probe.as_ref().map(|spec| &spec.handler);
    match attempt.tries.last()? {
        Try::Exec(run) => Some(exec(attempt.outcome, run, handler)),
        Try::Net(connections) => Some(net(attempt, connections.last()?, handler)),
    }
}

fn exec(outcome: Outcome, run: &Run, handler: Option<&Handler>) -> String {
    let argv = match handler {
        Some(Handler::Exec { argv }) => argv.join(" "),
        _ => run.command.as_ref().map(|command| command.argv.join(" ")).unwrap_or_default(),
    };
    let exit = run.exit.as_ref();
    match (outcome, exit.and_then(|exit| exit.code()), exit.and_then(|exit| exit.signal())) {
        (Outcome::Timeout, ..) => format!("command {argv:?} timed out"),
        (Outcome::Error, ..) => format!("failed to exec in container: command {argv:?} could not be started"),
        (_, Some(code), _) => format!("command {argv:?} exited with {code}"),
        (_, None, Some(signal)) => format!("command {argv:?} exited with {} (signal {signal})", 128 + signal),
        _ => format!("command {argv:?} failed"),
    }
}

fn net(attempt: &Attempt, connection: &Connection, handler: Option<&Handler>) -> String {
    let remote = SocketAddr::new(connection.remote.ip().to_canonical(), connection.remote.port());
    let timeout_s = attempt.probe.as_ref().map_or(0, |spec| spec.timeout_ns / 1_000_000_000);
    let connected = connection.established_ns > 0 && connection.established_ns <= attempt.ended_ns;
    let what = cause(attempt, connection, remote);
    match (handler, attempt.outcome) {
        (Some(Handler::Http { path, tls, .. }), outcome) => {
            if let Some(status) =
                connection.http_status().filter(|status| *status >= 400 && outcome == Outcome::Failure)
            {
                return format!("HTTP probe failed with statuscode: {status}");
            }
            if let (Outcome::Error, None) = (outcome, &what) {
                return "context deadline exceeded (Client.Timeout or context cancellation while reading body)".into();
            }
            let scheme = if *tls { "https" } else { "http" };
            let path = path.split('?').next().unwrap_or(path);
            let late = || "context deadline exceeded (Client.Timeout exceeded while awaiting headers)".into();
            format!("Get \"{scheme}://{remote}{path}\": {}", what.unwrap_or_else(late))
        }
        (Some(Handler::Grpc { .. }), _) if connected => {
            format!("timeout: health rpc did not complete within {timeout_s}s")
        }
        (Some(Handler::Grpc { .. }), _) => {
            format!("timeout: failed to connect service \"{remote}\" within {timeout_s}s: context deadline exceeded")
        }
        _ if connected => what.unwrap_or_else(|| "no answer in time".into()),
        _ => what.unwrap_or_else(|| format!("dial tcp {remote}: i/o timeout")),
    }
}

/// What ended the connection, if anything did before the time-out.
fn cause(attempt: &Attempt, connection: &Connection, remote: SocketAddr) -> Option<String> {
    let local = SocketAddr::new(connection.local.ip().to_canonical(), connection.local.port());
    let ended = |at_ns: u64| at_ns > 0 && at_ns <= attempt.ended_ns;
    if connection.established_ns > 0 {
        if ended(connection.reset_ns) {
            return Some(format!("read tcp {local}->{remote}: read: connection reset by peer"));
        }
        let peer_closed = matches!(connection.closed_from, tcp_state::CLOSE_WAIT | tcp_state::LAST_ACK);
        return (attempt.outcome == Outcome::Failure && peer_closed).then(|| "EOF".into());
    }
    let error = match connection.error {
        0 if ended(connection.reset_ns) => "connection refused".into(),
        0 => return None,
        111 => "connection refused".into(),
        113 => "no route to host".into(),
        101 => "network is unreachable".into(),
        99 => "cannot assign requested address".into(),
        110 => "connection timed out".into(),
        other => format!("errno {other}"),
    };
    Some(format!("dial tcp {remote}: connect: {error}"))
}
