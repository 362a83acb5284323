//! Processes of a prober's tree: those that a prober forks, and those under a container runtime's command.

use core::ffi::c_void;

use aya_ebpf::{helpers::generated::bpf_probe_read_user, macros::btf_tracepoint, programs::BtfTracePointContext};
use tracer_ebpf::abi::{ARG_BYTES, ExecEvent, ExitEvent, ForkEvent, flag, kind, stat};

use crate::{
    budget,
    config::setting,
    emit::{Cpu, Outcome, emit, hook},
    machine,
    maps::{PROCS, RUNTIMES},
    task::{self, Followed, read, read_or},
};

/// `(struct task_struct *parent, struct task_struct *child)`, kernel/fork.c: kernel_clone.
#[btf_tracepoint(function = "sched_process_fork")]
fn sched_process_fork(ctx: BtfTracePointContext) -> i32 {
    hook(|cpu| forked(cpu, ctx.arg(0), ctx.arg(1)));
    0
}

/// `(struct task_struct *p, pid_t old_pid, struct linux_binprm *bprm)`, fs/exec.c: exec_binprm.
#[btf_tracepoint(function = "sched_process_exec")]
fn sched_process_exec(ctx: BtfTracePointContext) -> i32 {
    hook(|cpu| executed(cpu, ctx.arg(0)));
    0
}

/// `(struct task_struct *p[, bool group_dead])`, kernel/exit.c: do_exit; once a thread.
#[btf_tracepoint(function = "sched_process_exit")]
fn sched_process_exit(ctx: BtfTracePointContext) -> i32 {
    hook(|cpu| {
        let task: usize = ctx.arg(0);
        // A bool argument: only the low byte is defined.
        let group_dead = setting!(exit_has_group_dead) == 1 && ctx.arg::<u64>(1) & 0xff != 0;
        exited(cpu, task, group_dead)
    });
    0
}

#[inline(always)]
fn followed(kpid: u32) -> Option<Followed> {
    // SAFETY: copied at once; a torn read is impossible for `root_kpid`, the only field that is used.
    unsafe { PROCS.get(&kpid) }.copied()
}

#[inline(always)]
fn forked(cpu: Cpu, parent: usize, child: usize) -> Outcome {
    let kpid = task::kpid(cpu, child);
    if read_or(cpu, child, setting!(task_pid), 0) != kpid {
        return stat::FILTERED; // a thread
    }
    let kppid = task::current_kpid();
    let root_kpid = match followed(kppid) {
        Some(tree) => tree.root_kpid,
        None if task::current_prober(cpu).is_some() => kppid,
        None => return stat::FILTERED,
    };
    if !budget::take(&budget::tree(root_kpid), 2) {
        return stat::OVER_BUDGET;
    }
    let entry = Followed { on_cpu_ns: 0, run_delay_ns: 0, root_kpid, pad: 0 };
    if PROCS.insert(&kpid, &entry, 0).is_err() {
        return stat::MAP_FULL;
    }
    emit::<ForkEvent>(cpu, kind::FORK, |event| {
        // SAFETY: a reservation of this size; every field is written.
        unsafe {
            (*event).start_boot_ns = read_or(cpu, child, setting!(task_start_boottime), 0);
            (*event).ppid = task::pid_for_tracer(cpu, parent);
            (*event).kppid = kppid;
            (*event).pid = task::pid_for_tracer(cpu, child);
            (*event).kpid = kpid;
            (*event).root_kpid = root_kpid;
            (*event).is_first = u32::from(root_kpid == kppid);
        }
    })
}

#[inline(always)]
fn executed(cpu: Cpu, task: usize) -> Outcome {
    let kpid = task::current_kpid();
    let comm: [u8; 16] = read_or(cpu, task, setting!(task_comm), [0; 16]);
    let root_kpid = match followed(kpid) {
        Some(tree) => tree.root_kpid,
        // SAFETY: only whether it is there.
        None if unsafe { RUNTIMES.get(&padded(comm)) }.is_some() => {
            if !budget::take(&budget::tree(kpid), 1) {
                return stat::OVER_BUDGET;
            }
            let entry = Followed { on_cpu_ns: 0, run_delay_ns: 0, root_kpid: kpid, pad: 0 };
            if PROCS.insert(&kpid, &entry, 0).is_err() {
                return stat::MAP_FULL;
            }
            kpid
        }
        None => return stat::FILTERED,
    };
    emit::<ExecEvent>(cpu, kind::EXEC, |event| {
        // SAFETY: a reservation of this size; every field is written.
        unsafe {
            (*event).start_boot_ns = read_or(cpu, task, setting!(task_start_boottime), 0);
            (*event).cgroup_id = task::cgroup_id(task).unwrap_or(0);
            (*event).pid = task::pid_for_tracer(cpu, task);
            (*event).kpid = kpid;
            (*event).root_kpid = root_kpid;
            (*event).pad = 0;
            (*event).comm = comm;
            let node = task::pods_cgroup_node(task).unwrap_or(0);
            task::node_name(cpu, node, &raw mut (*event).cgroup);
            let parent = read(node, setting!(kn_parent)).unwrap_or(0);
            if parent == 0 {
                (*event).cgroup_parent[0] = 0; // the hierarchy's root
            } else {
                task::node_name(cpu, parent, &raw mut (*event).cgroup_parent);
            }
            copy_args(cpu, task, event);
        }
    })
}

