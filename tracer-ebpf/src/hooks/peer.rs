//! What the target's side of this kernel did, known by address: plain tracepoints, fields by tracefs `format`.

use aya_ebpf::{macros::tracepoint, programs::TracePointContext};
use tracer_ebpf::abi::{ABSENT, PeerEvent, PeerRecord, Source, TargetKey, Tuple, kind, source_class, stat};

use crate::{
    budget,
    config::{SETTINGS, load},
    emit::{Cpu, Outcome, emit, hook},
    maps::TARGETS,
    sock::mapped,
};

const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;
/// TCP states of mini-sockets.
const TIME_WAIT: u32 = 6;
const NEW_SYN_RECV: u32 = 12;

/// net/ipv4/tcp_ipv4.c: tcp_v4_send_reset; net/ipv4/tcp_output.c: tcp_send_active_reset; and their IPv6 twins.
#[tracepoint(category = "tcp", name = "tcp_send_reset")]
fn tcp_send_reset(ctx: TracePointContext) -> u32 {
    hook(|cpu| peer(cpu, &ctx, &raw const SETTINGS.reset, kind::RESET_SENT));
    0
}

/// net/ipv4/tcp_output.c: tcp_rtx_synack.
#[tracepoint(category = "tcp", name = "tcp_retransmit_synack")]
fn tcp_retransmit_synack(ctx: TracePointContext) -> u32 {
    hook(|cpu| peer(cpu, &ctx, &raw const SETTINGS.synack, kind::SYNACK_RETRANSMIT));
    0
}

#[inline(always)]
fn field<T: Copy>(ctx: &TracePointContext, offset: u32) -> Option<T> {
    if offset == ABSENT {
        return None;
    }
    // SAFETY: the record is copied by a helper that checks the address.
    unsafe { ctx.read_at(offset as usize).ok() }
}

#[inline(always)]
fn peer(cpu: Cpu, ctx: &TracePointContext, record: *const PeerRecord, kind: u16) -> Outcome {
    let record = load(record);
    let Some((local, local_port)) = end(ctx, record.saddr_any, record.saddr_v6, record.sport) else {
        cpu.count(stat::READ_FAILED);
        return stat::FILTERED;
    };
    let key = TargetKey { address: local, port: local_port, pad: [0; 3] };
    // SAFETY: only whether it is there.
    if unsafe { TARGETS.get(&key) }.is_none() {
        return stat::FILTERED;
    }
    let Some((remote, remote_port)) = end(ctx, record.daddr_any, record.daddr_v6, record.dport) else {
        cpu.count(stat::READ_FAILED);
        return stat::FILTERED;
    };
    if !budget::take(&Source { address: local, port: u32::from(local_port), class: source_class::ANSWERS }, 1) {
        return stat::OVER_BUDGET;
    }
    let socket: usize = field(ctx, record.skaddr).unwrap_or(0);
    let state: u32 = field(ctx, record.state).unwrap_or(0);
    let value = field(ctx, record.reason).unwrap_or(0);
    let family = if is_mapped(&local) { AF_INET } else { AF_INET6 };
    emit::<PeerEvent>(cpu, kind, |event| {
        // SAFETY: a reservation of this size; every field is written.
        unsafe {
            (*event).tuple = Tuple { local, remote, local_port, remote_port, family, pad: 0 };
            (*event).value = value;
            (*event).has_socket = u32::from(socket != 0 && state != TIME_WAIT && state != NEW_SYN_RECV);
        }
    })
}

/// One end's address and port: from a sockaddr (port in network order), or from fields of their own.
#[inline(always)]
fn end(ctx: &TracePointContext, any: u32, v6: u32, port: u32) -> Option<([u8; 16], u16)> {
    if any == ABSENT {
        return Some((field(ctx, v6)?, field(ctx, port)?));
    }
    let family: u16 = field(ctx, any)?;
    let port = u16::from_be(field(ctx, any + 2)?);
    match family {
        AF_INET => Some((mapped(field(ctx, any + 4)?), port)),
        AF_INET6 => Some((field(ctx, any + 8)?, port)),
        _ => None,
    }
}

#[inline(always)]
fn is_mapped(address: &[u8; 16]) -> bool {
    matches!(address, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ..])
}
