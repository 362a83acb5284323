//! Whatever a recording holds: no panic, every input that is read was written whole, and it ends.
#![no_main]

use libfuzzer_sys::fuzz_target;
use probetrace::recording::Reader;

fuzz_target!(|bytes: &[u8]| {
    // Most inputs should get past the header.
    let header = b"probetrace-recording 1 probetrace/0.1.0\n";
    for source in [bytes.to_vec(), [&header[..], bytes].concat()] {
        let Ok(mut reader) = Reader::new(&source[..], "fuzz") else { continue };
        let lines = source.iter().filter(|byte| **byte == b'\n').count() as u64;
        while let Ok(Some(_)) = reader.next_input() {}
        assert!(reader.frames() < lines, "each frame is a line, and the first line is the header");
        assert!(reader.torn_bytes() <= source.len() as u64);
        assert!(matches!(reader.next_input(), Ok(None)), "after the end or an error there is nothing");
    }
});
