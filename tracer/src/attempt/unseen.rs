//! What an outcome takes for granted because it could not be seen: for the verdict's `missing`.

use super::facts::{Attempt, Connection, Try};
use crate::{attribution::spec::Handler, record::Outcome};

/// One sentence for each gap.
pub fn unseen(attempt: &Attempt) -> Vec<&'static str> {
    let Some(last) = attempt.tries.last() else { return Vec::new() };
    let handler = attempt.probe.as_ref().map(|probe| &probe.handler);
    match last {
        Try::Net(connections) => {
            let Some(connection) = connections.last() else { return Vec::new() };
            network(attempt, connection, handler)
        }
        Try::Exec(run) => {
            let lost = run.exec_ns == 0 && run.helper_exit.as_ref().is_some_and(|exit| exit.status == 0);
            if lost { vec!["the exec of the command was not seen"] } else { Vec::new() }
        }
    }
}

fn network(attempt: &Attempt, connection: &Connection, handler: Option<&Handler>) -> Vec<&'static str> {
    let mut gaps = Vec::new();
    let is_tcp = matches!(handler, Some(Handler::Tcp { .. }));
    if is_tcp && connection.established_ns != 0 && connection.is_ended_by_reset() {
        gaps.push("whether the prober had seen the connection before the RST came");
    }
    if connection.established_ns == 0 || is_tcp {
        return gaps;
    }
    if attempt.outcome == Outcome::Success {
        match handler {
            _ if !connection.bytes_watched => gaps.push("the status of the answer was not seen: bytes are not watched"),
            Some(Handler::Http { tls: true, .. }) => gaps.push("the status of the answer is hidden by TLS"),
            Some(Handler::Grpc { .. }) => gaps.push("the health status in the gRPC answer is not read"),
            _ if connection.http_status().is_none_or(|status| status < 200) => {
                gaps.push("the status of the answer was not seen");
            }
            _ => {}
        }
    } else if !connection.bytes_watched {
        gaps.push("the bytes of this connection were not watched");
    }
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attempt::testkit::{self, Lab, kubelet};

    #[test]
    fn tls_hides_the_status_and_that_is_said() {
        let mut lab = Lab::new(kubelet(), vec![testkit::https("/healthz")]);
        let sock = lab.connect(1_000);
        lab.established(sock, 1_001).bytes(sock, 1_010, b"\x16\x03\x01", b"\x16\x03\x03").close(sock, 1_020);
        let closed = lab.finish(1_100);
        assert_eq!(closed[0].outcome, Outcome::Success);
        assert_eq!(unseen(&closed[0]), ["the status of the answer is hidden by TLS"]);
    }

    #[test]
    fn bytes_that_nobody_watched_are_named() {
        let mut lab = Lab::new(kubelet(), vec![testkit::http("/healthz")]);
        lab.watch_bytes = false;
        let sock = lab.connect(1_000);
        lab.established(sock, 1_001).close(sock, 1_020);
        let closed = lab.finish(1_100);
        assert_eq!(closed[0].outcome, Outcome::Success);
        assert_eq!(unseen(&closed[0]), ["the status of the answer was not seen: bytes are not watched"]);
    }
}
