//! What crosses from the kernel programs to user space: plain integers and byte arrays only
//! (no enum, bool, Option or reference; every pad byte named), so that any bit pattern is valid.
//!
//! Times are `bpf_ktime_get_ns` (CLOCK_MONOTONIC, ns). Addresses are 16 bytes in network order, IPv4 as
//! `::ffff:a.b.c.d`; ports are in host order. `pid`, `ppid` and `tgid` fields are process ids (tgid) in the pid
//! namespace of the *tracer* (0: not visible there); `kpid` fields are the same in the initial namespace.

/// Raised with every change of a layout below; user space refuses an object with another one.
pub const ABI_VERSION: u32 = 1;

/// Values of [`Header::kind`].
pub mod kind {
    /// [`super::SockEvent`]: a prober's socket changed its state.
    pub const SOCK_STATE: u16 = 1;
    /// [`super::SockEvent`]: a prober's socket retransmitted a segment (`new_state` is the present state).
    pub const RETRANSMIT: u16 = 2;
    /// [`super::SockEvent`]: a prober's socket received a RST (`new_state` is the state before it takes effect).
    pub const RESET_RECEIVED: u16 = 3;
    /// [`super::SockEvent`]: an error surfaced on a prober's socket (`error`).
    pub const SOCK_ERROR: u16 = 4;
    /// [`super::SockEvent`]: `sock_ops` in the prober's cgroup saw this connect (only while the ways are compared).
    pub const SEEN_BY_CGROUP: u16 = 5;
    /// [`super::DataEvent`]: the first bytes that the prober sent: HTTP method and path without query, else a prefix.
    pub const REQUEST: u16 = 6;
    /// [`super::DataEvent`]: the first bytes that the prober's socket received.
    pub const RESPONSE: u16 = 7;
    /// [`super::PeerEvent`]: this kernel sent a RST from a probe target's address and port (`value`: `sk_rst_reason`).
    pub const RESET_SENT: u16 = 8;
    /// [`super::PeerEvent`]: a probe target's listener sent a SYN-ACK again.
    pub const SYNACK_RETRANSMIT: u16 = 9;
    /// [`super::ForkEvent`].
    pub const FORK: u16 = 10;
    /// [`super::ExecEvent`].
    pub const EXEC: u16 = 11;
    /// [`super::ExitEvent`].
    pub const EXIT: u16 = 12;
}

/// Values of [`SockEvent::way`]: which hooks watch this socket.
pub mod way {
    /// `sock:inet_sock_set_state`, node-wide, filtered by the prober's tgid.
    pub const NODE: u8 = 1;
    /// `sock_ops`, scoped to the prober's cgroup.
    pub const CGROUP: u8 = 2;
}

/// Bits of [`ExecEvent::flags`] and [`DataEvent::flags`].
pub mod flag {
    /// More bytes existed than were copied.
    pub const TRUNCATED: u32 = 1;
    /// The bytes could not be read (paged out, or in fragments).
    pub const UNREADABLE: u32 = 2;
}

/// Indices into the per-CPU array `STATS`, one u64 each.
pub mod stat {
    /// Hook invocations.
    pub const SEEN: u32 = 0;
    /// Events put into the ring.
    pub const USED: u32 = 1;
    /// Invocations that were not about a probe.
    pub const FILTERED: u32 = 2;
    /// Events lost: the ring had no room.
    pub const RING_FULL: u32 = 3;
    /// Events lost: a map (socket storage, processes) had no room.
    pub const MAP_FULL: u32 = 4;
    /// Events lost: their source was over its budget.
    pub const OVER_BUDGET: u32 = 5;
    /// Kernel memory that a program needed could not be read.
    pub const READ_FAILED: u32 = 6;
    /// How many there are.
    pub const COUNT: u32 = 7;
}

/// Bytes of a request that leave the kernel: method, space, path.
pub const DATA_BYTES: usize = 128;
/// Bytes of argv that leave the kernel (NUL-separated).
pub const ARG_BYTES: usize = 512;
/// Bytes of a cgroup's folder name (`cri-containerd-<64 hex>.scope` is 85).
pub const CGROUP_BYTES: usize = 96;

/// The start of each event.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// CLOCK_MONOTONIC.
    pub at_ns: u64,
    /// One more for each event of this CPU, also for those lost to a full ring: a gap is a loss.
    pub seq: u64,
    /// See [`kind`].
    pub kind: u16,
    /// 0.
    pub pad: u16,
    /// The CPU that emitted it.
    pub cpu: u32,
}

/// Addresses and ports of a socket, seen from its own side.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuple {
    /// Network order; IPv4 is mapped.
    pub local: [u8; 16],
    /// Network order; IPv4 is mapped.
    pub remote: [u8; 16],
    /// Host order; 0 where not yet bound.
    pub local_port: u16,
    /// Host order.
    pub remote_port: u16,
    /// AF_INET (2) or AF_INET6 (10).
    pub family: u16,
    /// 0.
    pub pad: u16,
}

