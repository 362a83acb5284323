//! Glyphs and styles. Each glyph is readable without its colour, and has a form for terminals without UTF-8.

use ratatui_core::style::{Color, Modifier, Style};

use crate::{record::Outcome, sink::tally::Health};

/// What this terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// `NO_COLOR` is not set.
    pub colour: bool,
    /// Else ASCII only.
    pub utf8: bool,
}

/// What a text means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Plain,
    Good,
    Warn,
    Bad,
    Dim,
    Head,
}

impl Look {
    /// The style of a meaning.
    pub fn style(self, tone: Tone) -> Style {
        let (colour, modifier) = match tone {
            Tone::Plain => (None, Modifier::empty()),
            Tone::Good => (Some(Color::Green), Modifier::empty()),
            Tone::Warn => (Some(Color::Yellow), Modifier::empty()),
            Tone::Bad => (Some(Color::Red), Modifier::BOLD),
            Tone::Dim => (None, Modifier::DIM),
            Tone::Head => (None, Modifier::BOLD),
        };
        let style = Style::new().add_modifier(modifier);
        match colour {
            Some(colour) if self.colour => style.fg(colour),
            _ => style,
        }
    }

    /// One outcome of the strip.
    pub fn outcome(self, outcome: Outcome) -> (&'static str, Style) {
        let (glyph, ascii, tone) = match outcome {
            Outcome::Success => ("·", ".", Tone::Good),
            Outcome::Failure => ("✗", "x", Tone::Bad),
            Outcome::Timeout => ("T", "T", Tone::Bad),
            Outcome::Error => ("E", "E", Tone::Warn),
            Outcome::Aborted => ("A", "A", Tone::Dim),
        };
        (if self.utf8 { glyph } else { ascii }, self.style(tone))
    }

    /// How a row's name looks.
    pub fn health(self, health: Health) -> Style {
        self.style(match health {
            Health::Failing => Tone::Bad,
            Health::Recovering | Health::Tight => Tone::Warn,
            Health::Passing => Tone::Plain,
            Health::Gone => Tone::Dim,
        })
    }

    /// A bar of `cells`, filled to `percent`.
    pub fn bar(self, percent: u64, cells: usize) -> String {
        let filled = usize::try_from(percent.min(100)).unwrap_or(100) * cells;
        // Anything left is a cell; only 0 is an empty bar.
        let filled = filled.div_ceil(100);
        let (full, empty) = if self.utf8 { ("█", "░") } else { ("#", ".") };
        full.repeat(filled) + &empty.repeat(cells - filled)
    }

    /// How good a margin is.
    pub fn margin(self, percent: u64) -> Style {
        self.style(match percent {
            0..20 => Tone::Bad,
            20..50 => Tone::Warn,
            _ => Tone::Good,
        })
    }

    /// The text in what the terminal can show.
    pub fn text(self, text: &str) -> String {
        if self.utf8 {
            return text.to_owned();
        }
        let plain = |c: char| match c {
            '…' => "..".to_owned(),
            '─' => "-".to_owned(),
            '→' => ">".to_owned(),
            '·' => "-".to_owned(),
            c if c.is_ascii() => c.to_string(),
            _ => "?".to_owned(),
        };
        text.chars().map(plain).collect()
    }
}
