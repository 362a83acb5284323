//! Below the rows: the newest failure (or that of the selected probe) and the tracer's health. Pure.

use ratatui_core::style::Style;

use crate::{
    record::HealthRecord,
    sink::{
        tally::{Key, Row, Trouble},
        text::{confidence_name, outcome_name},
        units,
    },
};

use super::{
    columns::{elide_end, wrap},
    look::{Look, Tone},
    view::View,
};

/// Lines of the detail area with their styles, at most `height`, none wider than `width`.
pub fn detail(view: &View, width: usize, height: usize) -> Vec<(String, Style)> {
    let key = view.selected.as_ref().or(view.tally.newest_trouble.as_ref());
    let Some((key, row)) = key.and_then(|key| Some((key, view.tally.row(key)?))) else { return Vec::new() };
    let mut lines = vec![(heading(key, row, width), view.look.style(Tone::Dim))];
    match &row.trouble {
        Some(trouble) => add_trouble(view.look, trouble, width, &mut lines),
        None => lines.push((passing(row), view.look.style(Tone::Plain))),
    }
    lines.truncate(height);
    lines
}

/// `── shop/web-1/app liveness http ── 3 of 48 failed, 1 restart ──────`
fn heading(key: &Key, row: &Row, width: usize) -> String {
    let restarts = match row.restarts {
        0 => String::new(),
        count => format!(", {count} container restarts"),
    };
    let probe = format!("{} {} {}", key.name(), key.kind, row.handler);
    let text = format!("── {} ── {} of {} failed{restarts} ", probe.trim_end(), row.failed, row.attempts);
    let text = elide_end(&text, width);
    let rest = width.saturating_sub(text.chars().count());
    text + &"─".repeat(rest)
}

fn passing(row: &Row) -> String {
    let time = |percent| units::duration(row.latencies.percentile(percent));
    format!("every attempt passed; p50 {}, p99 {} of {}", time(50), time(99), units::limit(row.timeout_ns))
}

/// The verdict, what was seen, what to do, what is missing: what matters most first, since the end may be cut.
fn add_trouble(look: Look, trouble: &Trouble, width: usize, lines: &mut Vec<(String, Style)>) {
    let mut add = |text: String, tone: Tone, most: usize| {
        lines.extend(wrap(&text, width).into_iter().take(most).map(|line| (line, look.style(tone))));
    };
    let (outcome, confidence) = (outcome_name(trouble.outcome), confidence_name(trouble.confidence));
    let error = if trouble.error.is_empty() { String::new() } else { format!(": {}", trouble.error) };
    add(format!("{} UTC {outcome}{error}", trouble.time), Tone::Plain, 1);
    add(format!("{} ({confidence}): {}", trouble.cause, trouble.summary), Tone::Bad, 3);
    trouble.evidence.iter().take(2).for_each(|seen| add(format!("· {seen}"), Tone::Plain, 2));
    trouble.advice.iter().for_each(|advice| add(format!("→ {advice}"), Tone::Good, 2));
    trouble.missing.iter().for_each(|missing| add(format!("missing: {missing}"), Tone::Warn, 2));
    trouble.evidence.iter().skip(2).for_each(|seen| add(format!("· {seen}"), Tone::Plain, 1));
}

/// The health line: parts in order of weight, as many as fit.
pub fn health(look: Look, health: Option<&HealthRecord>, beyond_bound: u64, width: usize) -> (String, Style) {
    let Some(health) = health else { return (elide_end("no health figures yet", width), look.style(Tone::Dim)) };
    let (events, attempts) = (health.events, health.attempts);
    let hit: Vec<_> = health.bounds.iter().filter(|(_, count)| **count > 0).collect();
    let is_whole = events.lost == 0 && events.missed == 0 && hit.is_empty() && beyond_bound == 0;
    let n = units::count;
    let mut parts = vec![format!("events lost {} missed {}", n(events.lost), n(events.missed))];
    if beyond_bound > 0 {
        parts.push(format!("{} attempts without a row", n(beyond_bound)));
    }
    parts.push(format!("seen {} used {} filtered {}", n(events.seen), n(events.used), n(events.filtered)));
    let unattributed = n(attempts.unattributed);
    parts.push(format!("attempts {} open {} closed {unattributed} unattributed", n(attempts.open), n(attempts.closed)));
    parts.push(format!("cpu {} rss {}MiB", units::duration(Some(health.cpu_ns)), health.rss_bytes >> 20));
    parts.extend(hit.iter().map(|(name, count)| format!("{name} {}", n(**count))));
    let line = parts.into_iter().reduce(|line, part| {
        let fits = line.chars().count() + 3 + part.chars().count() <= width;
        if fits { format!("{line} | {part}") } else { line }
    });
    let tone = if is_whole { Tone::Dim } else { Tone::Warn };
    (elide_end(&line.unwrap_or_default(), width), look.style(tone))
}
