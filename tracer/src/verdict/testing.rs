//! Attempts for the tests of the rules: a healthy one to start from, of which each test spoils what it is about.

use std::{net::SocketAddr, sync::Arc};

use crate::{
    attempt::facts::{Attempt, Connection, History, Run, Try},
    attribution::spec::{Container, Handler, ProbeKind, ProbeSpec, SpecSource},
    event::{Bytes, Data, Exec, Exit, Peer, tcp_state},
    input::{Clock, Prober, Start},
    observation::{CgroupState, ListenerState, Observation, ProcessState, SocketState, TargetState, ThreadState},
    record::{Confidence, Outcome, Verdict},
    verdict::{Cause, Context, judge},
};

/// One millisecond.
pub const MS: u64 = 1_000_000;
/// Begin of each attempt.
pub const BEGAN: u64 = 5_000_000 * MS;
/// timeoutSeconds: 1.
pub const TIMEOUT: u64 = 1000 * MS;
/// Bytes of the request.
pub const REQUEST: u64 = 58;

/// An instant, in ms from the begin.
pub fn at(ms: u64) -> u64 {
    BEGAN + ms * MS
}

/// A kernel with all the hooks of the tracepoint rung.
pub fn start() -> Start {
    let hooks = ["sock:inet_sock_set_state", "tcp:tcp_send_reset", "tcp:tcp_receive_reset", "sched:sched_process_exec"];
    Start {
        node: "n1".into(),
        boot_id: "b".into(),
        kernel: "6.18.44".into(),
        clock: clock(),
        probers: vec![],
        is_kubelet: true,
        hooks: hooks.map(String::from).to_vec(),
        lacks: vec![],
    }
}

/// Wall clock and monotonic clock.
pub fn clock() -> Clock {
    Clock { mono_ns: BEGAN, boot_ns: BEGAN, wall_ns: 1_800_000_000_000_000_000 }
}

/// A container that started so long before the attempt.
pub fn container(age_ms: u64) -> Container {
    Container {
        namespace: "default".into(),
        pod: "web".into(),
        pod_uid: "u".into(),
        pod_ips: vec![target().ip()],
        host_network: false,
        name: "app".into(),
        id: "c".into(),
        started_at_wall_ns: clock().wall_ns - i64::try_from(age_ms * MS).unwrap(),
        restarts: 0,
        ports: vec![8080],
        deleting: false,
    }
}

/// The target.
pub fn target() -> SocketAddr {
    "10.0.0.7:8080".parse().unwrap()
}

/// The prober's end.
pub fn prober() -> SocketAddr {
    "10.0.0.1:40000".parse().unwrap()
}

/// A liveness probe of a container that is an hour old.
pub fn spec(handler: Handler) -> ProbeSpec {
    ProbeSpec {
        container: Arc::new(container(3_600_000)),
        kind: ProbeKind::Liveness,
        handler,
        timeout_ns: TIMEOUT,
        period_ns: 10 * TIMEOUT,
        initial_delay_ns: 0,
        failure_threshold: 3,
        success_threshold: 1,
    }
}

/// `GET /healthz`.
pub fn http() -> Handler {
    Handler::Http {
        address: Some(target().ip()),
        host_name: None,
        port: 8080,
        path: "/healthz?full".into(),
        tls: false,
    }
}

/// An http attempt over one connection.
pub fn net(outcome: Outcome, ended_ms: u64, connection: Connection) -> Attempt {
    attempt(outcome, ended_ms, spec(http()), Try::Net(vec![connection]))
}

/// An exec attempt of `check`.
pub fn exec(outcome: Outcome, ended_ms: u64, run: Run) -> Attempt {
    attempt(outcome, ended_ms, spec(Handler::Exec { argv: vec!["/bin/check".into()] }), Try::Exec(run))
}

