//! Recordings: every input of the middle in arrival order, so that `replay` gives the same records without root.
//!
//! A text file. The first line names format and tool: `probetrace-recording 1 probetrace/0.1.0`. Each further line is
//! a frame: CRC-32 (IEEE) of the JSON as 8 hex digits, a space, one [`crate::input::Input`] as JSON.

mod frame;
mod reader;
mod writer;

use std::fmt;

pub use reader::Reader;
pub use writer::{Writer, Written};

/// Version of the format that is written here, and the newest that is read.
pub const FORMAT: u32 = 1;

/// Longest frame: an update of specs of a node with 500 pods is about 1 MiB.
pub const MAX_FRAME_BYTES: usize = 4 << 20;

const MAGIC: &str = "probetrace-recording";
const TOOL: &str = concat!("probetrace/", env!("CARGO_PKG_VERSION"));

/// Why a recording can't be written or read.
#[derive(Debug)]
pub enum Error {
    /// The file already exists: a recording is never written over.
    Exists(String),
    /// No room on the file system.
    Full(String),
    /// Another error of the system: (file, what it said).
    Io(String, std::io::Error),
    /// The first line is no recording's.
    NotARecording(String),
    /// Written in a newer format: (its format, the tool that wrote it).
    Newer(u32, String),
    /// Frame (from 1) that is broken though it isn't the torn end of the file, and how.
    Corrupt(u64, String),
    /// An input longer than [`MAX_FRAME_BYTES`].
    TooLong(usize),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exists(path) => {
                write!(f, "{path} exists, and a recording is never written over: remove it or name another file")
            }
            Self::Full(path) => write!(
                f,
                "no room left for the recording {path}: it ends here and stays readable up to here; tracing goes on. \
                 Free some space and record again"
            ),
            Self::Io(path, error) => write!(f, "{path}: {error}"),
            Self::NotARecording(path) => write!(
                f,
                "{path} is no recording: its first line does not begin with `{MAGIC}`. Recordings are made with \
                 `probetrace record FILE`"
            ),
            Self::Newer(format, tool) => write!(
                f,
                "written by {tool} in format {format}; this is {TOOL}, which reads up to format {FORMAT}. Replay it \
                 with {tool} or newer"
            ),
            Self::Corrupt(frame, how) => write!(
                f,
                "frame {frame} (line {}) is corrupt: {how}. Keep what is before it with `head -n {frame}`",
                frame + 1
            ),
            Self::TooLong(length) => {
                write!(f, "an input of {length} bytes is longer than a frame may be ({MAX_FRAME_BYTES} bytes)")
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(_, error) => Some(error),
            _ => None,
        }
    }
}

impl Error {
    /// An error of the system on `path`, with a full file system told apart (also a quota's limit).
    fn of_io(path: &str, error: std::io::Error) -> Self {
        use std::io::ErrorKind::{QuotaExceeded, StorageFull};
        match error.kind() {
            StorageFull | QuotaExceeded => Self::Full(path.to_owned()),
            _ => Self::Io(path.to_owned(), error),
        }
    }
}

#[cfg(test)]
mod tests;
