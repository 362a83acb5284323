//! Reading a recording.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    path::Path,
};

use crate::input::Input;

use super::{Error, MAX_FRAME_BYTES, frame};

/// Longest header line that is read.
const MAX_HEADER_BYTES: usize = 256;

/// Reads a recording frame by frame. A torn end (an incomplete last line) is cut and its length told; anything else
/// that is broken is an error, since what follows would no longer give the records of the run.
#[derive(Debug)]
pub struct Reader<R> {
    source: BufReader<R>,
    path: String,
    line: Vec<u8>,
    frames: u64,
    torn_bytes: u64,
    is_over: bool,
}

impl Reader<Box<dyn Read>> {
    /// Opens a file, or standard input for `-`.
    pub fn open(path: &Path) -> Result<Self, Error> {
        if path == Path::new("-") {
            return Reader::new(Box::new(std::io::stdin()), "standard input");
        }
        let name = path.display().to_string();
        let file = File::open(path).map_err(|error| Error::of_io(&name, error))?;
        Reader::new(Box::new(file), &name)
    }
}

impl<R: Read> Reader<R> {
    /// Reads and checks the header. `path` is for messages.
    pub fn new(source: R, path: &str) -> Result<Self, Error> {
        let mut reader = Self {
            source: BufReader::with_capacity(64 << 10, source),
            path: path.to_owned(),
            line: Vec::new(),
            frames: 0,
            torn_bytes: 0,
            is_over: false,
        };
        match reader.read_line(MAX_HEADER_BYTES)? {
            Line::Whole => frame::check_header(&reader.line, path)?,
            Line::TooLong | Line::End | Line::Torn(_) => return Err(Error::NotARecording(path.to_owned())),
        }
        Ok(reader)
    }

    /// The next input; `None` at the end. After an error the end.
    pub fn next_input(&mut self) -> Result<Option<Input>, Error> {
        if self.is_over {
            return Ok(None);
        }
        let next = self.read_frame();
        self.is_over = !matches!(next, Ok(Some(_)));
        next
    }

    /// Whole frames read so far.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Bytes of a torn last frame that were cut; known at the end.
    pub fn torn_bytes(&self) -> u64 {
        self.torn_bytes
    }

    fn read_frame(&mut self) -> Result<Option<Input>, Error> {
        let number = self.frames + 1;
        match self.read_line(MAX_FRAME_BYTES)? {
            Line::End => Ok(None),
            Line::Torn(bytes) => {
                self.torn_bytes = bytes;
                Ok(None)
            }
            Line::TooLong => Err(Error::Corrupt(number, format!("it is longer than {MAX_FRAME_BYTES} bytes"))),
            Line::Whole => {
                let input = frame::decode(&self.line).map_err(|how| Error::Corrupt(number, how))?;
                self.frames = number;
                Ok(Some(input))
            }
        }
    }

    /// Reads up to the next newline, which is not kept. Of a line past `limit` only the length is followed, to tell
    /// a torn end (a disk may leave a file's last blocks as zeros) from a corrupt frame.
    fn read_line(&mut self, limit: usize) -> Result<Line, Error> {
        self.line.clear();
        let mut length = 0_u64;
        loop {
            let chunk = match self.source.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Error::of_io(&self.path, error)),
            };
            if chunk.is_empty() {
                return Ok(if length == 0 { Line::End } else { Line::Torn(length) });
            }
            let newline = chunk.iter().position(|byte| *byte == b'\n');
            let taken = newline.unwrap_or(chunk.len());
            let room = limit.saturating_sub(self.line.len());
            self.line.extend_from_slice(&chunk[..taken.min(room)]);
            length += taken as u64;
            self.source.consume(taken + usize::from(newline.is_some()));
            if newline.is_some() {
                return Ok(if length > limit as u64 { Line::TooLong } else { Line::Whole });
            }
        }
    }
}

/// How a line ended.
enum Line {
    /// With a newline: it is in `line`.
    Whole,
    /// With a newline, but it was too long.
    TooLong,
    /// With the end of the file, after so many bytes.
    Torn(u64),
    /// There was none.
    End,
}
