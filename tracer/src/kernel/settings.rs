//! What the programs are told: offsets of this kernel, from BTF and tracefs.

use std::fs;

use tracer_ebpf::abi::{ABI_VERSION, ABSENT, PeerRecord, Settings};

use super::{
    btf::{Btf, BtfError},
    format,
};

/// Controllers whose v1 hierarchy holds a pod's folder, best first: each pod has one of each.
const POD_CONTROLLERS: [&str; 3] = ["pids", "memory", "cpu"];

/// A record that is not there.
const NO_RECORD: PeerRecord = PeerRecord {
    saddr_any: ABSENT,
    daddr_any: ABSENT,
    sport: ABSENT,
    dport: ABSENT,
    saddr_v6: ABSENT,
    daddr_v6: ABSENT,
    skaddr: ABSENT,
    state: ABSENT,
    reason: ABSENT,
};

/// Offsets of this kernel. `pidns_inum` as in [`Settings`]; `tracefs` is where tracefs is mounted.
///
/// # Errors
/// The first member that this kernel's BTF does not have.
pub fn settings(btf: &Btf, tracefs: &str, pidns_inum: u32, budget_per_s: u32) -> Result<Settings, BtfError> {
    let at = |name: &str, path: &str| btf.member(name, path).map(|member| member.offset);
    let sized = |name: &str, path: &str, size: u32| match btf.member(name, path)? {
        member if member.size == size => Ok(member.offset),
        _ => Err(BtfError::NoMember(format!("{name}.{path} of {size} bytes"))),
    };
    let record = |event: &str| {
        let text = fs::read_to_string(format!("{tracefs}/events/tcp/{event}/format")).unwrap_or_default();
        format::peer_record(&format::fields(&text)).unwrap_or(NO_RECORD)
    };
    Ok(Settings {
        abi_version: ABI_VERSION,
        budget_per_s,
        pidns_inum,
        sk_protocol: sized("sock", "sk_protocol", 2)?,
        sk_err: sized("sock", "sk_err", 4)?,
        skc_family: sized("sock", "__sk_common.skc_family", 2)?,
        skc_state: sized("sock", "__sk_common.skc_state", 1)?,
        skc_daddr: sized("sock", "__sk_common.skc_daddr", 4)?,
        skc_rcv_saddr: sized("sock", "__sk_common.skc_rcv_saddr", 4)?,
        skc_v6_daddr: sized("sock", "__sk_common.skc_v6_daddr", 16).unwrap_or(ABSENT),
        skc_v6_rcv_saddr: sized("sock", "__sk_common.skc_v6_rcv_saddr", 16).unwrap_or(ABSENT),
        skc_dport: sized("sock", "__sk_common.skc_dport", 2)?,
        skc_net: at("sock", "__sk_common.skc_net")?,
        inet_sport: sized("inet_sock", "inet_sport", 2)?,
        net_inum: sized("net", "ns.inum", 4)?,
        task_pid: sized("task_struct", "pid", 4)?,
        task_tgid: sized("task_struct", "tgid", 4)?,
        task_group_leader: sized("task_struct", "group_leader", 8)?,
        task_thread_pid: sized("task_struct", "thread_pid", 8)?,
        task_comm: sized("task_struct", "comm", 16)?,
        task_start_boottime: sized("task_struct", "start_boottime", 8)
            .or_else(|_| sized("task_struct", "real_start_time", 8))?,
        task_exit_code: sized("task_struct", "exit_code", 4)?,
        task_signal: sized("task_struct", "signal", 8)?,
        task_mm: sized("task_struct", "mm", 8)?,
        task_cgroups: sized("task_struct", "cgroups", 8)?,
        task_sum_exec_runtime: sized("task_struct", "se.sum_exec_runtime", 8)?,
        task_run_delay: sized("task_struct", "sched_info.run_delay", 8).unwrap_or(ABSENT),
        signal_group_exit_code: sized("signal_struct", "group_exit_code", 4)?,
        signal_live: sized("signal_struct", "live.counter", 4)?,
        exit_has_group_dead: u32::from(btf.tracepoint_args("sched_process_exit").is_some_and(|args| args >= 2)),
        pid_level: sized("pid", "level", 4)?,
        pid_numbers: at("pid", "numbers")?,
        upid_size: btf.size_of("upid")?,
        upid_nr: sized("upid", "nr", 4)?,
        upid_ns: sized("upid", "ns", 8)?,
        pidns_ns_inum: sized("pid_namespace", "ns.inum", 4)?,
        mm_arg_start: sized("mm_struct", "arg_start", 8)?,
        mm_arg_end: sized("mm_struct", "arg_end", 8)?,
        css_set_dfl_cgrp: sized("css_set", "dfl_cgrp", 8)?,
        css_set_subsys: pod_subsystem(btf, &v1_controllers()).unwrap_or(ABSENT),
        css_cgroup: sized("cgroup_subsys_state", "cgroup", 8)?,
        cgroup_kn: sized("cgroup", "kn", 8)?,
        kn_id: sized("kernfs_node", "id", 8)?,
        kn_name: sized("kernfs_node", "name", 8)?,
        kn_parent: sized("kernfs_node", "__parent", 8).or_else(|_| sized("kernfs_node", "parent", 8))?,
        reset: record("tcp_send_reset"),
        synack: record("tcp_retransmit_synack"),
    })
}

