//! The rows of the table. Pure.

use ratatui_core::{buffer::Buffer, layout::Rect, style::Modifier};

use crate::sink::{
    tally::{Health, Key, Row},
    text::confidence_name,
    units,
};

use super::{
    columns::{Column, elide_end, elide_name},
    look::{Look, Tone},
    view::View,
};

/// Index of the first row that is shown, such that the selected one is among them.
pub fn first_shown(rows: usize, height: usize, selected: Option<usize>) -> usize {
    let middle = selected.unwrap_or(0).saturating_sub(height / 2);
    middle.min(rows.saturating_sub(height))
}

/// Draws the rows from `first` into `area`.
pub fn draw(view: &View, rows: &[(&Key, &Row)], columns: &[(Column, u16)], area: Rect, buffer: &mut Buffer) {
    for ((key, row), y) in rows.iter().zip(area.y..area.bottom()) {
        let mut x = area.x;
        for (column, width) in columns {
            draw_cell(view, (key, row), *column, Rect::new(x, y, *width, 1), buffer);
            x = x.saturating_add(width + 1);
        }
        if view.selected.as_ref() == Some(*key) {
            buffer.set_style(Rect::new(area.x, y, area.width, 1), Modifier::REVERSED);
        }
    }
}

fn draw_cell(view: &View, (key, row): (&Key, &Row), column: Column, cell: Rect, buffer: &mut Buffer) {
    let look = view.look;
    let width = usize::from(cell.width);
    let health = view.tally.health_of(row);
    let plain = look.style(Tone::Plain);
    let percentile = |percent| format!("{:>width$}", units::duration(row.latencies.percentile(percent)));
    let (text, style) = match column {
        Column::Strip => return draw_strip(look, row, cell, buffer),
        Column::Name => (elide_name(&key.name(), width), look.health(health)),
        Column::Probe => (format!("{} {}", key.kind, row.handler), plain),
        Column::ShortProbe => (format!("{} {}", short_kind(&key.kind), row.handler), plain),
        Column::Initial => (key.kind.chars().next().unwrap_or(' ').to_uppercase().to_string(), plain),
        Column::P50 => (percentile(50), plain),
        Column::P99 => (percentile(99), plain),
        Column::MarginBar | Column::Margin => match row.margin_percent() {
            Some(percent) if column == Column::Margin => (format!("{percent:>3}%"), look.margin(percent)),
            Some(percent) => (format!("{} {percent:>3}%", look.bar(percent, 5)), look.margin(percent)),
            None => ("-".to_owned(), look.style(Tone::Dim)),
        },
        Column::Cause => cause(look, health, row),
    };
    let text = look.text(&elide_end(text.trim_end(), width));
    buffer.set_stringn(cell.x, cell.y, text, width, style);
}

/// Newest outcome at the right.
fn draw_strip(look: Look, row: &Row, cell: Rect, buffer: &mut Buffer) {
    let newest = row.strip.iter().skip(row.strip.len().saturating_sub(usize::from(cell.width)));
    for (x, outcome) in (cell.x..cell.right()).zip(newest) {
        let (glyph, style) = look.outcome(*outcome);
        buffer.set_stringn(x, cell.y, glyph, 1, style);
    }
}

/// `2/3 accept_queue_full (likely)`: 2 failures in row, the kubelet acts at 3.
fn cause(look: Look, health: Health, row: &Row) -> (String, ratatui_core::style::Style) {
    let tone = match health {
        Health::Failing => Tone::Bad,
        Health::Gone => return ("no attempts any more".to_owned(), look.style(Tone::Dim)),
        Health::Recovering | Health::Tight | Health::Passing => Tone::Dim,
    };
    let Some(trouble) = &row.trouble else { return (String::new(), look.style(tone)) };
    let count = match row.failed_in_row {
        0 => String::new(),
        failed => format!("{failed}/{} ", row.failure_threshold),
    };
    (format!("{count}{} ({})", trouble.cause, confidence_name(trouble.confidence)), look.style(tone))
}

fn short_kind(kind: &str) -> &str {
    match kind {
        "liveness" => "live",
        "readiness" => "ready",
        "startup" => "start",
        other => other,
    }
}
