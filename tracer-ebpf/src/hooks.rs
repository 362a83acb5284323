//! The programs: thin wrappers around shared code, one file a kind of hook.

mod bytes;
mod cgroup;
mod peer;
mod process;
mod tcp;
