//! `sock_ops` in the prober's cgroup: connects and state changes of that cgroup's sockets only. It sets no `reply`
//! and keeps the callback flags that others have set.

use core::{ffi::c_void, ptr};

use aya_ebpf::{
    helpers::generated::{bpf_get_socket_cookie, bpf_skc_to_tcp_sock},
    macros::sock_ops,
    programs::SockOpsContext,
};
use tracer_ebpf::abi::{kind, mode, stat, way};

use crate::{
    emit::{Cpu, Outcome, hook},
    maps::MODE,
    sock::{self, state},
    task,
};

/// include/uapi/linux/bpf.h: BPF_SOCK_OPS_TCP_CONNECT_CB, BPF_SOCK_OPS_STATE_CB, BPF_SOCK_OPS_STATE_CB_FLAG.
const TCP_CONNECT_CB: u32 = 3;
const STATE_CB: u32 = 10;
const STATE_CB_FLAG: u32 = 1 << 2;

/// net/ipv4/tcp_output.c: tcp_connect; net/ipv4/tcp.c: tcp_set_state.
#[sock_ops]
fn prober_sock_ops(ctx: SockOpsContext) -> u32 {
    hook(|cpu| match ctx.op() {
        TCP_CONNECT_CB => connecting(cpu, &ctx),
        STATE_CB => changed(cpu, &ctx),
        _ => stat::FILTERED,
    });
    1
}

/// The socket as the verifier wants it, and where it lies.
#[inline(always)]
fn socket(ctx: &SockOpsContext) -> Option<(*mut c_void, usize)> {
    // SAFETY: a context field, read as a whole; the helper checks the socket's kind.
    unsafe {
        let sk = ptr::read_volatile(&raw const (*ctx.ops).__bindgen_anon_2.sk).cast::<c_void>();
        if sk.is_null() {
            return None;
        }
        let tcp = bpf_skc_to_tcp_sock(sk);
        if tcp.is_null() { None } else { Some((sk, tcp as usize)) }
    }
}

/// In the context of connect(), just before the SYN is sent.
#[inline(always)]
fn connecting(cpu: Cpu, ctx: &SockOpsContext) -> Outcome {
    let Some(tgid) = task::prober(cpu, task::current()) else { return stat::FILTERED };
    let Some((sk, address)) = socket(ctx) else { return stat::FILTERED };
    let Some(mode) = MODE.get(0).copied() else { return stat::FILTERED };
    // SAFETY: `sk` is the context's socket, not null.
    let present = unsafe { sock::watched(sk) };
    if let Some(watched) = present
        && watched.way == way::NODE
        && watched.state == state::SYN_SENT
    {
        // Claimed a moment ago, in this very connect().
        return match mode {
            mode::COMPARE => {
                sock::report(cpu, kind::SEEN_BY_CGROUP, address, watched, state::SYN_SENT, state::SYN_SENT)
            }
            _ => stat::FILTERED,
        };
    }
    if mode != mode::CGROUP || ctx.set_cb_flags((ctx.cb_flags() | STATE_CB_FLAG) as i32).is_err() {
        return stat::FILTERED;
    }
    // SAFETY: `sk` is the context's socket, not null, and lies at `address`.
    unsafe { sock::claim(cpu, sk, address, bpf_get_socket_cookie(ctx.ops.cast()), tgid, way::CGROUP) }
}

#[inline(always)]
fn changed(cpu: Cpu, ctx: &SockOpsContext) -> Outcome {
    let Some((sk, address)) = socket(ctx) else { return stat::FILTERED };
    // SAFETY: `sk` is the context's socket, not null.
    match unsafe { sock::watched(sk) } {
        Some(watched) if watched.way == way::CGROUP => {
            let (old, new) = (ctx.arg(0) as u8, ctx.arg(1) as u8);
            sock::report(cpu, kind::SOCK_STATE, address, watched, old, new)
        }
        _ => stat::FILTERED,
    }
}
