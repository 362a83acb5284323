//! The whole picture: view in, buffer out. Pure, and for any size.

use ratatui_core::{buffer::Buffer, layout::Rect, style::Style};

use crate::sink::tally::{Health, Key, Row};

use super::{
    columns::{columns, elide_end},
    detail,
    look::Tone,
    rows,
    view::View,
};

/// Where things are.
struct Areas {
    title: Option<u16>,
    head: Option<u16>,
    body: Rect,
    detail: Rect,
    health: Option<u16>,
}

/// A small window keeps the rows and loses, in this order: detail, column heads, health, title.
fn areas(area: Rect) -> Areas {
    let height = area.height;
    let has_title = height >= 2;
    let has_health = height >= 4;
    let has_head = height >= 6;
    let detail = if height >= 14 { (height / 3).clamp(5, 12) } else { 0 };
    let top = u16::from(has_title) + u16::from(has_head);
    let body = height.saturating_sub(top + detail + u16::from(has_health));
    Areas {
        title: has_title.then_some(area.y),
        head: has_head.then_some(area.y + 1),
        body: Rect::new(area.x, area.y + top, area.width, body),
        detail: Rect::new(area.x, area.y + top + body, area.width, detail),
        health: has_health.then(|| area.bottom() - 1),
    }
}

/// Draws everything.
pub fn render(view: &View, buffer: &mut Buffer) {
    let area = buffer.area;
    if area.is_empty() {
        return;
    }
    let areas = areas(area);
    let rows = view.tally.sick_first();
    let selected = rows.iter().position(|(key, _)| Some(*key) == view.selected.as_ref());
    let height = usize::from(areas.body.height);
    let first = rows::first_shown(rows.len(), height, selected);
    let shown = &rows[first..rows.len().min(first + height)];
    if let Some(y) = areas.title {
        draw_title(view, &rows, (first, shown.len()), y, buffer);
    }
    let columns = columns(area.width);
    if let Some(y) = areas.head {
        let mut x = area.x;
        for (column, width) in &columns {
            line(view, buffer, Rect::new(x, y, *width, 1), column.title(), view.look.style(Tone::Dim));
            x = x.saturating_add(width + 1);
        }
    }
    if rows.is_empty() {
        let text = "waiting for the first attempt of a probe";
        line(view, buffer, areas.body, text, view.look.style(Tone::Dim));
    }
    rows::draw(view, shown, &columns, areas.body, buffer);
    let width = usize::from(area.width);
    let details = detail::detail(view, width, usize::from(areas.detail.height));
    for ((text, style), y) in details.iter().zip(areas.detail.y..) {
        line(view, buffer, Rect::new(area.x, y, area.width, 1), text, *style);
    }
    if let Some(y) = areas.health {
        let tally = &view.tally;
        let (text, style) = detail::health(view.look, tally.health.as_ref(), tally.beyond_bound, width);
        line(view, buffer, Rect::new(area.x, y, area.width, 1), &text, style);
    }
}

/// `probetrace n1: 12 probes, 2 failing, 1 tight        1-20 of 300  q quit`
fn draw_title(view: &View, rows: &[(&Key, &Row)], (first, shown): (usize, usize), y: u16, buffer: &mut Buffer) {
    let area = buffer.area;
    let count = |health| rows.iter().filter(|(_, row)| view.tally.health_of(row) == health).count();
    let mut title = format!("probetrace {}: {} probes", view.tally.node, rows.len());
    for (health, name) in [(Health::Failing, "failing"), (Health::Recovering, "recovering"), (Health::Tight, "tight")] {
        match count(health) {
            0 => {}
            n => title += &format!(", {n} {name}"),
        }
    }
    let place =
        if shown < rows.len() { format!("{}-{} of {}  ", first + 1, first + shown, rows.len()) } else { String::new() };
    let help = format!("{place}q quit, arrows select");
    let width = usize::from(area.width);
    let free = width.saturating_sub(title.chars().count() + 2);
    let tone = if count(Health::Failing) > 0 { Tone::Bad } else { Tone::Head };
    line(view, buffer, Rect::new(area.x, y, area.width, 1), &title, view.look.style(tone));
    if let Some(start) = (help.len() <= free).then(|| width - help.len()).and_then(|start| u16::try_from(start).ok()) {
        let cell = Rect::new(area.x + start, y, area.width - start, 1);
        line(view, buffer, cell, &help, view.look.style(Tone::Dim));
    }
}

/// One text in one line, cut to its place.
fn line(view: &View, buffer: &mut Buffer, place: Rect, text: &str, style: Style) {
    let place = place.intersection(buffer.area);
    if place.is_empty() {
        return;
    }
    let width = usize::from(place.width);
    buffer.set_stringn(place.x, place.y, view.look.text(&elide_end(text, width)), width, style);
}
