//! Where records go. Only this module and those below know an output format.

mod background;
pub(crate) mod escape;
mod jsonl;
mod latencies;
mod summary;
mod table;
mod tally;
mod text;
mod units;

#[cfg(test)]
pub(crate) mod samples;

use std::{fmt, io};

use crate::record::Record;

pub use background::{Background, Ending, Unsent};
pub use jsonl::Jsonl;
pub(crate) use jsonl::json_line;
pub use summary::Summary;
pub use table::{Table, abandon as abandon_terminal};
pub use text::Text;
pub(crate) use text::{confidence_name, outcome_name};
pub(crate) use units::duration;

/// Takes records in order.
pub trait Sink: Send {
    /// One more record.
    fn record(&mut self, record: &Record) -> Result<(), SinkError>;

    /// Time passes; called about ten times a second. `now_ns`: CLOCK_MONOTONIC, or the recording's time in a replay.
    fn tick(&mut self, _now_ns: u64) -> Result<Flow, SinkError> {
        Ok(Flow::Continue)
    }

    /// No more records come: write what is left, give back what was taken (the terminal).
    fn finish(&mut self) -> Result<(), SinkError>;
}

/// Whether the user still wants to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Yes.
    Continue,
    /// The user asked to end (`q`).
    Quit,
}

/// Why a record could not be given out.
#[derive(Debug)]
pub enum SinkError {
    /// The reader is gone (`| head`, a closed terminal): end quietly, exit code 0.
    ClosedPipe,
    /// No room on the file system behind this output.
    Full(String),
    /// Another error: (output, what the system said).
    Io(String, io::Error),
}

impl SinkError {
    /// Sorts an error of the system on `output`. A terminal that hung up gives EIO (tty_ioctl(2), hung-up tty).
    pub(crate) fn of_io(output: &str, error: io::Error) -> Self {
        use io::ErrorKind::{BrokenPipe, QuotaExceeded, StorageFull};
        let hung_up = error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error());
        match error.kind() {
            BrokenPipe => Self::ClosedPipe,
            _ if hung_up => Self::ClosedPipe,
            StorageFull | QuotaExceeded => Self::Full(output.to_owned()),
            _ => Self::Io(output.to_owned(), error),
        }
    }
}

impl fmt::Display for SinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClosedPipe => f.write_str("the reader of the output is gone"),
            Self::Full(output) => write!(
                f,
                "no room left for {output}: records are lost (counted as sink_failed) until there is some; free some \
                 space on its file system or send the output elsewhere"
            ),
            Self::Io(output, error) => write!(f, "writing to {output}: {error}"),
        }
    }
}

impl std::error::Error for SinkError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(_, error) => Some(error),
            _ => None,
        }
    }
}

/// Several sinks as one, in order. One that fails does not keep a record from the others; the first error is told.
impl Sink for Vec<Box<dyn Sink>> {
    fn record(&mut self, record: &Record) -> Result<(), SinkError> {
        first_error(self.iter_mut().map(|sink| sink.record(record)))
    }

    fn tick(&mut self, now_ns: u64) -> Result<Flow, SinkError> {
        let mut flow = Flow::Continue;
        let ticks = self.iter_mut().map(|sink| {
            if sink.tick(now_ns)? == Flow::Quit {
                flow = Flow::Quit;
            }
            Ok(())
        });
        first_error(ticks)?;
        Ok(flow)
    }

    fn finish(&mut self) -> Result<(), SinkError> {
        first_error(self.iter_mut().map(|sink| sink.finish()))
    }
}

/// Runs all of them, and keeps the first error.
fn first_error(results: impl Iterator<Item = Result<(), SinkError>>) -> Result<(), SinkError> {
    let mut first = Ok(());
    for result in results {
        if first.is_ok() {
            first = result;
        }
    }
    first
}

/// `-o`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// One JSON object a line
    Json,
    /// The same as json
    Jsonl,
    /// Live table on a terminal, else as text
    Table,
    /// One plain line per finished attempt
    Text,
}

/// What standard output is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Surroundings {
    /// A terminal that can move its cursor (`TERM` is set and not `dumb`).
    pub can_draw: bool,
    /// Standard output is a terminal.
    pub is_terminal: bool,
    /// Colours are wanted (`NO_COLOR` is unset or empty; no-color.org).
    pub colour: bool,
    /// The locale's encoding is UTF-8.
    pub utf8: bool,
}

impl Surroundings {
    /// Reads them from standard output and the environment.
    pub fn read() -> Self {
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let is_terminal = io::IsTerminal::is_terminal(&io::stdout());
        // Precedence by locale(7).
        let locale = variable("LC_ALL").or_else(|| variable("LC_CTYPE")).or_else(|| variable("LANG"));
        let locale = locale.unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        Self {
            can_draw: is_terminal && variable("TERM").is_some_and(|term| term != "dumb"),
            is_terminal,
            colour: variable("NO_COLOR").is_none(),
            utf8: locale.contains("utf-8") || locale.contains("utf8"),
        }
    }

    /// What `-o` means here; without it a table on a terminal and JSON in a pipe. A table needs a terminal and
    /// something that lives: in a pipe, and of a replay (`live` false), it is the plain lines.
    pub fn choose(&self, wanted: Option<Format>, live: bool) -> Format {
        let best = if self.can_draw && live { Format::Table } else { Format::Text };
        match wanted {
            Some(Format::Json | Format::Jsonl) => Format::Jsonl,
            Some(Format::Text) => Format::Text,
            Some(Format::Table) => best,
            None if self.is_terminal => best,
            None => Format::Jsonl,
        }
    }
}

/// The output that the user asked for, with the summary at its end.
pub fn open(wanted: Option<Format>, live: bool) -> Result<Box<dyn Sink>, SinkError> {
    let surroundings = Surroundings::read();
    let output: Box<dyn Sink> = match surroundings.choose(wanted, live) {
        Format::Table => Box::new(Table::enter(&surroundings)?),
        Format::Text => Box::new(Text::new(io::stdout())),
        Format::Json | Format::Jsonl => Box::new(Jsonl::new(io::stdout(), "standard output")),
    };
    let summary = Summary::new(io::stderr());
    Ok(Box::new(vec![output, Box::new(summary) as Box<dyn Sink>]))
}

#[cfg(test)]
mod tests;
