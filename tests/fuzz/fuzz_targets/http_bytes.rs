//! Whatever a pod, a prober or the ring sends: no panic, and what is understood is within its bounds.
#![no_main]

use std::net::SocketAddr;

use libfuzzer_sys::fuzz_target;
use probetrace::{
    attempt::facts::Connection,
    event::{Bytes, Data, What},
    kernel::Decoder,
};

fuzz_target!(|bytes: &[u8]| {
    let data = Data { sock_id: 1, bytes: bytes.to_vec(), truncated: false };
    let one = Connection {
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
    };
    assert!(one.http_status().is_none_or(|status| (100..600).contains(&status) && bytes.starts_with(b"HTTP/1.")));
    if let Some((method, path)) = one.http_request() {
        assert!(path.starts_with('/') && method.len() + 1 + path.len() == bytes.len());
    }
    if let Ok(event) = Decoder::default().decode(bytes) {
        match event.what {
            What::Request(data) | What::Response(data) => assert!(data.bytes.len() <= bytes.len()),
            What::Exec(exec) => assert!(exec.argv.iter().map(String::len).sum::<usize>() <= 3 * bytes.len()),
            _ => {}
        }
    }
});
