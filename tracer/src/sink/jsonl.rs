//! JSON lines: the contract's own form, one object a line.

use std::io::{self, Write};

use crate::record::Record;

use super::{Sink, SinkError, escape};

/// One object as one line without its end, safe for a terminal.
///
/// # Errors
/// The value can't be JSON (a map with keys that are no text).
pub(crate) fn json_line(value: &impl serde::Serialize) -> io::Result<String> {
    Ok(escape::json(serde_json::to_string(value)?))
}

/// Writes each record as one line with one write, so that a reader sees whole lines at once.
pub struct Jsonl<W> {
    out: W,
    /// For messages.
    name: String,
    /// A write stopped within a line: the next line begins on a new one.
    is_torn: bool,
}

impl<W: Write + Send> Jsonl<W> {
    /// `name` is what messages call the output.
    pub fn new(out: W, name: &str) -> Self {
        Self { out, name: name.to_owned(), is_torn: false }
    }
}

impl<W: Write + Send> Sink for Jsonl<W> {
    fn record(&mut self, record: &Record) -> Result<(), SinkError> {
        let json = json_line(record).map_err(|error| SinkError::Io(self.name.clone(), error))?;
        let mut line = String::with_capacity(json.len() + 2);
        if self.is_torn {
            line.push('\n');
        }
        line.push_str(&json);
        line.push('\n');
        let written = write_counted(&mut self.out, line.as_bytes());
        self.is_torn = match &written {
            Ok(()) => false,
            Err((0, _)) => self.is_torn,
            Err(_) => true,
        };
        written.map_err(|(_, error)| SinkError::of_io(&self.name, error))
    }

    fn finish(&mut self) -> Result<(), SinkError> {
        self.out.flush().map_err(|error| SinkError::of_io(&self.name, error))
    }
}

/// `write_all` and flush that tell how far they came.
fn write_counted(out: &mut impl Write, bytes: &[u8]) -> Result<(), (usize, io::Error)> {
    let mut done = 0;
    while done < bytes.len() {
        match out.write(&bytes[done..]) {
            Ok(0) => return Err((done, io::ErrorKind::WriteZero.into())),
            Ok(count) => done += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err((done, error)),
        }
    }
    out.flush().map_err(|error| (done, error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{record::Outcome, sink::samples};

    /// A disk with room for so many bytes.
    struct Disk {
        bytes: Vec<u8>,
        room: usize,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = bytes.len().min(self.room);
            if count == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.room -= count;
            self.bytes.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn one_safe_line_a_record_that_reads_back() {
        let mut record = samples::attempt_record("shop", "web-1", Outcome::Failure);
        record.error = Some("bad\n\u{1b}]0;owned\u{7}\u{2028}\u{202e}".into());
        let record = Record::Attempt(Box::new(record));
        let mut sink = Jsonl::new(Vec::new(), "test");
        sink.record(&record).unwrap();
        sink.record(&samples::health()).unwrap();
        let text = String::from_utf8(sink.out).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(!lines[0].chars().any(escape::is_hostile));
        assert_eq!(serde_json::from_str::<Record>(lines[0]).unwrap(), record);
        assert!(lines[0].starts_with(r#"{"type":"attempt","schema":1,"#), "{}", lines[0]);
    }

    #[test]
    fn after_a_full_disk_lines_begin_anew() {
        let mut sink = Jsonl::new(Disk { bytes: vec![], room: 100 }, "out");
        let error = sink.record(&samples::health()).unwrap_err();
        assert!(matches!(&error, SinkError::Full(name) if name == "out"), "{error}");
        sink.out.room = 10_000;
        sink.record(&samples::health()).unwrap();
        let text = String::from_utf8(sink.out.bytes).unwrap();
        let whole: Vec<_> = text.lines().filter(|line| serde_json::from_str::<Record>(line).is_ok()).collect();
        assert_eq!((text.lines().count(), whole.len()), (2, 1), "{text}");
    }

    #[test]
    fn a_reader_that_left_is_a_closed_pipe() {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let mut sink = Jsonl::new(writer, "out");
        assert!(matches!(sink.record(&samples::health()), Err(SinkError::ClosedPipe)));
    }
}
