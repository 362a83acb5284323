//! Builds sequences of inputs tersely, for tests. Times are milliseconds of CLOCK_MONOTONIC; the wall clock is ahead by
//! [`WALL_NS`], CLOCK_BOOTTIME by [`BOOT_AHEAD_NS`].

mod processes;

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use super::{Limits, Output, Request, Tracker, facts::Attempt};
use crate::{
    attribution::spec::{Container, Handler, ProbeKind, ProbeSpec, SpecSource, SpecUpdate},
    event::{Bytes, Data, Event, Sock, SockChange, What, tcp_state},
    input::{Clock, Input, Losses, Prober, Start},
    observation::Observation,
};

pub use self::processes::exec_of;

/// The container of all specs here.
pub const CONTAINER: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
/// Wall clock at monotonic 0.
pub const WALL_NS: i64 = 1_700_000_000_000_000_000;
/// Boot clock at monotonic 0.
pub const BOOT_AHEAD_NS: u64 = 5_000_000_000;
/// The prober.
pub const PROBER: u32 = 1458;
/// One millisecond.
pub const MS: u64 = 1_000_000;

/// A kubelet is traced.
pub fn kubelet() -> Start {
    let clock = Clock { mono_ns: 0, boot_ns: BOOT_AHEAD_NS, wall_ns: WALL_NS };
    Start {
        node: "n1".into(),
        boot_id: "b".into(),
        kernel: "6.18".into(),
        clock,
        probers: vec![Prober { pid: PROBER, comm: "kubelet".into() }],
        is_kubelet: true,
        hooks: Vec::new(),
        lacks: Vec::new(),
    }
}

/// Another prober is traced.
pub fn other_prober() -> Start {
    Start { is_kubelet: false, probers: vec![Prober { pid: PROBER, comm: "curl".into() }], ..kubelet() }
}

/// The pod's address and port.
pub fn target() -> SocketAddr {
    "10.0.0.7:8080".parse().unwrap()
}

/// A liveness probe: timeout 1 s, period 10 s.
pub fn probe(handler: Handler) -> ProbeSpec {
    let container = Container {
        namespace: "default".into(),
        pod: "web".into(),
        pod_uid: "uid-1".into(),
        pod_ips: vec![target().ip()],
        host_network: false,
        name: "app".into(),
        id: CONTAINER.into(),
        started_at_wall_ns: WALL_NS - 600_000_000_000,
        restarts: 0,
        ports: vec![target().port()],
        deleting: false,
    };
    ProbeSpec {
        container: Arc::new(container),
        kind: ProbeKind::Liveness,
        handler,
        timeout_ns: 1_000 * MS,
        period_ns: 10_000 * MS,
        initial_delay_ns: 0,
        failure_threshold: 3,
        success_threshold: 1,
    }
}

/// See [`probe`].
pub fn http(path: &str) -> ProbeSpec {
    http_at(target(), path, false)
}

/// See [`probe`].
pub fn https(path: &str) -> ProbeSpec {
    http_at(target(), path, true)
}

/// See [`probe`].
pub fn http_at(at: SocketAddr, path: &str, tls: bool) -> ProbeSpec {
    probe(Handler::Http { address: Some(at.ip()), host_name: None, port: at.port(), path: path.into(), tls })
}

/// See [`probe`].
pub fn tcp() -> ProbeSpec {
    probe(Handler::Tcp { address: Some(target().ip()), host_name: None, port: target().port() })
}

/// See [`probe`].
pub fn grpc() -> ProbeSpec {
    probe(Handler::Grpc { address: Some(target().ip()), port: target().port(), service: String::new() })
}

/// See [`probe`]; the words of the command.
pub fn exec(command: &str) -> ProbeSpec {
    probe(Handler::Exec { argv: command.split(' ').map(str::to_owned).collect() })
}

/// The same probe of another container.
pub fn with_container(spec: &ProbeSpec, change: impl FnOnce(&mut Container)) -> ProbeSpec {
    let mut container = (*spec.container).clone();
    change(&mut container);
    ProbeSpec { container: Arc::new(container), ..spec.clone() }
}

/// The same probe of another kind.
pub fn as_kind(spec: &ProbeSpec, kind: ProbeKind) -> ProbeSpec {
    ProbeSpec { kind, ..spec.clone() }
}

/// What a source says.
pub fn update(at_ms: u64, source: SpecSource, probes: Vec<ProbeSpec>) -> SpecUpdate {
    SpecUpdate { at_ns: at_ms * MS, source, probes, problems: Vec::new() }
}

