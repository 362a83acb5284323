//! What the machine can and `core` or the compiler does not give this target: atomic additions, hidden values.

use core::arch::asm;

/// `*counter += value`.
///
/// # Safety
/// `counter` points to an aligned u64 of a map value.
#[inline(always)]
pub unsafe fn add(counter: *mut u64, value: u64) {
    // SAFETY: by the contract.
    unsafe { asm!("lock *(u64 *)({p} + 0) += {v}", p = in(reg) counter, v = in(reg) value) };
}

/// `*counter += value`, and what it was before (Linux 5.12).
///
/// # Safety
/// As [`add`].
#[inline(always)]
pub unsafe fn fetch_add(counter: *mut u64, value: u64) -> u64 {
    let mut before = value;
    // SAFETY: by the contract.
    unsafe { asm!("{v} = atomic_fetch_add((u64 *)({p} + 0), {v})", p = in(reg) counter, v = inout(reg) before) };
    before
}

/// `value` clamped to 1..=128, in a way that the verifier sees and the compiler can't undo.
#[inline(always)]
pub fn within_1_and_128(mut value: u64) -> u64 {
    // SAFETY: changes only `value`; the jumps stay within.
    unsafe {
        asm!(
            "if {v} < 129 goto +1",
            "{v} = 128",
            "if {v} != 0 goto +1",
            "{v} = 1",
            v = inout(reg) value,
        );
    }
    value
}
