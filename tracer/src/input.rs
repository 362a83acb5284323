//! Every input of the middle, in arrival order; a recording is a list of these (design invariant 3).

use serde::{Deserialize, Serialize};

use crate::{attribution::spec::SpecUpdate, event::Event, observation::Observation};

/// One input. The middle knows the time only from these.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(clippy::large_enum_variant, reason = "most are events: a box would be an allocation for each")]
pub enum Input {
    /// Tracing begins: always the first.
    Start(Start),
    /// From the kernel programs, nearly in time order.
    Event(Event),
    /// What a source of specs now says.
    Specs(SpecUpdate),
    /// An answer to a [`crate::attempt::Request`].
    Observation(Observation),
    /// The loss counters; sent at least once a second.
    Losses(Losses),
    /// The probers changed: a kubelet restarted.
    Probers {
        /// CLOCK_MONOTONIC.
        at_ns: u64,
        /// All that are traced from now on.
        probers: Vec<Prober>,
    },
    /// Clocks, read together; at the start and at least every 10 s.
    Clock(Clock),
    /// Time passes: all events up to `now_ns` minus 20 ms have been delivered.
    Tick {
        /// CLOCK_MONOTONIC.
        now_ns: u64,
    },
    /// Tracing ends: open attempts are aborted.
    Stop {
        /// CLOCK_MONOTONIC.
        now_ns: u64,
    },
}

/// What is true for a whole run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Start {
    /// Node name.
    pub node: String,
    /// /proc/sys/kernel/random/boot_id.
    pub boot_id: String,
    /// `uname -r`.
    pub kernel: String,
    /// Clocks at the start.
    pub clock: Clock,
    /// Processes that are traced.
    pub probers: Vec<Prober>,
    /// Whether the prober is a kubelet (its rules of retries and errors apply).
    pub is_kubelet: bool,
    /// Hooks that are attached and fired in their self-test, by name (`sock:inet_sock_set_state`).
    pub hooks: Vec<String>,
    /// What this run lacks: (facility, what is lost with it).
    pub lacks: Vec<(String, String)>,
}

/// A process that makes probes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prober {
    /// As the tracer sees it.
    pub pid: u32,
    /// Its name.
    pub comm: String,
}

/// The three clocks, read at one moment, ns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    /// CLOCK_MONOTONIC.
    pub mono_ns: u64,
    /// CLOCK_BOOTTIME.
    pub boot_ns: u64,
    /// CLOCK_REALTIME.
    pub wall_ns: i64,
}

/// Monotonic counters since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Losses {
    /// CLOCK_MONOTONIC.
    pub at_ns: u64,
    /// Hook invocations.
    pub seen: u64,
    /// Events that reached the ring.
    pub used: u64,
    /// Not about a probe.
    pub filtered: u64,
    /// Ring full.
    pub ring_full: u64,
    /// Map full.
    pub map_full: u64,
    /// Source over its budget.
    pub over_budget: u64,
    /// Unreadable kernel memory.
    pub read_failed: u64,
    /// Invocations that the kernel skipped (recursion).
    pub missed: u64,
    /// Events that came too late for the order of time.
    pub late: u64,
    /// Requests or observations that did not fit their channel.
    pub channel_full: u64,
}

impl Losses {
    /// Events that are gone, whatever the reason: while this does not move, absence of an event means something.
    pub fn lost(&self) -> u64 {
        self.ring_full + self.map_full + self.over_budget + self.missed
    }
}
