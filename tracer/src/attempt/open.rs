//! An attempt that is not over, as the tracker holds it.

use super::{
    facts::{Connection, History, Run, Try},
    looks::Looks,
    outcome::Decision,
};
use crate::{
    attribution::{matching::Narrowed, store::Candidate},
    input::Prober,
};

/// Everything known so far.
#[derive(Debug)]
pub struct Open {
    /// Who probes.
    pub prober: Prober,
    /// What it may be; never empty.
    pub candidates: Vec<Candidate>,
    /// Begin of the first try.
    pub began_ns: u64,
    /// Tries; the last one runs.
    pub tries: Vec<Try>,
    /// Sockets that were closed with bytes unread.
    pub closed_unread: Vec<u64>,
    /// How many processes of the exec tree live.
    pub live: usize,
    /// Those that the tracer can see.
    pub live_pids: Vec<u32>,
    /// An exec of another command than the probes': no attempt at all.
    pub is_foreign: bool,
    /// Attempts whose next try it may turn out to be.
    pub retry_of: Vec<u64>,
    /// What was asked and answered.
    pub looks: Looks,
    /// Set once no more try can follow.
    pub settled: Option<Settled>,
    /// When the timer wakes it.
    pub wake_ns: Option<u64>,
}

/// What is fixed while late evidence is awaited.
#[derive(Debug)]
pub struct Settled {
    /// How it ended.
    pub decision: Decision,
    /// Whose it is.
    pub narrowed: Narrowed,
    /// What came before it.
    pub history: History,
}

impl Open {
    /// A new one.
    pub fn new(prober: Prober, candidates: Vec<Candidate>, began_ns: u64, first: Try) -> Self {
        Self {
            prober,
            candidates,
            began_ns,
            tries: vec![first],
            closed_unread: Vec::new(),
            live: 0,
            live_pids: Vec::new(),
            is_foreign: false,
            retry_of: Vec::new(),
            looks: Looks::default(),
            settled: None,
            wake_ns: None,
        }
    }

    /// Connections of the try that runs.
    pub fn connections(&self) -> &[Connection] {
        match self.tries.last() {
            Some(Try::Net(connections)) => connections,
            _ => &[],
        }
    }

    /// All connections of all tries.
    pub fn all_connections(&self) -> impl Iterator<Item = &Connection> {
        self.tries.iter().flat_map(|attempt| match attempt {
            Try::Net(connections) => connections.as_slice(),
            Try::Exec(_) => &[],
        })
    }

    /// The connection of this socket.
    pub fn connection_mut(&mut self, sock_id: u64) -> Option<&mut Connection> {
        let connections = self.tries.iter_mut().rev().filter_map(|attempt| match attempt {
            Try::Net(connections) => Some(connections),
            Try::Exec(_) => None,
        });
        connections.flatten().find(|connection| connection.sock_id == sock_id)
    }

    /// The run of this try.
    pub fn run_mut(&mut self, index: usize) -> Option<&mut Run> {
        match self.tries.get_mut(index) {
            Some(Try::Exec(run)) => Some(run),
            _ => None,
        }
    }

    /// Begin of the try that runs: each has a time-out of its own.
    pub fn try_began_ns(&self) -> u64 {
        let began = match self.tries.last() {
            Some(Try::Net(connections)) => connections.first().map(|connection| connection.began_ns),
            Some(Try::Exec(run)) => Some(run.spawned_ns),
            None => None,
        };
        began.unwrap_or(self.began_ns)
    }

    /// A timed-out dial that lives on (Go 1.23 and later) may still tell why.
    pub fn has_orphan(&self) -> bool {
        self.all_connections().any(|connection| connection.established_ns == 0 && connection.closed_ns == 0)
    }
}
