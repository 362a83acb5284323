//! What the prober is told: one JSON document. It shares nothing with the tracer but the facts of each probe.

use std::{fmt, net::SocketAddr, path::PathBuf};

use serde::{Deserialize, Serialize};

/// All probes of one prober.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// Folder for process specs and pid files of exec probes; `bin/runc` in it is the runtime's helper.
    pub state: PathBuf,
    /// Each has a worker of its own, as in the kubelet.
    pub probes: Vec<Probe>,
}

/// One probe of one container.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Probe {
    /// Pod's name.
    pub pod: String,
    /// Container's name.
    pub container: String,
    /// Which of its probes.
    pub kind: Kind,
    /// How.
    pub handler: Handler,
    /// `timeoutSeconds` in ms.
    pub timeout_ms: u64,
    /// `periodSeconds` in ms.
    pub period_ms: u64,
    /// Delay of the first attempt: the phase of the worker's grid.
    pub phase_ms: u64,
    /// The worker ends after so many; 0: never.
    pub attempts: u32,
    /// Like a kubelet built with Go 1.23 or later: a dial that timed out lives on (golang/go#59017).
    pub dial_outlives_timeout: bool,
}

impl Probe {
    /// `pod/container/kind`: the name that joins the prober's log with the tracer's records.
    pub fn key(&self) -> String {
        format!("{}/{}/{}", self.pod, self.container, self.kind)
    }
}

/// Kind of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Restarts the container.
    Liveness,
    /// Takes the pod out of service.
    Readiness,
    /// Gates the others.
    Startup,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Liveness => "liveness",
            Self::Readiness => "readiness",
            Self::Startup => "startup",
        })
    }
}

/// How a probe is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Handler {
    /// `httpGet`.
    Http {
        /// Where.
        to: SocketAddr,
        /// What.
        path: String,
    },
    /// `tcpSocket`.
    Tcp {
        /// Where.
        to: SocketAddr,
    },
    /// `exec`.
    Exec {
        /// Command.
        argv: Vec<String>,
        /// Container's id: the last word of the helper's command line.
        container_id: String,
        /// `cgroup.procs` files that the command is put into.
        cgroup_procs: Vec<PathBuf>,
    },
}

/// One line of the prober's log.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// [`Probe::key`].
    pub probe: String,
    /// From 1.
    pub number: u32,
    /// Before the first system call of the attempt, CLOCK_MONOTONIC.
    pub started_ns: u64,
    /// The same moment, CLOCK_REALTIME.
    pub started_wall_ns: i64,
    /// From there to the outcome.
    pub latency_ns: u64,
    /// By the kubelet's rules.
    pub outcome: Outcome,
    /// In the kubelet's words.
    pub text: String,
    /// 1, or 3 where each try was an error.
    pub tries: u32,
}

/// Outcome of an attempt by the kubelet's rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Passed.
    Success,
    /// Counted failure before the time-out.
    Failure,
    /// timeoutSeconds were over.
    Timeout,
    /// Thrown away after three tries.
    Error,
}

impl Outcome {
    /// As in the tracer's records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Timeout => "timeout",
            Self::Error => "error",
        }
    }
}
