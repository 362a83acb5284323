//! What the kernel reported, decoded: plain values, no kernel types, serialisable for recordings.

pub mod reorder;

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// TCP states by the kernel's numbers (include/net/tcp_states.h, the same since 2.4 but for the last).
pub mod tcp_state {
    /// Handshake done.
    pub const ESTABLISHED: u8 = 1;
    /// SYN sent.
    pub const SYN_SENT: u8 = 2;
    /// Child of a listener before its first use.
    pub const SYN_RECV: u8 = 3;
    /// We closed first.
    pub const FIN_WAIT1: u8 = 4;
    /// Our FIN was acknowledged.
    pub const FIN_WAIT2: u8 = 5;
    /// Closed.
    pub const CLOSE: u8 = 7;
    /// The peer closed first.
    pub const CLOSE_WAIT: u8 = 8;
    /// Both closed, the peer first.
    pub const LAST_ACK: u8 = 9;
    /// Listening.
    pub const LISTEN: u8 = 10;
}

/// One event of the kernel programs. Times are CLOCK_MONOTONIC ns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When it happened.
    pub at_ns: u64,
    /// The CPU that emitted it.
    pub cpu: u32,
    /// Its number on that CPU.
    pub seq: u64,
    /// What happened.
    pub what: What,
}

/// The kinds of events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    /// On a socket of a prober.
    Sock(Sock),
    /// First bytes that a prober sent: `METHOD path` where it was HTTP, else raw.
    Request(Data),
    /// First bytes that a prober received.
    Response(Data),
    /// This kernel sent a RST from a probe target's address.
    ResetSent(Peer),
    /// A probe target's listener repeated its SYN-ACK.
    SynAckRetransmit(Peer),
    /// A process of a prober's tree was forked.
    Fork(Fork),
    /// A process of a prober's tree executed a program.
    Exec(Exec),
    /// A process of a prober's tree ended.
    Exit(Exit),
}

/// What happened to a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SockChange {
    /// State `from` to state `to` ([`tcp_state`]).
    State {
        /// Before.
        from: u8,
        /// After.
        to: u8,
    },
    /// A segment went out again in this state.
    Retransmit {
        /// State then.
        state: u8,
    },
    /// A RST came in this state.
    ResetReceived {
        /// State before it took effect.
        state: u8,
    },
    /// An error surfaced (see [`Sock::error`]).
    Error,
    /// The cgroup-scoped hook saw the connect (comparison of the two ways).
    SeenByCgroup,
}

/// A socket of a prober.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sock {
    /// Unique for this boot.
    pub id: u64,
    /// What happened.
    pub change: SockChange,
    /// The prober's end; port 0 where not yet bound.
    pub local: SocketAddr,
    /// The target's end as the prober addressed it.
    pub remote: SocketAddr,
    /// The prober's process id, as the tracer sees it.
    pub tgid: u32,
    /// Inode of the socket's network namespace; 0: unknown.
    pub netns: u32,
    /// Its connect().
    pub born_ns: u64,
    /// errno, 0: none.
    pub error: i32,
    /// Whether the byte counters below are watched at all.
    pub bytes_watched: bool,
    /// Payload bytes sent and received so far, and when.
    pub bytes: Bytes,
    /// True where the cgroup-scoped hooks watch this socket, false for the node-wide.
    pub by_cgroup: bool,
}

/// Payload counters of a socket. Times are 0 where it did not happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bytes {
    /// Sent.
    pub tx: u64,
    /// Received (as packets reached the socket, read or not).
    pub rx: u64,
    /// Last payload sent.
    pub last_tx_ns: u64,
    /// First payload received.
    pub first_rx_ns: u64,
    /// Last payload received.
    pub last_rx_ns: u64,
    /// First FIN received.
    pub fin_rx_ns: u64,
}

/// First bytes of one direction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Data {
    /// As in [`Sock::id`].
    pub sock_id: u64,
    /// At most 128; of an HTTP request only method and path, the query cut in the kernel.
    pub bytes: Vec<u8>,
    /// The path was longer.
    pub truncated: bool,
}

/// The target's side, known by address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// The target's end.
    pub local: SocketAddr,
    /// The prober's end (or another client's).
    pub remote: SocketAddr,
    /// Name of `enum sk_rst_reason` from BTF without its prefix (`NO_SOCKET`, `TCP_ABORT_ON_CLOSE`); "" where the kernel gives none.
    pub reason: String,
    /// A full socket sent it.
    pub has_socket: bool,
}

/// A fork in a prober's tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fork {
    /// Parent, as the tracer sees it (0: not visible).
    pub ppid: u32,
    /// Parent in the initial namespace.
    pub kppid: u32,
    /// Child.
    pub pid: u32,
    /// Child in the initial namespace: with `start_boot_ns` its identity.
    pub kpid: u32,
    /// Start of the child, CLOCK_BOOTTIME.
    pub start_boot_ns: u64,
    /// Process whose tree this is: a prober, or a runtime's command that no prober started (not its shim).
    pub root_kpid: u32,
    /// The parent is that root.
    pub is_first: bool,
}

/// An exec in a prober's tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exec {
    /// Process, as the tracer sees it.
    pub pid: u32,
    /// Process in the initial namespace.
    pub kpid: u32,
    /// CLOCK_BOOTTIME.
    pub start_boot_ns: u64,
    /// As in [`Fork::root_kpid`].
    pub root_kpid: u32,
    /// New name.
    pub comm: String,
    /// argv as far as copied (512 bytes), lossily decoded.
    pub argv: Vec<String>,
    /// There was more, or it could not be read.
    pub argv_truncated: bool,
    /// Its cgroup's folder name.
    pub cgroup: String,
    /// That folder's parent's name.
    pub cgroup_parent: String,
    /// cgroup v2 id; 0: unknown.
    pub cgroup_id: u64,
}

/// The end of a process in a prober's tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// Process, as the tracer sees it.
    pub pid: u32,
    /// Process in the initial namespace.
    pub kpid: u32,
    /// CLOCK_BOOTTIME.
    pub start_boot_ns: u64,
    /// As in [`Fork::root_kpid`].
    pub root_kpid: u32,
    /// Its name at the end.
    pub comm: String,
    /// Wait status: signal in the low 7 bits, exit code << 8.
    pub status: u32,
    /// CPU time of all threads.
    pub on_cpu_ns: u64,
    /// Runnable and not running, all threads (contains throttling).
    pub run_delay_ns: u64,
}

impl Exit {
    /// The signal that ended it.
    pub fn signal(&self) -> Option<u32> {
        Some(self.status & 0x7f).filter(|signal| *signal != 0)
    }

    /// Its exit code, where no signal ended it.
    pub fn code(&self) -> Option<u32> {
        self.signal().is_none().then_some((self.status >> 8) & 0xff)
    }
}
