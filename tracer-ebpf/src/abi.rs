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

/// Indices into [`CpuState::stats`]. Each invocation of a hook counts either once in `FILTERED`, or once in `RELEVANT`
/// and once in exactly one of `USED`, `RING_FULL`, `MAP_FULL` and `OVER_BUDGET`: the sums agree exactly (all are
/// atomic). An invocation that is not about a probe costs one addition only.
pub mod stat {
    /// Hook invocations that were not filtered.
    pub const RELEVANT: u32 = 0;
    /// Invocations that put an event into the ring or changed what is kept of a watched socket or process.
    pub const USED: u32 = 1;
    /// Invocations that were not about a probe.
    pub const FILTERED: u32 = 2;
    /// Events lost: the ring had no room.
    pub const RING_FULL: u32 = 3;
    /// Events lost: a map (socket storage, processes) had no room.
    pub const MAP_FULL: u32 = 4;
    /// Events lost: their source was over its budget.
    pub const OVER_BUDGET: u32 = 5;
    /// Kernel memory that a program needed could not be read: the field is 0 (comes on top of the invocation's outcome).
    pub const READ_FAILED: u32 = 6;
    /// How many there are.
    pub const COUNT: u32 = 7;
}

/// What the only element of the per-CPU array `CPUS` holds.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpuState {
    /// See [`stat`].
    pub stats: [u64; stat::COUNT as usize],
    /// Number of the CPU's next event.
    pub seq: u64,
}

/// Values of the only element of the array `MODE`: which way claims *new* sockets. A socket stays with the way that
/// claimed it.
pub mod mode {
    /// Nothing is claimed.
    pub const OFF: u32 = 0;
    /// [`super::way::NODE`] claims.
    pub const NODE: u32 = 1;
    /// [`super::way::NODE`] claims, `sock_ops` emits [`super::kind::SEEN_BY_CGROUP`].
    pub const COMPARE: u32 = 2;
    /// [`super::way::CGROUP`] claims.
    pub const CGROUP: u32 = 3;
}

/// A setting that this kernel does not have.
pub const ABSENT: u32 = u32::MAX;

/// What user space tells the programs before they are loaded (they see constants): byte offsets within kernel
/// structures, from BTF, and within tracepoint records, from tracefs `format`. [`ABSENT`]: not there.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// [`ABI_VERSION`].
    pub abi_version: u32,
    /// Events per second that one source may emit; 0: no limit.
    pub budget_per_s: u32,
    /// Inode of the tracer's pid namespace; 0: it is the initial one.
    pub pidns_inum: u32,
    /// `sock.sk_protocol` (u16).
    pub sk_protocol: u32,
    /// `sock.sk_err`.
    pub sk_err: u32,
    /// `sock.__sk_common.skc_family`.
    pub skc_family: u32,
    /// `sock.__sk_common.skc_state`.
    pub skc_state: u32,
    /// `sock.__sk_common.skc_daddr`.
    pub skc_daddr: u32,
    /// `sock.__sk_common.skc_rcv_saddr`.
    pub skc_rcv_saddr: u32,
    /// `sock.__sk_common.skc_v6_daddr`.
    pub skc_v6_daddr: u32,
    /// `sock.__sk_common.skc_v6_rcv_saddr`.
    pub skc_v6_rcv_saddr: u32,
    /// `sock.__sk_common.skc_dport`.
    pub skc_dport: u32,
    /// `sock.__sk_common.skc_net.net`.
    pub skc_net: u32,
    /// `inet_sock.inet_sport`.
    pub inet_sport: u32,
    /// `net.ns.inum`.
    pub net_inum: u32,
    /// `task_struct.pid`.
    pub task_pid: u32,
    /// `task_struct.tgid`.
    pub task_tgid: u32,
    /// `task_struct.group_leader`.
    pub task_group_leader: u32,
    /// `task_struct.thread_pid`.
    pub task_thread_pid: u32,
    /// `task_struct.comm`.
    pub task_comm: u32,
    /// `task_struct.start_boottime`.
    pub task_start_boottime: u32,
    /// `task_struct.exit_code`.
    pub task_exit_code: u32,
    /// `task_struct.signal`.
    pub task_signal: u32,
    /// `task_struct.mm`.
    pub task_mm: u32,
    /// `task_struct.cgroups`.
    pub task_cgroups: u32,
    /// `task_struct.se.sum_exec_runtime`.
    pub task_sum_exec_runtime: u32,
    /// `task_struct.sched_info.run_delay`.
    pub task_run_delay: u32,
    /// `signal_struct.group_exit_code`.
    pub signal_group_exit_code: u32,
    /// `signal_struct.live.counter`.
    pub signal_live: u32,
    /// 1 where `sched_process_exit` has `group_dead` as its second argument.
    pub exit_has_group_dead: u32,
    /// `pid.level`.
    pub pid_level: u32,
    /// `pid.numbers`.
    pub pid_numbers: u32,
    /// Size of `upid`.
    pub upid_size: u32,
    /// `upid.nr`.
    pub upid_nr: u32,
    /// `upid.ns`.
    pub upid_ns: u32,
    /// `pid_namespace.ns.inum`.
    pub pidns_ns_inum: u32,
    /// `mm_struct.arg_start`.
    pub mm_arg_start: u32,
    /// `mm_struct.arg_end`.
    pub mm_arg_end: u32,
    /// `css_set.dfl_cgrp`.
    pub css_set_dfl_cgrp: u32,
    /// `css_set.subsys[…]` of the v1 controller whose hierarchy holds pods; [`ABSENT`]: the v2 hierarchy does.
    pub css_set_subsys: u32,
    /// `cgroup_subsys_state.cgroup`.
    pub css_cgroup: u32,
    /// `cgroup.kn`.
    pub cgroup_kn: u32,
    /// `kernfs_node.id`.
    pub kn_id: u32,
    /// `kernfs_node.name`.
    pub kn_name: u32,
    /// `kernfs_node.__parent` or `.parent`.
    pub kn_parent: u32,
    /// `tcp:tcp_send_reset`.
    pub reset: PeerRecord,
    /// `tcp:tcp_retransmit_synack`.
    pub synack: PeerRecord,
}

