//! Which of several probes on one endpoint an attempt is, by what was seen of it.

use super::{
    spec::{Handler, ProbeKind},
    store::Candidate,
};
use crate::attempt::{facts::Connection, history::Histories};

/// A kubelet's `initialDelaySeconds` gate works on whole seconds; clocks are read apart.
const DELAY_SLACK_NS: i64 = 50_000_000;

/// What decides beyond the bytes of the connection.
#[derive(Debug)]
pub struct Context<'a> {
    /// Begin of the attempt, wall clock.
    pub began_wall_ns: i64,
    /// Since when everything was seen, wall clock.
    pub traced_since_wall_ns: i64,
    /// The kubelet's rules of gates and grids apply.
    pub is_kubelet: bool,
    /// What passed before.
    pub histories: &'a Histories,
}

/// What was kept, the best guess first, and by what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Narrowed {
    /// Never more than were given; empty: it is none of them.
    pub kept: Vec<Candidate>,
    /// "" while nothing had to be chosen.
    pub chosen_by: &'static str,
}

impl Narrowed {
    /// Keeps what fits, unless that is nothing.
    pub fn retain(&mut self, by: &'static str, keep: impl Fn(&Candidate) -> bool) {
        let kept: Vec<Candidate> = self.kept.iter().filter(|candidate| keep(candidate)).cloned().collect();
        if !kept.is_empty() && kept.len() < self.kept.len() {
            self.kept = kept;
            self.chosen_by = by;
        }
    }
}

/// By what the prober sent: nothing is a tcp probe, an HTTP/2 preface is gRPC, a method and path is HTTP, a TLS hello is
/// HTTPS. May leave nothing: then the connection is no probe of this endpoint (a lifecycle hook, say).
pub fn by_request(candidates: &[Candidate], connections: &[Connection]) -> Narrowed {
    let all = Narrowed { kept: candidates.to_vec(), chosen_by: "" };
    // Of redirects the first request is the probe's; bytes that could not be read say nothing.
    let mut requests = connections.iter().filter_map(|connection| connection.request.as_ref());
    let Some(request) = requests.find(|request| !request.bytes.is_empty()) else {
        return by_silence(all, connections);
    };
    let (bytes, truncated) = (request.bytes.as_slice(), request.truncated);
    let text = String::from_utf8_lossy(bytes);
    let path = text.split_once(' ').map(|(_, path)| path).filter(|path| path.starts_with('/'));
    let fits = |handler: &Handler| match handler {
        Handler::Grpc { .. } => is_h2_preface(bytes),
        Handler::Http { tls: true, .. } => bytes.first() == Some(&0x16),
        Handler::Http { path: wanted, .. } => path.is_some_and(|path| same_path(path, truncated, wanted)),
        // A tcp probe sends nothing at all.
        Handler::Tcp { .. } | Handler::Exec { .. } => false,
    };
    let kept: Vec<Candidate> = candidates.iter().filter(|candidate| fits(&candidate.spec.handler)).cloned().collect();
    let same_handler = candidates.iter().all(|candidate| candidate.spec.handler.name() == "http");
    let chosen_by = match kept.len() < candidates.len() {
        true if same_handler && path.is_some() => "path",
        true => "request",
        false => "",
    };
    Narrowed { kept, chosen_by }
}

/// No request was seen.
fn by_silence(mut all: Narrowed, connections: &[Connection]) -> Narrowed {
    let Some(last) = connections.last() else { return all };
    let is_tcp = |candidate: &Candidate| matches!(candidate.spec.handler, Handler::Tcp { .. });
    if last.bytes.tx > 0 {
        all.retain("request", |candidate| !is_tcp(candidate));
    } else if last.is_ended_by_reset() {
        // http, too, sends nothing when the RST came before its request.
    } else if last.bytes_watched && last.established_ns != 0 && last.closed_ns != 0 {
        all.retain("request", is_tcp);
    }
    all
}

