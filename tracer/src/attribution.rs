//! Whose probe an event belongs to.

pub mod file;
pub mod kubelet;
pub mod manifest;
mod proc_root;
pub mod spec;
pub mod static_pods;
pub mod watch;
