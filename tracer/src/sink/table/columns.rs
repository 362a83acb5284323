//! Which columns fit, and how long texts are cut. Pure.

/// A column of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// namespace/pod/container.
    Name,
    /// `liveness http`.
    Probe,
    /// `live http`.
    ShortProbe,
    /// `L`.
    Initial,
    /// Last outcomes.
    Strip,
    P50,
    P99,
    /// Bar and percent.
    MarginBar,
    /// Percent.
    Margin,
    /// Failures in row, last cause, confidence.
    Cause,
}

impl Column {
    /// Its heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::Name => "POD",
            Self::Probe | Self::ShortProbe => "PROBE",
            Self::Initial => "",
            Self::Strip => "LAST",
            Self::P50 => "   P50",
            Self::P99 => "   P99",
            Self::MarginBar => "TO SPARE",
            Self::Margin => "LEFT",
            Self::Cause => "LAST CAUSE",
        }
    }
}

/// Columns with their widths, for a terminal so wide; one column of space stands between two.
pub fn columns(width: u16) -> Vec<(Column, u16)> {
    use Column::{Cause, Initial, Margin, MarginBar, Name, P50, P99, Probe, ShortProbe, Strip};
    // Of the flexible columns the number is their share of what is left.
    let (fixed, shares): (&[(Column, u16)], [u16; 2]) = match width {
        110.. => (&[(Name, 0), (Probe, 14), (Strip, 20), (P50, 6), (P99, 6), (MarginBar, 10), (Cause, 0)], [45, 55]),
        80..110 => (&[(Name, 0), (ShortProbe, 10), (Strip, 12), (P99, 6), (Margin, 4), (Cause, 0)], [45, 55]),
        60..80 => (&[(Name, 0), (ShortProbe, 10), (Strip, 8), (P99, 6), (Cause, 0)], [50, 50]),
        36..60 => (&[(Name, 0), (Initial, 1), (Strip, 6), (Cause, 0)], [50, 50]),
        12..36 => (&[(Name, 0), (Initial, 1), (Strip, 4)], [100, 0]),
        _ => (&[(Name, 0)], [100, 0]),
    };
    let gaps = u16::try_from(fixed.len()).unwrap_or(0).saturating_sub(1);
    let taken: u16 = fixed.iter().map(|(_, width)| width).sum();
    let left = width.saturating_sub(taken + gaps);
    let name = u16::try_from(u32::from(left) * u32::from(shares[0]) / 100).unwrap_or(0);
    let width_of = |column, width| match column {
        Name => name,
        Cause => left - name,
        _ => width,
    };
    fixed.iter().map(|(column, width)| (*column, width_of(*column, *width))).collect()
}

/// A probe's name in so many characters: whole, without its namespace, or cut in the middle, since both ends of a
/// pod's name tell it apart.
pub fn elide_name(name: &str, width: usize) -> String {
    if name.chars().count() <= width {
        return name.to_owned();
    }
    match name.split_once('/') {
        Some((_, rest)) if rest.contains('/') => elide_middle(rest, width),
        _ => elide_middle(name, width),
    }
}

/// Cut in the middle.
fn elide_middle(text: &str, width: usize) -> String {
    let length = text.chars().count();
    if length <= width {
        return text.to_owned();
    }
    let kept = width.saturating_sub(1);
    let (head, tail) = (kept / 2, kept - kept / 2);
    let middle = if width == 0 { "" } else { "…" };
    text.chars().take(head).chain(middle.chars()).chain(text.chars().skip(length - tail)).collect()
}

/// Cut at the end.
pub fn elide_end(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let dots = if width == 0 { "" } else { "…" };
    text.chars().take(width.saturating_sub(1)).chain(dots.chars()).collect()
}

/// Lines of at most `width` characters, broken at spaces where there are any.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    let mut length = 0;
    for word in text.split_whitespace() {
        let mut word: Vec<char> = word.chars().collect();
        if length > 0 && length + 1 + word.len() <= width {
            line.push(' ');
            length += 1;
        } else if length > 0 {
            lines.push(std::mem::take(&mut line));
            length = 0;
        }
        while word.len() > width.max(1) {
            lines.push(word.drain(..width.max(1)).collect());
        }
        length += word.len();
        line.extend(word);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn columns_fill_every_width_exactly() {
        for width in 0..400 {
            let columns = columns(width);
            let sum: u16 = columns.iter().map(|(_, width)| width).sum();
            assert_eq!(sum + u16::try_from(columns.len()).unwrap() - 1, width, "{columns:?}");
        }
    }

    #[test]
    fn names_lose_what_tells_least() {
        let name = "kube-system/calico-node-dbjr4/calico-node";
        assert_eq!(elide_name(name, 41), name);
        assert_eq!(elide_name(name, 40), "calico-node-dbjr4/calico-node");
        assert_eq!(elide_name(name, 20), "calico-no…alico-node");
        assert_eq!((elide_name(name, 1).as_str(), elide_name(name, 0).as_str()), ("…", ""));
    }

    proptest! {
        #[test]
        fn cuts_keep_their_width(text in "\\PC{0,40}", width in 0..50_usize) {
            prop_assert!(elide_name(&text, width).chars().count() <= width);
            prop_assert!(elide_end(&text, width).chars().count() <= width);
            let lines = wrap(&text, width.max(1));
            prop_assert!(lines.iter().all(|line| line.chars().count() <= width.max(1)));
            let letters = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            prop_assert_eq!(letters(&lines.concat()), letters(&text));
        }
    }
}