/// A tracker with sockets and processes to play with. Ticks come by themselves whenever the tracker wants one.
pub struct Lab {
    /// Under test.
    pub tracker: Tracker,
    /// Every input so far: for replays and shuffles.
    pub inputs: Vec<Input>,
    /// Every output so far.
    pub out: Vec<Output>,
    /// Whether sockets have byte counters.
    pub watch_bytes: bool,
    socks: BTreeMap<u64, (Sock, u8)>,
    roots: BTreeMap<u32, u32>,
    seq: u64,
    next_sock: u64,
}

impl Lab {
    /// Specs are known from the start.
    pub fn new(start: Start, probes: Vec<ProbeSpec>) -> Self {
        let mut lab = Self::empty(start);
        lab.feed(Input::Specs(update(0, SpecSource::File, probes)));
        lab
    }

    /// No spec is known.
    pub fn empty(start: Start) -> Self {
        let mut lab = Self {
            tracker: Tracker::new(Limits::default()),
            inputs: Vec::new(),
            out: Vec::new(),
            watch_bytes: true,
            socks: BTreeMap::new(),
            roots: BTreeMap::new(),
            seq: 0,
            next_sock: 0,
        };
        lab.feed(Input::Start(start));
        lab.feed(Input::Losses(Losses::default()));
        lab
    }

    /// Any input.
    pub fn feed(&mut self, input: Input) {
        self.tracker.feed(&input, &mut self.out);
        self.inputs.push(input);
    }

    /// Time passes; the tracker gets each tick that it wants.
    pub fn advance(&mut self, at_ms: u64) -> &mut Self {
        let until_ns = at_ms * MS;
        while let Some(at_ns) = self.tracker.next_deadline().filter(|at_ns| *at_ns <= until_ns) {
            self.tick(at_ns);
        }
        self
    }

    fn tick(&mut self, now_ns: u64) {
        self.feed(Input::Losses(Losses { at_ns: now_ns, ..Losses::default() }));
        self.feed(Input::Tick { now_ns });
    }

    /// Time passes up to here; the attempts that were given out so far.
    pub fn finish(&mut self, at_ms: u64) -> Vec<Attempt> {
        self.advance(at_ms);
        self.tick(at_ms * MS);
        self.closed()
    }

    /// Tracing ends.
    pub fn stop(&mut self, at_ms: u64) -> Vec<Attempt> {
        self.feed(Input::Stop { now_ns: at_ms * MS });
        self.closed()
    }

    /// The attempts that were given out so far.
    pub fn closed(&self) -> Vec<Attempt> {
        let closed = self.out.iter().filter_map(|output| match output {
            Output::Closed(attempt) => Some((**attempt).clone()),
            _ => None,
        });
        closed.collect()
    }

    /// The looks that were asked so far.
    pub fn asked(&self) -> Vec<Request> {
        let asked = self.out.iter().filter_map(|output| match output {
            Output::Ask(request) => Some(request.clone()),
            _ => None,
        });
        asked.collect()
    }

    /// Answers all looks that were asked, with nothing seen.
    pub fn answer_all(&mut self, at_ms: u64) -> &mut Self {
        for request in self.asked() {
            self.feed(Input::Observation(empty_answer(request.look, at_ms * MS)));
        }
        self
    }

    /// One event, on CPU 0.
    pub fn event(&mut self, at_ms: u64, what: What) {
        self.advance(at_ms);
        self.seq += 1;
        self.feed(Input::Event(Event { at_ns: at_ms * MS, cpu: 0, seq: self.seq, what }));
    }

    /// A prober's socket begins to connect to [`target`].
    pub fn connect(&mut self, at_ms: u64) -> u64 {
        self.connect_to(at_ms, target())
    }

    /// A prober's socket begins to connect.
    pub fn connect_to(&mut self, at_ms: u64, remote: SocketAddr) -> u64 {
        self.next_sock += 1;
        let sock = Sock {
            id: self.next_sock,
            change: SockChange::State { from: tcp_state::CLOSE, to: tcp_state::SYN_SENT },
            local: "10.0.0.1:0".parse().unwrap(),
            remote,
            tgid: PROBER,
            netns: 4_026_531_840,
            born_ns: at_ms * MS,
            error: 0,
            bytes_watched: self.watch_bytes,
            bytes: Bytes::default(),
            by_cgroup: true,
        };
        self.socks.insert(sock.id, (sock.clone(), tcp_state::SYN_SENT));
        self.event(at_ms, What::Sock(sock));
        self.next_sock
    }

    fn sock_event(&mut self, id: u64, at_ms: u64, change: SockChange, error: i32) -> &mut Self {
        let (sock, state) = self.socks.get_mut(&id).unwrap();
        sock.local.set_port(40_000 + id as u16);
        (sock.change, sock.error) = (change, error);
        if let SockChange::State { to, .. } = change {
            *state = to;
        }
        let sock = sock.clone();
        self.event(at_ms, What::Sock(sock));
        self
    }

