//! The prober of `doctor --live`: this program once more, as a process of its own, since the tracer leaves its own
//! process out. It makes one probe for each line of its standard input (`http ADDRESS:PORT`, `tcp ADDRESS:PORT`) and
//! ends with it, so that it never outlives the doctor.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    time::Duration,
};

/// `timeoutSeconds` of its probes.
pub(super) const TIMEOUT: Duration = Duration::from_secs(1);
/// Path of its HTTP probe.
pub(super) const PATH: &str = "/probetrace-doctor";
/// Longest answer that it reads, bytes.
const MAX_ANSWER: u64 = 4096;

/// The child's side.
pub(super) fn main() -> io::Result<()> {
    for line in io::stdin().lines() {
        let line = line?;
        let Some((handler, address)) = line.split_once(' ') else { continue };
        let Ok(address) = address.parse() else { continue };
        // The tracer sees how it ends: nobody else has to be told.
        let _ = probe(handler, address);
    }
    Ok(())
}

fn probe(handler: &str, address: SocketAddr) -> io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    if handler == "http" {
        stream.set_read_timeout(Some(TIMEOUT))?;
        // In one segment, as an HTTP client's buffered writer sends it.
        let request = format!("GET {PATH} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        stream.take(MAX_ANSWER).read_to_end(&mut Vec::new())?;
    }
    Ok(())
}

/// The child, ended with this value.
pub(super) struct OwnProber(Child);

impl OwnProber {
    /// Starts it; it waits for its first line.
    pub(super) fn start() -> io::Result<Self> {
        let mut command = Command::new("/proc/self/exe");
        command.args(["doctor", "--be-prober"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().map(Self)
    }

    pub(super) fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Makes one HTTP probe, then one TCP probe.
    pub(super) fn probe(&mut self, http: SocketAddr, tcp: SocketAddr) -> io::Result<()> {
        let input = self.0.stdin.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        write!(input, "http {http}\ntcp {tcp}\n")
    }
}

impl Drop for OwnProber {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
