//! Times that the rules need, each with its source.

/// The kubelet's own clock of an attempt starts before the SYN: 0.14–0.47 ms on kubelet 1.20 (measured); doubled.
pub const PROBER_LEAD_NS: u64 = 1_000_000;
/// How much later than its deadline a prober's close may come: a Go timer and a goroutine's wake-up.
pub const CLOSE_SLACK_NS: u64 = 5_000_000;
/// A tick at `now` promises the events up to this much before it.
pub const DELIVERY_NS: u64 = 20_000_000;
/// How long after its deadline an attempt may wait for late evidence (design, invariant 5).
pub const LATE_EVIDENCE_NS: u64 = 4_000_000_000;
/// A connect() that fails within the system call ends before anything came back.
pub const SYNCHRONOUS_NS: u64 = 1_000_000;
/// The kubelet's next try begins about 1 ms after the error (prober.go: runProbeWithRetries has no pause).
pub const RETRY_NS: u64 = 50_000_000;
/// The same where another probe has the same endpoint and could begin by chance.
pub const RETRY_AMONG_RIVALS_NS: u64 = 5_000_000;
/// The same for exec, where the runtime's clean-up lies between two tries.
pub const EXEC_RETRY_NS: u64 = 200_000_000;
/// Go's client follows a redirect at once.
pub const REDIRECT_NS: u64 = 20_000_000;
/// After an abrupt end: events of the same moment from other CPUs.
pub const SETTLE_NS: u64 = 5_000_000;
/// An answer this near before the close at the deadline was read in time.
pub const JUST_ANSWERED_NS: u64 = 3_000_000;
/// How late a runtime's SIGKILL may come and still be the time-out's.
pub const KILL_SLACK_NS: u64 = 250_000_000;
/// What the kubelet adds to timeoutSeconds for the whole ExecSync call (runtimeRequestTimeout's default).
pub const EXEC_CALL_EXTRA_NS: u64 = 120_000_000_000;
/// `maxProbeRetries` (kubelet's prober.go).
pub const MAX_TRIES: usize = 3;
/// Requests that the kubelet makes at most over redirects (probe/http: redirectChecker).
pub const MAX_REQUESTS: usize = 10;
/// Bytes of a body that the kubelet reads (probe/http: maxRespBodyLength).
pub const MAX_BODY_BYTES: u64 = 10 * 1024;
