//! Whose probe an event belongs to.

pub mod cgroup_name;
pub mod file;
pub mod key;
pub mod kubelet;
pub mod manifest;
pub mod matching;
pub mod phase;
mod proc_root;
pub mod spec;
pub mod static_pods;
pub mod store;
pub mod watch;
