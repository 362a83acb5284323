//! An event budget for each source: a flooding pod loses only its own events.

use aya_ebpf::helpers::bpf_ktime_get_ns;

use tracer_ebpf::abi::{Source, Spent, source_class};

use crate::{config::setting, log, machine, maps::BUDGETS};

const SECOND_NS: u64 = 1_000_000_000;

/// The tree of processes with this root.
#[inline(always)]
pub fn tree(root_kpid: u32) -> Source {
    let mut address = [0; 16];
    let [a, b, c, d] = root_kpid.to_ne_bytes();
    (address[0], address[1], address[2], address[3]) = (a, b, c, d);
    Source { address, port: 0, class: source_class::PROCESSES }
}

/// Takes `cost` events from the source's budget of this second; false: it is used up, and that is counted.
#[inline(always)]
pub fn take(source: &Source, cost: u64) -> bool {
    let limit = u64::from(setting!(budget_per_s));
    if limit == 0 {
        return true;
    }
    // SAFETY: no preconditions.
    let second = unsafe { bpf_ktime_get_ns() } / SECOND_NS;
    let Some(spent) = BUDGETS.get_ptr_mut(source) else {
        // Full cannot happen (LRU); where the update fails for another reason the event is let through.
        let is_over = cost > limit;
        let _ = BUDGETS.insert(source, &Spent { second, events: cost, dropped: u64::from(is_over) }, 0);
        return !is_over;
    };
    // SAFETY: a value of the map lives as long as the program runs; all accesses are atomic or may be stale.
    unsafe {
        if (*spent).second != second {
            // Two CPUs may both reset here: the limit is then overshot by what one of them took.
            (*spent).second = second;
            (*spent).events = 0;
        }
        if machine::fetch_add(&raw mut (*spent).events, cost) + cost <= limit {
            return true;
        }
        machine::add(&raw mut (*spent).dropped, 1);
    }
    log::over_budget(source);
    false
}