/// What the manifests say beyond the request. Never leaves nothing.
pub fn narrow(mut narrowed: Narrowed, context: &Context<'_>) -> Narrowed {
    if narrowed.kept.len() > 1 {
        newest_pod(&mut narrowed);
    }
    if narrowed.kept.len() > 1 && context.is_kubelet {
        by_gates(&mut narrowed, context);
    }
    narrowed
}

/// A pod's own address belongs to one pod: of two that claim it (one not yet gone), the one that is not being deleted.
fn newest_pod(narrowed: &mut Narrowed) {
    let first = &narrowed.kept[0].spec.container;
    let one_pod = narrowed.kept.iter().all(|candidate| candidate.spec.container.pod_uid == first.pod_uid);
    let shared = narrowed.kept.iter().any(|candidate| candidate.spec.container.host_network);
    if !one_pod && !shared {
        narrowed.retain("newest pod of the address", |candidate| !candidate.spec.container.deleting);
        let newest = narrowed.kept.iter().map(|candidate| candidate.spec.container.started_at_wall_ns).max();
        narrowed.retain("newest pod of the address", |candidate| {
            Some(candidate.spec.container.started_at_wall_ns) == newest
        });
    }
}

/// When the kubelet makes no attempt (prober/worker.go: doProbe): while the pod is deleted (but readiness), before the
/// initial delay, before or after the startup probe's success.
fn by_gates(narrowed: &mut Narrowed, context: &Context<'_>) {
    narrowed.retain("pod is being deleted", |candidate| {
        !candidate.spec.container.deleting || candidate.spec.kind == ProbeKind::Readiness
    });
    narrowed.retain("initial delay", |candidate| {
        let container = &candidate.spec.container;
        let age = context.began_wall_ns.saturating_sub(container.started_at_wall_ns);
        let delay = i64::try_from(candidate.spec.initial_delay_ns).unwrap_or(i64::MAX);
        container.started_at_wall_ns == 0 || age.saturating_add(DELAY_SLACK_NS) >= delay
    });
    let is_startup = |candidate: &Candidate| candidate.spec.kind == ProbeKind::Startup;
    let Some(startup) = narrowed.kept.iter().find(|candidate| is_startup(candidate)).cloned() else { return };
    let container = &startup.spec.container;
    if context.histories.has_passed(container) {
        narrowed.retain("startup gate", |candidate| {
            !(is_startup(candidate) && candidate.spec.container.pod_uid == container.pod_uid)
        });
    } else if container.started_at_wall_ns > context.traced_since_wall_ns {
        // Seen since its start and never passed: only the startup probe runs.
        narrowed.retain("startup gate", |candidate| {
            is_startup(candidate) || candidate.spec.container.pod_uid != container.pod_uid
        });
    }
}

fn is_h2_preface(bytes: &[u8]) -> bool {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0";
    let len = bytes.len().min(PREFACE.len());
    len >= 3 && bytes[..len] == PREFACE[..len]
}

/// Whether a request's path (cut at 128 bytes, without query) is that of a manifest. The kubelet parses the manifest's path
/// as a URL (probe/http/request.go: formatURL), so escapes may differ and a leading slash may be missing there.
pub fn same_path(seen: &str, truncated: bool, wanted: &str) -> bool {
    let wanted = wanted.split(['?', '#']).next().unwrap_or_default();
    let wanted = wanted.strip_prefix('/').unwrap_or(wanted);
    let seen = seen.split(['?', ' ']).next().unwrap_or_default();
    let seen = seen.strip_prefix('/').unwrap_or(seen);
    let (seen, wanted) = (unescape(seen), unescape(wanted));
    seen == wanted || (truncated && wanted.starts_with(&seen))
}

fn unescape(path: &str) -> Vec<u8> {
    let bytes = path.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while let Some(byte) = bytes.get(index) {
        let digits = bytes.get(index + 1..index + 3).filter(|_| *byte == b'%');
        let value = digits
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match value {
            Some(value) => {
                out.push(value);
                index += 3;
            }
            None => {
                out.push(*byte);
                index += 1;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests;
