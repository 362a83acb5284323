//! An event budget for each source: a flooding pod loses only its own events.

use aya_ebpf::helpers::bpf_ktime_get_ns;

use crate::{config::setting, machine, maps::BUDGETS};

const SECOND_NS: u64 = 1_000_000_000;

/// Who causes events.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Source {
    /// Address of a probe's target, network order, IPv4 mapped; or, in the first four bytes, a tree's root.
    pub address: [u8; 16],
    /// Port; 0 for a tree of processes.
    pub port: u32,
    /// 0: prober's sockets to it, 1: its resets and SYN-ACKs, 2: processes.
    pub class: u32,
}

/// What a source has used.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Spent {
    second: u64,
    events: u64,
    dropped: u64,
}

impl Source {
    /// The tree of processes with this root.
    #[inline(always)]
    pub fn tree(root_kpid: u32) -> Self {
        let mut address = [0; 16];
        let [a, b, c, d] = root_kpid.to_ne_bytes();
        (address[0], address[1], address[2], address[3]) = (a, b, c, d);
        Self { address, port: 0, class: 2 }
    }
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
        let _ = BUDGETS.insert(source, &Spent { second, events: cost, dropped: 0 }, 0);
        return cost <= limit;
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
    false
}
