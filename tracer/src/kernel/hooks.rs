//! The hooks: which program goes where, and what is lost without it.

use crate::event::{SockChange, What};

/// How a program is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Tracepoint with BTF arguments, by the tracepoint's name.
    BtfTracepoint(&'static str),
    /// Plain tracepoint: category, name.
    Tracepoint(&'static str, &'static str),
    /// To the prober's cgroup.
    Cgroup,
}

/// One hook.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hook {
    /// As users know it.
    pub name: &'static str,
    /// The program in the object.
    pub program: &'static str,
    pub kind: Kind,
    /// What is lost without it.
    pub lost: &'static str,
}

pub(super) const SET_STATE: &str = "sock:inet_sock_set_state";
pub(super) const SOCK_OPS: &str = "cgroup:sock_ops";
pub(super) const EGRESS: &str = "cgroup:skb_egress";
pub(super) const INGRESS: &str = "cgroup:skb_ingress";

const fn btf(name: &'static str, event: &'static str, lost: &'static str) -> Hook {
    Hook { name, program: event, kind: Kind::BtfTracepoint(event), lost }
}

/// All of them, in the order of attaching.
pub(super) const HOOKS: [Hook; 12] = [
    btf("sched:sched_process_fork", "sched_process_fork", "exec probes: which processes belong to one"),
    btf("sched:sched_process_exec", "sched_process_exec", "exec probes: what was run in which container"),
    btf("sched:sched_process_exit", "sched_process_exit", "exec probes: exit codes, CPU time, run delay"),
    btf("tcp:tcp_retransmit_skb", "tcp_retransmit_skb", "repeated SYNs and segments: packets lost or not answered"),
    btf("tcp:tcp_receive_reset", "tcp_receive_reset", "resets received: who refused or cut a connection"),
    btf("sock:inet_sk_error_report", "inet_sk_error_report", "errors on sockets that change no state (ICMP)"),
    Hook {
        name: "tcp:tcp_send_reset",
        program: "tcp_send_reset",
        kind: Kind::Tracepoint("tcp", "tcp_send_reset"),
        lost: "why a target on this node reset a connection",
    },
    Hook {
        name: "tcp:tcp_retransmit_synack",
        program: "tcp_retransmit_synack",
        kind: Kind::Tracepoint("tcp", "tcp_retransmit_synack"),
        lost: "a target whose answers do not arrive",
    },
    Hook { name: EGRESS, program: "bytes_sent", kind: Kind::Cgroup, lost: "request lines, bytes sent and when" },
    Hook {
        name: INGRESS,
        program: "bytes_received",
        kind: Kind::Cgroup,
        lost: "status lines, bytes received and when",
    },
    Hook { name: SOCK_OPS, program: "prober_sock_ops", kind: Kind::Cgroup, lost: "nothing: node-wide hooks take over" },
    btf(SET_STATE, "inet_sock_set_state", "connections of probers in the root cgroup, connects that send no SYN"),
];

/// Where a hook stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookState {
    /// Attached, and fired in the self-test.
    Fired,
    /// Attached; the self-test can't make it fire in a short time.
    Attached,
    /// Attached, but the self-test could not make it fire.
    Silent,
    /// Not attached, and why.
    Failed(String),
    /// Not attached, as another hook does its work.
    NotNeeded(String),
}

/// A hook, for doctor and the record of what a run lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookStatus {
    /// `sock:inet_sock_set_state`.
    pub name: &'static str,
    /// Rung of the ladder: `tracepoint`.
    pub rung: &'static str,
    /// Where it stands.
    pub state: HookState,
    /// What is lost without it.
    pub lost_without: &'static str,
}

impl HookStatus {
    /// Attached, as far as is known.
    pub fn is_working(&self) -> bool {
        matches!(self.state, HookState::Fired | HookState::Attached)
    }
}

/// What a program has cost since it was loaded (kernel/bpf/syscall.c: bpf_prog_get_stats).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramCost {
    /// Its hook: `sock:inet_sock_set_state`.
    pub hook: &'static str,
    /// Its name in the object.
    pub program: &'static str,
    /// Invocations that were counted.
    pub runs: u64,
    /// Time of those.
    pub total_ns: u64,
}

/// Which hook an event came from.
pub(super) fn source(what: &What) -> &'static str {
    match what {
        What::Sock(sock) => match sock.change {
            SockChange::State { .. } if sock.by_cgroup => SOCK_OPS,
            SockChange::State { .. } => SET_STATE,
            SockChange::Retransmit { .. } => "tcp:tcp_retransmit_skb",
            SockChange::ResetReceived { .. } => "tcp:tcp_receive_reset",
            SockChange::Error => "sock:inet_sk_error_report",
            SockChange::SeenByCgroup => SOCK_OPS,
        },
        What::Request(_) => EGRESS,
        What::Response(_) => INGRESS,
        What::ResetSent(_) => "tcp:tcp_send_reset",
        What::SynAckRetransmit(_) => "tcp:tcp_retransmit_synack",
        What::Fork(_) => "sched:sched_process_fork",
        What::Exec(_) => "sched:sched_process_exec",
        What::Exit(_) => "sched:sched_process_exit",
    }
}
