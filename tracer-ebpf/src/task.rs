//! Reading of tasks: ids in the tracer's pid namespace, cgroup folders, totals.

use aya_ebpf::helpers::{
    bpf_get_current_pid_tgid, bpf_get_current_task,
    generated::{bpf_probe_read_kernel, bpf_probe_read_kernel_str},
};
use tracer_ebpf::abi::{ABSENT, CGROUP_BYTES, stat};

use crate::{config::setting, emit::Cpu, maps::PROBERS};

/// A process that is followed.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Followed {
    /// CPU time of its threads that have ended.
    pub on_cpu_ns: u64,
    /// Run delay of those.
    pub run_delay_ns: u64,
    /// Prober or runtime from whose tree it is.
    pub root_kpid: u32,
    /// 0.
    pub pad: u32,
}

/// Deepest nesting of pid namespaces (include/linux/pid_namespace.h: MAX_PID_NS_LEVEL).
const PIDNS_LEVELS: u32 = 32;

/// Reads a field of a kernel structure; `None` where the structure is absent or unreadable.
#[inline(always)]
pub fn read<T: Copy>(base: usize, offset: u32) -> Option<T> {
    if base == 0 || offset == ABSENT {
        return None;
    }
    let mut value = core::mem::MaybeUninit::<T>::uninit();
    // SAFETY: the helper checks the source address itself, and fills all of `value` or returns an error.
    unsafe {
        let source = (base + offset as usize) as *const core::ffi::c_void;
        if bpf_probe_read_kernel(value.as_mut_ptr().cast(), size_of::<T>() as u32, source) != 0 {
            return None;
        }
        Some(value.assume_init())
    }
}

/// Reads into `place`; a failure is counted and gives `zero`.
///
/// # Safety
/// `place` is valid for writes.
#[inline(always)]
pub unsafe fn read_to<T: Copy>(cpu: Cpu, base: usize, offset: u32, place: *mut T, zero: T) {
    // SAFETY: by the contract; the helper checks the source itself.
    unsafe {
        let source = (base + offset as usize) as *const core::ffi::c_void;
        if offset == ABSENT || bpf_probe_read_kernel(place.cast(), size_of::<T>() as u32, source) != 0 {
            *place = zero;
            cpu.count(stat::READ_FAILED);
        }
    }
}

/// Like [`read`]; a failure is counted and gives zero.
#[inline(always)]
pub fn read_or<T: Copy>(cpu: Cpu, base: usize, offset: u32, zero: T) -> T {
    match read(base, offset) {
        Some(value) => value,
        None => {
            cpu.count(stat::READ_FAILED);
            zero
        }
    }
}

/// The current task.
#[inline(always)]
pub fn current() -> usize {
    // SAFETY: no preconditions.
    unsafe { bpf_get_current_task() as usize }
}

/// Process id of the current task in the initial namespace. For tracing programs: others got this helper late (6.10).
#[inline(always)]
pub fn current_kpid() -> u32 {
    (bpf_get_current_pid_tgid() >> 32) as u32
}

/// As [`prober`] for the current task, in tracing programs.
#[inline(always)]
pub fn current_prober(cpu: Cpu) -> Option<u32> {
    if setting!(pidns_inum) != 0 {
        return prober(cpu, current());
    }
    let pid = current_kpid();
    // SAFETY: the value is not used, only whether it is there.
    unsafe { PROBERS.get(&pid) }.map(|_| pid)
}

/// Process id in the initial namespace.
#[inline(always)]
pub fn kpid(cpu: Cpu, task: usize) -> u32 {
    read_or(cpu, task, setting!(task_tgid), 0)
}

/// Process id in the tracer's namespace, 0 where it is not visible there.
#[inline(always)]
pub fn pid_for_tracer(cpu: Cpu, task: usize) -> u32 {
    let wanted = setting!(pidns_inum);
    if wanted == 0 {
        return kpid(cpu, task);
    }
    let leader: usize = read_or(cpu, task, setting!(task_group_leader), 0);
    let pid: usize = read_or(cpu, leader, setting!(task_thread_pid), 0);
    let level: u32 = read_or(cpu, pid, setting!(pid_level), 0);
    let mut depth = 0;
    while depth < PIDNS_LEVELS && depth <= level {
        let upid = pid + setting!(pid_numbers) as usize + (depth * setting!(upid_size)) as usize;
        let namespace: usize = read(upid, setting!(upid_ns)).unwrap_or(0);
        if read::<u32>(namespace, setting!(pidns_ns_inum)) == Some(wanted) {
            return read_or(cpu, upid, setting!(upid_nr), 0);
        }
        depth += 1;
    }
    0
}

/// The prober's process id in the tracer's namespace, where `task` is of a prober.
#[inline(always)]
pub fn prober(cpu: Cpu, task: usize) -> Option<u32> {
    let pid = pid_for_tracer(cpu, task);
    // SAFETY: the value is not used, only whether it is there.
    unsafe { PROBERS.get(&pid) }.map(|_| pid)
}

/// kernfs node of the task's cgroup in the hierarchy that holds pods.
#[inline(always)]
pub fn pods_cgroup_node(task: usize) -> Option<usize> {
    let css_set: usize = read(task, setting!(task_cgroups))?;
    let cgroup: usize = if setting!(css_set_subsys) == ABSENT {
        read(css_set, setting!(css_set_dfl_cgrp))?
    } else {
        let css: usize = read(css_set, setting!(css_set_subsys))?;
        read(css, setting!(css_cgroup))?
    };
    read(cgroup, setting!(cgroup_kn))
}

/// Id of the task's cgroup v2: the inode of its folder.
#[inline(always)]
pub fn cgroup_id(task: usize) -> Option<u64> {
    let css_set: usize = read(task, setting!(task_cgroups))?;
    let cgroup: usize = read(css_set, setting!(css_set_dfl_cgrp))?;
    let node: usize = read(cgroup, setting!(cgroup_kn))?;
    read(node, setting!(kn_id))
}

/// Copies a kernfs node's name, NUL-terminated; empty where it can't be read.
#[inline(always)]
pub fn node_name(cpu: Cpu, node: usize, name: *mut [u8; CGROUP_BYTES]) {
    let source: usize = read(node, setting!(kn_name)).unwrap_or(0);
    // SAFETY: `name` is of the size given; the helper checks the source itself and always terminates.
    unsafe {
        if bpf_probe_read_kernel_str(name.cast(), CGROUP_BYTES as u32, source as *const core::ffi::c_void) < 0 {
            (*name)[0] = 0;
            cpu.count(stat::READ_FAILED);
        }
    }
}
