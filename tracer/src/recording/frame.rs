//! Lines of a recording: the header and the frames. Pure.

use crate::input::Input;

use super::{Error, FORMAT, MAGIC, MAX_FRAME_BYTES, TOOL};

/// Bytes of a frame before its JSON: 8 hex digits and a space.
const PREFIX: usize = 9;

/// The header line, with its newline.
pub fn header() -> String {
    format!("{MAGIC} {FORMAT} {TOOL}\n")
}

/// Checks a header line (without newline) of the file `path`.
pub fn check_header(line: &[u8], path: &str) -> Result<(), Error> {
    let not_ours = || Error::NotARecording(path.to_owned());
    let line = std::str::from_utf8(line).map_err(|_| not_ours())?;
    let mut words = line.split(' ');
    if words.next() != Some(MAGIC) {
        return Err(not_ours());
    }
    let format: u32 = words.next().and_then(|word| word.parse().ok()).ok_or_else(not_ours)?;
    if format > FORMAT {
        // It goes to a terminal: only what our own names consist of.
        let is_plain = |c: &char| c.is_ascii_alphanumeric() || "/.-+".contains(*c);
        let tool: String = words.next().unwrap_or("an unknown tool").chars().filter(is_plain).take(64).collect();
        return Err(Error::Newer(format, tool));
    }
    Ok(())
}

/// Appends one frame with its newline to `out`; on an error `out` is as before.
pub fn encode(input: &Input, out: &mut Vec<u8>) -> Result<(), Error> {
    let start = out.len();
    out.extend_from_slice(b"00000000 ");
    let json_start = out.len();
    // Of our own types (string keys, no foreign Serialize) only writing could fail, and a Vec takes all.
    if let Err(error) = serde_json::to_writer(&mut *out, input) {
        out.truncate(start);
        return Err(Error::Io("encoding an input".to_owned(), error.into()));
    }
    let length = out.len() - start + 1;
    if length > MAX_FRAME_BYTES {
        out.truncate(start);
        return Err(Error::TooLong(length));
    }
    let crc = format!("{:08x}", crc32fast::hash(&out[json_start..]));
    out[start..start + crc.len()].copy_from_slice(crc.as_bytes());
    out.push(b'\n');
    Ok(())
}

/// Reads one frame, given without its newline; the error says what is wrong with it.
pub fn decode(line: &[u8]) -> Result<Input, String> {
    let (prefix, json) = line.split_at_checked(PREFIX).ok_or("it is shorter than its checksum")?;
    let hex = std::str::from_utf8(&prefix[..PREFIX - 1]).ok().filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
    let expected = hex.and_then(|hex| u32::from_str_radix(hex, 16).ok()).filter(|_| prefix[PREFIX - 1] == b' ');
    let expected = expected.ok_or("it does not begin with a checksum")?;
    let found = crc32fast::hash(json);
    if found != expected {
        return Err(format!("its checksum is {found:08x}, not {expected:08x}"));
    }
    serde_json::from_slice(json).map_err(|error| format!("it is no input that {TOOL} knows: {error}"))
}