/// Bytes after the name's NUL may be of an older, longer name (`prctl` copies only what it is given).
#[inline(always)]
fn padded(mut comm: [u8; 16]) -> [u8; 16] {
    let mut ended = false;
    let mut at = 0;
    while at < 16 {
        ended |= comm[at] == 0;
        if ended {
            comm[at] = 0;
        }
        at += 1;
    }
    comm
}

/// Copies argv from the process's own memory, which is the current one at exec.
///
/// # Safety
/// `event` is a reservation.
#[inline(always)]
unsafe fn copy_args(cpu: Cpu, task: usize, event: *mut ExecEvent) {
    let mm: usize = read_or(cpu, task, setting!(task_mm), 0);
    let start: u64 = read_or(cpu, mm, setting!(mm_arg_start), 0);
    let end: u64 = read_or(cpu, mm, setting!(mm_arg_end), 0);
    let len = end.wrapping_sub(start);
    let copy = if len > ARG_BYTES as u64 { ARG_BYTES as u32 } else { len as u32 };
    // SAFETY: `copy` is at most the size of `args`; the helper checks the source.
    unsafe {
        let args = (&raw mut (*event).args).cast::<c_void>();
        let read = copy <= ARG_BYTES as u32 && bpf_probe_read_user(args, copy, start as *const c_void) == 0;
        if read {
            (*event).args_len = copy;
            (*event).flags = if len > u64::from(copy) { flag::TRUNCATED } else { 0 };
        } else {
            (*event).args_len = 0;
            (*event).flags = flag::UNREADABLE;
            cpu.count(stat::READ_FAILED);
        }
    }
}

#[inline(always)]
fn exited(cpu: Cpu, task: usize, group_dead: bool) -> Outcome {
    let kpid = task::current_kpid();
    let Some(entry) = PROCS.get_ptr_mut(&kpid) else { return stat::FILTERED };
    let on_cpu_ns: u64 = read_or(cpu, task, setting!(task_sum_exec_runtime), 0);
    let run_delay_ns: u64 = read(task, setting!(task_run_delay)).unwrap_or(0);
    // SAFETY: a value of the map lives while the program runs; threads end on several CPUs at once, so atomically.
    let (on_cpu_ns, run_delay_ns, root_kpid) = unsafe {
        (
            machine::fetch_add(&raw mut (*entry).on_cpu_ns, on_cpu_ns) + on_cpu_ns,
            machine::fetch_add(&raw mut (*entry).run_delay_ns, run_delay_ns) + run_delay_ns,
            (*entry).root_kpid,
        )
    };
    let signal: usize = read_or(cpu, task, setting!(task_signal), 0);
    let last =
        group_dead || (setting!(exit_has_group_dead) == 0 && read_or(cpu, signal, setting!(signal_live), 0u32) == 0);
    // Of two threads that both find `live` at 0 only one removes the entry, and reports.
    if !last || PROCS.remove(&kpid).is_err() {
        return stat::USED;
    }
    emit::<ExitEvent>(cpu, kind::EXIT, |event| {
        // SAFETY: a reservation of this size; every field is written.
        unsafe {
            (*event).start_boot_ns = leader_start(cpu, task);
            (*event).on_cpu_ns = on_cpu_ns;
            (*event).run_delay_ns = run_delay_ns;
            (*event).pid = task::pid_for_tracer(cpu, task);
            (*event).kpid = kpid;
            (*event).root_kpid = root_kpid;
            (*event).status = status(cpu, task, signal);
            (*event).comm = read_or(cpu, task, setting!(task_comm), [0; 16]);
        }
    })
}

#[inline(always)]
fn leader_start(cpu: Cpu, task: usize) -> u64 {
    let leader: usize = read_or(cpu, task, setting!(task_group_leader), 0);
    read_or(cpu, leader, setting!(task_start_boottime), 0)
}

/// As wait() will report it (kernel/exit.c: wait_task_zombie): the group's code, else the leader's own.
#[inline(always)]
fn status(cpu: Cpu, task: usize, signal: usize) -> u32 {
    let group: u32 = read_or(cpu, signal, setting!(signal_group_exit_code), 0);
    if group != 0 {
        return group;
    }
    let leader: usize = read_or(cpu, task, setting!(task_group_leader), 0);
    read_or(cpu, leader, setting!(task_exit_code), 0)
}