/// Offsets within the record of a tracepoint that names two ends. Either whole socket addresses (`saddr_any`, from
/// 6.10 on for resets) or one field each.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerRecord {
    /// `saddr[28]`, a sockaddr.
    pub saddr_any: u32,
    /// `daddr[28]`, a sockaddr.
    pub daddr_any: u32,
    /// `sport`, host order.
    pub sport: u32,
    /// `dport`, host order.
    pub dport: u32,
    /// `saddr_v6` (IPv4 is mapped).
    pub saddr_v6: u32,
    /// `daddr_v6`.
    pub daddr_v6: u32,
    /// `skaddr`.
    pub skaddr: u32,
    /// `state`: TCP state of the socket.
    pub state: u32,
    /// `reason`.
    pub reason: u32,
}

/// Key of the map `TARGETS`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TargetKey {
    /// Network order; IPv4 is mapped.
    pub address: [u8; 16],
    /// Host order; 0 is never sent.
    pub port: u16,
    /// 0.
    pub pad: [u16; 3],
}

/// Key of the map `BUDGETS`: who causes events.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Source {
    /// Address of a probe's target, network order, IPv4 mapped; or, in the first four bytes, a tree's root.
    pub address: [u8; 16],
    /// Port, host order; 0 for a tree of processes.
    pub port: u32,
    /// See [`source_class`].
    pub class: u32,
}

/// [`Source::class`].
pub mod source_class {
    /// Prober's sockets to this target.
    pub const SOCKETS: u32 = 0;
    /// The target's resets and SYN-ACKs.
    pub const ANSWERS: u32 = 1;
    /// The tree of processes under this kernel pid.
    pub const PROCESSES: u32 = 2;
}

/// Value of the map `BUDGETS`: what a source has used.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spent {
    /// Second of CLOCK_MONOTONIC that `events` is of.
    pub second: u64,
    /// Events of that second.
    pub events: u64,
    /// What was left out for want of budget, ever: attempts of a target, else events.
    pub dropped: u64,
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
    /// 1 where byte counts and times are watched: `cgroup_skb` egress saw a packet of this socket, its SYN at the
    /// latest (so 0 in the first event of a socket, and as long as netfilter's OUTPUT or routing keeps the SYN back).
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
    /// CPU time of all its threads (`sum_exec_runtime` as the scheduler last updated it: short of at most one tick).
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
