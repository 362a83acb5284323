//! Text that came from a pod is data: nothing in it may move a cursor, change a title or reorder a line.

use std::fmt::Write as _;

/// Characters that act on a terminal or hide what stands there: controls (C0, DEL, C1), the line and paragraph
/// separators, bidirectional controls (Unicode UAX #9), zero-width and other format characters, tags.
pub fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The text for a terminal, at most `limit` characters: hostile characters as `\u{1b}`, cut with `…`.
pub fn for_terminal(text: &str, limit: usize) -> String {
    let mut out = String::with_capacity(text.len().min(limit));
    for (count, c) in text.chars().enumerate() {
        if count >= limit {
            out.push('…');
            break;
        }
        if is_hostile(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

/// Replaces hostile characters in serialised JSON by `\uXXXX`: the same JSON (they stand only within strings), but a
/// line that is safe to print. What JSON must escape, serde_json has escaped before.
pub fn json(line: String) -> String {
    if !line.chars().any(is_hostile) {
        return line;
    }
    let mut out = String::with_capacity(line.len() + 32);
    let mut units = [0; 2];
    for c in line.chars() {
        if is_hostile(c) {
            for unit in c.encode_utf16(&mut units) {
                // Writing to a String does not fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_terminal_sees_no_control() {
        let text = "a\x1b[2J\u{9b}31mb\u{202e}c\u{7f}é漢";
        assert_eq!(for_terminal(text, 100), r"a\u{1b}[2J\u{9b}31mb\u{202e}c\u{7f}é漢");
        assert_eq!(for_terminal("abcdef", 3), "abc…");
    }

    proptest! {
        #[test]
        fn json_stays_the_same_value_and_becomes_safe(text in any::<String>()) {
            let line = json(serde_json::to_string(&text).unwrap());
            prop_assert!(!line.chars().any(is_hostile));
            prop_assert_eq!(serde_json::from_str::<String>(&line).unwrap(), text);
        }
    }

    #[test]
    fn characters_past_the_first_plane_become_pairs() {
        let text = "x\u{e0041}\u{2028}";
        let line = json(serde_json::to_string(text).unwrap());
        assert_eq!(line, "\"x\\udb40\\udc41\\u2028\"");
        assert_eq!(serde_json::from_str::<String>(&line).unwrap(), text);
    }
}
