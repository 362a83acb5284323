//! What is on the screen: the tally, and what the user chose. Pure.

use ratatui_crossterm::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use crate::sink::{
    Flow,
    tally::{Key, Tally},
};

use super::look::Look;

/// Rows that a page key moves by; the real height is the renderer's.
const PAGE: isize = 10;

/// See above.
#[derive(Debug)]
pub struct View {
    /// What is shown.
    pub tally: Tally,
    /// The row that the user moved to. It stays the same probe when rows move.
    pub selected: Option<Key>,
    /// How.
    pub look: Look,
}

impl View {
    /// Nothing seen yet.
    pub fn new(look: Look) -> Self {
        Self { tally: Tally::default(), selected: None, look }
    }

    /// A key was pressed.
    pub fn press(&mut self, key: KeyEvent) -> Flow {
        if key.kind == KeyEventKind::Release {
            return Flow::Continue;
        }
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c') if is_control => return Flow::Quit,
            KeyCode::Char('q') => return Flow::Quit,
            KeyCode::Up | KeyCode::Char('k') => self.step(-1),
            KeyCode::Down | KeyCode::Char('j') => self.step(1),
            KeyCode::PageUp => self.step(-PAGE),
            KeyCode::PageDown => self.step(PAGE),
            KeyCode::Home => self.step(isize::MIN),
            KeyCode::End => self.step(isize::MAX),
            KeyCode::Esc => self.selected = None,
            _ => {}
        }
        Flow::Continue
    }

    /// Moves the selection; the first step down selects the first row.
    fn step(&mut self, by: isize) {
        let rows = self.tally.sick_first();
        let at = rows.iter().position(|(key, _)| Some(*key) == self.selected.as_ref());
        let last = rows.len().saturating_sub(1);
        let next = match at {
            Some(at) => at.saturating_add_signed(by).min(last),
            None if by > 1 => 0_usize.saturating_add_signed(by - 1).min(last),
            None => 0,
        };
        self.selected = rows.get(next).map(|(key, _)| (*key).clone());
    }
}
