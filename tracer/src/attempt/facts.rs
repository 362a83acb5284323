//! What is known of one attempt when it is over: the input of the verdict.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::{
    attribution::spec::{ProbeSpec, SpecSource},
    event::{Bytes, Data, Exec, Exit, Peer},
    input::Prober,
    observation::Observation,
    record::Outcome,
};

/// A finished attempt. All `_ns` instants are CLOCK_MONOTONIC.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// Number of this run, from 1.
    pub number: u64,
    /// Who probed.
    pub prober: Prober,
    /// The probe that it is; `None`: unattributed.
    pub probe: Option<ProbeSpec>,
    /// Which source gave the spec.
    pub spec_source: Option<SpecSource>,
    /// How the probe was chosen among several on one endpoint: "", "path", "phase of the period", "duration".
    pub chosen_by: &'static str,
    /// Others that it may be as well.
    pub ambiguous: Vec<ProbeSpec>,
    /// First sign of it.
    pub began_ns: u64,
    /// The prober's outcome.
    pub ended_ns: u64,
    /// When this attempt was closed for late evidence.
    pub closed_ns: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// Its tries in order; the last one decides.
    pub tries: Vec<Try>,
    /// Answers to looks, in time order.
    pub looks: Vec<Observation>,
    /// No event was lost and no invocation missed between begin and close.
    pub no_loss: bool,
    /// Ports that the container is meant to listen on: declared, or probed by any of its probes. Only of failures.
    pub meant_ports: Vec<u16>,
    /// The same probe before this attempt.
    pub history: History,
}

/// One try: a connection (or several: redirects, gRPC's retries), or one run of a command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(clippy::large_enum_variant, reason = "at most three of one attempt")]
pub enum Try {
    /// http, tcp, grpc.
    Net(Vec<Connection>),
    /// exec.
    Exec(Run),
}

/// One connection of a prober. Instants are 0 where it did not happen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Connection {
    /// Socket's id.
    pub sock_id: u64,
    /// Prober's end.
    pub local: SocketAddr,
    /// Target's end.
    pub remote: SocketAddr,
    /// Inode of the prober's network namespace; 0: unknown.
    pub netns: u32,
    /// connect().
    pub began_ns: u64,
    /// ESTABLISHED at the prober.
    pub established_ns: u64,
    /// The prober closed, or the connection ended by RST or error.
    pub closed_ns: u64,
    /// State when it was closed ([`crate::event::tcp_state`]).
    pub closed_from: u8,
    /// A RST came (0: none), and in which state.
    pub reset_ns: u64,
    /// See above.
    pub reset_in: u8,
    /// errno, 0: none.
    pub error: i32,
    /// SYNs sent again.
    pub syn_retransmits: u32,
    /// Data segments sent again.
    pub data_retransmits: u32,
    /// SYN-ACKs that the target's listener repeated.
    pub synack_retransmits: u32,
    /// Whether `bytes` was watched.
    pub bytes_watched: bool,
    /// Payload counters at the last event.
    pub bytes: Bytes,
    /// First bytes sent.
    pub request: Option<Data>,
    /// First bytes received.
    pub response: Option<Data>,
    /// RSTs that this kernel sent from the target's end to this one.
    pub resets_sent: Vec<(u64, Peer)>,
}

impl Connection {
    /// Final HTTP status of the response, where the first bytes are its HTTP/1 status line: an interim 1xx is none.
    pub fn http_status(&self) -> Option<u16> {
        let bytes = &self.response.as_ref()?.bytes;
        let rest = bytes.strip_prefix(b"HTTP/1.")?;
        let digits = rest.get(2..5)?;
        let text = std::str::from_utf8(digits).ok()?;
        text.parse().ok().filter(|status| (200..1000).contains(status))
    }

    /// Payload came before the prober's close and before `deadline_ns`: what comes later is no answer for it.
    pub fn is_answered_before(&self, deadline_ns: u64) -> bool {
        let first_ns = self.bytes.first_rx_ns;
        let came = self.bytes.rx > 0 || self.response.is_some();
        came && first_ns < deadline_ns && (self.closed_ns == 0 || first_ns <= self.closed_ns)
    }

    /// The peer's RST ended it: one that answers the prober's own close is none of the attempt's.
    pub fn is_ended_by_reset(&self) -> bool {
        self.reset_ns != 0 && (self.closed_ns == 0 || self.reset_ns <= self.closed_ns)
    }

    /// Method and path of the request, where it was HTTP/1.
    pub fn http_request(&self) -> Option<(&str, &str)> {
        let text = std::str::from_utf8(&self.request.as_ref()?.bytes).ok()?;
        let (method, path) = text.split_once(' ')?;
        path.starts_with('/').then_some((method, path))
    }
}

/// One run of an exec probe's command, with the runtime's processes around it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Spawn of the runtime's helper (or of the command itself, where the prober runs it directly).
    pub spawned_ns: u64,
    /// The helper's exec, where there was one.
    pub helper: Option<Exec>,
    /// exec of the command: 0, where it never came.
    pub exec_ns: u64,
    /// The command.
    pub command: Option<Exec>,
    /// Its fork was not seen: it was taken for this run's since it ran in the container while this run waited for one.
    pub is_command_guessed: bool,
    /// Its end.
    pub exit_ns: u64,
    /// See above.
    pub exit: Option<Exit>,
    /// The helper's end.
    pub helper_exit_ns: u64,
    /// See above.
    pub helper_exit: Option<Exit>,
    /// Other processes of the tree that ended (runc's stages, the command's children), bounded.
    pub others: Vec<Exit>,
    /// They were more.
    pub others_cut: bool,
}

/// What the tracker remembers of one probe (of one container id, unless said otherwise).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// Begin of the first attempt that is counted here; 0: none.
    pub began_ns: u64,
    /// No event was lost since then: what is not counted here did not happen.
    pub is_whole: bool,
    /// Attempts that ended before this one.
    pub attempts: u64,
    /// Of them successes.
    pub successes: u64,
    /// The last success's end; 0: none.
    pub last_success_ns: u64,
    /// Failures and time-outs since the last success.
    pub failures_in_row: u32,
    /// Latencies of recent successes, ns, newest last, at most 64.
    pub recent_latencies_ns: Vec<u64>,
    /// An earlier container of the same pod and name was seen.
    pub had_earlier_container: bool,
}
