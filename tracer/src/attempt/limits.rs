//! Every bound of the middle's first half, and how often each was hit.

use std::collections::BTreeMap;

/// How much is held at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Attempts that are followed at one time.
    pub open: usize,
    /// Sockets of the prober whose endpoint no source knows yet.
    pub pending_sockets: usize,
    /// Events kept of each of them.
    pub pending_events: usize,
    /// Connections of one try (redirects, gRPC's retries).
    pub connections: usize,
    /// Trees of processes under the prober or its runtime.
    pub trees: usize,
    /// Processes of one tree.
    pub processes: usize,
    /// Ends of other processes kept with an exec attempt.
    pub other_exits: usize,
    /// Finished sockets and processes that are remembered, so that late events begin nothing.
    pub recent: usize,
    /// Probes whose history and period are remembered.
    pub probes: usize,
    /// Versions of specs.
    pub specs: usize,
    /// Looks of one attempt.
    pub looks: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            open: 4_096,
            pending_sockets: 1_024,
            pending_events: 16,
            connections: 32,
            trees: 1_024,
            processes: 64,
            other_exits: 16,
            recent: 8_192,
            probes: 4_096,
            specs: 16_384,
            looks: 12,
        }
    }
}

/// How the tracker does, for the health record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Attempts followed now.
    pub open: u64,
    /// Attempts that were given out.
    pub closed: u64,
    /// Connections and execs of a prober that belong to no probe.
    pub unattributed: u64,
    /// Attempts that may be of several probes.
    pub ambiguous: u64,
    /// Attempts not followed for want of room.
    pub dropped: u64,
    /// Each other bound or oddity by name, with how often it was met.
    pub bounds: BTreeMap<&'static str, u64>,
}

impl Counters {
    /// One more of `name`.
    pub(crate) fn hit(&mut self, name: &'static str) {
        *self.bounds.entry(name).or_default() += 1;
    }
}
