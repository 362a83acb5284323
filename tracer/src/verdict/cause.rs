//! The stable ids of all causes, with one line of meaning each. They are a contract: never renamed.

use std::fmt;

/// Declares [`Cause`], its table and its ids in one place.
macro_rules! causes {
    ($( $family:literal { $( $name:ident = $id:literal, $meaning:literal; )* } )*) => {
        /// Why an attempt ended as it did.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Cause {
            $($(#[doc = $meaning] $name,)*)*
        }

        impl Cause {
            /// Every cause, by family.
            pub const ALL: &[Self] = &[$($(Self::$name,)*)*];

            /// As in the record.
            pub const fn id(self) -> &'static str {
                match self { $($(Self::$name => $id,)*)* }
            }

            /// Which family it belongs to.
            pub const fn family(self) -> &'static str {
                match self { $($(Self::$name => $family,)*)* }
            }

            /// One line for people.
            pub const fn meaning(self) -> &'static str {
                match self { $($(Self::$name => $meaning,)*)* }
            }
        }
    };
}

causes! {
    "healthy" {
        None = "none", "The probe passed in good time.";
        SlowButPassed = "slow_but_passed", "The probe passed, but used more than half of its time-out.";
    }
    "refused" {
        NotListening = "not_listening", "No process listens on the probed address and port.";
        NotListeningYet = "not_listening_yet", "The container is still starting and does not listen yet.";
        StoppedListening = "stopped_listening", "The container listened before and no longer does.";
        ListeningElsewhere = "listening_elsewhere", "The container listens on another address, family or port.";
        WrongTarget = "wrong_target", "The probed address is not the pod's.";
        RejectedByFirewall = "rejected_by_firewall", "Netfilter answered the SYN with a RST or an ICMP error.";
        ResetByApplication = "reset_by_application", "The server's end reset the established connection.";
    }
    "dropped by the listener" {
        AcceptQueueFull = "accept_queue_full", "The listener's accept queue was full: it dropped the handshake.";
        SynQueueFull = "syn_queue_full", "The listener's SYN queue was full: it dropped the SYN.";
        TimestampRejectedTwRecycle = "timestamp_rejected_tw_recycle",
            "net.ipv4.tcp_tw_recycle rejected the SYN's timestamp.";
        TimestampRejectedTimeWait = "timestamp_rejected_time_wait",
            "A TIME_WAIT socket on the same ports rejected the SYN's timestamp (PAWS).";
        ListenerOutOfMemory = "listener_out_of_memory", "The kernel had no memory for the listener's request.";
        DeniedByLsm = "denied_by_lsm", "A security module refused the connection.";
    }
    "lost on the way" {
        DroppedByNetfilter = "dropped_by_netfilter", "A netfilter rule on this node dropped the packet.";
        DroppedByBpf = "dropped_by_bpf", "A tc or XDP program, as of a CNI, dropped the packet.";
        ConntrackFull = "conntrack_full", "The connection tracking table was full.";
        NatInsertRace = "nat_insert_race", "Two packets raced for one connection tracking entry.";
        NoRoute = "no_route", "The node has no route to the target.";
        NeighbourUnresolved = "neighbour_unresolved", "The target's link-layer address could not be resolved.";
        NeighbourTableFull = "neighbour_table_full", "The neighbour table was full.";
        StaleNeighbour = "stale_neighbour", "The neighbour entry pointed to another machine.";
        DroppedByRpFilter = "dropped_by_rp_filter", "Reverse path filtering dropped the packet.";
        ReturnPathBroken = "return_path_broken", "The SYN-ACK was sent and never reached the prober's socket.";
        MtuBlackhole = "mtu_blackhole", "Only small packets pass.";
        ChecksumError = "checksum_error", "The packet's checksum was wrong.";
        ReceiveBacklogFull = "receive_backlog_full", "A CPU's or a socket's receive backlog was full.";
        DeviceQueueFull = "device_queue_full", "The device's or qdisc's queue was full.";
        LostOnPath = "lost_on_path", "The packet left and never arrived.";
        EphemeralPortsExhausted = "ephemeral_ports_exhausted", "The prober found no free local port.";
        TcpMemoryExhausted = "tcp_memory_exhausted", "TCP's memory limit was reached.";
    }
    "application" {
        NeverAccepted = "never_accepted", "The kernel finished the handshake, the application never accepted.";
        FdExhausted = "fd_exhausted", "The application has no file descriptor left for accept.";
        AcceptedNeverRead = "accepted_never_read", "The application accepted and never read the request.";
        ApplicationSlow = "application_slow", "The application read the request and did not answer in time.";
        ApplicationPaused = "application_paused", "The application paused all its threads, as for garbage collection.";
        ApplicationStopped = "application_stopped", "All the application's threads were stopped.";
        ContainerFrozen = "container_frozen", "The container's cgroup was frozen.";
        DependencyBlocked = "dependency_blocked", "The handler waited for a connection of its own.";
        HttpStatus = "http_status", "The application answered with a failing HTTP status.";
        GrpcNotServing = "grpc_not_serving", "The application answered that it does not serve.";
        TlsFailed = "tls_failed", "The TLS handshake failed.";
        ClosedEarly = "closed_early", "The application closed the connection before a complete answer.";
    }
    "time of a process" {
        CpuStarved = "cpu_starved", "It waited in a run queue for a CPU.";
        CpuThrottled = "cpu_throttled", "Its cgroup's CPU quota was used up.";
        MemoryThrottled = "memory_throttled", "It was slowed by memory.high or reclaim.";
        BlockedOnIo = "blocked_on_io", "It was blocked in uninterruptible input or output.";
        BlockedBySecurityAgent = "blocked_by_security_agent", "It waited for fanotify or audit.";
        HypervisorSteal = "hypervisor_steal", "The hypervisor gave the CPU to others.";
        SoftirqSaturated = "softirq_saturated", "Interrupts used up the CPU.";
    }
    "exec" {
        RuntimeSlow = "runtime_slow", "The container runtime needed most of the time before the command started.";
        RuntimeStalled = "runtime_stalled", "The container runtime did not start or end the exec.";
        RuntimeOutputHeld = "runtime_output_held", "A child of the command keeps its output pipe open.";
        ExecSetupFailed = "exec_setup_failed", "The runtime could not start the command.";
        ForkFailedPids = "fork_failed_pids", "No process could be made: the pids limit was reached.";
        ProbeSlow = "probe_slow", "The command itself took too long.";
        ExitCode = "exit_code", "The command ran and failed.";
        CommandNotFound = "command_not_found", "The container has no such command.";
        OutOfMemoryKilled = "out_of_memory_killed", "The kernel killed it for want of memory.";
    }
    "node" {
        ProberStarved = "prober_starved", "The answer had arrived, the prober did not read it in time.";
        ProberStopped = "prober_stopped", "The prober itself was stopped.";
        NodePressure = "node_pressure", "The node was short of CPU, memory or input and output.";
        PidTableFull = "pid_table_full", "The node has no process id left.";
        ProbeLoad = "probe_load", "The probes themselves load the node.";
        ClockJump = "clock_jump", "A clock jumped.";
    }
    "budget" {
        StartupExceedsBudget = "startup_exceeds_budget", "Starting takes longer than the probe allows.";
        TimeoutTooShort = "timeout_too_short", "The healthy answer is as slow as the time-out.";
    }
    "control plane" {
        HeartbeatLost = "heartbeat_lost", "The node's heartbeat did not reach the API server.";
        ReadyNotRestored = "ready_not_restored", "The probes pass, the pod's Ready is still false.";
        ApiserverUnreachable = "apiserver_unreachable", "The kubelet cannot reach the API server.";
        DnsTimeout = "dns_timeout", "A name was not resolved in time.";
        PlegUnhealthy = "pleg_unhealthy", "The kubelet does not get the containers' state in time.";
        KubeletRestarted = "kubelet_restarted", "The kubelet restarted.";
        NodeSilent = "node_silent", "The node sends nothing any more.";
    }
    "-" {
        Unknown = "unknown", "What was seen does not decide; `missing` says what would.";
    }
}

