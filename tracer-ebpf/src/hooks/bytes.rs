//! `cgroup_skb`: bytes, their times, the first bytes of each direction. Every exit returns 1: the packet passes.
//! Egress runs after netfilter's OUTPUT and POSTROUTING, ingress before the socket is locked.

use core::ffi::c_void;

use aya_ebpf::{
    bindings::__sk_buff,
    helpers::{bpf_ktime_get_ns, generated::bpf_skb_load_bytes},
    macros::cgroup_skb,
    programs::SkBuffContext,
};
use tracer_ebpf::abi::{DATA_BYTES, DataEvent, flag, kind, stat};

use crate::{
    emit::{Cpu, Outcome, emit, hook},
    machine,
    packet::{self, Segment},
    sock::{self, Watched},
};

/// Bits of `Watched::marks`.
const TX_SEQ: u8 = 1;
const RX_SEQ: u8 = 2;
const REQUEST_SENT: u8 = 4;
const RESPONSE_SENT: u8 = 8;

/// What leaves the kernel of bytes that are no HTTP request line.
const OPAQUE_BYTES: u32 = 16;
/// The longest HTTP methods have seven letters.
const METHOD_BYTES: usize = 8;
const NO_METHOD: u64 = u64::MAX;

/// net/ipv4/ip_output.c: ip_finish_output; net/ipv6/ip6_output.c.
#[cgroup_skb(egress)]
fn bytes_sent(ctx: SkBuffContext) -> i32 {
    hook(|cpu| of_watched(&ctx, |watched, skb| sent(cpu, watched, skb)));
    1
}

/// net/core/filter.c: sk_filter_trim_cap.
#[cgroup_skb(ingress)]
fn bytes_received(ctx: SkBuffContext) -> i32 {
    hook(|cpu| of_watched(&ctx, |watched, skb| received(cpu, watched, skb)));
    1
}

#[inline(always)]
fn of_watched(ctx: &SkBuffContext, then: impl FnOnce(&mut Watched, *mut __sk_buff) -> Outcome) -> Outcome {
    let skb = ctx.skb.skb;
    // SAFETY: a context field, read as a whole; null is checked before it is used as a socket.
    let watched = unsafe {
        let sk = core::ptr::read_volatile(&raw const (*skb).__bindgen_anon_2.sk).cast::<c_void>();
        if sk.is_null() {
            return stat::FILTERED;
        }
        sock::watched(sk)
    };
    match watched {
        Some(watched) => then(watched, skb),
        None => stat::FILTERED,
    }
}

#[inline(always)]
fn sent(cpu: Cpu, watched: &mut Watched, skb: *mut __sk_buff) -> Outcome {
    watched.bytes_watched = 1;
    let Some(segment) = packet::segment(skb) else { return stat::USED };
    if watched.marks & TX_SEQ == 0 {
        watched.marks |= TX_SEQ;
        watched.tx_next = segment.seq;
    }
    let fresh = advance(&mut watched.tx_next, segment);
    if fresh == 0 {
        return stat::USED;
    }
    watched.tx_bytes += u64::from(fresh);
    // SAFETY: no preconditions.
    watched.last_tx_ns = unsafe { bpf_ktime_get_ns() };
    if watched.marks & REQUEST_SENT != 0 {
        return stat::USED;
    }
    watched.marks |= REQUEST_SENT;
    first_bytes(cpu, kind::REQUEST, watched.id, skb, segment, DATA_BYTES as u32)
}

#[inline(always)]
fn received(cpu: Cpu, watched: &mut Watched, skb: *mut __sk_buff) -> Outcome {
    let Some(segment) = packet::segment(skb) else { return stat::USED };
    // SAFETY: no preconditions.
    let now = unsafe { bpf_ktime_get_ns() };
    if watched.marks & RX_SEQ == 0 {
        watched.marks |= RX_SEQ;
        watched.rx_next = segment.seq;
    }
    if segment.fin && watched.fin_rx_ns == 0 {
        watched.fin_rx_ns = now;
    }
    let fresh = advance(&mut watched.rx_next, segment);
    if fresh == 0 {
        return stat::USED;
    }
    watched.rx_bytes += u64::from(fresh);
    watched.last_rx_ns = now;
    if watched.marks & RESPONSE_SENT != 0 {
        return stat::USED;
    }
    watched.marks |= RESPONSE_SENT;
    watched.first_rx_ns = now;
    first_bytes(cpu, kind::RESPONSE, watched.id, skb, segment, OPAQUE_BYTES)
}

