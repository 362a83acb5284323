//! What a pod's manifest says of its probes, after the kubelet's defaults and expansions.

use std::{net::IpAddr, sync::Arc};

use serde::{Deserialize, Serialize};

/// Which of a container's probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProbeKind {
    /// Restarts the container.
    Liveness,
    /// Takes the pod out of service.
    Readiness,
    /// Gates the other two.
    Startup,
    /// No kubelet's probe.
    Other,
}

/// How it is made.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Handler {
    /// `httpGet`.
    Http {
        /// Host or address to connect to: `httpGet.host`, else the pod's first address; `None` where not yet known.
        address: Option<IpAddr>,
        /// A host name in `httpGet.host` that is no address.
        host_name: Option<String>,
        /// Port, named ports resolved.
        port: u16,
        /// Path with its query, as in the manifest.
        path: String,
        /// `scheme: HTTPS`.
        tls: bool,
    },
    /// `tcpSocket`.
    Tcp {
        /// As for HTTP.
        address: Option<IpAddr>,
        /// As for HTTP.
        host_name: Option<String>,
        /// Port, named ports resolved.
        port: u16,
    },
    /// `grpc`.
    Grpc {
        /// The pod's first address.
        address: Option<IpAddr>,
        /// Port.
        port: u16,
        /// Service name, "" by default.
        service: String,
    },
    /// `exec`.
    Exec {
        /// argv after `$(VAR)` expansion (kubelet: ExpandContainerCommandOnlyStatic).
        argv: Vec<String>,
    },
}

impl Handler {
    /// `http`, `tcp`, `grpc`, `exec`: as in the record.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Http { .. } => "http",
            Self::Tcp { .. } => "tcp",
            Self::Grpc { .. } => "grpc",
            Self::Exec { .. } => "exec",
        }
    }

    /// Where a network handler connects to; `None` for exec or while the address is unknown.
    pub fn endpoint(&self) -> Option<(IpAddr, u16)> {
        match self {
            Self::Http { address, port, .. } | Self::Tcp { address, port, .. } | Self::Grpc { address, port, .. } => {
                address.map(|address| (address, *port))
            }
            Self::Exec { .. } => None,
        }
    }
}

/// One probe of one container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeSpec {
    /// Whose.
    pub container: Arc<Container>,
    /// Which.
    pub kind: ProbeKind,
    /// How.
    pub handler: Handler,
    /// `timeoutSeconds`.
    pub timeout_ns: u64,
    /// `periodSeconds`.
    pub period_ns: u64,
    /// `initialDelaySeconds`.
    pub initial_delay_ns: u64,
    /// `failureThreshold`.
    pub failure_threshold: u32,
    /// `successThreshold`.
    pub success_threshold: u32,
}

/// A container as its pod's status showed it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Container {
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub pod: String,
    /// `metadata.uid` (of a static pod: the one of its cgroup, annotation `kubernetes.io/config.hash`).
    pub pod_uid: String,
    /// `status.podIPs`, first the primary.
    pub pod_ips: Vec<IpAddr>,
    /// `spec.hostNetwork`.
    pub host_network: bool,
    /// Container's name.
    pub name: String,
    /// Id without its `containerd://`; "" while unknown.
    pub id: String,
    /// `state.running.startedAt`, wall clock in ns; 0 where unknown.
    pub started_at_wall_ns: i64,
    /// `restartCount`.
    pub restarts: u32,
    /// `ports[].containerPort`.
    pub ports: Vec<u16>,
    /// `metadata.deletionTimestamp` is set.
    pub deleting: bool,
}

/// Where specs came from: `spec_source` of the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpecSource {
    /// `--targets FILE`.
    File,
    /// Static-pod manifests.
    StaticPods,
    /// The kubelet's `/pods`.
    Kubelet,
    /// The API server.
    Api,
}

impl SpecSource {
    /// As in the record.
    pub fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::StaticPods => "static_pods",
            Self::Kubelet => "kubelet",
            Self::Api => "api",
        }
    }
}

/// All specs that one source now shows; it replaces what that source said before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpecUpdate {
    /// When it was read, CLOCK_MONOTONIC.
    pub at_ns: u64,
    /// By whom.
    pub source: SpecSource,
    /// Every probe of every container.
    pub probes: Vec<ProbeSpec>,
    /// What could not be used (a manifest without an address, a port name that no container has), for people.
    pub problems: Vec<String>,
}
