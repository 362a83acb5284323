//! Our own log, on standard error. While a live table has the terminal, lines are held back.

use std::{
    collections::VecDeque,
    io::{self, Write},
    sync::{Mutex, MutexGuard, PoisonError},
};

use anyhow::Context;
use tracing_subscriber::EnvFilter;

use crate::exit::Usage;

/// Lines that are held at most; the oldest go first.
const MAX_HELD: usize = 200;

static HELD: Mutex<Held> = Mutex::new(Held { is_holding: false, lines: VecDeque::new(), dropped: 0 });

struct Held {
    is_holding: bool,
    lines: VecDeque<Vec<u8>>,
    dropped: u64,
}

/// Starts the log at `level` (`--log-level`); `RUST_LOG` refines it. Call it once.
pub fn start(level: &str) -> anyhow::Result<()> {
    let refined = std::env::var("RUST_LOG").unwrap_or_default();
    let filter = format!("{level},{refined}");
    let filter = EnvFilter::try_new(filter.trim_end_matches(','));
    let filter = filter.context(Usage("RUST_LOG: write a level, or `module=level` divided by commas".to_owned()))?;
    let colour =
        io::IsTerminal::is_terminal(&io::stderr()) && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colour).with_target(false);
    log.with_writer(|| LogWriter).try_init().map_err(|error| anyhow::anyhow!("the log can't start: {error}"))
}

/// From now on lines are kept, where standard error is a terminal.
pub fn hold() {
    held().is_holding = io::IsTerminal::is_terminal(&io::stderr());
}

/// Prints what was kept; later lines go out at once.
pub fn release() {
    let mut held = held();
    held.is_holding = false;
    let (lines, dropped) = (std::mem::take(&mut held.lines), std::mem::take(&mut held.dropped));
    drop(held);
    let mut out = io::stderr().lock();
    if dropped > 0 {
        let _ = writeln!(out, "({dropped} earlier log lines were dropped)");
    }
    for line in lines {
        // Standard error may be gone: nobody to tell.
        let _ = out.write_all(&line);
    }
}

fn held() -> MutexGuard<'static, Held> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The subscriber writes each line with one call.
struct LogWriter;

impl Write for LogWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut held = held();
        if !held.is_holding {
            drop(held);
            io::stderr().write_all(line)?;
            return Ok(line.len());
        }
        if held.lines.len() == MAX_HELD {
            held.lines.pop_front();
            held.dropped += 1;
        }
        held.lines.push_back(line.to_vec());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
