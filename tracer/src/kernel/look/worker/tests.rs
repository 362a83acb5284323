use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use super::*;
use crate::{event::tcp_state, kernel::look::Looker};

/// A python program in a network namespace of its own; it talks in lines.
struct Process {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
}

impl Process {
    fn start(program: &str) -> Option<Self> {
        let mut child = Command::new("unshare")
            .args(["--net", "python3", "-c", program])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let output = BufReader::new(child.stdout.take()?);
        let mut process = Self { child, output };
        (process.line() == "ready").then_some(process)
    }

    fn say(&mut self, text: &str) -> String {
        self.child.stdin.as_mut().expect("stdin").write_all(format!("{text}\n").as_bytes()).expect("write");
        self.line()
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("read");
        line.trim().to_owned()
    }

    fn ip(&self, arguments: &str) {
        let pid = self.child.id().to_string();
        let mut command = Command::new("nsenter");
        command.args(["-t", &pid, "-n", "ip"]).args(arguments.split(' '));
        assert!(command.status().expect("nsenter").success(), "ip {arguments}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const SERVER: &str = "
import socket,sys
print('ready',flush=True)
for line in sys.stdin:
    word,*rest=line.split()
    if word=='listen':
        s=socket.socket(); s.bind((rest[0],int(rest[1]))); s.listen(1)
    if word=='accept': a,_=s.accept()
    if word=='close': s.close()
    print('done',flush=True)
";
const PROBER: &str = "
import socket,sys
print('ready',flush=True); kept=[]
for line in sys.stdin:
    host,port=line.split()
    c=socket.socket(); kept.append(c); c.setblocking(False); c.connect_ex((host,int(port)))
    import select; select.select([],[c],[],0.2)
    try: c.send(b'12345')
    except OSError: pass
    print(c.getsockname()[1],flush=True)
";
const PORT: u16 = 8080;

struct Pair {
    server: Process,
    prober: Process,
    address: std::net::Ipv4Addr,
}

/// Two namespaces joined by a veth pair; `None`: this machine has not what it takes.
fn pair() -> Option<Pair> {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: root");
        return None;
    }
    let (Some(server), Some(prober)) = (Process::start(SERVER), Process::start(PROBER)) else {
        eprintln!("skipped: unshare --net python3");
        return None;
    };
    let [high, low] = ((std::process::id() as u16) << 2 | NUMBER.fetch_add(1, Ordering::Relaxed) as u16).to_be_bytes();
    let (address, other) = (format!("10.{high}.{low}.7"), format!("10.{high}.{low}.1"));
    prober.ip(&format!("link add v0 type veth peer name v1 netns {}", server.child.id()));
    prober.ip(&format!("addr add {other}/24 dev v0"));
    prober.ip("link set v0 up");
    server.ip(&format!("addr add {address}/24 dev v1"));
    server.ip("link set v1 up");
    server.ip("link set lo up");
    Some(Pair { server, prober, address: address.parse().expect("address") })
}

impl Pair {
    fn probe(&mut self) -> Request {
        let target = SocketAddr::from((self.address, PORT));
        let port: u16 = self.prober.say(&format!("{} {PORT}", self.address)).parse().expect("port");
        let [a, b, c, _] = self.address.octets();
        Request {
            look: 9,
            at_ns: 0,
            prober_netns: 0,
            prober_pid: self.prober.child.id(),
            connection: Some((SocketAddr::from(([a, b, c, 1], port)), target)),
            container_id: String::new(),
            pod_uid: String::new(),
            pids: Vec::new(),
            command: None,
        }
    }
}

#[test]
fn a_target_found_by_its_address_alone() {
    let Some(mut pair) = pair() else { return };
    pair.server.say(&format!("listen 0.0.0.0 {PORT}"));
    let request = pair.probe();
    let mut worker = Worker::new(ProcDir::default());
    let answer = worker.answer(&request);
    assert_eq!(answer.failures, [""; 0]);
    let own = answer.prober_socket.expect("prober's socket");
    assert_eq!((own.state, own.bytes_sent, own.inode > 0), (tcp_state::ESTABLISHED, Some(5), true));
    let target = answer.target.expect("target");
    assert!(target.address_is_local && target.of_container.is_none());
    assert_eq!((target.listeners.len(), target.listeners[0].queue_len, target.listeners[0].queue_max), (1, 1, 1));
    assert_eq!(
        (target.listeners[0].pid, target.listeners[0].comm.as_deref()),
        (Some(pair.server.child.id()), Some("python3"))
    );
    let child = target.child.expect("child");
    assert_eq!((child.inode, child.unread_bytes, target.unaccepted), (0, 5, 1));
    assert_eq!(target.owner.expect("owner").pid, pair.server.child.id());
    assert!(target.counters.iter().any(|(name, _)| name == "ListenOverflows"));

    pair.server.say("accept");
    let target = worker.answer(&request).target.expect("target");
    assert!(target.child.expect("child").inode > 0);
    assert_eq!(target.unaccepted, 0);
}

#[test]
fn overflow_refusal_and_a_listener_elsewhere() {
    let Some(mut pair) = pair() else { return };
    let mut worker = Worker::new(ProcDir::default());
    pair.server.say("listen 127.0.0.1 8081");
    let target = worker.answer(&pair.probe()).target.expect("target");
    assert!(target.listeners.is_empty() && target.child.is_none());
    assert_eq!(target.other_listeners[0].local, "127.0.0.1:8081".parse().expect("address"));
    assert_eq!(target.other_listeners[0].pid, Some(pair.server.child.id()));

    pair.server.say(&format!("listen {} {PORT}", pair.address));
    for _ in 0..2 {
        pair.probe();
    }
    let answer = worker.answer(&pair.probe());
    assert_eq!(answer.prober_socket.expect("socket").state, tcp_state::SYN_SENT);
    let target = answer.target.expect("target");
    assert_eq!((target.listeners[0].queue_len, target.listeners[0].queue_max, target.unaccepted), (2, 1, 2));
    let overflows = target.counters.iter().find(|(name, _)| name == "ListenOverflows").expect("counter").1;
    assert!(overflows > 0);
}

/// A cgroup v2 folder that is removed at the end.
struct Cgroup(PathBuf);

impl Cgroup {
    fn new(name: &str) -> Option<Self> {
        let top = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"].map(PathBuf::from);
        let top = top.into_iter().find(|top| top.join("cgroup.procs").exists())?;
        let folder = top.join(name);
        std::fs::create_dir_all(&folder).ok()?;
        Some(Self(folder))
    }

    fn write(&self, file: &str, text: &str) {
        std::fs::write(self.0.join(file), text).expect("cgroup");
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let _ = std::fs::write(self.0.join("cgroup.freeze"), "0");
        // A killed process leaves its group a moment after it was waited for by nobody.
        for _ in 0..1000 {
            if std::fs::remove_dir(&self.0).is_ok() {
                break;
            }
            std::thread::yield_now();
        }
    }
}

#[test]
fn a_container_found_by_its_cgroup() {
    let id = format!("{:064x}", 0xabcdef00u64 + u64::from(std::process::id()));
    let Some(cgroup) = Cgroup::new(&format!("probetrace-look-{id}")) else { return eprintln!("skipped: cgroup v2") };
    let Some(mut pair) = pair() else { return };
    cgroup.write("cgroup.procs", &pair.server.child.id().to_string());
    pair.server.say(&format!("listen 0.0.0.0 {PORT}"));
    let (mut request, worker) = (pair.probe(), Worker::new(ProcDir::default()));
    request.container_id = id.clone();
    request.command = Some("python3".to_owned());
    request.pids = vec![pair.prober.child.id(), u32::MAX];
    let mut worker = worker;
    let answer = worker.answer(&request);
    assert_eq!(answer.failures, [""; 0]);
    let target = answer.target.expect("target");
    assert_eq!((target.of_container, target.listeners[0].in_container), (Some(true), Some(true)));
    assert_eq!(answer.processes.len(), 1);
    assert_eq!(answer.cgroup.expect("cgroup").frozen, Some(false));
    let command = answer.command.expect("command");
    assert!(command.executable && command.path.expect("path").ends_with("/python3"));

    // A host-network address of the prober's own namespace, or loopback, is never the container's.
    request.connection = request.connection.map(|(local, _)| (local, SocketAddr::from(([127, 0, 0, 1], 1))));
    let answer = worker.answer(&request);
    assert_eq!(answer.target.expect("target").of_container, Some(false));

    request.container_id = "f".repeat(64);
    request.connection = None;
    let answer = worker.answer(&request);
    assert_eq!(answer.failures.len(), 2, "container and command: {:?}", answer.failures);
    drop(pair);
}

#[test]
fn nobodys_address_is_said_to_be_so() {
    let request = Request {
        look: 1,
        at_ns: 0,
        prober_netns: 0,
        prober_pid: std::process::id(),
        connection: Some(("203.0.113.76:1".parse().expect("address"), "203.0.113.77:2".parse().expect("address"))),
        container_id: String::new(),
        pod_uid: String::new(),
        pids: Vec::new(),
        command: None,
    };
    let (looker, mut answers) = Looker::start(4).expect("start");
    assert!(looker.try_ask(request));
    let answer = answers.blocking_recv().expect("answer");
    assert_eq!((answer.look, answer.target.is_none()), (1, true));
    assert_eq!(answer.failures, ["the target: no network namespace on this node owns 203.0.113.77"]);
    looker.stop();
    assert!(answers.blocking_recv().is_none());
}

/// Figures for the cost of a look: `cargo test -- --ignored --nocapture look_cost`.
#[test]
#[ignore = "prints figures"]
fn look_cost() {
    let Some(mut pair) = pair() else { return };
    pair.server.say(&format!("listen 0.0.0.0 {PORT}"));
    let request = pair.probe();
    let mut worker = Worker::new(ProcDir::default());
    let mut times: Vec<u64> = (0..200)
        .map(|_| {
            let answer = worker.answer(&request);
            answer.done_ns - answer.at_ns
        })
        .collect();
    eprintln!("first {} us", times[0] / 1000);
    times.sort_unstable();
    eprintln!("median {} us, p99 {} us", times[100] / 1000, times[198] / 1000);
}
