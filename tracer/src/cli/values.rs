//! Values of flags, each error with a form that would do.

use std::time::Duration;

use jiff::SignedDuration;

const RING_LIMITS: std::ops::RangeInclusive<u64> = (64 << 10)..=(1 << 30);

/// `90s`, `5m`, `1h30m`, `500ms`; a bare number is seconds.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no time: write `90s`, `5m` or `1h30m`");
    let parsed = match text.parse::<u32>() {
        Ok(seconds) => SignedDuration::from_secs(seconds.into()),
        Err(_) => text.parse::<SignedDuration>().map_err(|_| wrong())?,
    };
    Duration::try_from(parsed).ok().filter(|time| !time.is_zero()).ok_or_else(wrong)
}

/// A power of two in bytes, with `KiB`, `MiB`, `GiB` (or `K`, `M`, `G`) as units. The kernel wants it so:
/// kernel/bpf/ringbuf.c: ringbuf_map_alloc.
pub fn ring_bytes(text: &str) -> Result<u32, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kib" => 10,
        "m" | "mib" => 20,
        "g" | "gib" => 30,
        unit => return Err(format!("unit `{unit}` is unknown: use KiB, MiB or GiB")),
    };
    let number: u64 = digits.trim_end().parse().map_err(|_| format!("`{text}` is no size: write `4MiB`"))?;
    let bytes = number.saturating_mul(1 << shift);
    if !RING_LIMITS.contains(&bytes) || !bytes.is_power_of_two() {
        let near = bytes.clamp(*RING_LIMITS.start(), *RING_LIMITS.end()).next_power_of_two();
        return Err(format!("a ring buffer is a power of two from 64KiB to 1GiB: the next is {near}"));
    }
    u32::try_from(bytes).map_err(|error| error.to_string())
}

/// Checks the form of a `--prober` pattern; what it means is for attribution to say.
pub fn prober(text: &str) -> Result<String, String> {
    let is_good = match text.split_once(':') {
        Some(("pid", pid)) => pid.parse::<u32>().is_ok_and(|pid| (1..=1 << 22).contains(&pid)),
        Some(("cgroup", path)) => path.starts_with('/') && !path.split('/').any(|part| part == ".."),
        Some(_) => false,
        None => !text.is_empty() && text.len() <= 255 && !text.contains(['/', '\0']),
    };
    let forms = "write a process name (`kubelet`), `pid:1458` or `cgroup:/system.slice/kubelet.service`";
    if is_good { Ok(text.to_owned()) } else { Err(format!("no prober is `{text}`: {forms}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, seconds) in [("90s", 90.0), ("5m", 300.0), ("1h30m", 5400.0), ("500ms", 0.5), ("10", 10.0)] {
            assert_eq!(duration(text).unwrap(), Duration::from_secs_f64(seconds), "{text}");
        }
        for text in ["", "0", "0s", "-5s", "5 parsecs", "99999999999999999999h"] {
            assert!(duration(text).unwrap_err().contains("1h30m"), "{text}");
        }
    }

    #[test]
    fn ring_sizes() {
        assert_eq!((ring_bytes("4MiB"), ring_bytes("65536"), ring_bytes("1g")), (Ok(4 << 20), Ok(65536), Ok(1 << 30)));
        assert!(ring_bytes("5MiB").unwrap_err().contains("8388608"));
        for text in ["", "4", "2GiB", "MiB", "4XB", "99999999999999999999", "18446744073709551615K", "-1", "4é"] {
            assert!(ring_bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn probers() {
        for text in ["kubelet", "pid:1458", "cgroup:/system.slice/x.service", "cgroup:/"] {
            assert_eq!(prober(text).as_deref(), Ok(text));
        }
        for text in ["", "pid:", "pid:0", "pid:x", "cgroup:relative", "cgroup:/a/../b", "tid:4", "/usr/bin/kubelet"] {
            assert!(prober(text).unwrap_err().contains("pid:1458"), "{text}");
        }
    }
}