impl Cause {
    /// The cause of this id.
    pub fn from_id(id: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|cause| cause.id() == id)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

/// Causes that no scenario of the lab provokes yet, with the reason.
pub const NOT_PROVOKED: &[(Cause, &str)] = &[
    (Cause::WrongTarget, "decided by a rule with its own tests; its scenario comes with the wider lab"),
    (Cause::SynQueueFull, "not decided on the tracepoint rung: comes with the hook and the scenario that show it"),
    (Cause::TimestampRejectedTwRecycle, "needs a kernel before 4.12"),
    (
        Cause::TimestampRejectedTimeWait,
        "not decided on the tracepoint rung: comes with the hook and the scenario that show it",
    ),
    (
        Cause::ListenerOutOfMemory,
        "not decided on the tracepoint rung: comes with the hook and the scenario that show it",
    ),
    (Cause::DeniedByLsm, "not decided on the tracepoint rung: comes with the hook and the scenario that show it"),
    (
        Cause::DroppedByNetfilter,
        "not decided on the tracepoint rung: comes with the hook and the scenario that show it",
    ),
    (Cause::DroppedByBpf, "not decided on the tracepoint rung: comes with the hook and the scenario that show it"),
    (Cause::ConntrackFull, "not decided on the tracepoint rung: comes with the hook and the scenario that show it"),
    (Cause::NatInsertRace, "not decided on the tracepoint rung: comes with the hook and the scenario that show it"),
    (Cause::NoRoute, "decided by a rule with its own tests; its scenario comes with the wider lab"),
    (Cause::NeighbourUnresolved, "decided by a rule with its own tests; its scenario comes with the wider lab"),
    (
        Cause::NeighbourTableFull,
        "not decided on the tracepoint rung: comes with the hook and the scenario that show it",
    ),
    (Cause::StaleNeighbour, "not decided on the tracepoint rung: comes with the hook and the scenario that show it"),
    (Cause::DroppedByRpFilter, "not decided on the tracepoint rung: comes with the hook and the scenario that show it"),
    (Cause::ReturnPathBroken, "not decided on the tracepoint rung: comes with the hook and the scenario that show it"),
    (Cause::MtuBlackhole, "not decided on the tracepoint rung: comes with the hook and the scenario that show it"),
    (Cause::ChecksumError, "not decided on the tracepoint rung: comes with the hook and the scenario that show it"),
    (
        Cause::ReceiveBacklogFull,
        "not decided on the tracepoint rung: comes with the hook and the scenario that show it",
    ),
    (Cause::DeviceQueueFull, "not decided on the tracepoint rung: comes with the hook and the scenario that show it"),
    (Cause::LostOnPath, "not decided on the tracepoint rung: comes with the hook and the scenario that show it"),
    (Cause::EphemeralPortsExhausted, "decided by a rule with its own tests; its scenario comes with the wider lab"),
    (
        Cause::TcpMemoryExhausted,
        "not decided on the tracepoint rung: comes with the hook and the scenario that show it",
    ),
    (Cause::FdExhausted, "decided by a rule with its own tests; its scenario comes with the wider lab"),
    (Cause::ApplicationPaused, "not decided on the tracepoint rung: comes with the hook and the scenario that show it"),
    (Cause::ContainerFrozen, "decided by a rule with its own tests; its scenario comes with the wider lab"),
    (Cause::DependencyBlocked, "not decided on the tracepoint rung: comes with the hook and the scenario that show it"),
    (Cause::GrpcNotServing, "needs HTTP/2 frames of the answer, which are not decoded yet"),
    (Cause::TlsFailed, "needs TLS records of the answer, which are not decoded yet"),
    (Cause::CpuStarved, "decided by a rule with its own tests; its scenario comes with the wider lab"),
    (Cause::MemoryThrottled, "not decided on the tracepoint rung: comes with the hook and the scenario that show it"),
    (Cause::BlockedOnIo, "decided by a rule with its own tests; its scenario comes with the wider lab"),
    (
        Cause::BlockedBySecurityAgent,
        "not decided on the tracepoint rung: comes with the hook and the scenario that show it",
    ),
    (Cause::HypervisorSteal, "not decided on the tracepoint rung: comes with the hook and the scenario that show it"),
    (Cause::SoftirqSaturated, "not decided on the tracepoint rung: comes with the hook and the scenario that show it"),
    (Cause::RuntimeSlow, "decided by a rule with its own tests; its scenario comes with the wider lab"),
    (Cause::RuntimeStalled, "not decided on the tracepoint rung: comes with the hook and the scenario that show it"),
    (Cause::RuntimeOutputHeld, "not decided on the tracepoint rung: comes with the hook and the scenario that show it"),
    (Cause::ExecSetupFailed, "decided by a rule with its own tests; its scenario comes with the wider lab"),
    (Cause::ForkFailedPids, "decided by a rule with its own tests; its scenario comes with the wider lab"),
    (Cause::OutOfMemoryKilled, "decided by a rule with its own tests; its scenario comes with the wider lab"),
    (Cause::ProberStarved, "decided by a rule with its own tests; its scenario comes with the wider lab"),
    (Cause::ProberStopped, "not decided on the tracepoint rung: comes with the hook and the scenario that show it"),
    (Cause::NodePressure, "about the node, not about one attempt: comes with the control-plane part"),
    (Cause::PidTableFull, "not decided on the tracepoint rung: comes with the hook and the scenario that show it"),
    (Cause::ProbeLoad, "about the node, not about one attempt: comes with the control-plane part"),
    (Cause::ClockJump, "not decided on the tracepoint rung: comes with the hook and the scenario that show it"),
    (Cause::StartupExceedsBudget, "judged over many attempts: comes with the reports"),
    (Cause::TimeoutTooShort, "decided by a rule with its own tests; its scenario comes with the wider lab"),
    (Cause::HeartbeatLost, "about the node, not about one attempt: comes with the control-plane part"),
    (Cause::ReadyNotRestored, "about the node, not about one attempt: comes with the control-plane part"),
    (Cause::ApiserverUnreachable, "about the node, not about one attempt: comes with the control-plane part"),
    (Cause::DnsTimeout, "about the node, not about one attempt: comes with the control-plane part"),
    (Cause::PlegUnhealthy, "about the node, not about one attempt: comes with the control-plane part"),
    (Cause::KubeletRestarted, "about the node, not about one attempt: comes with the control-plane part"),
    (Cause::NodeSilent, "about the node, not about one attempt: comes with the control-plane part"),
    (Cause::Unknown, "the absence of a cause; provoked by every scenario of a cause that is not decided yet"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_are_unique_snake_case_and_found_again() {
        let ids: BTreeSet<_> = Cause::ALL.iter().map(|cause| cause.id()).collect();
        assert_eq!(ids.len(), Cause::ALL.len());
        for cause in Cause::ALL {
            assert!(cause.id().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{cause}");
            assert_eq!(Cause::from_id(cause.id()), Some(*cause));
            assert!(!cause.meaning().is_empty() && !cause.family().is_empty());
        }
        assert_eq!(Cause::from_id("nonsense"), None);
    }

    #[test]
    fn not_provoked_names_each_cause_once_with_a_reason() {
        let names: BTreeSet<_> = NOT_PROVOKED.iter().map(|(cause, _)| *cause).collect();
        assert_eq!(names.len(), NOT_PROVOKED.len());
        assert!(NOT_PROVOKED.iter().all(|(_, reason)| reason.len() > 10));
        // The lab's main causes are provoked.
        for cause in [Cause::None, Cause::NotListening, Cause::AcceptQueueFull, Cause::ProbeSlow, Cause::CpuThrottled] {
            assert!(!names.contains(&cause), "{cause}");
        }
    }
}
