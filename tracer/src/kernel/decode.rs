//! From the bytes in the ring to [`Event`]s: any bytes give an event or an error, never a panic.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr, SocketAddr},
};

use tracer_ebpf::abi::{
    DataEvent, ExecEvent, ExitEvent, ForkEvent, Header, PeerEvent, SockEvent, Tuple, flag, kind, way,
};

use crate::event::{Bytes, Data, Event, Exec, Exit, Fork, Peer, Sock, SockChange, What};

/// A record in the ring that this build does not understand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Undecodable {
    /// [`kind`], 0 where even the header was too short.
    pub kind: u16,
    /// Its length.
    pub bytes: usize,
}

/// Event structures of the ABI.
///
/// # Safety
/// `repr(C)`, integers and arrays of integers only, no padding: any bytes are a valid value.
unsafe trait Plain: Copy {}
// SAFETY: the ABI's rule (abi.rs), whose layout test has no padding.
unsafe impl Plain for Header {}
// SAFETY: as above.
unsafe impl Plain for SockEvent {}
// SAFETY: as above.
unsafe impl Plain for DataEvent {}
// SAFETY: as above.
unsafe impl Plain for PeerEvent {}
// SAFETY: as above.
unsafe impl Plain for ForkEvent {}
// SAFETY: as above.
unsafe impl Plain for ExecEvent {}
// SAFETY: as above.
unsafe impl Plain for ExitEvent {}

fn plain<T: Plain>(bytes: &[u8]) -> Option<T> {
    // SAFETY: there are enough bytes, the read needs no alignment, and any bytes are a T.
    (bytes.len() >= size_of::<T>()).then(|| unsafe { bytes.as_ptr().cast::<T>().read_unaligned() })
}

/// Decodes; knows the names that this kernel has for numbers.
#[derive(Debug, Default)]
pub struct Decoder {
    reset_reasons: HashMap<u32, String>,
}

impl Decoder {
    /// `reset_reasons`: `enum sk_rst_reason` of this kernel, without prefix.
    pub fn new(reset_reasons: Vec<(u32, String)>) -> Self {
        Self { reset_reasons: reset_reasons.into_iter().collect() }
    }

    /// One record of the ring.
    ///
    /// # Errors
    /// An unknown kind, or fewer bytes than its structure has.
    pub fn decode(&self, bytes: &[u8]) -> Result<Event, Undecodable> {
        let Some(header) = plain::<Header>(bytes) else { return Err(Undecodable { kind: 0, bytes: bytes.len() }) };
        let what = self.what(header.kind, bytes).ok_or(Undecodable { kind: header.kind, bytes: bytes.len() })?;
        Ok(Event { at_ns: header.at_ns, cpu: header.cpu, seq: header.seq, what })
    }

    fn what(&self, kind: u16, bytes: &[u8]) -> Option<What> {
        Some(match kind {
            kind::SOCK_STATE | kind::RETRANSMIT | kind::RESET_RECEIVED | kind::SOCK_ERROR | kind::SEEN_BY_CGROUP => {
                What::Sock(sock(kind, &plain(bytes)?)?)
            }
            kind::REQUEST => What::Request(data(&plain(bytes)?)),
            kind::RESPONSE => What::Response(data(&plain(bytes)?)),
            kind::RESET_SENT => What::ResetSent(self.peer(&plain(bytes)?)),
            kind::SYNACK_RETRANSMIT => {
                What::SynAckRetransmit(Peer { reason: String::new(), ..self.peer(&plain(bytes)?) })
            }
            kind::FORK => What::Fork(fork(&plain(bytes)?)),
            kind::EXEC => What::Exec(exec(&plain(bytes)?)),
            kind::EXIT => What::Exit(exit(&plain(bytes)?)),
            _ => return None,
        })
    }

    fn peer(&self, event: &PeerEvent) -> Peer {
        let (local, remote) = ends(&event.tuple);
        Peer {
            local,
            remote,
            reason: self.reset_reasons.get(&event.value).cloned().unwrap_or_default(),
            has_socket: event.has_socket != 0,
        }
    }
}

fn ends(tuple: &Tuple) -> (SocketAddr, SocketAddr) {
    let end = |address: [u8; 16], port| SocketAddr::new(IpAddr::V6(Ipv6Addr::from(address)).to_canonical(), port);
    (end(tuple.local, tuple.local_port), end(tuple.remote, tuple.remote_port))
}

fn sock(kind: u16, event: &SockEvent) -> Option<Sock> {
    let change = match kind {
        kind::SOCK_STATE => SockChange::State { from: event.old_state, to: event.new_state },
        kind::RETRANSMIT => SockChange::Retransmit { state: event.new_state },
        kind::RESET_RECEIVED => SockChange::ResetReceived { state: event.new_state },
        kind::SOCK_ERROR => SockChange::Error,
        kind::SEEN_BY_CGROUP => SockChange::SeenByCgroup,
        _ => return None,
    };
    let (local, remote) = ends(&event.tuple);
    Some(Sock {
        id: event.sock_id,
        change,
        local,
        remote,
        tgid: event.tgid,
        netns: event.netns,
        born_ns: event.born_ns,
        error: event.error,
        bytes_watched: event.bytes_watched != 0,
        bytes: Bytes {
            tx: event.tx_bytes,
            rx: event.rx_bytes,
            last_tx_ns: event.last_tx_ns,
            first_rx_ns: event.first_rx_ns,
            last_rx_ns: event.last_rx_ns,
            fin_rx_ns: event.fin_rx_ns,
        },
        by_cgroup: event.way == way::CGROUP,
    })
}

