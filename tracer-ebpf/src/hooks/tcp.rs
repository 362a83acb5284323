//! Node-wide TCP tracepoints with BTF: the socket is their first argument, so that all but watched sockets are done
//! after one look at the socket's own storage.

use core::ffi::c_void;

use aya_ebpf::{helpers::generated::bpf_get_socket_cookie, macros::btf_tracepoint, programs::BtfTracePointContext};
use tracer_ebpf::abi::{kind, mode, stat, way};

use crate::{
    config::setting,
    emit::{Cpu, Outcome, hook},
    maps::MODE,
    sock::{self, state},
    task,
};

/// Only these: MPTCP sockets repeat each event with protocol 262.
const IPPROTO_TCP: u16 = 6;

/// `(const struct sock *sk, const int oldstate, const int newstate)`, net/ipv4/af_inet.c: inet_sk_state_store.
#[btf_tracepoint(function = "inet_sock_set_state")]
fn inet_sock_set_state(ctx: BtfTracePointContext) -> i32 {
    hook(|cpu| {
        let (old, new) = (ctx.arg::<i32>(1) as u8, ctx.arg::<i32>(2) as u8);
        let sk = ctx.arg::<*mut c_void>(0);
        if old == state::CLOSE && new == state::SYN_SENT { connecting(cpu, sk) } else { changed(cpu, sk, old, new) }
    });
    0
}

/// In the context of connect(): the only place where the current process is known to be the socket's.
#[inline(always)]
fn connecting(cpu: Cpu, sk: *mut c_void) -> Outcome {
    let Some(tgid) = task::current_prober(cpu) else { return stat::FILTERED };
    let address = sk as usize;
    if task::read::<u16>(address, setting!(sk_protocol)) != Some(IPPROTO_TCP) {
        return stat::FILTERED;
    }
    match MODE.get(0).copied() {
        Some(mode::NODE | mode::COMPARE) => {
            // SAFETY: `sk` is the tracepoint's argument, a trusted pointer.
            unsafe { sock::claim(cpu, sk, address, bpf_get_socket_cookie(sk), tgid, way::NODE) }
        }
        _ => {
            // A socket that connects for the second time belongs to the other way now.
            // SAFETY: as above.
            unsafe { sock::forget(sk) };
            stat::FILTERED
        }
    }
}

#[inline(always)]
fn changed(cpu: Cpu, sk: *mut c_void, old: u8, new: u8) -> Outcome {
    // SAFETY: `sk` is the tracepoint's argument, a trusted pointer.
    match unsafe { sock::watched(sk) } {
        Some(watched) if watched.way == way::NODE => {
            sock::report(cpu, kind::SOCK_STATE, sk as usize, watched, old, new)
        }
        _ => stat::FILTERED,
    }
}

/// `(const struct sock *sk, const struct sk_buff *skb)`, net/ipv4/tcp_output.c: __tcp_retransmit_skb.
#[btf_tracepoint(function = "tcp_retransmit_skb")]
fn tcp_retransmit_skb(ctx: BtfTracePointContext) -> i32 {
    hook(|cpu| happened(cpu, ctx.arg(0), kind::RETRANSMIT));
    0
}

/// `(struct sock *sk)`, net/ipv4/tcp_input.c: tcp_reset, before the state changes.
#[btf_tracepoint(function = "tcp_receive_reset")]
fn tcp_receive_reset(ctx: BtfTracePointContext) -> i32 {
    hook(|cpu| happened(cpu, ctx.arg(0), kind::RESET_RECEIVED));
    0
}

/// `(const struct sock *sk)`, net/core/sock.c: sk_error_report.
#[btf_tracepoint(function = "inet_sk_error_report")]
fn inet_sk_error_report(ctx: BtfTracePointContext) -> i32 {
    hook(|cpu| happened(cpu, ctx.arg(0), kind::SOCK_ERROR));
    0
}

/// Reports `kind` with the present state, whoever claimed the socket.
#[inline(always)]
fn happened(cpu: Cpu, sk: *mut c_void, kind: u16) -> Outcome {
    // SAFETY: `sk` is the tracepoint's argument, a trusted pointer.
    let Some(watched) = (unsafe { sock::watched(sk) }) else { return stat::FILTERED };
    let state = task::read_or(cpu, sk as usize, setting!(skc_state), 0);
    sock::report(cpu, kind, sk as usize, watched, state, state)
}
