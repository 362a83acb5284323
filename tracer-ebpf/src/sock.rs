//! What is kept of a prober's socket, in the socket itself, and the events about it.

use core::{ffi::c_void, ptr};

use aya_ebpf::{
    bindings::BPF_SK_STORAGE_GET_F_CREATE,
    helpers::{
        bpf_ktime_get_ns,
        generated::{bpf_sk_storage_delete, bpf_sk_storage_get},
    },
};
use tracer_ebpf::abi::{SockEvent, Source, Tuple, kind, source_class, stat};

use crate::{
    budget,
    config::setting,
    emit::{Cpu, Outcome, emit},
    log,
    maps::SOCKS,
    task::{read, read_or, read_to},
};

const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;
/// Events that a connection takes from its source's budget when it is claimed; later ones are free, so that an
/// attempt is seen whole or not at all.
const EVENTS_PER_SOCKET: u64 = 8;

/// TCP states (include/net/tcp_states.h).
pub mod state {
    /// SYN sent.
    pub const SYN_SENT: u8 = 2;
    /// Closed.
    pub const CLOSE: u8 = 7;
}

/// What is kept of a watched socket. The two directions are written by different contexts, each by one at a time.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Watched {
    /// Socket cookie.
    pub id: u64,
    /// When it was claimed.
    pub born_ns: u64,
    /// See `SockEvent`.
    pub tx_bytes: u64,
    /// See `SockEvent`.
    pub rx_bytes: u64,
    /// See `SockEvent`.
    pub last_tx_ns: u64,
    /// See `SockEvent`.
    pub first_rx_ns: u64,
    /// See `SockEvent`.
    pub last_rx_ns: u64,
    /// See `SockEvent`.
    pub fin_rx_ns: u64,
    /// Sequence number after the last byte sent: repeated bytes count once.
    pub tx_next: u32,
    /// The same of the other direction.
    pub rx_next: u32,
    /// Inode of its network namespace.
    pub netns: u32,
    /// Prober in the tracer's pid namespace.
    pub tgid: u32,
    /// TCP state as last reported.
    pub state: u8,
    /// Who claimed it.
    pub way: u8,
    /// See `SockEvent`.
    pub bytes_watched: u8,
    /// `tx_next` and `rx_next` are set (bits 0, 1), the first bytes were emitted (bits 2, 3).
    pub marks: u8,
    /// 0.
    pub pad: u32,
}

/// What `sk` keeps, `None`: not a watched socket.
///
/// # Safety
/// `sk` is a socket pointer that the verifier knows as one.
#[inline(always)]
pub unsafe fn watched(sk: *mut c_void) -> Option<&'static mut Watched> {
    // SAFETY: by the contract; the storage lives while the program runs.
    unsafe { bpf_sk_storage_get(map(), sk, ptr::null_mut(), 0).cast::<Watched>().as_mut() }
}

/// Forgets `sk`.
///
/// # Safety
/// As [`watched`].
#[inline(always)]
pub unsafe fn forget(sk: *mut c_void) {
    // SAFETY: by the contract.
    unsafe { bpf_sk_storage_delete(map(), sk) };
}

#[inline(always)]
fn map() -> *mut c_void {
    ptr::from_ref(&SOCKS).cast_mut().cast()
}

/// Makes `sk` a watched socket and reports its connect().
///
/// # Safety
/// As [`watched`]; `address` is where the socket lies.
#[inline(always)]
pub unsafe fn claim(cpu: Cpu, sk: *mut c_void, address: usize, id: u64, tgid: u32, way: u8) -> Outcome {
    if !budget::take(&source(cpu, address), EVENTS_PER_SOCKET) {
        return stat::OVER_BUDGET;
    }
    // SAFETY: by the contract.
    let storage = unsafe { bpf_sk_storage_get(map(), sk, ptr::null_mut(), BPF_SK_STORAGE_GET_F_CREATE.into()) };
    // SAFETY: as in `watched`.
    let Some(watched) = (unsafe { storage.cast::<Watched>().as_mut() }) else { return stat::MAP_FULL };
    let net: usize = read(address, setting!(skc_net)).unwrap_or(0);
    // New storage is zeroed; that of a socket that connects once more is not. Field by field: the stack is small.
    watched.id = id;
    // SAFETY: no preconditions.
    watched.born_ns = unsafe { bpf_ktime_get_ns() };
    (watched.tx_bytes, watched.rx_bytes) = (0, 0);
    (watched.last_tx_ns, watched.first_rx_ns, watched.last_rx_ns, watched.fin_rx_ns) = (0, 0, 0, 0);
    (watched.tx_next, watched.rx_next) = (0, 0);
    watched.netns = read_or(cpu, net, setting!(net_inum), 0);
    watched.tgid = tgid;
    watched.way = way;
    (watched.bytes_watched, watched.marks) = (0, 0);
    log::claimed(tgid, way, id);
    report(cpu, kind::SOCK_STATE, address, watched, state::CLOSE, state::SYN_SENT)
}

