//! The clocks, read together, and the only conversion between them and text (see [`crate::input::Clock`]).

use jiff::Timestamp;
use rustix::time::{ClockId, clock_gettime};

use crate::input::Clock;

/// How often the three clocks are read to find readings that lie close together.
const READINGS: usize = 5;

impl Clock {
    /// Reads the three clocks. Monotonic is read before and after the others and its middle is taken; of a few
    /// readings the closest one counts, so that being preempted between two of them does no harm.
    pub fn read() -> Self {
        let mut best = Self::default();
        let mut best_gap = u64::MAX;
        for _ in 0..READINGS {
            let before = nanoseconds(ClockId::Monotonic);
            let boot = nanoseconds(ClockId::Boottime);
            let wall = nanoseconds(ClockId::Realtime);
            let gap = u64::try_from(nanoseconds(ClockId::Monotonic) - before).unwrap_or(0);
            if gap < best_gap {
                let mono_ns = u64::try_from(before).unwrap_or(0) + gap / 2;
                best = Self { mono_ns, boot_ns: u64::try_from(boot).unwrap_or(0), wall_ns: wall };
                best_gap = gap;
            }
        }
        best
    }

    /// Wall clock (ns since 1970) of an instant of CLOCK_MONOTONIC, by this reading: no later step of the wall clock
    /// is in it.
    pub fn wall_of(&self, mono_ns: u64) -> i64 {
        let distance = i128::from(mono_ns) - i128::from(self.mono_ns);
        let wall = i128::from(self.wall_ns) + distance;
        i64::try_from(wall).unwrap_or(if wall < 0 { i64::MIN } else { i64::MAX })
    }

    /// [`Self::wall_of`] as the records show it.
    pub fn rfc3339_of(&self, mono_ns: u64) -> String {
        rfc3339(self.wall_of(mono_ns))
    }
}

/// CLOCK_MONOTONIC now, ns: what `bpf_ktime_get_ns` reads in the kernel.
pub fn mono_now_ns() -> u64 {
    u64::try_from(nanoseconds(ClockId::Monotonic)).unwrap_or(0)
}

/// RFC 3339 in UTC with six digits of a second, so that lines sort by it as text.
pub fn rfc3339(wall_ns: i64) -> String {
    let time = Timestamp::from_nanosecond(i128::from(wall_ns)).unwrap_or(Timestamp::UNIX_EPOCH);
    format!("{time:.6}")
}

/// One clock in ns. An i64 holds 292 years.
pub(crate) fn nanoseconds(clock: ClockId) -> i64 {
    let time = clock_gettime(clock);
    time.tv_sec.saturating_mul(1_000_000_000).saturating_add(time.tv_nsec)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn converts_both_ways_in_time_and_never_overflows() {
        let clock = Clock { mono_ns: 5_000_000_000, boot_ns: 0, wall_ns: 1_700_000_000_000_000_000 };
        assert_eq!(clock.rfc3339_of(5_000_000_000), "2023-11-14T22:13:20.000000Z");
        assert_eq!(clock.rfc3339_of(6_250_000_000), "2023-11-14T22:13:21.250000Z");
        assert_eq!(clock.rfc3339_of(4_000_000_000), "2023-11-14T22:13:19.000000Z", "before the reading");
        assert_eq!(clock.wall_of(u64::MAX), i64::MAX);
    }

    #[test]
    fn a_reading_agrees_with_the_system() {
        let before = mono_now_ns();
        let clock = Clock::read();
        let after = mono_now_ns();
        assert!((before..=after).contains(&clock.mono_ns));
        assert!(clock.boot_ns >= before, "boot time contains suspend, so it is never behind");
        let system = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
        assert!(system.abs_diff(u128::try_from(clock.wall_ns).unwrap()) < 1_000_000_000);
    }
}
