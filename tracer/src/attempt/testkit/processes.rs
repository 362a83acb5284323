//! Processes of the testkit.

use super::{BOOT_AHEAD_NS, CONTAINER, Lab, MS};
use crate::event::{Exec, Exit, Fork, What};

/// An exec of this command line, outside of any cgroup.
pub fn exec_of(line: &str) -> Exec {
    let argv: Vec<String> = line.split(' ').map(str::to_owned).collect();
    Exec {
        pid: 0,
        kpid: 0,
        start_boot_ns: 0,
        root_kpid: 0,
        comm: String::new(),
        argv,
        argv_truncated: false,
        cgroup: String::new(),
        cgroup_parent: String::new(),
        cgroup_id: 0,
    }
}

impl Lab {
    /// A process is forked; `parent` 0: by the runtime's shim, which nobody follows (no event), `PROBER`: by the prober,
    /// else by that process. Its identity is (pid, `at_ms`). Roots are as the kernel's side tells them (sched_process_fork).
    pub fn fork(&mut self, at_ms: u64, parent: u32, pid: u32) -> &mut Self {
        self.roots.remove(&pid);
        if parent == 0 {
            return self;
        }
        let root_kpid = self.lost_fork(parent, pid);
        let fork = Fork {
            ppid: parent,
            kppid: parent,
            pid,
            kpid: pid,
            start_boot_ns: at_ms * MS + BOOT_AHEAD_NS,
            root_kpid,
            is_first: root_kpid == parent,
        };
        self.event(at_ms, What::Fork(fork));
        self
    }

    /// The same where the event is lost after the kernel's side has noted the child; its root.
    pub fn lost_fork(&mut self, parent: u32, pid: u32) -> u32 {
        let root_kpid = self.roots.get(&parent).copied().unwrap_or(parent);
        self.roots.insert(pid, root_kpid);
        root_kpid
    }

    /// A process that was forked at `born_ms` executes a program.
    pub fn exec(&mut self, at_ms: u64, pid: u32, born_ms: u64, line: &str) -> &mut Self {
        self.exec_in(at_ms, pid, born_ms, line, "")
    }

    /// The same in a cgroup of this name.
    pub fn exec_in(&mut self, at_ms: u64, pid: u32, born_ms: u64, line: &str, cgroup: &str) -> &mut Self {
        let start_boot_ns = born_ms * MS + BOOT_AHEAD_NS;
        let root_kpid = *self.roots.entry(pid).or_insert(pid);
        let exec = Exec { pid, kpid: pid, start_boot_ns, root_kpid, cgroup: cgroup.to_owned(), ..exec_of(line) };
        self.event(at_ms, What::Exec(exec));
        self
    }

    /// A process ends with this wait status.
    pub fn exit(&mut self, at_ms: u64, pid: u32, born_ms: u64, status: u32) -> &mut Self {
        let exit = Exit {
            pid,
            kpid: pid,
            start_boot_ns: born_ms * MS + BOOT_AHEAD_NS,
            root_kpid: self.roots.get(&pid).copied().unwrap_or(pid),
            comm: "x".into(),
            status,
            on_cpu_ns: MS,
            run_delay_ns: 0,
        };
        self.event(at_ms, What::Exit(exit));
        self
    }

    /// containerd's way to a command: `pid` is runc, `pid`+1 its init, which becomes the command 20 ms after `at_ms`
    /// (its earlier stages left out).
    pub fn runc(&mut self, at_ms: u64, pid: u32, command: &str) -> &mut Self {
        let line = format!("runc --root /r --log /x/{CONTAINER}/log.json exec --process /tmp/p --detach {CONTAINER}");
        let cgroup = format!("cri-containerd-{CONTAINER}.scope");
        self.fork(at_ms, 0, pid)
            .exec(at_ms + 1, pid, at_ms, &line)
            .fork(at_ms + 10, pid, pid + 1)
            .exec(at_ms + 11, pid + 1, at_ms + 10, "runc init")
            .exec_in(at_ms + 20, pid + 1, at_ms + 10, command, &cgroup)
            .exit(at_ms + 21, pid, at_ms, 0)
    }

    /// The command of [`Lab::runc`] ends.
    pub fn command_exit(&mut self, at_ms: u64, pid: u32, runc_ms: u64, status: u32) -> &mut Self {
        self.exit(at_ms, pid + 1, runc_ms + 10, status)
    }

    /// A runc that fails to start the command.
    pub fn runc_fails(&mut self, at_ms: u64, pid: u32) -> &mut Self {
        let line = format!("runc --root /r exec --process /tmp/p --detach {CONTAINER}");
        self.fork(at_ms, 0, pid)
            .exec(at_ms + 1, pid, at_ms, &line)
            .fork(at_ms + 5, pid, pid + 1)
            .exec(at_ms + 6, pid + 1, at_ms + 5, "runc init")
            .exit(at_ms + 8, pid + 1, at_ms + 5, 1 << 8)
            .exit(at_ms + 10, pid, at_ms, 1 << 8)
    }
}
