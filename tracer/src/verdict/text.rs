//! Numbers in a sentence.

/// A duration for people: `0.12 ms`, `3.4 ms`, `1.05 s`.
pub fn duration(ns: u64) -> String {
    let ms = ns as f64 / 1e6;
    match ns {
        0..1_000_000 => format!("{ms:.2} ms"),
        1_000_000..100_000_000 => format!("{ms:.1} ms"),
        100_000_000..1_000_000_000 => format!("{ms:.0} ms"),
        1_000_000_000..10_000_000_000 => format!("{:.2} s", ms / 1e3),
        10_000_000_000..120_000_000_000 => format!("{:.0} s", ms / 1e3),
        120_000_000_000..7_200_000_000_000 => format!("{:.0} min", ms / 6e4),
        _ => format!("{:.0} h", ms / 3.6e6),
    }
}

/// `part` of `whole` in percent, 0 where there is no whole.
pub fn percent(part: u64, whole: u64) -> u64 {
    (u128::from(part) * 100).checked_div(u128::from(whole)).unwrap_or(0).try_into().unwrap_or(u64::MAX)
}

/// `1 byte`, `2 bytes`.
pub fn count(number: u64, one: &str) -> String {
    format!("{number} {one}{}", if number == 1 { "" } else { "s" })
}

/// `nginx (pid 71)`.
pub fn process(comm: &str, pid: u32) -> String {
    format!("{} (pid {pid})", if comm.is_empty() { "?" } else { comm })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_keep_about_three_digits() {
        assert_eq!(duration(120_000), "0.12 ms");
        assert_eq!(duration(3_440_000), "3.4 ms");
        assert_eq!(duration(503_000_000), "503 ms");
        assert_eq!(duration(1_050_000_000), "1.05 s");
        assert_eq!(duration(12_000_000_000), "12 s");
        assert_eq!(duration(3_600_000_000_000), "60 min");
        assert_eq!(duration(864_000_000_000_000), "240 h");
    }

    #[test]
    fn percent_of_nothing_is_zero() {
        assert_eq!(percent(1, 0), 0);
        assert_eq!(percent(u64::MAX, 1), u64::MAX);
        assert_eq!(percent(1, 4), 25);
        assert_eq!(count(1, "byte") + &count(2, "byte"), "1 byte2 bytes");
    }
}
