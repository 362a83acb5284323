//! Events to attempts: begin, stages, end. Pure: no I/O, and the time comes with the inputs.

mod connection;
mod core;
mod exec;
pub mod facts;
pub mod history;
mod join;
pub mod limits;
mod looks;
mod losses;
mod network;
mod open;
mod outcome;
mod recent;
pub mod stages;
#[cfg(test)]
pub mod testkit;
pub mod timing;
pub mod tracker;
pub mod unseen;
pub mod words;

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

pub use self::{
    limits::{Counters, Limits},
    tracker::{Output, Tracker},
};

/// What the middle asks of the node; the answer is an [`crate::observation::Observation`] or new events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Number, from 1: the answer carries it.
    pub look: u64,
    /// Do it now; the middle asks when it is time.
    pub at_ns: u64,
    /// Network namespace of the prober's socket (inode); 0: unknown.
    pub prober_netns: u32,
    /// The prober.
    pub prober_pid: u32,
    /// Prober's end and target's end of the connection.
    pub connection: Option<(SocketAddr, SocketAddr)>,
    /// The container that is probed, "" where unknown.
    pub container_id: String,
    /// Its pod's uid, "" where unknown.
    pub pod_uid: String,
    /// Processes of the exec attempt, as the tracer sees them.
    pub pids: Vec<u32>,
    /// Command to look for in the container's root (exec that never came).
    pub command: Option<String>,
}