/// Something happened to a socket of a prober.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SockEvent {
    /// Kind and time.
    pub header: Header,
    /// Local side is the prober's.
    pub tuple: Tuple,
    /// Unique for this boot (socket cookie).
    pub sock_id: u64,
    /// When the socket was claimed (its connect()).
    pub born_ns: u64,
    /// Payload bytes sent so far.
    pub tx_bytes: u64,
    /// Payload bytes received so far.
    pub rx_bytes: u64,
    /// Last payload sent, 0: none.
    pub last_tx_ns: u64,
    /// First payload received, 0: none.
    pub first_rx_ns: u64,
    /// Last payload received, 0: none.
    pub last_rx_ns: u64,
    /// First FIN received, 0: none.
    pub fin_rx_ns: u64,
    /// Inode of the socket's network namespace, 0: unknown.
    pub netns: u32,
    /// The prober's process, in the tracer's namespace.
    pub tgid: u32,
    /// errno, positive; 0: none.
    pub error: i32,
    /// 1 where byte counts and times are watched (cgroup_skb is attached for this socket).
    pub bytes_watched: u8,
    /// TCP state before (include/net/tcp_states.h).
    pub old_state: u8,
    /// TCP state after.
    pub new_state: u8,
    /// See [`way`].
    pub way: u8,
}

/// First bytes of one direction of a prober's connection.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataEvent {
    /// Kind and time.
    pub header: Header,
    /// As in [`SockEvent::sock_id`].
    pub sock_id: u64,
    /// Valid bytes in `bytes`.
    pub len: u32,
    /// See [`flag`].
    pub flags: u32,
    /// Bytes past `len` are 0.
    pub bytes: [u8; DATA_BYTES],
}

/// Something that the target's side of this kernel did, known by address only.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerEvent {
    /// Kind and time.
    pub header: Header,
    /// Local side is the *target's*.
    pub tuple: Tuple,
    /// `enum sk_rst_reason` for a RST (0 where the kernel gives none), else 0.
    pub value: u32,
    /// 1 where a full socket sent it, 0: none or a mini-socket.
    pub has_socket: u32,
}

/// A process of a prober's tree was forked (threads are not reported).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForkEvent {
    /// Kind and time.
    pub header: Header,
    /// Start of the child, CLOCK_BOOTTIME: with `kpid` its identity.
    pub start_boot_ns: u64,
    /// Parent.
    pub ppid: u32,
    /// Parent, initial namespace.
    pub kppid: u32,
    /// Child.
    pub pid: u32,
    /// Child, initial namespace.
    pub kpid: u32,
    /// The prober or runtime process from whose tree this is (initial namespace).
    pub root_kpid: u32,
    /// 1 where the parent is that root itself.
    pub is_first: u32,
}

/// A process of a prober's tree executed a program.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExecEvent {
    /// Kind and time.
    pub header: Header,
    /// CLOCK_BOOTTIME.
    pub start_boot_ns: u64,
    /// cgroup v2 id (inode of its folder), 0: unknown.
    pub cgroup_id: u64,
    /// Process.
    pub pid: u32,
    /// Process, initial namespace.
    pub kpid: u32,
    /// As in [`ForkEvent::root_kpid`].
    pub root_kpid: u32,
    /// Valid bytes in `args`.
    pub args_len: u32,
    /// See [`flag`].
    pub flags: u32,
    /// 0.
    pub pad: u32,
    /// New name of the process.
    pub comm: [u8; 16],
    /// Name of its cgroup's folder (the hierarchy that holds pods), NUL-terminated.
    pub cgroup: [u8; CGROUP_BYTES],
    /// Name of that folder's parent.
    pub cgroup_parent: [u8; CGROUP_BYTES],
    /// argv, NUL-separated.
    pub args: [u8; ARG_BYTES],
}

/// A process of a prober's tree ended (its last thread did).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExitEvent {
    /// Kind and time.
    pub header: Header,
    /// CLOCK_BOOTTIME.
    pub start_boot_ns: u64,
    /// CPU time of all its threads.
    pub on_cpu_ns: u64,
    /// Time its threads were runnable and not running (contains throttling).
    pub run_delay_ns: u64,
    /// Process.
    pub pid: u32,
    /// Process, initial namespace.
    pub kpid: u32,
    /// As in [`ForkEvent::root_kpid`].
    pub root_kpid: u32,
    /// Wait status of the process (signal in the low 7 bits, exit code << 8).
    pub status: u32,
    /// Its name at the end.
    pub comm: [u8; 16],
}
