//! Answers one request: what to read, in which order, until the time is up.

mod target;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use super::{
    cgroup, command,
    namespaces::DiagPool,
    netns::NetnsIndex,
    process,
    sock_diag::{self, Socket},
};
use crate::{
    attempt::Request,
    observation::{CommandState, Observation, SocketState},
    proc_dir::ProcDir,
};

/// A look that cost more CPU time than this reads no further.
const CPU_BUDGET: Duration = Duration::from_millis(150);
/// Nor one that took longer: on a starved node a look is slow by waiting, and just there it is needed.
const WALL_BUDGET: Duration = Duration::from_millis(500);
/// Processes of an exec attempt that are read.
const MAX_PROCESSES: usize = 16;
/// A container's files may lie on a dead NFS server: nobody waits longer for them, and few threads may hang there.
const COMMAND_WAIT: Duration = Duration::from_millis(50);
const MAX_STUCK: usize = 4;

/// What one worker thread keeps from look to look.
pub struct Worker {
    proc: ProcDir,
    pub(super) index: NetnsIndex,
    pub(super) diag: DiagPool,
    /// Socket inode → process that held it.
    holders: std::collections::HashMap<u64, u32>,
    stuck: Arc<AtomicUsize>,
    /// Looks that ran out of time.
    pub(super) cut_short: u64,
}

/// One look under way.
struct Look<'a> {
    request: &'a Request,
    started: Instant,
    /// CPU time of this thread then.
    started_cpu: Duration,
    /// Living processes of the container.
    container_pids: Vec<u32>,
    /// Network namespace of the container (of its pod, where no process of it lives).
    container_netns: Option<u64>,
    answer: Observation,
}

impl Look<'_> {
    fn failed(&mut self, what: impl Into<String>) {
        self.answer.failures.push(what.into());
    }
}

impl Worker {
    /// Nothing known yet.
    pub fn new(proc: ProcDir) -> Self {
        Self {
            index: NetnsIndex::new(proc.clone()),
            proc,
            diag: DiagPool::default(),
            holders: Default::default(),
            stuck: Arc::default(),
            cut_short: 0,
        }
    }

    /// Reads what the request asks for; what could not be read is in `failures`.
    pub fn answer(&mut self, request: &Request) -> Observation {
        let (started, started_cpu) = (Instant::now(), cpu_time());
        let answer = Observation { look: request.look, at_ns: monotonic_ns(), ..Default::default() };
        let (container_pids, container_netns) = self.container(request, started);
        let mut look = Look { request, started, started_cpu, container_pids, container_netns, answer };
        let (has_id, has_uid) = (!request.container_id.is_empty(), !request.pod_uid.is_empty());
        if (has_id || has_uid) && look.container_pids.is_empty() {
            let which = if has_id { format!("container {}", request.container_id) } else { "the container".to_owned() };
            look.failed(format!("no living process of {which} found by its cgroup"));
        }
        if let Some((local, remote)) = request.connection {
            self.connection(&mut look, local, remote);
        }
        for pid in request.pids.iter().take(MAX_PROCESSES) {
            look.answer.processes.extend(process::read(&self.proc, *pid).ok());
        }
        if self.in_time(&mut look, "the cgroup") {
            self.cgroup(&mut look);
        }
        if let Some(name) = &request.command {
            self.command(&mut look, name.clone());
        }
        look.answer.done_ns = monotonic_ns();
        look.answer
    }

    fn container(&mut self, request: &Request, now: Instant) -> (Vec<u32>, Option<u64>) {
        let pids = self.index.container_pids(&request.container_id, now);
        let of_pod = if pids.is_empty() { self.index.pod_pids(&request.pod_uid, now) } else { Vec::new() };
        let witnesses = if pids.is_empty() { &of_pod } else { &pids };
        let netns = self.index.of_processes(witnesses);
        if let Some(inode) = netns {
            witnesses.iter().take(8).for_each(|pid| self.index.learn(inode, *pid));
        }
        (pids, netns)
    }

    fn connection(&mut self, look: &mut Look<'_>, local: SocketAddr, remote: SocketAddr) {
        let prober = self.prober_netns(look);
        match prober {
            Some(inode) if local.port() != 0 => match self.socket(inode, local, remote, look.started) {
                Ok(socket) => look.answer.prober_socket = socket.map(socket_state),
                Err(error) => look.failed(format!("the prober's socket: {error}")),
            },
            Some(_) => look.failed("the prober's socket: its port is not known"),
            None => look.failed("the prober's network namespace was not found"),
        }
        if let Some(inode) = self.target_netns(look, prober, local, remote)
            && self.in_time(look, "the target")
        {
            self.target(look, inode, local, remote);
        }
    }