fn attempt(outcome: Outcome, ended_ms: u64, spec: ProbeSpec, one: Try) -> Attempt {
    Attempt {
        number: 1,
        prober: Prober { pid: 1458, comm: "kubelet".into() },
        probe: Some(spec),
        spec_source: Some(SpecSource::File),
        chosen_by: "",
        ambiguous: vec![],
        began_ns: BEGAN,
        ended_ns: at(ended_ms),
        closed_ns: at(ended_ms + 100),
        outcome,
        tries: vec![one],
        looks: vec![],
        no_loss: true,
        meant_ports: Vec::new(),
        history: History::default(),
    }
}

/// Established after 0.1 ms, the request sent, no answer.
pub fn connected() -> Connection {
    Connection {
        sock_id: 1,
        local: prober(),
        remote: target(),
        netns: 1,
        began_ns: BEGAN,
        established_ns: BEGAN + MS / 10,
        closed_ns: 0,
        closed_from: 0,
        reset_ns: 0,
        reset_in: 0,
        error: 0,
        syn_retransmits: 0,
        data_retransmits: 0,
        synack_retransmits: 0,
        bytes_watched: true,
        bytes: Bytes { tx: REQUEST, last_tx_ns: BEGAN + MS / 5, ..Bytes::default() },
        request: Some(Data { sock_id: 1, bytes: b"GET /healthz".to_vec(), truncated: false }),
        response: None,
        resets_sent: vec![],
    }
}

/// The SYN was never answered.
pub fn unanswered() -> Connection {
    Connection { established_ns: 0, bytes: Bytes::default(), request: None, syn_retransmits: 1, ..connected() }
}

/// A RST came for the SYN; `no_socket`: the target's TCP was seen to send it.
pub fn refused(no_socket: bool) -> Connection {
    let peer = Peer { local: target(), remote: prober(), reason: "NO_SOCKET".into(), has_socket: false };
    Connection {
        closed_ns: BEGAN + MS / 10,
        closed_from: tcp_state::SYN_SENT,
        reset_ns: BEGAN + MS / 10,
        reset_in: tcp_state::SYN_SENT,
        error: 111,
        syn_retransmits: 0,
        resets_sent: if no_socket { vec![(BEGAN + MS / 11, peer)] } else { vec![] },
        ..unanswered()
    }
}

/// An answer with this first line arrived after so long.
pub fn answered(line: &str, ms: u64) -> Connection {
    let mut connection = connected();
    let rx = line.len() as u64;
    connection.bytes = Bytes { rx, first_rx_ns: at(ms), last_rx_ns: at(ms), ..connection.bytes };
    connection.response = Some(Data { sock_id: 1, bytes: line.as_bytes().to_vec(), truncated: false });
    connection
}

/// A look that shows a server that waits for work and a connection that waits for accept.
pub fn look(ms: u64) -> Observation {
    Observation {
        look: ms,
        at_ns: at(ms),
        done_ns: at(ms) + MS,
        prober_socket: Some(socket(prober(), target(), 100, 0)),
        target: Some(TargetState {
            netns: 2,
            address_is_local: true,
            of_container: Some(true),
            listeners: vec![listener(target())],
            child: Some(socket(target(), prober(), 0, u32::try_from(REQUEST).unwrap())),
            unaccepted: 1,
            counters: vec![("ListenOverflows".into(), 0), ("OutRsts".into(), 5)],
            owner: Some(process(71, &['S', 'S'])),
            ..TargetState::default()
        }),
        processes: vec![],
        cgroup: Some(CgroupState {
            path: "kubepods/c".into(),
            nr_throttled: Some(7),
            throttled_ns: Some(0),
            cpu_limit: Some(0.5),
            usage_ns: Some(0),
            frozen: Some(false),
            oom_kills: Some(0),
            pids: Some((3, None)),
            pids_max_hits: Some(0),
            ..CgroupState::default()
        }),
        command: None,
        failures: vec![],
    }
}

/// The same with another server's end: `inode` 0 waits for accept.
pub fn look_child(ms: u64, inode: u64, unread: u32) -> Observation {
    let mut seen = look(ms);
    let side = seen.target.as_mut().unwrap();
    side.unaccepted = u32::from(inode == 0);
    side.child = Some(SocketState { bytes_received: Some(REQUEST), ..socket(target(), prober(), inode, unread) });
    seen
}

