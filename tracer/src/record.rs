//! The contract: what leaves the middle, one JSON object a line (tests/schema/record.schema.json).
//!
//! Field order here is the order of the JSON. Times are RFC 3339 UTC, durations ns.

use serde::{Deserialize, Serialize};

/// Version of the records' shape.
pub const SCHEMA: u32 = 1;

/// One line of output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Record {
    /// One probe attempt with its verdict.
    Attempt(Box<AttemptRecord>),
    /// How well the tracer itself does.
    Health(HealthRecord),
    /// The node's state.
    Node(NodeRecord),
}

/// One attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttemptRecord {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Derived from node, boot id and sequence: the same in a replay.
    pub id: String,
    /// Node name.
    pub node: String,
    /// Begin of the attempt.
    pub started_at: String,
    /// When the verdict was closed.
    pub closed_at: String,
    /// Who probed.
    pub prober: ProberRecord,
    /// 1, or 3 where the kubelet tried again.
    pub tries: u32,
    /// What the manifest says; `None`: unattributed.
    pub probe: Option<ProbeRecord>,
    /// Whose probe.
    pub kubernetes: Option<KubernetesRecord>,
    /// `file`, `static_pods`, `kubelet`, `api`.
    pub spec_source: Option<String>,
    /// Other probes that this attempt could be as well (`namespace/pod/container/kind`).
    pub ambiguous: Vec<String>,
    /// `success`, `failure`, `timeout`, `error`, `aborted`.
    pub outcome: Outcome,
    /// What the prober would have seen, in its words; absent on success.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// From the begin to the outcome.
    pub latency_ns: u64,
    /// Part of `latency_ns` that lies in no stage.
    pub unaccounted_ns: u64,
    /// In order; what did not happen is absent.
    pub stages: Vec<StageRecord>,
    /// Why.
    pub verdict: Verdict,
}

/// How an attempt ended for the prober.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Passed.
    Success,
    /// Failed before its time-out.
    Failure,
    /// timeoutSeconds were over.
    Timeout,
    /// An error that the kubelet throws away.
    Error,
    /// Cut by the start or the end of tracing, or of the prober.
    Aborted,
}

/// See [`AttemptRecord::prober`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProberRecord {
    /// Process id as the tracer sees it.
    pub pid: u32,
    /// Its name.
    pub comm: String,
}

/// See [`AttemptRecord::probe`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProbeRecord {
    /// `liveness`, `readiness`, `startup`, `other`.
    pub kind: String,
    /// `http`, `tcp`, `grpc`, `exec`.
    pub handler: String,
    /// `address:port`; of exec the first word of its argv.
    pub target: String,
    /// HTTP path without query.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Command of exec.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub argv: Option<Vec<String>>,
    /// timeoutSeconds.
    pub timeout_ns: u64,
    /// periodSeconds.
    pub period_ns: u64,
    /// failureThreshold.
    pub failure_threshold: u32,
    /// initialDelaySeconds.
    pub initial_delay_ns: u64,
}

/// See [`AttemptRecord::kubernetes`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KubernetesRecord {
    /// Namespace.
    pub namespace: String,
    /// Pod.
    pub pod: String,
    /// Its uid.
    pub pod_uid: String,
    /// Container.
    pub container: String,
    /// Its id.
    pub container_id: String,
}

/// A stage and its parts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageRecord {
    /// `connect`, `request`, `accept_wait`, `response_wait`, `response`; `runtime`, `run`.
    pub name: String,
    /// From the begin of the attempt.
    pub start_ns: u64,
    /// How long.
    pub duration_ns: u64,
    /// What it consists of, as far as known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<PartRecord>,
}

/// Part of a stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartRecord {
    /// `on_cpu`, `cpu_wait`, `throttled`, `blocked_io`, `other`.
    pub name: String,
    /// How long.
    pub duration_ns: u64,
}

/// How sure a verdict is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// Something is missing.
    Unknown,
    /// Consistent, a rival remains.
    Likely,
    /// Shown by an event or state of this attempt, each rival excluded.
    Proven,
}

/// One cause, and why that one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Stable id (see `verdict::cause`).
    pub cause: String,
    /// How sure.
    pub confidence: Confidence,
    /// One sentence.
    pub summary: String,
    /// What was seen.
    pub evidence: Vec<Evidence>,
    /// Further causes that had a share.
    pub contributing: Vec<String>,
    /// What it was not.
    pub ruled_out: Vec<RuledOut>,
    /// What would have been needed to say more.
    pub missing: Vec<String>,
    /// What to change.
    pub advice: Vec<String>,
    /// What would have let it pass.
    pub would_pass_with: WouldPassWith,
}

/// One thing seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// What.
    pub what: String,
    /// Its value.
    pub value: String,
    /// Where it was read: a hook, a file, sock_diag.
    pub source: String,
}

/// A cause that it was not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuledOut {
    /// Stable id.
    pub cause: String,
    /// Why not.
    pub why: String,
}

/// See [`Verdict::would_pass_with`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WouldPassWith {
    /// The least timeoutSeconds; null: unknown, or none would help.
    pub timeout_seconds: Option<u32>,
}

/// How well the tracer does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HealthRecord {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Node name.
    pub node: String,
    /// When.
    pub at: String,
    /// Kernel events.
    pub events: EventsRecord,
    /// Attempts: open now, finished, unattributed connections, dropped by a full store.
    pub attempts: AttemptsRecord,
    /// Further bounds and how often they were hit, by name.
    pub bounds: std::collections::BTreeMap<String, u64>,
    /// CPU time of this process since its start.
    pub cpu_ns: u64,
    /// Resident memory.
    pub rss_bytes: u64,
}

/// See [`HealthRecord::events`]. `seen` = `used` + `filtered` + `lost`; `missed` comes on top.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventsRecord {
    /// Hook invocations.
    pub seen: u64,
    /// Put into the ring.
    pub used: u64,
    /// Not about a probe.
    pub filtered: u64,
    /// Ring full, map full, over budget.
    pub lost: u64,
    /// Skipped by the kernel itself.
    pub missed: u64,
}

/// See [`HealthRecord::attempts`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptsRecord {
    /// Not yet closed.
    pub open: u64,
    /// Records emitted.
    pub closed: u64,
    /// Connections or execs of a prober that match no probe.
    pub unattributed: u64,
    /// Ambiguous between probes.
    pub ambiguous: u64,
    /// Not followed: a bound was reached.
    pub dropped: u64,
}

/// What kind of node this is; once at the start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeRecord {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Node name.
    pub node: String,
    /// When.
    pub at: String,
    /// `uname -r`.
    pub kernel: String,
    /// Hooks that are attached.
    pub hooks: Vec<String>,
    /// What is lacking here, and what is lost with it.
    pub lacks: Vec<String>,
}
