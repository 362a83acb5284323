//! The live table: one row a probe, the sick first; below it the newest failure and the tracer's own health.

mod columns;
mod detail;
mod layout;
mod look;
mod rows;
mod terminal;
mod view;

use std::{io, time::Duration};

use ratatui_core::terminal::Terminal;
use ratatui_crossterm::{
    CrosstermBackend,
    crossterm::event::{self, Event},
};

use crate::{logging, record::Record};

use super::{Flow, Sink, SinkError, Surroundings};
use look::Look;
use terminal::TakenTerminal;
pub use terminal::abandon;
use view::View;

/// Between two pictures, unless a key was pressed.
const MIN_FRAME_NS: u64 = 200_000_000;
/// A picture at least this often, also when nothing came: rows grow silent.
const MAX_FRAME_NS: u64 = 1_000_000_000;
/// Keys handled at one tick.
const MAX_KEYS: usize = 64;

/// The terminal, until it is given back.
pub struct Table {
    view: View,
    screen: Terminal<CrosstermBackend<io::Stdout>>,
    taken: TakenTerminal,
    is_dirty: bool,
    drawn_ns: u64,
}

impl Table {
    /// Takes the terminal that standard output is; it is given back by [`Sink::finish`] or when this is dropped.
    pub fn enter(surroundings: &Surroundings) -> Result<Self, SinkError> {
        let taken = TakenTerminal::take().map_err(of_terminal)?;
        let screen = Terminal::new(CrosstermBackend::new(io::stdout())).map_err(of_terminal)?;
        logging::hold();
        let view = View::new(Look { colour: surroundings.colour, utf8: surroundings.utf8 });
        Ok(Self { view, screen, taken, is_dirty: true, drawn_ns: 0 })
    }

    fn draw(&mut self, now_ns: u64) -> Result<(), SinkError> {
        let view = &self.view;
        // The size is asked anew with each picture, so that a resize needs no signal.
        self.screen.draw(|frame| layout::render(view, frame.buffer_mut())).map_err(of_terminal)?;
        self.is_dirty = false;
        self.drawn_ns = now_ns;
        Ok(())
    }

    /// Handles the keys that were pressed. A terminal without a keyboard (no /dev/tty) has none.
    fn take_keys(&mut self) -> Flow {
        for _ in 0..MAX_KEYS {
            if !event::poll(Duration::ZERO).unwrap_or(false) {
                break;
            }
            match event::read() {
                Ok(Event::Key(key)) => {
                    if self.view.press(key) == Flow::Quit {
                        return Flow::Quit;
                    }
                    self.drawn_ns = 0;
                }
                Ok(Event::Resize(..)) => self.drawn_ns = 0,
                Ok(_) => {}
                Err(_) => break,
            }
            self.is_dirty = true;
        }
        Flow::Continue
    }
}

impl Sink for Table {
    fn record(&mut self, record: &Record) -> Result<(), SinkError> {
        self.view.tally.add(record);
        self.is_dirty = true;
        Ok(())
    }

    fn tick(&mut self, now_ns: u64) -> Result<Flow, SinkError> {
        self.view.tally.tick(now_ns);
        let flow = self.take_keys();
        let age_ns = now_ns.saturating_sub(self.drawn_ns);
        if age_ns >= if self.is_dirty { MIN_FRAME_NS } else { MAX_FRAME_NS } {
            self.draw(now_ns)?;
        }
        Ok(flow)
    }

    fn finish(&mut self) -> Result<(), SinkError> {
        let given_back = self.taken.give_back().map_err(of_terminal);
        logging::release();
        given_back
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        // A second time is harmless; an error has no one left to hear it.
        let _ = self.finish();
    }
}

fn of_terminal(error: io::Error) -> SinkError {
    SinkError::of_io("the terminal", error)
}

#[cfg(test)]
mod tests;
