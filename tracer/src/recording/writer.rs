//! Writing a recording.

use std::{
    fs::{File, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use crate::input::Input;

use super::{Error, frame};

/// Frames are collected up to this size before they are written.
const BUFFER_BYTES: usize = 256 << 10;

/// Writes a recording. A gap would make the replay differ from the run, so after the first error nothing more is
/// written: the file is cut to its last whole frame and what comes later is only counted.
#[derive(Debug)]
pub struct Writer {
    path: String,
    pub(super) file: File,
    buffer: Vec<u8>,
    /// Frames in `buffer`.
    buffered: u64,
    /// Bytes of whole frames in the file.
    file_bytes: u64,
    is_open: bool,
    written: Written,
}

/// What became of the inputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Frames in the file.
    pub frames: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// Inputs that came after the recording had to end.
    pub dropped: u64,
}

impl Writer {
    /// Creates the file (mode 0600), which must not exist.
    pub fn create(path: &Path) -> Result<Self, Error> {
        let name = path.display().to_string();
        let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let file = opened.map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => Error::Exists(name.clone()),
            _ => Error::of_io(&name, error),
        })?;
        let mut writer = Self {
            path: name,
            file,
            buffer: Vec::with_capacity(BUFFER_BYTES),
            buffered: 0,
            file_bytes: 0,
            is_open: true,
            written: Written::default(),
        };
        writer.buffer.extend_from_slice(frame::header().as_bytes());
        writer.flush()?;
        Ok(writer)
    }

    /// Appends one input. The error is given once, for the input that hit it; later inputs are counted in silence.
    pub fn write(&mut self, input: &Input) -> Result<(), Error> {
        if !self.is_open {
            self.written.dropped += 1;
            return Ok(());
        }
        if let Err(error) = frame::encode(input, &mut self.buffer) {
            self.close_after_error(1);
            return Err(error);
        }
        self.buffered += 1;
        if self.buffer.len() >= BUFFER_BYTES { self.flush() } else { Ok(()) }
    }

    /// Hands what is buffered to the kernel; call it about once a second, so that a crash costs no more.
    pub fn flush(&mut self) -> Result<(), Error> {
        if !self.is_open || self.buffer.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.file.write_all(&self.buffer) {
            self.close_after_error(0);
            return Err(Error::of_io(&self.path, error));
        }
        self.file_bytes += self.buffer.len() as u64;
        self.written.bytes = self.file_bytes;
        self.written.frames += self.buffered;
        self.buffered = 0;
        self.buffer.clear();
        Ok(())
    }

    /// So far.
    pub fn written(&self) -> Written {
        self.written
    }

    /// Writes the rest and waits until it is on the disk.
    pub fn finish(mut self) -> Result<Written, Error> {
        self.flush()?;
        self.file.sync_data().map_err(|error| Error::of_io(&self.path, error))?;
        Ok(self.written)
    }

    /// `more`: inputs lost beside those in the buffer.
    fn close_after_error(&mut self, more: u64) {
        self.is_open = false;
        self.written.dropped += self.buffered + more;
        self.buffered = 0;
        self.buffer = Vec::new();
        // A frame that was written in part is torn, which the reader copes with; cutting it is a courtesy, and a
        // device or pipe can't be cut.
        if self.file.set_len(self.file_bytes).is_err() {
            tracing::debug!("{}: the torn last frame could not be cut", self.path);
        }
    }
}
