//! The kernel programs on this kernel: a prober of its own (a child of this test) connects, is refused, forks and
//! executes; the decoded events must tell that. Needs root; says so where it has not.

#![cfg(test)]

mod kernel {
    pub mod prober;
}

use std::{
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use kernel::prober::{self, Cgroup, Prober};
use probetrace::{
    event::{Event, Sock, SockChange, What, tcp_state},
    kernel::{Config, HookState, Kernel, Ringed, StartError, Stopper, WayChoice},
};

/// Events as they come, from a thread of its own.
struct Traced {
    kernel: Kernel,
    events: Arc<Mutex<Vec<Event>>>,
    stopper: Stopper,
    thread: std::thread::JoinHandle<()>,
}

impl Traced {
    /// `None`: not permitted here.
    fn start(pid: u32, way: WayChoice) -> Option<Self> {
        let config = Config { probers: vec![pid], way, ..Config::default() };
        let mut kernel = match Kernel::start(&config) {
            Ok(kernel) => kernel,
            Err(StartError::Privilege(missing)) => {
                eprintln!("skipped: {} missing, run as root", missing.join(", "));
                return None;
            }
            Err(error) => panic!("{error}"),
        };
        let events = Arc::new(Mutex::new(Vec::new()));
        let mut reader = kernel.take_reader().expect("the first reader");
        assert!(kernel.take_reader().is_none());
        let stopper = reader.stopper();
        let sink = Arc::clone(&events);
        let each = move |ringed| {
            if let Ringed::Event(event) = ringed {
                sink.lock().expect("sink").push(event);
            }
        };
        let run = move || reader.run(each).expect("run");
        Some(Self { kernel, events, stopper, thread: std::thread::spawn(run) })
    }

    /// Waits until the events so far satisfy `done`, at most 5 s; returns them.
    fn wait(&self, what: &str, done: impl Fn(&[Event]) -> bool) -> Vec<Event> {
        let until = Instant::now() + Duration::from_secs(5);
        loop {
            let events = self.events.lock().expect("sink").clone();
            if done(&events) {
                return events;
            }
            assert!(Instant::now() < until, "no {what} in {events:#?}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn stop(self) -> Vec<Event> {
        self.stopper.stop();
        self.thread.join().expect("the reader ends");
        let losses = self.kernel.losses();
        assert_eq!(losses.lost(), 0, "{losses:?}");
        assert_eq!(losses.read_failed, 0, "{losses:?}");
        let events = self.events.lock().expect("sink");
        events.clone()
    }
}

fn socks(events: &[Event]) -> impl Iterator<Item = &Sock> {
    events.iter().filter_map(|event| if let What::Sock(sock) = &event.what { Some(sock) } else { None })
}

fn find<T>(events: &[Event], select: impl Fn(&What) -> Option<T>) -> Option<T> {
    events.iter().find_map(|event| select(&event.what))
}

fn reached(events: &[Event], state: u8) -> Option<&Sock> {
    socks(events).find(|sock| matches!(sock.change, SockChange::State { to, .. } if to == state))
}

fn closed(events: &[Event]) -> usize {
    socks(events).filter(|sock| matches!(sock.change, SockChange::State { to: tcp_state::CLOSE, .. })).count()
}

/// One HTTP exchange and one refused connect at `host`, then an exec; by the way that is expected.
fn everything(host: &str, way: WayChoice) {
    let Some(cgroup) = Cgroup::make(&format!("everything-{way:?}-{}", host.len())) else { return };
    let listener = TcpListener::bind((host, 0)).expect("a port");
    let target = listener.local_addr().expect("address");
    let mut prober = Prober::start(Some(&cgroup));
    let Some(mut traced) = Traced::start(prober.pid(), way) else { return };
    let refused = prober::refused(host);
    assert_eq!(traced.kernel.set_targets(&[(target.ip(), target.port()), (refused.1.ip(), refused.1.port())]), 0);
    let server = std::thread::spawn(move || prober::serve_once(&listener));

    prober.tell(&format!("http {target}"));
    prober.tell(&format!("connect {}", refused.1));
    prober.tell("exec");
    let events = traced
        .wait("end", |events| closed(events) >= 2 && events.iter().any(|event| matches!(event.what, What::Exit(_))));
    server.join().expect("server");
    check_exchange(&events, target, prober.pid(), way);
    check_refused(&events, refused.1);
    check_exec(&events, prober.pid());
    traced.stop();
}

fn check_exchange(events: &[Event], target: SocketAddr, prober: u32, way: WayChoice) {
    let established = reached(events, tcp_state::ESTABLISHED).expect("ESTABLISHED");
    assert_eq!((established.remote, established.tgid), (target, prober));
    assert_eq!(established.by_cgroup, way == WayChoice::Cgroup);
    assert!(established.bytes_watched && established.netns != 0 && established.local.port() != 0);
    let of_it: Vec<_> = socks(events).filter(|sock| sock.id == established.id).collect();
    let first = of_it.first().expect("events");
    assert_eq!(first.change, SockChange::State { from: tcp_state::CLOSE, to: tcp_state::SYN_SENT });
    let last = of_it.last().expect("events");
    assert_eq!(last.bytes.tx, prober::REQUEST.len() as u64, "{last:?}");
    assert_eq!(last.bytes.rx, prober::RESPONSE.len() as u64, "{last:?}");
    assert!(last.bytes.first_rx_ns >= last.bytes.last_tx_ns && last.bytes.fin_rx_ns >= last.bytes.first_rx_ns);
    let request = find(events, |what| match what {
        What::Request(data) if data.sock_id == established.id => Some(data.clone()),
        _ => None,
    });
    let request = request.expect("a request");
    assert_eq!(String::from_utf8_lossy(&request.bytes), "GET /healthz", "the query stays in the kernel");
    assert!(!request.truncated);
    let response = find(events, |what| match what {
        What::Response(data) if data.sock_id == established.id => Some(data.bytes.clone()),
        _ => None,
    });
    assert_eq!(response.as_deref(), Some(&prober::RESPONSE.as_bytes()[..16]));
}

fn check_refused(events: &[Event], address: SocketAddr) {
    let of_it: Vec<_> = socks(events).filter(|sock| sock.remote == address).collect();
    let kinds: Vec<_> = of_it.iter().map(|sock| sock.change).collect();
    assert!(kinds.contains(&SockChange::ResetReceived { state: tcp_state::SYN_SENT }), "{kinds:?}");
    let end = SockChange::State { from: tcp_state::SYN_SENT, to: tcp_state::CLOSE };
    assert_eq!(of_it.iter().find(|sock| sock.change == end).expect("the end").error, libc::ECONNREFUSED);
    let sent = find(events, |what| match what {
        What::ResetSent(peer) if peer.local == address => Some(peer.clone()),
        _ => None,
    });
    let sent = sent.expect("the target's reset");
    assert_eq!((sent.reason.as_str(), sent.has_socket), ("NO_SOCKET", false));
}

fn check_exec(events: &[Event], prober: u32) {
    let fork = find(events, |what| if let What::Fork(fork) = what { Some(fork.clone()) } else { None });
    let fork = fork.expect("fork");
    assert_eq!((fork.ppid, fork.is_first), (prober, true));
    let exec = find(events, |what| match what {
        What::Exec(exec) if exec.pid == fork.pid => Some(exec.clone()),
        _ => None,
    });
    let exec = exec.expect("exec");
    assert_eq!((exec.comm.as_str(), exec.argv.join(" ").as_str()), ("sh", "sh -c exit 3"));
    assert_eq!(exec.start_boot_ns, fork.start_boot_ns);
    assert_ne!(exec.cgroup_id, 0);
    let exit = find(events, |what| match what {
        What::Exit(exit) if exit.pid == fork.pid => Some(exit.clone()),
        _ => None,
    });
    assert_eq!(exit.expect("exit").code(), Some(3));
}

#[test]
fn node_wide_ipv4() {
    everything("127.0.0.1", WayChoice::Node);
}

#[test]
fn node_wide_ipv6() {
    everything("::1", WayChoice::Node);
}

#[test]
fn in_the_cgroup_ipv4() {
    everything("127.0.0.1", WayChoice::Cgroup);
}

#[test]
fn in_the_cgroup_ipv6() {
    everything("::1", WayChoice::Cgroup);
}

/// The two ways are compared on eight connects; no socket is lost or doubled at the switch.
#[test]
fn the_ways_switch_without_a_gap() {
    const AFTER_THE_SWITCH: usize = 10;
    let Some(cgroup) = Cgroup::make("switch") else { return };
    let mut prober = Prober::start(Some(&cgroup));
    let Some(traced) = Traced::start(prober.pid(), WayChoice::Auto) else { return };
    let refused = prober::refused("127.0.0.1");
    let mut connects = 0;
    let mut more = 0;
    while more < AFTER_THE_SWITCH {
        prober.tell(&format!("connect {}", refused.1));
        connects += 1;
        let events = traced.events.lock().expect("sink").clone();
        more += usize::from(socks(&events).any(|sock| sock.by_cgroup));
        assert!(connects < 5_000, "it never switched: {}", traced.kernel.way());
    }
    let events = traced.wait("end", |events| closed(events) >= connects);
    let mut ids: Vec<u64> = socks(&events)
        .filter(|sock| matches!(sock.change, SockChange::State { to: tcp_state::CLOSE, .. }))
        .map(|sock| sock.id)
        .collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), connects);
    traced.wait("drained switch", |_| traced.kernel.way() == "in the prober's cgroup");
    traced.stop();
}

/// A prober in the root cgroup is seen too; its bytes at the root.
#[test]
fn a_prober_in_the_root_cgroup_is_seen_node_wide() {
    let mut prober = Prober::start(None);
    let Some(traced) = Traced::start(prober.pid(), WayChoice::Auto) else { return };
    let refused = prober::refused("127.0.0.1");
    prober.tell(&format!("connect {}", refused.1));
    let events = traced.wait("end", |events| closed(events) >= 1);
    assert!(socks(&events).all(|sock| !sock.by_cgroup));
    assert!(reached(&events, tcp_state::CLOSE).expect("the end").bytes_watched);
    traced.stop();
}

#[test]
fn every_hook_works_here() {
    let mut prober = Prober::start(None);
    let Some(traced) = Traced::start(prober.pid(), WayChoice::Auto) else { return };
    for hook in traced.kernel.hooks() {
        assert!(hook.is_working() || matches!(hook.state, HookState::NotNeeded(_)), "{hook:?}");
    }
    prober.tell("quit");
    assert_eq!(socks(&traced.stop()).count(), 0, "the self-test must not show");
}

/// A tracer in a pid namespace of its own is told its own numbers, and finds its prober by them.
#[test]
fn in_a_pid_namespace_pids_are_translated() {
    let program = std::env::current_exe().expect("this program");
    let run = std::process::Command::new("unshare")
        .args(["-pf", "--mount-proc"])
        .arg(program)
        .args(["--exact", "node_wide_ipv4", "in_the_cgroup_ipv4", "--test-threads=1"])
        .output();
    let Ok(run) = run else { return eprintln!("skipped: no unshare here") };
    let text = String::from_utf8_lossy(&run.stdout).into_owned() + &String::from_utf8_lossy(&run.stderr);
    if text.contains("Operation not permitted") && text.contains("unshare") {
        return eprintln!("skipped: {text}");
    }
    assert!(run.status.success(), "{text}");
}

/// What executes a container runtime's program is followed, whoever started it.
#[test]
fn a_runtime_starts_a_tree() {
    let prober = Prober::start(None);
    let Some(traced) = Traced::start(prober.pid(), WayChoice::Node) else { return };
    let folder = std::env::temp_dir().join(format!("probetrace-test-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("folder");
    let runc = folder.join("runc");
    std::fs::copy("/bin/sh", &runc).expect("a copy of the shell");
    let mut child = std::process::Command::new(&runc).args(["-c", "(exit 5); exit 4"]).spawn().expect("it runs");
    let pid = child.id();
    child.wait().expect("it ends");
    std::fs::remove_dir_all(&folder).expect("folder");
    let events = traced.wait("exit", |events| find(events, |what| ends(what).filter(|exit| exit.pid == pid)).is_some());
    let exec = find(&events, |what| if let What::Exec(exec) = what { Some(exec.clone()) } else { None });
    let exec = exec.expect("exec");
    assert_eq!((exec.comm.as_str(), exec.pid, exec.root_kpid), ("runc", pid, exec.kpid));
    let codes: Vec<_> = events.iter().filter_map(|event| ends(&event.what)).map(|exit| exit.code()).collect();
    assert_eq!(codes, [Some(5), Some(4)], "its child's and its own");
    traced.stop();
}

fn ends(what: &What) -> Option<probetrace::event::Exit> {
    if let What::Exit(exit) = what { Some(exit.clone()) } else { None }
}

/// One address may flood: its own attempts are left out and counted by its name.
#[test]
fn a_source_over_its_budget_is_named() {
    let mut prober = Prober::start(None);
    // A connection costs 8 of it.
    let config = Config { probers: vec![prober.pid()], way: WayChoice::Node, budget_per_s: 8, ..Config::default() };
    let kernel = match Kernel::start(&config) {
        Ok(kernel) => kernel,
        Err(StartError::Privilege(missing)) => {
            return eprintln!("skipped: {} missing, run as root", missing.join(", "));
        }
        Err(error) => panic!("{error}"),
    };
    let ((_flooded, flooded), (_quiet, quiet)) = (prober::refused("127.0.0.1"), prober::refused("127.0.0.1"));
    (0..20).for_each(|_| prober.tell(&format!("connect {flooded}")));
    prober.tell(&format!("connect {quiet}"));
    let named = kernel.over_budget();
    let of = |address: SocketAddr| named.iter().find(|(name, _)| *name == address.to_string()).map(|(_, count)| *count);
    assert!(of(flooded).is_some_and(|count| count > 0), "{named:?}");
    assert_eq!(of(quiet), None, "{named:?}");
    assert!(kernel.losses().over_budget >= of(flooded).unwrap_or(0));
}

/// Not a test: what a child of the tests runs, see [`Prober::start`].
#[test]
fn prober_main() {
    prober::main();
}
