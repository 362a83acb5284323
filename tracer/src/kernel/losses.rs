//! Counters of what was seen, used, left out and lost.

use tracer_ebpf::abi::stat;

use super::control::Control;
use crate::input::Losses;

/// The counters now. `undecodable`: records of the ring that this build did not understand.
pub(super) fn losses(control: &Control, at_ns: u64, undecodable: u64) -> Losses {
    let mut sums = [0u64; stat::COUNT as usize];
    if let Ok(cpus) = control.maps.cpus.get(&0, 0) {
        for cpu in cpus.iter() {
            sums.iter_mut().zip(cpu.0.stats).for_each(|(sum, value)| *sum += value);
        }
    }
    let of = |index: u32| sums.get(index as usize).copied().unwrap_or(0);
    Losses {
        at_ns,
        seen: of(stat::RELEVANT) + of(stat::FILTERED),
        used: of(stat::USED),
        filtered: of(stat::FILTERED),
        ring_full: of(stat::RING_FULL),
        map_full: of(stat::MAP_FULL),
        over_budget: of(stat::OVER_BUDGET),
        read_failed: of(stat::READ_FAILED) + undecodable,
        missed: control.recursion_misses(),
        late: 0,
        channel_full: 0,
    }
}