fn data(event: &DataEvent) -> Data {
    Data {
        sock_id: event.sock_id,
        bytes: head(&event.bytes, event.len).to_vec(),
        truncated: event.flags & (flag::TRUNCATED | flag::UNREADABLE) != 0,
    }
}

fn fork(event: &ForkEvent) -> Fork {
    Fork {
        ppid: event.ppid,
        kppid: event.kppid,
        pid: event.pid,
        kpid: event.kpid,
        start_boot_ns: event.start_boot_ns,
        root_kpid: event.root_kpid,
        is_first: event.is_first != 0,
    }
}

fn exec(event: &ExecEvent) -> Exec {
    let args = head(&event.args, event.args_len);
    let args = args.strip_suffix(&[0]).unwrap_or(args);
    let argv = match args {
        [] => Vec::new(),
        args => args.split(|byte| *byte == 0).map(|arg| String::from_utf8_lossy(arg).into_owned()).collect(),
    };
    Exec {
        pid: event.pid,
        kpid: event.kpid,
        start_boot_ns: event.start_boot_ns,
        root_kpid: event.root_kpid,
        comm: text(&event.comm),
        argv,
        argv_truncated: event.flags & (flag::TRUNCATED | flag::UNREADABLE) != 0,
        cgroup: text(&event.cgroup),
        cgroup_parent: text(&event.cgroup_parent),
        cgroup_id: event.cgroup_id,
    }
}

fn exit(event: &ExitEvent) -> Exit {
    Exit {
        pid: event.pid,
        kpid: event.kpid,
        start_boot_ns: event.start_boot_ns,
        root_kpid: event.root_kpid,
        comm: text(&event.comm),
        status: event.status,
        on_cpu_ns: event.on_cpu_ns,
        run_delay_ns: event.run_delay_ns,
    }
}

fn head(bytes: &[u8], len: u32) -> &[u8] {
    bytes.get(..len as usize).unwrap_or(bytes)
}

/// Up to the first NUL.
fn text(bytes: &[u8]) -> String {
    let len = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..len]).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tracer_ebpf::abi::ARG_BYTES;

    use super::*;

    fn raw<T: Plain>(value: &T) -> Vec<u8> {
        // SAFETY: a plain value has no padding: all its bytes are initialised.
        unsafe { std::slice::from_raw_parts(std::ptr::from_ref(value).cast::<u8>(), size_of::<T>()) }.to_vec()
    }

    fn zeroed<T: Plain>(kind: u16) -> T {
        let mut bytes = vec![0; size_of::<T>()];
        bytes[16..18].copy_from_slice(&kind.to_ne_bytes());
        plain(&bytes).expect("long enough")
    }

    #[test]
    fn ipv4_comes_out_unmapped() {
        let mut event: SockEvent = zeroed(kind::SOCK_STATE);
        event.tuple.local[10..].copy_from_slice(&[0xff, 0xff, 10, 0, 0, 7]);
        event.tuple.local_port = 8080;
        (event.old_state, event.new_state, event.way) = (2, 1, way::CGROUP);
        let Ok(Event { what: What::Sock(sock), .. }) = Decoder::default().decode(&raw(&event)) else { panic!() };
        assert_eq!(sock.local, "10.0.0.7:8080".parse().expect("address"));
        assert_eq!(sock.change, SockChange::State { from: 2, to: 1 });
        assert!(sock.by_cgroup);
    }

    #[test]
    fn argv_is_split_at_its_nuls() {
        let mut event: ExecEvent = zeroed(kind::EXEC);
        event.args[..9].copy_from_slice(b"cat\0\0x y\0");
        event.args_len = 9;
        let Ok(Event { what: What::Exec(exec), .. }) = Decoder::default().decode(&raw(&event)) else { panic!() };
        assert_eq!(exec.argv, ["cat", "", "x y"]);
        assert!(!exec.argv_truncated);
        event.args_len = ARG_BYTES as u32 + 9;
        assert!(Decoder::default().decode(&raw(&event)).is_ok(), "a length past the buffer is cut");
    }

    #[test]
    fn reasons_have_names() {
        let mut event: PeerEvent = zeroed(kind::RESET_SENT);
        event.value = 1;
        let decoder = Decoder::new(vec![(1, "NO_SOCKET".to_owned())]);
        let Ok(Event { what: What::ResetSent(peer), .. }) = decoder.decode(&raw(&event)) else { panic!() };
        assert_eq!(peer.reason, "NO_SOCKET");
    }

    #[test]
    fn a_short_or_unknown_record_is_refused() {
        assert_eq!(Decoder::default().decode(&[1; 10]), Err(Undecodable { kind: 0, bytes: 10 }));
        let event: SockEvent = zeroed(kind::SOCK_STATE);
        assert!(Decoder::default().decode(&raw(&event)[..100]).is_err());
        assert!(Decoder::default().decode(&raw(&zeroed::<SockEvent>(99))).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_decode_or_fail(mut bytes in proptest::collection::vec(any::<u8>(), 0..1000), kind in 0u16..14) {
            if let Some(place) = bytes.get_mut(16..18) {
                place.copy_from_slice(&kind.to_ne_bytes());
            }
            let _ = Decoder::default().decode(&bytes);
        }
    }
}
