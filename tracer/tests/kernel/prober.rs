//! A small prober: this test binary once more, told over its standard input what to do, in a cgroup of its own if
//! wanted.

use std::{
    env, fs,
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    os::fd::OwnedFd,
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

pub const REQUEST: &str = "GET /healthz?token=secret HTTP/1.1\r\nHost: x\r\n\r\n";
pub const RESPONSE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
const ROLE: &str = "PROBETRACE_TEST_PROBER";

/// The child's side. Does nothing in a usual test run.
pub fn main() {
    if env::var_os(ROLE).is_none() {
        return;
    }
    say("ready");
    for line in io::stdin().lines() {
        let line = line.expect("a line");
        match line.split_once(' ').unwrap_or((&line, "")) {
            ("http", address) => drop(http(address)),
            ("connect", address) => drop(TcpStream::connect(address)),
            ("exec", _) => drop(Command::new("sh").args(["-c", "exit 3"]).status()),
            _ => return,
        }
        say("done");
    }
}

fn http(address: &str) -> io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(REQUEST.as_bytes())?;
    stream.read_to_end(&mut Vec::new()).map(drop)
}

/// Past the test harness, which captures what is printed.
fn say(word: &str) {
    writeln!(io::stdout(), "\n{word}").expect("stdout");
}

/// A cgroup v2 folder, removed at the end.
pub struct Cgroup(PathBuf);

impl Cgroup {
    /// `None`, said: there is none that can be written.
    pub fn make(name: &str) -> Option<Self> {
        let made = Self::folder(name).filter(|folder| fs::create_dir(folder).is_ok());
        if made.is_none() {
            eprintln!("skipped: no cgroup v2 is mounted where folders can be made");
        }
        made.map(Self)
    }

    fn folder(name: &str) -> Option<PathBuf> {
        let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
        let mount = mounts.lines().find_map(|line| {
            let mut words = line.split(' ').skip(1);
            let place = words.next()?;
            (words.next() == Some("cgroup2")).then(|| PathBuf::from(place))
        })?;
        Some(mount.join(format!("probetrace-test-{}-{name}", std::process::id())))
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // The prober was made later, so it is gone by now.
        if let Err(error) = fs::remove_dir(&self.0) {
            eprintln!("{}: {error}", self.0.display());
        }
    }
}

pub struct Prober {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Prober {
    pub fn start(cgroup: Option<&Cgroup>) -> Self {
        let mut child = Command::new(env::current_exe().expect("this program"))
            .args(["--exact", "prober_main", "--nocapture", "--test-threads=1"])
            .env(ROLE, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program runs");
        if let Some(Cgroup(folder)) = cgroup {
            fs::write(folder.join("cgroup.procs"), child.id().to_string()).expect("move to the cgroup");
        }
        let input = child.stdin.take().expect("stdin");
        let output = BufReader::new(child.stdout.take().expect("stdout"));
        let mut prober = Self { child, input, output };
        prober.answer("ready");
        prober
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Returns when it is done.
    pub fn tell(&mut self, command: &str) {
        writeln!(self.input, "{command}").expect("the prober lives");
        if command != "quit" {
            self.answer("done");
        }
    }

    fn answer(&mut self, wanted: &str) {
        let mut line = String::new();
        while line.trim() != wanted {
            line.clear();
            assert_ne!(self.output.read_line(&mut line).expect("an answer"), 0, "the prober ended");
        }
    }
}

impl Drop for Prober {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A bound socket that does not listen: its port refuses, and is no one else's.
pub fn refused(host: &str) -> (OwnedFd, SocketAddr) {
    use rustix::net::{AddressFamily, SocketType, bind, getsockname, socket};
    let family = if host.contains(':') { AddressFamily::INET6 } else { AddressFamily::INET };
    let socket = socket(family, SocketType::STREAM, None).expect("socket");
    bind(&socket, &SocketAddr::new(host.parse().expect("an address"), 0)).expect("bind");
    let address = SocketAddr::try_from(getsockname(&socket).expect("name")).expect("an IP address");
    (socket, address)
}

/// Answers one request and closes.
pub fn serve_once(listener: &TcpListener) {
    let (mut stream, _) = listener.accept().expect("accept");
    let mut buffer = [0; REQUEST.len()];
    stream.read_exact(&mut buffer).expect("request");
    stream.write_all(RESPONSE.as_bytes()).expect("response");
}
