//! Just enough of IP and TCP headers to find a segment's payload. What is not understood is left alone.

use aya_ebpf::{bindings::__sk_buff, helpers::generated::bpf_skb_load_bytes};

const IPPROTO_TCP: u8 = 6;
const MAX_EXTENSION_HEADERS: u32 = 4;

/// A TCP segment.
#[derive(Clone, Copy)]
pub struct Segment {
    /// Sequence number of the first payload byte.
    pub seq: u32,
    /// Where the payload begins.
    pub payload: u32,
    /// Payload bytes (of all segments that the stack handles as one).
    pub len: u32,
    /// FIN is set.
    pub fin: bool,
}

/// Copies N bytes of the packet, counted from its IP header.
#[inline(always)]
pub fn load<const N: usize>(skb: *mut __sk_buff, offset: u32) -> Option<[u8; N]> {
    let mut bytes = core::mem::MaybeUninit::<[u8; N]>::uninit();
    // SAFETY: the helper checks the packet's bounds and fills all of `bytes` or returns an error.
    unsafe {
        let result = bpf_skb_load_bytes(skb.cast(), offset, bytes.as_mut_ptr().cast(), N as u32);
        (result == 0).then(|| bytes.assume_init())
    }
}

/// Finds the TCP segment in a packet that begins with its IP header (as cgroup_skb shows it).
#[inline(always)]
pub fn segment(skb: *mut __sk_buff) -> Option<Segment> {
    let [first] = load::<1>(skb, 0)?;
    let tcp = match first >> 4 {
        4 => ipv4_payload(skb, first)?,
        6 => ipv6_payload(skb)?,
        _ => return None,
    };
    let [s0, s1, s2, s3, _, _, _, _, offset, flags] = load::<10>(skb, tcp + 4)?;
    let payload = tcp + u32::from(offset >> 4) * 4;
    // SAFETY: a context field.
    let total = unsafe { core::ptr::read_volatile(&raw const (*skb).len) };
    let syn = u32::from(flags >> 1 & 1);
    Some(Segment {
        seq: u32::from_be_bytes([s0, s1, s2, s3]).wrapping_add(syn),
        payload,
        len: total.saturating_sub(payload),
        fin: flags & 1 != 0,
    })
}

#[inline(always)]
fn ipv4_payload(skb: *mut __sk_buff, first: u8) -> Option<u32> {
    let [protocol] = load::<1>(skb, 9)?;
    (protocol == IPPROTO_TCP).then_some(u32::from(first & 15) * 4)
}

/// RFC 8200: hop-by-hop, routing, destination options; a fragment header has no length field and comes reassembled.
#[inline(always)]
fn ipv6_payload(skb: *mut __sk_buff) -> Option<u32> {
    let [mut next] = load::<1>(skb, 6)?;
    let mut at = 40;
    let mut headers = 0;
    while headers < MAX_EXTENSION_HEADERS {
        match next {
            IPPROTO_TCP => return Some(at),
            0 | 43 | 60 => {
                let [following, len] = load::<2>(skb, at)?;
                next = following;
                at += (u32::from(len) + 1) * 8;
            }
            _ => return None,
        }
        headers += 1;
    }
    None
}