/// Emits an event about a watched socket.
#[inline(always)]
pub fn report(cpu: Cpu, kind: u16, address: usize, watched: &mut Watched, old: u8, new: u8) -> Outcome {
    watched.state = new;
    let watched = &*watched;
    emit::<SockEvent>(cpu, kind, |event| {
        // SAFETY: a reservation of this size; every field is written.
        unsafe {
            tuple(cpu, address, &raw mut (*event).tuple);
            (*event).sock_id = watched.id;
            (*event).born_ns = watched.born_ns;
            (*event).tx_bytes = watched.tx_bytes;
            (*event).rx_bytes = watched.rx_bytes;
            (*event).last_tx_ns = watched.last_tx_ns;
            (*event).first_rx_ns = watched.first_rx_ns;
            (*event).last_rx_ns = watched.last_rx_ns;
            (*event).fin_rx_ns = watched.fin_rx_ns;
            (*event).netns = watched.netns;
            (*event).tgid = watched.tgid;
            read_to(cpu, address, setting!(sk_err), &raw mut (*event).error, 0);
            (*event).bytes_watched = watched.bytes_watched;
            (*event).old_state = old;
            (*event).new_state = new;
            (*event).way = watched.way;
        }
    })
}

/// Writes both ends of the socket at `address`.
///
/// # Safety
/// `to` is valid for writes.
#[inline(always)]
unsafe fn tuple(cpu: Cpu, address: usize, to: *mut Tuple) {
    let family: u16 = read_or(cpu, address, setting!(skc_family), 0);
    // SAFETY: by the contract. All is read straight to its place: the stack is small.
    unsafe {
        let (local, remote) = (&raw mut (*to).local, &raw mut (*to).remote);
        if family == AF_INET6 {
            read_to(cpu, address, setting!(skc_v6_rcv_saddr), local, [0; 16]);
            read_to(cpu, address, setting!(skc_v6_daddr), remote, [0; 16]);
        } else {
            *local = mapped([0; 4]);
            *remote = mapped([0; 4]);
            read_to(cpu, address, setting!(skc_rcv_saddr), local.cast::<[u8; 4]>().add(3), [0; 4]);
            read_to(cpu, address, setting!(skc_daddr), remote.cast::<[u8; 4]>().add(3), [0; 4]);
        }
        (*to).local_port = u16::from_be(read_or(cpu, address, setting!(inet_sport), 0));
        (*to).remote_port = u16::from_be(read_or(cpu, address, setting!(skc_dport), 0));
        (*to).family = if family == AF_INET6 { AF_INET6 } else { AF_INET };
        (*to).pad = 0;
    }
}

/// Whose budget the socket at `address` takes from: its target.
#[inline(always)]
fn source(cpu: Cpu, address: usize) -> Source {
    let mut source = Source { address: [0; 16], port: 0, class: source_class::SOCKETS };
    source.port = u32::from(u16::from_be(read_or(cpu, address, setting!(skc_dport), 0)));
    let place = &raw mut source.address;
    // SAFETY: a local variable; an IPv4 address fills its last four bytes.
    unsafe {
        if read_or(cpu, address, setting!(skc_family), 0) == AF_INET6 {
            read_to(cpu, address, setting!(skc_v6_daddr), place, [0; 16]);
        } else {
            *place = mapped([0; 4]);
            read_to(cpu, address, setting!(skc_daddr), place.cast::<[u8; 4]>().add(3), [0; 4]);
        }
    }
    source
}

/// `::ffff:a.b.c.d`.
#[inline(always)]
pub fn mapped(address: [u8; 4]) -> [u8; 16] {
    let [a, b, c, d] = address;
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d]
}
