//! Rows as a table for people and as JSON lines.

use std::io::{self, Write};

use serde::Serialize;

use super::{Row, State};
use crate::{
    input::Clock,
    record::SCHEMA,
    sink::{self, escape::for_terminal},
};

const MAX_CELL: usize = 400;

/// One object a line, as the other lines have it.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    schema: u32,
    node: &'a str,
    at: &'a str,
    #[serde(flatten)]
    row: &'a Row,
}

/// Writes JSON lines.
pub fn json(rows: &[Row], node: &str, out: &mut dyn Write) -> io::Result<()> {
    let clock = Clock::read();
    let at = clock.rfc3339_of(clock.mono_ns);
    for row in rows {
        writeln!(out, "{}", sink::json_line(&Line { kind: "doctor", schema: SCHEMA, node, at: &at, row })?)?;
    }
    Ok(())
}

/// Writes the table: a line a row, with what is lost and what to do below where that is something.
pub fn table(rows: &[Row], colour: bool, out: &mut dyn Write) -> io::Result<()> {
    let width = rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
    let mut group = "";
    for row in rows {
        if row.group != group {
            let gap = if group.is_empty() { "" } else { "\n" };
            group = row.group;
            writeln!(out, "{gap}{}", group.to_uppercase())?;
        }
        let (word, code) = match row.state {
            State::Ok => ("ok", "32"),
            State::Degraded => ("degraded", "33"),
            State::Missing => ("missing", "31"),
            State::Unknown => ("unknown", "35"),
        };
        let word = format!("{word:<8}");
        let word = if colour { format!("\u{1b}[{code}m{word}\u{1b}[0m") } else { word };
        let rung = row.rung.as_ref().map(|rung| format!("[{rung}] ")).unwrap_or_default();
        let line = format!("  {word}  {:<width$}  {rung}{}", row.name, for_terminal(&row.found, MAX_CELL));
        writeln!(out, "{}", line.trim_end())?;
        for (what, text) in [("lost", &row.lost), ("do", &row.fix)] {
            if row.state != State::Ok && !text.is_empty() {
                writeln!(out, "{:12}{:<width$}  {what}: {}", "", "", for_terminal(text, MAX_CELL))?;
            }
        }
    }
    let count = |state: State| rows.iter().filter(|row| row.state == state).count();
    let counts = [State::Ok, State::Degraded, State::Missing, State::Unknown].map(count);
    let [fine, degraded, missing, unknown] = counts;
    writeln!(out, "\n{fine} ok, {degraded} degraded, {missing} missing, {unknown} unknown")
}
