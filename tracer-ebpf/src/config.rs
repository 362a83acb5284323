//! Settings from user space: constants by the time the verifier reads the programs.

use core::ptr;

use tracer_ebpf::abi::Settings;

/// Replaced by the loader; zeroed it makes every program return at once ([`Settings::abi_version`] is 0).
#[unsafe(no_mangle)]
pub static SETTINGS: Settings = {
    // SAFETY: plain integers: zero is a valid value of each.
    unsafe { core::mem::zeroed() }
};

/// Reads one setting. Volatile, as the compiler must not use the zeroes above.
#[inline(always)]
pub fn load<T: Copy>(field: *const T) -> T {
    // SAFETY: `field` points into `SETTINGS`, a static.
    unsafe { ptr::read_volatile(field) }
}

/// `setting!(task.comm)`: the present value of a field of [`SETTINGS`].
macro_rules! setting {
    ($($field:ident).+) => {
        $crate::config::load(&raw const $crate::config::SETTINGS.$($field).+)
    };
}
pub(crate) use setting;
