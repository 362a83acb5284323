//! The debug log (`run --kernel-log`): nothing at all without the feature of that name.

use tracer_ebpf::abi::Source;

/// A prober's socket is watched from now on.
#[cfg(feature = "kernel-log")]
#[inline(never)]
pub fn claimed(tgid: u32, way: u8, cookie: u64) {
    aya_log_ebpf::debug!(&(), "socket {} of prober {} claimed by way {}", cookie, tgid, way);
}

/// A source has used up its budget of this second.
#[cfg(feature = "kernel-log")]
#[inline(never)]
pub fn over_budget(source: &Source) {
    aya_log_ebpf::debug!(&(), "over budget: class {} port {}", source.class, source.port);
}

/// See the other.
#[cfg(not(feature = "kernel-log"))]
#[inline(always)]
pub fn claimed(_tgid: u32, _way: u8, _cookie: u64) {}

/// See the other.
#[cfg(not(feature = "kernel-log"))]
#[inline(always)]
pub fn over_budget(_source: &Source) {}
