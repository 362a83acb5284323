//! The kernel programs, built by `build.rs` and part of this binary.

#[cfg(no_kernel_programs)]
compile_error!(concat!(
    "the kernel programs can't be built here: ",
    env!("PROBETRACE_NO_OBJECT"),
    "; run `cargo xtask setup`, which installs what is missing or says why it can't"
));

/// The object file (ELF, `bpfel`).
#[cfg(not(no_kernel_programs))]
pub const PROGRAMS: &[u8] = aya::include_bytes_aligned!(env!("PROBETRACE_OBJECT"));

/// So that the message above is the only one.
#[cfg(no_kernel_programs)]
pub const PROGRAMS: &[u8] = &[];
