//! Quantiles in bounded memory.

use std::collections::BTreeMap;

/// Steps per doubling: a value is known within 1/64 of itself.
const STEPS_LOG2: u32 = 5;

/// A histogram of logarithmic steps, of which only those in use take memory (at most 1 920, a few dozen in practice).
#[derive(Clone, Debug, Default)]
pub struct Latencies {
    steps: BTreeMap<u16, u64>,
    total: u64,
    min: u64,
    max: u64,
}

impl Latencies {
    /// One more value, ns.
    pub fn add(&mut self, ns: u64) {
        self.min = if self.total == 0 { ns } else { self.min.min(ns) };
        self.max = self.max.max(ns);
        self.total += 1;
        *self.steps.entry(step_of(ns)).or_default() += 1;
    }

    /// The least value that a share `percent` of all does not exceed (nearest rank); `None`: no values.
    pub fn percentile(&self, percent: u64) -> Option<u64> {
        if self.total == 0 {
            return None;
        }
        let rank = (self.total.saturating_mul(percent)).div_ceil(100).max(1);
        if rank >= self.total {
            return Some(self.max);
        }
        let mut below = 0;
        let step = self.steps.iter().find(|(_, count)| {
            below += **count;
            below >= rank
        });
        step.map(|(step, _)| middle_of(*step).clamp(self.min, self.max))
    }
}

/// Values below 2^STEPS have a step each; above, the leading bit and the next STEPS bits choose it.
fn step_of(ns: u64) -> u16 {
    let exponent = 63_u32.saturating_sub(ns.leading_zeros());
    let step = if exponent < STEPS_LOG2 {
        ns
    } else {
        let shift = exponent - STEPS_LOG2;
        let within = (ns >> shift) & ((1 << STEPS_LOG2) - 1);
        (u64::from(shift + 1) << STEPS_LOG2) + within
    };
    u16::try_from(step).unwrap_or(u16::MAX)
}

fn middle_of(step: u16) -> u64 {
    let step = u64::from(step);
    let block = step >> STEPS_LOG2;
    if block == 0 {
        return step;
    }
    let shift = block - 1;
    let low = ((1 << STEPS_LOG2) + (step & ((1 << STEPS_LOG2) - 1))) << shift;
    low + ((1 << shift) >> 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn quantiles_are_within_a_step_of_the_exact_ones(
            mut values in proptest::collection::vec(0..100_000_000_000_u64, 1..200), percent in 1..=100_u64
        ) {
            let mut latencies = Latencies::default();
            values.iter().for_each(|value| latencies.add(*value));
            values.sort_unstable();
            let rank = (values.len() * percent as usize).div_ceil(100).max(1);
            let (exact, found) = (values[rank - 1], latencies.percentile(percent).unwrap());
            prop_assert!(exact.abs_diff(found) <= exact / 32 + 1, "{exact} {found}");
        }

        #[test]
        fn every_value_has_a_step(value in any::<u64>()) {
            let found = middle_of(step_of(value));
            prop_assert!(value.abs_diff(found) <= value / 32);
        }
    }

    #[test]
    fn the_ends_are_exact_and_nothing_is_none() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.percentile(50), None);
        latencies.add(1_000_213_456);
        assert_eq!((latencies.percentile(1), latencies.percentile(99)), (Some(1_000_213_456), Some(1_000_213_456)));
    }
}