/// Bytes of `segment` past `next`, which moves on: what is sent twice counts once.
#[inline(always)]
fn advance(next: &mut u32, segment: Segment) -> u32 {
    let end = segment.seq.wrapping_add(segment.len);
    let fresh = end.wrapping_sub(*next);
    // Without payload the number may be past a FIN, which takes one too.
    if segment.len == 0 || fresh == 0 || fresh > u32::MAX / 2 {
        return 0;
    }
    *next = end;
    fresh
}

/// Emits the first bytes of one direction, cut to what may leave the kernel.
#[inline(always)]
fn first_bytes(cpu: Cpu, kind: u16, id: u64, skb: *mut __sk_buff, segment: Segment, limit: u32) -> Outcome {
    let want = if segment.len < limit { segment.len } else { limit };
    emit::<DataEvent>(cpu, kind, |event| {
        // SAFETY: a reservation of this size; the helper gets a length that is within `bytes`.
        unsafe {
            (*event).sock_id = id;
            (*event).len = want;
            (*event).flags = 0;
            let bytes = (&raw mut (*event).bytes).cast::<u8>();
            let mut word = 0;
            while word < DATA_BYTES / 8 {
                bytes.cast::<u64>().add(word).write_volatile(0);
                word += 1;
            }
            let size = machine::within_1_and_128(want.into()) as u32;
            if bpf_skb_load_bytes(skb.cast(), segment.payload, bytes.cast(), size) != 0 {
                (*event).len = 0;
                (*event).flags = flag::UNREADABLE;
            } else if kind == kind::REQUEST {
                cut_request(event, bytes);
            } else if segment.len > want {
                (*event).flags = flag::TRUNCATED;
            }
        }
    })
}

/// Cuts a request to what may leave the kernel: method and path up to the query, the path's end, or the buffer's; of
/// what is no HTTP request line a short prefix.
///
/// What one loop finds goes through memory to the next: the verifier follows registers, and would check the rest for
/// every value.
///
/// # Safety
/// `event` is a reservation, `bytes` are its bytes.
#[inline(always)]
unsafe fn cut_request(event: *mut DataEvent, bytes: *mut u8) {
    // SAFETY: by the contract; all indices are below DATA_BYTES.
    unsafe {
        let (len, flags) = (&raw mut (*event).len, &raw mut (*event).flags);
        let method = &raw mut (*event).sock_id;
        let id = method.read_volatile();
        method.write_volatile(NO_METHOD);
        let mut at = 0;
        while at < METHOD_BYTES {
            let byte = bytes.add(at).read_volatile();
            if byte == b' ' && at >= 3 {
                method.write_volatile(at as u64);
                break;
            }
            if !byte.is_ascii_uppercase() {
                break;
            }
            at += 1;
        }
        flags.write_volatile(flag::TRUNCATED);
        if method.read_volatile() == NO_METHOD {
            if len.read_volatile() > OPAQUE_BYTES {
                len.write_volatile(OPAQUE_BYTES);
            }
        } else {
            at = 3;
            while at < DATA_BYTES {
                let byte = bytes.add(at).read_volatile();
                let ends = byte == b' ' || byte == b'?' || byte == b'\r' || byte == b'\n' || byte == 0;
                if ends && at as u64 > method.read_volatile() {
                    len.write_volatile(at as u32);
                    // No more bytes in this segment: the path may go on in the next.
                    flags.write_volatile(if byte == 0 { flag::TRUNCATED } else { 0 });
                    break;
                }
                at += 1;
            }
        }
        method.write_volatile(id);
        at = 0;
        while at < DATA_BYTES {
            if at as u32 >= len.read_volatile() {
                bytes.add(at).write_volatile(0);
            }
            at += 1;
        }
    }
}
