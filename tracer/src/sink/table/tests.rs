use ratatui_core::{
    backend::{Backend, TestBackend},
    buffer::Buffer,
    layout::Rect,
    style::{Color, Modifier},
    terminal::Terminal,
};
use ratatui_crossterm::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::*;
use crate::{
    record::Outcome,
    sink::samples::{self, attempt},
};

const PLAIN: Look = Look { colour: false, utf8: true };

fn view(look: Look) -> View {
    use Outcome::{Aborted, Error, Failure, Success, Timeout};
    let mut view = View::new(look);
    view.tally.add(&attempt("kube-system", "calico-node-dbjr4", Success));
    for outcome in [Aborted, Success, Failure, Error, Success, Timeout, Timeout] {
        view.tally.add(&attempt("shop", "web-7d4b9c6f5-x2x9k", outcome));
    }
    view.tally.add(&samples::health());
    view
}

fn press(view: &mut View, code: KeyCode) -> Flow {
    view.press(KeyEvent::new(code, KeyModifiers::NONE))
}

/// The picture as lines without trailing space.
fn picture(view: &View, width: u16, height: u16) -> Vec<String> {
    let mut screen = Terminal::new(TestBackend::new(width, height)).unwrap();
    screen.draw(|frame| layout::render(view, frame.buffer_mut())).unwrap();
    lines_of(screen.backend().buffer())
}

fn lines_of(buffer: &Buffer) -> Vec<String> {
    let width = usize::from(buffer.area.width).max(1);
    let line = |cells: &[ratatui_core::buffer::Cell]| cells.iter().map(|cell| cell.symbol()).collect::<String>();
    buffer.content().chunks(width).map(|cells| line(cells).trim_end().to_owned()).collect()
}

#[test]
fn a_wide_terminal_shows_all() {
    let lines = picture(&view(PLAIN), 130, 16);
    let expected = [
        "probetrace n1: 2 probes, 1 failing                                                                           q quit, arrows select",
        "POD                            PROBE          LAST                    P50    P99 TO SPARE   LAST CAUSE",
        "shop/web-7d4b9c6f5-x2x9k/app   liveness http  A·✗E·TT               2.0ms  1.00s ░░░░░   0% 2/3 accept_queue_full (likely)",
        "calico-node-dbjr4/app          liveness http  ·                     2.0ms  2.0ms █████  99%",
    ];
    assert_eq!(lines[..4], expected, "{}", lines.join("\n"));
    let below = lines[4..].join("\n");
    for part in [
        "── shop/web-7d4b9c6f5-x2x9k/app liveness http ── 3 of 7 failed ──",
        "12:30:45 UTC timeout: context deadline exceeded",
        "accept_queue_full (likely): The listener's accept queue is full",
        "· accept queue: 129 of 128 (sock_diag)",
        "→ Accept faster or raise the backlog",
        "events lost 3 missed 1 | seen 1.0k used 40 filtered 957 | attempts 2 open 38 closed 1 unattributed",
    ] {
        assert!(below.contains(part), "{part}\n{below}");
    }
}

#[test]
fn forty_columns_keep_who_and_why() {
    let lines = picture(&view(PLAIN), 40, 8);
    let text = lines.join("\n");
    assert!(lines[2].starts_with("web-7d") && lines[2].contains('…'), "{text}");
    assert!(lines[2].contains(" L ") && lines[2].contains("·✗E·TT") && lines[2].contains("2/3 accept_que…"), "{text}");
    assert!(lines[7].starts_with("events lost 3 missed 1"), "{text}");
}

#[test]
fn no_size_panics_or_writes_outside() {
    let mut view = view(PLAIN);
    for selected in [false, true] {
        if selected {
            press(&mut view, KeyCode::End);
        }
        for (width, height) in (0..60).flat_map(|width| (0..24).map(move |height| (width, height))) {
            let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
            layout::render(&view, &mut buffer);
        }
    }
    let tiny = picture(&view, 20, 1);
    assert!(tiny[0].starts_with("calico-n…") || tiny[0].contains('…'), "{tiny:?}");
}

#[test]
fn a_resize_is_followed() {
    let view = view(PLAIN);
    let mut screen = Terminal::new(TestBackend::new(130, 16)).unwrap();
    screen.draw(|frame| layout::render(&view, frame.buffer_mut())).unwrap();
    screen.backend_mut().resize(40, 8);
    screen.draw(|frame| layout::render(&view, frame.buffer_mut())).unwrap();
    assert_eq!(screen.backend().size().unwrap().width, 40);
    assert_eq!(lines_of(screen.backend().buffer()), picture(&view, 40, 8));
}

#[test]
fn colours_only_where_wanted_and_ascii_where_needed() {
    let coloured = |look| {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 130, 16));
        layout::render(&view(look), &mut buffer);
        buffer.content().iter().any(|cell| cell.fg != Color::Reset || cell.bg != Color::Reset)
    };
    assert!(coloured(Look { colour: true, utf8: true }));
    assert!(!coloured(PLAIN));
    let ascii = picture(&view(Look { colour: false, utf8: false }), 130, 16).join("\n");
    assert!(ascii.is_ascii() && ascii.contains("A.xE.TT") && ascii.contains("#####  99%"), "{ascii}");
}

#[test]
fn the_selection_follows_its_probe_and_scrolls() {
    let mut view = View::new(PLAIN);
    (0..50).for_each(|n| view.tally.add(&attempt("n", &format!("pod-{n:02}"), Outcome::Success)));
    assert!(picture(&view, 80, 12)[0].contains("1-9 of 50"));
    press(&mut view, KeyCode::Down);
    press(&mut view, KeyCode::Down);
    let selected = view.selected.clone().unwrap();
    assert_eq!(selected.pod, "pod-01");
    view.tally.add(&attempt("n", "pod-40", Outcome::Failure));
    assert_eq!(view.selected, Some(selected), "pod-40 moved above it");
    press(&mut view, KeyCode::End);
    let lines = picture(&view, 80, 12);
    assert!(lines[0].contains("42-50 of 50") && lines[10].starts_with("n/pod-49"), "{lines:?}");
    let mut buffer = Buffer::empty(Rect::new(0, 0, 80, 12));
    layout::render(&view, &mut buffer);
    assert!(buffer[(0, 10)].modifier.contains(Modifier::REVERSED));
    press(&mut view, KeyCode::Esc);
    assert_eq!(view.selected, None);
}

#[test]
fn keys_that_end_it() {
    let mut view = view(PLAIN);
    assert_eq!(press(&mut view, KeyCode::Char('q')), Flow::Quit);
    assert_eq!(view.press(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)), Flow::Quit);
    assert_eq!(press(&mut view, KeyCode::Char('c')), Flow::Continue);
}

#[test]
fn the_selected_probe_is_told_also_when_it_passes() {
    let mut view = view(PLAIN);
    press(&mut view, KeyCode::End);
    let text = picture(&view, 100, 20).join("\n");
    assert!(text.contains("every attempt passed; p50 2.0ms, p99 2.0ms of 1s"), "{text}");
}

#[test]
fn hostile_text_stays_text() {
    let mut record = samples::attempt_record("shop", "web-\u{1b}[2J\u{202e}", Outcome::Failure);
    record.verdict.summary = "a\u{1b}]0;owned\u{7}b\nc".into();
    let mut view = View::new(PLAIN);
    view.tally.add(&Record::Attempt(Box::new(record)));
    let text = picture(&view, 130, 20).join("");
    assert!(!text.chars().any(crate::sink::escape::is_hostile) && text.contains(r"\u{1b}]0;owned"), "{text}");
}
