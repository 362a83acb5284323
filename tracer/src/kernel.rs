//! What touches the kernel.

pub mod look;