/// Offset of `css_set.subsys[X]` of the first pod controller that is on a v1 hierarchy.
fn pod_subsystem(btf: &Btf, v1: &[String]) -> Option<u32> {
    let controller = POD_CONTROLLERS.iter().find(|name| v1.iter().any(|other| other == *name))?;
    let ids = btf.enum_values("cgroup_subsys_id").ok()?;
    let (id, _) = ids.into_iter().find(|(_, name)| *name == format!("{controller}_cgrp_id"))?;
    let subsys = btf.member("css_set", "subsys").ok()?;
    let offset = id.checked_mul(8).filter(|offset| offset + 8 <= subsys.size)?;
    Some(subsys.offset + offset)
}

/// Controllers that are on a v1 hierarchy (/proc/cgroups: a hierarchy id that is not 0).
fn v1_controllers() -> Vec<String> {
    parse_controllers(&fs::read_to_string("/proc/cgroups").unwrap_or_default())
}

fn parse_controllers(text: &str) -> Vec<String> {
    let parse = |line: &str| {
        let mut words = line.split_whitespace();
        let name = words.next().filter(|name| !name.starts_with('#'))?;
        words.next().filter(|id| *id != "0").map(|_| name.to_owned())
    };
    text.lines().filter_map(parse).collect()
}

/// Names of `enum sk_rst_reason` by number, without their prefix; empty where the kernel has no reasons (before 6.10).
pub fn reset_reasons(btf: &Btf) -> Vec<(u32, String)> {
    let strip = |(value, name): (u32, String)| (value, name.trim_start_matches("SK_RST_REASON_").to_owned());
    btf.enum_values("sk_rst_reason").unwrap_or_default().into_iter().map(strip).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_controllers_of_v1_hierarchies_count() {
        let text = "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t0\t5\t1\npids\t8\t4\t1\nmemory\t4\t4\t1\n";
        assert_eq!(parse_controllers(text), ["pids", "memory"]);
    }

    #[test]
    fn this_kernel_has_every_offset() {
        let Ok(bytes) = fs::read("/sys/kernel/btf/vmlinux") else { return eprintln!("skipped: no BTF here") };
        let btf = Btf::parse(bytes).expect("this kernel's BTF");
        let settings = settings(&btf, "/sys/kernel/tracing", 0, 0).expect("offsets");
        assert_ne!(settings.skc_daddr, settings.skc_rcv_saddr);
        assert_ne!(settings.skc_v6_daddr, ABSENT);
        assert_eq!(settings.upid_size, 16);
        assert!(reset_reasons(&btf).iter().any(|(value, name)| *value == 1 && name == "NO_SOCKET"));
    }
}
