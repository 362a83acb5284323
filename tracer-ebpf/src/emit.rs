//! Counting of invocations, and the way of an event into the ring.

use aya_ebpf::helpers::{bpf_get_smp_processor_id, bpf_ktime_get_ns};
use tracer_ebpf::abi::{ABI_VERSION, CpuState, Header, stat};

use crate::{
    config::setting,
    machine,
    maps::{CPUS, EVENTS},
};

/// How an invocation ended: one of `stat`'s outcomes.
pub type Outcome = u32;

/// State of the CPU that this invocation began on.
#[derive(Clone, Copy)]
pub struct Cpu(*mut CpuState);

impl Cpu {
    /// Adds one to a counter. Atomic: a program of process context may be interrupted by one of a softirq.
    #[inline(always)]
    pub fn count(self, index: u32) {
        if index < stat::COUNT {
            // SAFETY: the value lives as long as the program runs, and `index` is within.
            unsafe {
                let counter = (&raw mut (*self.0).stats).cast::<u64>().add(index as usize);
                machine::add(counter, 1);
            }
        }
    }

    #[inline(always)]
    fn next_seq(self) -> u64 {
        // SAFETY: as above.
        unsafe { machine::fetch_add(&raw mut (*self.0).seq, 1) }
    }
}

/// Runs a hook's body and counts the invocation by its outcome.
#[inline(always)]
pub fn hook(body: impl FnOnce(Cpu) -> Outcome) {
    if setting!(abi_version) != ABI_VERSION {
        return;
    }
    let Some(state) = CPUS.get_ptr_mut(0) else { return };
    let cpu = Cpu(state);
    let outcome = body(cpu);
    if outcome != stat::FILTERED {
        cpu.count(stat::RELEVANT);
    }
    cpu.count(outcome);
}

/// Puts an event into the ring: `fill` writes all but the header, which is the first field of each event.
#[inline(always)]
pub fn emit<T: 'static>(cpu: Cpu, kind: u16, fill: impl FnOnce(*mut T)) -> Outcome {
    let seq = cpu.next_seq();
    let Some(mut entry) = EVENTS.reserve::<T>(0) else { return stat::RING_FULL };
    let event: *mut T = entry.as_mut_ptr();
    // SAFETY: the reservation is of T's size, and each event begins with its header (repr(C)).
    unsafe {
        let header = event.cast::<Header>();
        (*header).at_ns = bpf_ktime_get_ns();
        (*header).seq = seq;
        (*header).kind = kind;
        (*header).pad = 0;
        (*header).cpu = bpf_get_smp_processor_id();
    }
    fill(event);
    entry.submit(0);
    stat::USED
}