    fn go(&mut self, id: u64, at_ms: u64, to: u8, error: i32) -> &mut Self {
        let from = self.socks[&id].1;
        self.sock_event(id, at_ms, SockChange::State { from, to }, error)
    }

    /// The handshake is done.
    pub fn established(&mut self, id: u64, at_ms: u64) -> &mut Self {
        self.go(id, at_ms, tcp_state::ESTABLISHED, 0)
    }

    /// The SYN goes out again.
    pub fn retransmit(&mut self, id: u64, at_ms: u64) -> &mut Self {
        let state = self.socks[&id].1;
        self.sock_event(id, at_ms, SockChange::Retransmit { state }, 0)
    }

    /// The prober sends these bytes.
    pub fn request(&mut self, id: u64, at_ms: u64, bytes: &[u8]) -> &mut Self {
        let sock = &mut self.socks.get_mut(&id).unwrap().0;
        if sock.bytes_watched {
            sock.bytes.tx += bytes.len() as u64;
            sock.bytes.last_tx_ns = at_ms * MS;
        }
        let data = Data { sock_id: id, bytes: bytes.to_vec(), truncated: false };
        self.event(at_ms, What::Request(data));
        self
    }

    /// The prober receives these bytes.
    pub fn response(&mut self, id: u64, at_ms: u64, bytes: &[u8]) -> &mut Self {
        let sock = &mut self.socks.get_mut(&id).unwrap().0;
        let is_first = sock.bytes.rx == 0;
        if sock.bytes_watched {
            sock.bytes.rx += bytes.len() as u64;
            sock.bytes.last_rx_ns = at_ms * MS;
            if is_first {
                sock.bytes.first_rx_ns = at_ms * MS;
            }
        }
        if is_first {
            let data = Data { sock_id: id, bytes: bytes[..bytes.len().min(128)].to_vec(), truncated: false };
            self.event(at_ms, What::Response(data));
        }
        self
    }

    /// Both, at one moment.
    pub fn bytes(&mut self, id: u64, at_ms: u64, request: &[u8], response: &[u8]) -> &mut Self {
        self.request(id, at_ms, request).response(id, at_ms, response)
    }

    /// `GET path`.
    pub fn get(&mut self, id: u64, at_ms: u64, path: &str) -> &mut Self {
        self.request(id, at_ms, format!("GET {path}").as_bytes())
    }

    /// An answer with this status and no body.
    pub fn status(&mut self, id: u64, at_ms: u64, status: u16) -> &mut Self {
        self.response(id, at_ms, format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n").as_bytes())
    }

    /// The server closes.
    pub fn fin(&mut self, id: u64, at_ms: u64) -> &mut Self {
        self.socks.get_mut(&id).unwrap().0.bytes.fin_rx_ns = at_ms * MS;
        self.go(id, at_ms, tcp_state::CLOSE_WAIT, 0)
    }

    /// The prober closes.
    pub fn close(&mut self, id: u64, at_ms: u64) -> &mut Self {
        let to = match self.socks[&id].1 {
            tcp_state::ESTABLISHED => tcp_state::FIN_WAIT1,
            tcp_state::CLOSE_WAIT => tcp_state::LAST_ACK,
            _ => tcp_state::CLOSE,
        };
        self.go(id, at_ms, to, 0)
    }

    /// The prober closes with bytes unread: RST.
    pub fn close_unread(&mut self, id: u64, at_ms: u64) -> &mut Self {
        self.go(id, at_ms, tcp_state::CLOSE, 0)
    }

    /// The connection ends by this errno; with a RST for 111 and 104.
    pub fn fail(&mut self, id: u64, at_ms: u64, errno: i32) -> &mut Self {
        let state = self.socks[&id].1;
        if errno == 111 || errno == 104 {
            self.sock_event(id, at_ms, SockChange::ResetReceived { state }, 0);
        }
        self.sock_event(id, at_ms, SockChange::Error, errno);
        self.go(id, at_ms, tcp_state::CLOSE, errno)
    }

    /// A whole attempt that passes: 1 ms.
    pub fn pass(&mut self, at_ms: u64, path: &str) -> &mut Self {
        let id = self.connect(at_ms);
        self.established(id, at_ms).get(id, at_ms, path).status(id, at_ms + 1, 200).close(id, at_ms + 1)
    }

    /// How a socket is now.
    pub fn sock(&self, id: u64) -> &Sock {
        &self.socks[&id].0
    }
}

/// An answer that saw nothing.
pub fn empty_answer(look: u64, at_ns: u64) -> Observation {
    Observation { look, at_ns, done_ns: at_ns, ..Observation::default() }
}