    fn prober_netns(&mut self, look: &Look<'_>) -> Option<u64> {
        let (wanted, pid) = (u64::from(look.request.prober_netns), look.request.prober_pid);
        match self.proc.netns(pid) {
            Ok(own) if wanted == 0 || wanted == own => {
                self.index.learn(own, pid);
                Some(own)
            }
            _ => (wanted != 0 && self.index.ensure(wanted, look.started)).then_some(wanted),
        }
    }

    fn socket(
        &mut self,
        inode: u64,
        local: SocketAddr,
        remote: SocketAddr,
        now: Instant,
    ) -> std::io::Result<Option<Socket>> {
        let result = self.diag.get(inode, &self.index, now)?.get(local, remote);
        if result.is_err() {
            self.diag.close(inode);
        }
        result
    }

    /// Of the container; else of the exec attempt's process; else of who holds the listener.
    fn cgroup(&self, look: &mut Look<'_>) {
        let owner = look.answer.target.as_ref().and_then(|target| target.owner.as_ref()).map(|owner| owner.pid);
        let container = look.container_pids.first().copied();
        let Some(pid) = container.or(look.request.pids.first().copied()).or(owner) else { return };
        match cgroup::Folders::of(&self.proc, pid, &look.request.container_id) {
            Ok(folders) if folders.path().is_empty() => {}
            Ok(folders) => look.answer.cgroup = Some(cgroup::read(&folders)),
            Err(_) if container.is_none() => {} // The exec attempt's process is gone.
            Err(error) => look.failed(format!("the cgroup of pid {pid}: {error}")),
        }
    }

    fn command(&self, look: &mut Look<'_>, name: String) {
        let Some(pid) = look.container_pids.first().copied() else {
            return look.failed("the command: no process of the container shows its root");
        };
        match self.command_state(pid, name) {
            Ok(state) => look.answer.command = Some(state),
            Err(why) => look.failed(format!("the command: {why}")),
        }
    }

    /// On a thread of its own, which may hang in the container's file systems.
    fn command_state(&self, pid: u32, name: String) -> Result<CommandState, String> {
        if self.stuck.load(Ordering::Relaxed) >= MAX_STUCK {
            return Err(format!("{MAX_STUCK} earlier looks hang in containers' file systems"));
        }
        let (proc, stuck) = (self.proc.clone(), Arc::clone(&self.stuck));
        let (send, receive) = mpsc::sync_channel(1);
        stuck.fetch_add(1, Ordering::Relaxed);
        let spawned = std::thread::Builder::new().name("look-command".to_owned()).spawn({
            let stuck = Arc::clone(&stuck);
            move || {
                let result = command::look_for(&proc, pid, &name).map_err(|error| error.to_string());
                stuck.fetch_sub(1, Ordering::Relaxed);
                let _ = send.try_send(result);
            }
        });
        if let Err(error) = spawned {
            stuck.fetch_sub(1, Ordering::Relaxed);
            return Err(error.to_string());
        }
        receive.recv_timeout(COMMAND_WAIT).unwrap_or_else(|_| Err("the container's files do not answer".to_owned()))
    }

    fn in_time(&mut self, look: &mut Look<'_>, what: &str) -> bool {
        let (wall, cpu) = (look.started.elapsed(), cpu_time().saturating_sub(look.started_cpu));
        let in_time = wall < WALL_BUDGET && cpu < CPU_BUDGET;
        if !in_time {
            self.cut_short += 1;
            let spent = format!("{} ms, {} ms of them on a CPU", wall.as_millis(), cpu.as_millis());
            look.failed(format!("{what}: the look had already taken {spent}"));
        }
        in_time
    }
}

fn socket_state(socket: Socket) -> SocketState {
    SocketState {
        state: socket.state,
        local: sock_diag::canonical(socket.local),
        remote: sock_diag::canonical(socket.remote),
        unread_bytes: socket.rqueue,
        unacked_bytes: socket.wqueue,
        retransmits: u32::from(socket.retransmits),
        inode: u64::from(socket.inode),
        bytes_received: socket.bytes_received,
        bytes_sent: socket.bytes_sent,
        last_received_ms: socket.last_received_ms,
    }
}

/// CPU time of the calling thread.
fn cpu_time() -> Duration {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(used.tv_sec).unwrap_or(0), u32::try_from(used.tv_nsec).unwrap_or(0))
}

/// CLOCK_MONOTONIC.
pub(super) fn monotonic_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    u64::try_from(now.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0)
}

#[cfg(test)]
mod tests;
