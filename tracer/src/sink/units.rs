//! Durations and counts for people.

/// A duration in at most 6 columns: `830us`, `1.2ms`, `250ms`, `1.00s`, `75s`, `400m`, `-` for none.
pub fn duration(ns: Option<u64>) -> String {
    let Some(ns) = ns else { return "-".to_owned() };
    // Rounded before the unit is chosen, so that 999.96 ms is not "1000ms".
    match ns {
        0..1_000 => format!("{ns}ns"),
        1_000..999_500 => format!("{}us", (ns + 500) / 1_000),
        999_500..9_950_000 => format!("{:.1}ms", ns as f64 / 1e6),
        9_950_000..999_500_000 => format!("{}ms", (ns + 500_000) / 1_000_000),
        999_500_000..9_995_000_000 => format!("{:.2}s", ns as f64 / 1e9),
        9_995_000_000..999_500_000_000 => format!("{}s", (ns + 500_000_000) / 1_000_000_000),
        _ => format!("{}m", ns / 60_000_000_000),
    }
}

/// A configured time such as `1s` or `1500ms`: whole seconds without decimals.
pub fn limit(ns: u64) -> String {
    if ns.is_multiple_of(1_000_000_000) { format!("{}s", ns / 1_000_000_000) } else { duration(Some(ns)) }
}

/// A count in at most 5 columns: `999`, `12.3k`, `4.5M`.
pub fn count(n: u64) -> String {
    match n {
        0..1_000 => n.to_string(),
        1_000..99_950 => format!("{:.1}k", n as f64 / 1e3),
        99_950..999_500 => format!("{:.0}k", n as f64 / 1e3),
        999_500..99_950_000 => format!("{:.1}M", n as f64 / 1e6),
        99_950_000..999_500_000 => format!("{:.0}M", n as f64 / 1e6),
        _ => format!("{:.1}G", n as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_fit_their_column_and_round_into_the_next_unit() {
        let cases = [
            (0, "0ns"),
            (999, "999ns"),
            (1_000, "1us"),
            (999_499, "999us"),
            (999_500, "1.0ms"),
            (9_949_999, "9.9ms"),
            (9_950_000, "10ms"),
            (999_499_999, "999ms"),
            (999_500_000, "1.00s"),
            (1_000_213_456, "1.00s"),
            (9_995_000_000, "10s"),
            (75_000_000_000, "75s"),
            (24_000_000_000_000, "400m"),
        ];
        for (ns, expected) in cases {
            assert_eq!(duration(Some(ns)), expected);
        }
        assert_eq!(duration(None), "-");
        assert_eq!((limit(1_000_000_000), limit(1_500_000_000)), ("1s".to_owned(), "1.50s".to_owned()));
    }

    #[test]
    fn counts_fit_five_columns() {
        for n in [0, 999, 1_000, 99_949, 99_950, 999_499, 999_500, 12_345_678, 999_499_999, 5_000_000_000] {
            assert!(count(n).len() <= 5, "{n}: {}", count(n));
        }
        assert_eq!((count(12_345).as_str(), count(4_500_000).as_str()), ("12.3k", "4.5M"));
    }
}
