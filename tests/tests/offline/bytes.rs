//! The fuzz targets' rules (`tests/fuzz`) on random bytes, for machines without a nightly compiler: what a pod answers, what
//! the prober sends and what the ring holds.

use std::net::SocketAddr;

use probetrace::{
    attempt::facts::Connection,
    event::{Bytes, Data, What},
    kernel::Decoder,
};
use proptest::prelude::*;
use tracer_ebpf::abi::Header;

/// Random bytes behind beginnings that get past the first checks.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let begins: [&[u8]; 6] = [b"", b"HTTP/1.", b"HTTP/1.1 ", b"HTTP/1.1 20", b"GET /", b"GET "];
    let begin = proptest::sample::select(begins.to_vec());
    let rest = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..160),
        "[0-9 /HTP.\r\n?\u{80}-\u{ff}]{0,20}".prop_map(String::into_bytes),
    ];
    (begin, rest).prop_map(|(begin, rest)| [begin, &rest].concat())
}

fn connection(bytes: &[u8]) -> Connection {
    let data = Data { sock_id: 1, bytes: bytes.to_vec(), truncated: false };
    Connection {
        sock_id: 1,
        local: SocketAddr::from(([10, 0, 0, 1], 40_000)),
        remote: SocketAddr::from(([10, 0, 0, 7], 8080)),
        netns: 0,
        began_ns: 1,
        established_ns: 2,
        closed_ns: 0,
        closed_from: 0,
        reset_ns: 0,
        reset_in: 0,
        error: 0,
        syn_retransmits: 0,
        data_retransmits: 0,
        synack_retransmits: 0,
        bytes_watched: true,
        bytes: Bytes::default(),
        request: Some(data.clone()),
        response: Some(data),
        resets_sent: Vec::new(),
    }
}

/// A record of the ring: any kind, any length around those that the kinds have.
fn ringed() -> impl Strategy<Value = Vec<u8>> {
    (0u16..16, proptest::collection::vec(any::<u8>(), 0..1_000)).prop_map(|(kind, mut bytes)| {
        let at = std::mem::offset_of!(Header, kind);
        if let Some(place) = bytes.get_mut(at..at + size_of_val(&kind)) {
            place.copy_from_slice(&kind.to_ne_bytes());
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_status_is_one_of_http_or_none(bytes in bytes()) {
        let status = connection(&bytes).http_status();
        prop_assert!(status.is_none_or(|status| (200..1000).contains(&status) && bytes.starts_with(b"HTTP/1.")));
    }

    #[test]
    fn every_final_status_line_is_read(minor in 0u8..2, status in 100u16..1000, reason in "[ -~]{0,20}") {
        let line = format!("HTTP/1.{minor} {status} {reason}\r\n");
        prop_assert_eq!(connection(line.as_bytes()).http_status(), (status >= 200).then_some(status));
    }

    #[test]
    fn a_request_is_method_and_path_or_nothing(bytes in bytes()) {
        if let Some((method, path)) = connection(&bytes).http_request() {
            prop_assert!(path.starts_with('/') && !method.contains(' '));
            prop_assert_eq!(method.len() + 1 + path.len(), bytes.len());
        }
    }

    #[test]
    fn the_ring_may_hold_anything(bytes in ringed()) {
        match Decoder::default().decode(&bytes) {
            Err(error) => prop_assert_eq!(error.bytes, bytes.len()),
            Ok(event) => match event.what {
                What::Request(data) | What::Response(data) => prop_assert!(data.bytes.len() <= bytes.len()),
                // A byte that is no UTF-8 becomes a replacement character of three.
                What::Exec(exec) => prop_assert!(exec.argv.iter().map(String::len).sum::<usize>() <= 3 * bytes.len()),
                _ => {}
            },
        }
    }
}
