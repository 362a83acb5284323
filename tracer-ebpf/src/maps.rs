//! All maps. Each is bounded; what does not fit is counted as `MAP_FULL`.

use aya_ebpf::{
    btf_maps::SkStorage,
    macros::{btf_map, map},
    maps::{Array, HashMap, LruHashMap, PerCpuArray, RingBuf},
};
use tracer_ebpf::abi::{CpuState, Source, Spent, TargetKey};

use crate::{sock::Watched, task::Followed};

/// Events. User space sets the size.
#[map]
pub static EVENTS: RingBuf = RingBuf::with_byte_size(1 << 20, 0);

/// Counters and the event number of each CPU.
#[map]
pub static CPUS: PerCpuArray<CpuState> = PerCpuArray::with_max_entries(1, 0);

/// See `abi::mode`.
#[map]
pub static MODE: Array<u32> = Array::with_max_entries(1, 0);

/// tgid of probers in the tracer's pid namespace.
#[map]
pub static PROBERS: HashMap<u32, u32> = HashMap::with_max_entries(64, 0);

/// Addresses and ports whose resets and repeated SYN-ACKs are reported.
#[map]
pub static TARGETS: HashMap<TargetKey, u32> = HashMap::with_max_entries(8192, 0);

/// Names of container runtimes: who executes one starts a tree to follow.
#[map]
pub static RUNTIMES: HashMap<[u8; 16], u32> = HashMap::with_max_entries(64, 0);

/// Processes that are followed, by tgid of the initial namespace.
#[map]
pub static PROCS: HashMap<u32, Followed> = HashMap::with_max_entries(8192, 0);

/// What each source has used of its budget.
#[map]
pub static BUDGETS: LruHashMap<Source, Spent> = LruHashMap::with_max_entries(4096, 0);

/// Prober sockets that are watched: lives in the socket itself, so that the answer to «is this a probe's?» costs
/// other sockets one load, and ends with the socket.
#[btf_map]
pub static SOCKS: SkStorage<Watched> = SkStorage::new();