/// The same after a refusal: nothing listens.
pub fn look_nothing(ms: u64) -> Observation {
    let mut seen = look(ms);
    let side = seen.target.as_mut().unwrap();
    (side.listeners, side.child, side.owner, side.unaccepted) = (vec![], None, None, 0);
    seen
}

/// Changes the target's side of a look.
pub fn with(mut seen: Observation, change: impl FnOnce(&mut TargetState)) -> Observation {
    change(seen.target.as_mut().unwrap());
    seen
}

/// Changes the cgroup of a look.
pub fn with_cgroup(mut seen: Observation, change: impl FnOnce(&mut CgroupState)) -> Observation {
    change(seen.cgroup.as_mut().unwrap());
    seen
}

/// A socket in ESTABLISHED.
pub fn socket(local: SocketAddr, remote: SocketAddr, inode: u64, unread: u32) -> SocketState {
    SocketState {
        state: tcp_state::ESTABLISHED,
        local,
        remote,
        unread_bytes: unread,
        unacked_bytes: 0,
        retransmits: 0,
        inode,
        bytes_received: None,
        bytes_sent: None,
        last_received_ms: None,
    }
}

/// A listener of the probed container with an empty queue.
pub fn listener(local: SocketAddr) -> ListenerState {
    ListenerState {
        local,
        v6_only: None,
        queue_len: 0,
        queue_max: 128,
        drops: None,
        inode: 200,
        pid: Some(71),
        comm: Some("nginx".into()),
        mptcp: false,
        in_container: Some(true),
    }
}

/// `nginx` with threads in these states.
pub fn process(pid: u32, states: &[char]) -> ProcessState {
    let thread = |(index, state): (usize, &char)| ThreadState {
        tid: pid + u32::try_from(index).unwrap(),
        state: *state,
        ..ThreadState::default()
    };
    ProcessState {
        pid,
        comm: "nginx".into(),
        threads: states.iter().enumerate().map(thread).collect(),
        fds: Some((10, 1024)),
        ..ProcessState::default()
    }
}

/// A command that started after 30 ms.
pub fn ran(exit: Option<Exit>, exit_ms: u64) -> Run {
    Run {
        spawned_ns: BEGAN,
        helper: Some(program("runc")),
        exec_ns: at(30),
        command: Some(program("check")),
        exit_ns: if exit.is_some() { at(exit_ms) } else { 0 },
        exit,
        ..Run::default()
    }
}

/// The helper failed, no command came.
pub fn not_started() -> Run {
    Run { exec_ns: 0, command: None, helper_exit_ns: at(40), helper_exit: Some(exit(1 << 8)), ..ran(None, 0) }
}

fn program(comm: &str) -> Exec {
    Exec {
        pid: 80,
        kpid: 80,
        start_boot_ns: BEGAN,
        root_kpid: 1,
        comm: comm.into(),
        argv: vec![comm.into()],
        argv_truncated: false,
        cgroup: String::new(),
        cgroup_parent: String::new(),
        cgroup_id: 0,
    }
}

/// An end with this wait status.
pub fn exit(status: u32) -> Exit {
    Exit {
        pid: 80,
        kpid: 80,
        start_boot_ns: BEGAN,
        root_kpid: 1,
        comm: "check".into(),
        status,
        on_cpu_ns: 5 * MS,
        run_delay_ns: MS,
    }
}

/// The verdict on a node as in [`start`].
pub fn verdict(attempt: &Attempt) -> Verdict {
    judge(attempt, &Context { start: &start(), clock: clock() })
}

/// Asserts cause and confidence, and gives the verdict back.
#[track_caller]
pub fn expect(attempt: &Attempt, cause: Cause, confidence: Confidence) -> Verdict {
    let verdict = verdict(attempt);
    let found = (verdict.cause.as_str(), verdict.confidence);
    assert_eq!(found, (cause.id(), confidence), "{verdict:#?}");
    assert!(!verdict.summary.is_empty());
    let named = confidence == Confidence::Proven || !verdict.missing.is_empty() || cause == Cause::None;
    assert!(named, "what is missing for more is not named: {verdict:#?}");
    verdict
}
