//! The lab: honest faults in namespaces of their own, a prober that behaves like the kubelet, and the judge that
//! compares the tracer's records with the prober's log.

pub mod bench;
pub mod cgroup;
pub mod clock;
pub mod demo;
pub mod lab;
pub mod load;
pub mod manifest;
pub mod netns;
pub mod place;
pub mod plan;
pub mod prober;
pub mod process;
pub mod runc;
pub mod scenario;
pub mod schema;
pub mod session;
pub mod signal;
pub mod target;
