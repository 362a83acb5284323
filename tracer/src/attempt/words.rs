//! What the kubelet would have said, in the words of its modern versions (facts: prober.go, probe/{http,tcp,grpc,exec}).

use super::facts::{Attempt, Connection, Run, Try};
use crate::{
    attribution::spec::{Handler, ProbeSpec},
    event::tcp_state,
    record::Outcome,
};

/// The text of the event's `probe failed:` or `probe errored…:`; `None` for what passed or was cut.
pub fn error_text(attempt: &Attempt) -> Option<String> {
    if matches!(attempt.outcome, Outcome::Success | Outcome::Aborted) {
        return None;
    }
    let probe = attempt.probe.as_ref()?;
    match attempt.tries.last()? {
        Try::Exec(run) => Some(exec(attempt.outcome, probe, run)),
        Try::Net(connections) => {
            let connection = connections.last()?;
            Some(match &probe.handler {
                Handler::Http { tls, path, .. } => http(attempt.outcome, connection, connections, *tls, path),
                Handler::Grpc { .. } => grpc(probe, connections, connection),
                _ => tcp(connection),
            })
        }
    }
}

fn http(outcome: Outcome, last: &Connection, connections: &[Connection], tls: bool, path: &str) -> String {
    let first = connections.first().map_or(last.remote, |connection| connection.remote);
    let scheme = if tls { "https" } else { "http" };
    // Of a redirect the last request's path, as far as it was seen; the query never left the kernel.
    let path = match last.http_request() {
        Some((_, seen)) if connections.len() > 1 => seen.to_owned(),
        _ => format!("/{}", path.split('?').next().unwrap_or_default().trim_start_matches('/')),
    };
    let remote = if connections.len() > 1 { last.remote } else { first };
    let get = format!("Get \"{scheme}://{remote}{path}\"");
    let status = last.http_status().filter(|_| !tls);
    match (outcome, status) {
        (Outcome::Timeout, _) => {
            format!("{get}: context deadline exceeded (Client.Timeout exceeded while awaiting headers)")
        }
        (Outcome::Error, _) if last.reset_ns != 0 => read_reset(last),
        (Outcome::Error, _) if last.bytes.fin_rx_ns != 0 => "unexpected EOF".to_owned(),
        (Outcome::Error, _) => {
            "context deadline exceeded (Client.Timeout or context cancellation while reading body)".to_owned()
        }
        (_, Some(300..400)) => format!("{get}: stopped after 10 redirects"),
        (_, Some(status)) => format!("HTTP probe failed with statuscode: {status}"),
        _ if last.established_ns == 0 => format!("{get}: {}", dial(last)),
        _ if last.reset_ns != 0 => format!("{get}: {}", read_reset(last)),
        _ if tls && first_bytes(last).starts_with(b"HTTP/") => {
            format!("{get}: http: server gave HTTP response to HTTPS client")
        }
        _ if tls && first_bytes(last).first() == Some(&0x15) => format!("{get}: remote error: tls: handshake failure"),
        _ if !tls && !first_bytes(last).is_empty() => {
            format!("{get}: net/http: HTTP/1.x transport connection broken: malformed HTTP response")
        }
        _ if last.error != 0 => format!("{get}: read tcp {}->{}: read: {}", last.local, last.remote, errno(last)),
        _ => format!("{get}: EOF"),
    }
}

fn tcp(last: &Connection) -> String {
    // Go's connect() ends by SO_ERROR: a RST right after the handshake is an error of it.
    match last.established_ns != 0 && last.is_ended_by_reset() {
        true => format!("dial tcp {}: connect: {}", last.remote, errno(last)),
        false => dial(last),
    }
}

fn grpc(probe: &ProbeSpec, connections: &[Connection], last: &Connection) -> String {
    let seconds = probe.timeout_ns / 1_000_000_000;
    if connections.iter().any(|connection| connection.established_ns != 0 && connection.bytes.rx > 0) {
        return format!("timeout: health rpc did not complete within {seconds}s");
    }
    format!("timeout: failed to connect service \"{}\" within {seconds}s: context deadline exceeded", last.remote)
}

fn exec(outcome: Outcome, probe: &ProbeSpec, run: &Run) -> String {
    let Handler::Exec { argv } = &probe.handler else { return String::new() };
    let command = argv.join(" ");
    match (outcome, run.exit.as_ref()) {
        (Outcome::Timeout, _) => format!("command \"{command}\" timed out"),
        (Outcome::Error, _) | (_, None) => {
            format!("rpc error: code = Unknown desc = failed to exec in container: failed to start exec \"{command}\"")
        }
        (_, Some(exit)) => {
            // 128 + signal: what the runtime reports of a killed process.
            let code = exit.code().unwrap_or_else(|| 128 + exit.signal().unwrap_or_default());
            format!("command \"{command}\" exited with {code}")
        }
    }
}

fn dial(last: &Connection) -> String {
    let told = last.error != 0 || last.reset_ns != 0 || (last.closed_ns != 0 && last.local.port() == 0);
    match told && last.established_ns == 0 {
        true => format!("dial tcp {}: connect: {}", last.remote, errno(last)),
        false => format!("dial tcp {}: i/o timeout", last.remote),
    }
}

fn read_reset(last: &Connection) -> String {
    format!("read tcp {}->{}: read: connection reset by peer", last.local, last.remote)
}

fn first_bytes(connection: &Connection) -> &[u8] {
    connection.response.as_ref().map(|data| data.bytes.as_slice()).unwrap_or_default()
}

/// strerror's words as Go prints them (syscall/zerrors_linux_*.go).
fn errno(connection: &Connection) -> String {
    let error = match connection.error {
        // tcp_input.c: tcp_reset.
        0 if connection.reset_ns != 0 => match connection.reset_in {
            tcp_state::SYN_SENT => 111,
            tcp_state::CLOSE_WAIT => 32,
            _ => 104,
        },
        // No port was found, and nothing ever left: connect() itself said so.
        0 if connection.local.port() == 0 => 99,
        error => error,
    };
    match error {
        1 => "operation not permitted".to_owned(),
        13 => "permission denied".to_owned(),
        32 => "broken pipe".to_owned(),
        22 => "invalid argument".to_owned(),
        99 => "cannot assign requested address".to_owned(),
        100 => "network is down".to_owned(),
        101 => "network is unreachable".to_owned(),
        104 => "connection reset by peer".to_owned(),
        105 => "no buffer space available".to_owned(),
        110 => "connection timed out".to_owned(),
        111 => "connection refused".to_owned(),
        112 => "host is down".to_owned(),
        113 => "no route to host".to_owned(),
        other => format!("errno {other}"),
    }
}

#[cfg(test)]
mod tests;
