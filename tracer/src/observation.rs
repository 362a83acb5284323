//! State read from the node when the middle asked for it: answers to a Look.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::event::tcp_state;

/// Answer to one [`crate::attempt::Request`], joined by `look`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// Number of the request.
    pub look: u64,
    /// When the reading began, CLOCK_MONOTONIC.
    pub at_ns: u64,
    /// When it ended.
    pub done_ns: u64,
    /// The prober's socket, where it still exists.
    pub prober_socket: Option<SocketState>,
    /// The target's side, where its network namespace was found.
    pub target: Option<TargetState>,
    /// Processes of an exec attempt that live.
    pub processes: Vec<ProcessState>,
    /// The target container's cgroup counters.
    pub cgroup: Option<CgroupState>,
    /// [`crate::attempt::Request::command`] in the container's root, where that could be read.
    #[serde(default)]
    pub command: Option<CommandState>,
    /// What could not be read, and why: for `missing`.
    pub failures: Vec<String>,
}

/// A command looked for in a container's root, as execve(2) there would find it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandState {
    /// argv[0] as asked.
    pub name: String,
    /// Where it is, seen from the container; `None`: nowhere on its PATH (or not at that path).
    pub path: Option<String>,
    /// A regular file with an x bit.
    pub executable: bool,
    /// Its `#!` interpreter, where that does not exist in the container: execve answers ENOENT for it too.
    pub missing_interpreter: Option<String>,
}

/// A TCP socket by sock_diag (net/ipv4/inet_diag.c: inet_sk_diag_fill).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SocketState {
    /// TCP state.
    pub state: u8,
    /// Own end.
    pub local: SocketAddr,
    /// Other end.
    pub remote: SocketAddr,
    /// Bytes received and not read.
    pub unread_bytes: u32,
    /// Bytes sent and not acknowledged.
    pub unacked_bytes: u32,
    /// Retransmissions of the segment in flight.
    pub retransmits: u32,
    /// 0: no process holds it (of a server's child: not accepted).
    pub inode: u64,
    /// `tcpi_bytes_received`, `tcpi_bytes_sent` where the kernel gives tcp_info.
    pub bytes_received: Option<u64>,
    /// See above.
    pub bytes_sent: Option<u64>,
    /// `tcpi_last_data_recv`, ms ago.
    pub last_received_ms: Option<u32>,
}

impl SocketState {
    /// It is in the accept queue: no process holds it, and only the prober may have closed its end (net/ipv4/tcp_input.c:
    /// tcp_fin). Held by none in another state it is an orphan that the server has closed.
    pub fn waits_for_accept(&self) -> bool {
        self.inode == 0 && matches!(self.state, tcp_state::SYN_RECV | tcp_state::ESTABLISHED | tcp_state::CLOSE_WAIT)
    }
}

/// The target's network namespace, read from within.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TargetState {
    /// Its inode.
    pub netns: u64,
    /// The destination address is one of this namespace's.
    pub address_is_local: bool,
    /// It is the probed container's namespace; `None`: the container or its processes are not known.
    #[serde(default)]
    pub of_container: Option<bool>,
    /// Listeners that would take this connection (address, port and family match).
    pub listeners: Vec<ListenerState>,
    /// Other listeners of the same namespace (bounded; nearest ports first).
    pub other_listeners: Vec<ListenerState>,
    /// Other listeners were more than fitted.
    pub listeners_cut: bool,
    /// The child of this connection.
    pub child: Option<SocketState>,
    /// Children in the accept queue: connections on this port with no inode.
    pub unaccepted: u32,
    /// TcpExt and Tcp counters of the namespace (`ListenOverflows`, `OutRsts` …), those that exist.
    pub counters: Vec<(String, u64)>,
    /// The process that holds the child (if accepted) or the listener, with its threads; of several a worker, not its
    /// parent.
    pub owner: Option<ProcessState>,
    /// Others that hold the same socket (pre-forked servers), bounded to 7.
    #[serde(default)]
    pub co_owners: Vec<ProcessState>,
}

/// A listening socket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ListenerState {
    /// Address and port.
    pub local: SocketAddr,
    /// `IPV6_V6ONLY`, where known.
    pub v6_only: Option<bool>,
    /// Connections waiting for accept (sk_ack_backlog).
    pub queue_len: u32,
    /// Limit (sk_max_ack_backlog): the queue overflows when it is *greater* than this.
    pub queue_max: u32,
    /// sk_drops, where the kernel gives them.
    pub drops: Option<u32>,
    /// Holder.
    pub inode: u64,
    /// Process that holds it, as the tracer sees it.
    pub pid: Option<u32>,
    /// Its name.
    pub comm: Option<String>,
    /// MPTCP (protocol 262): accepts are counted elsewhere.
    pub mptcp: bool,
    /// Its holder is in the probed container's cgroup; `None`: could not be told. Without it a sidecar's listener, or on
    /// a host-network pod anyone's, would pass for the target's.
    #[serde(default)]
    pub in_container: Option<bool>,
}

/// A process and its threads from /proc.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProcessState {
    /// As the tracer sees it.
    pub pid: u32,
    /// Name.
    pub comm: String,
    /// Start, CLOCK_BOOTTIME ns (10 ms steps).
    pub start_boot_ns: u64,
    /// Threads, bounded to 64.
    pub threads: Vec<ThreadState>,
    /// There were more.
    pub threads_cut: bool,
    /// A debugger's pid, 0: none.
    pub tracer_pid: u32,
    /// Open files and their limit, where read.
    pub fds: Option<(u32, u64)>,
    /// CPU time of the whole process, ns (10 ms steps).
    pub cpu_ns: u64,
}

/// One thread.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThreadState {
    /// Thread id.
    pub tid: u32,
    /// `R`, `S`, `D`, `T`, `t`, `Z`, `X`, `I`.
    pub state: char,
    /// /proc/PID/task/TID/wchan; "" unknown or none.
    pub wchan: String,
    /// schedstat: time on CPU.
    pub on_cpu_ns: u64,
    /// schedstat: time runnable and waiting.
    pub run_delay_ns: u64,
    /// Kernel stack, innermost first, where permitted (only of threads in D state).
    pub stack: Vec<String>,
}

/// Counters of a container's cgroup (v1 or v2, whichever controls it). Monotonic.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CgroupState {
    /// Folder, relative to its hierarchy.
    pub path: String,
    /// Periods with throttling.
    pub nr_throttled: Option<u64>,
    /// Throttled time summed over CPUs.
    pub throttled_ns: Option<u64>,
    /// Quota in CPUs (0.5 = half a CPU); `None`: no limit.
    pub cpu_limit: Option<f64>,
    /// CPU time of the group.
    pub usage_ns: Option<u64>,
    /// Frozen now.
    pub frozen: Option<bool>,
    /// pids.current, pids.max.
    pub pids: Option<(u64, Option<u64>)>,
    /// `pids.events` max.
    pub pids_max_hits: Option<u64>,
    /// `memory.events` oom_kill (v1: memory.oom_control oom_kill).
    pub oom_kills: Option<u64>,
    /// Stall totals by PSI: (cpu some, memory some, io some), ns.
    pub pressure_ns: Option<(u64, u64, u64)>,
}
