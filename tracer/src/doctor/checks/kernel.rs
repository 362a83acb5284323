//! Permissions and the kernel itself.

use crate::doctor::{Need, Node, Row, State};

/// Bits of include/uapi/linux/capability.h, and what each is for.
const CAPABILITIES: [(u32, &str, &str); 6] = [
    (39, "CAP_BPF", "loading kernel programs"),
    (38, "CAP_PERFMON", "attaching them"),
    (12, "CAP_NET_ADMIN", "hooks on the prober's cgroup, all of sock_diag"),
    (19, "CAP_SYS_PTRACE", "other users' processes: network namespaces, open files"),
    (21, "CAP_SYS_ADMIN", "entering a pod's network namespace"),
    (34, "CAP_SYSLOG", "kernel stacks of blocked threads"),
];
const CAP_SYS_ADMIN: u32 = 21;
/// fs/proc: PROC_PID_INIT_INO.
const INITIAL_PID_NAMESPACE: u64 = 0xEFFF_FFFC;

pub fn all(node: &Node) -> Vec<Row> {
    vec![capabilities(node), pid_namespace(node), release(node), lockdown(node), btf(node), tracefs(node), clock(node)]
}

fn capabilities(node: &Node) -> Row {
    let row = |found: &str| Row::ok("permissions", "capabilities", found).need(Need::Required);
    let status = node.proc.read("self/status").unwrap_or_default();
    let bits = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("CapEff:")?.trim(), 16).ok());
    let Some(bits) = bits else {
        return row("/proc/self/status can't be read").but(State::Unknown, "", "mount /proc");
    };
    let has = |bit: u32| bits & (1 << bit) != 0;
    // Before 5.8 CAP_SYS_ADMIN is all of these, and it still stands in for the two.
    let given = |bit: u32| has(bit) || (matches!(bit, 38 | 39) && has(CAP_SYS_ADMIN));
    let lacking: Vec<_> = CAPABILITIES.into_iter().filter(|(bit, ..)| !given(*bit)).collect();
    if lacking.is_empty() {
        return row("all that is used");
    }
    let names: Vec<&str> = lacking.iter().map(|(_, name, _)| *name).collect();
    let lost: Vec<&str> = lacking.iter().map(|(.., what)| *what).collect();
    let can_load = [39, 38, 12].into_iter().all(given);
    let state = if can_load { State::Degraded } else { State::Missing };
    row(&format!("without {}", names.join(", "))).but(
        state,
        lost.join("; "),
        "run as root, or grant them to the container",
    )
}

fn pid_namespace(node: &Node) -> Row {
    match crate::proc_dir::namespace_inode(&node.proc.path("self/ns/pid")) {
        Ok(INITIAL_PID_NAMESPACE) => Row::ok("permissions", "pid namespace", "the node's"),
        Ok(inode) => Row::ok("permissions", "pid namespace", format!("{inode}, not the node's")).but(
            State::Degraded,
            "processes outside of it: their state and names are not seen",
            "start it on the node, or in a pod with hostPID: true",
        ),
        Err(error) => Row::ok("permissions", "pid namespace", error.to_string()).but(State::Unknown, "", ""),
    }
}

fn release(node: &Node) -> Row {
    let release = node.sysctl("kernel/osrelease").unwrap_or_else(|| "unknown".to_owned());
    Row::ok("kernel", "release", format!("Linux {release} {}", std::env::consts::ARCH)).need(Need::Optional)
}

/// `[none] integrity confidentiality` (security/lockdown).
fn lockdown(node: &Node) -> Row {
    let path = node.sys.join("kernel/security/lockdown");
    let text = crate::proc_dir::read_bounded(&path, crate::proc_dir::MAX_FILE_BYTES).unwrap_or_default();
    let chosen = text.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map(|(word, _)| word.to_owned());
    match chosen.as_deref() {
        Some("confidentiality") => Row::ok("kernel", "lockdown", "confidentiality").need(Need::Required).but(
            State::Missing,
            "kernel programs may not read kernel memory",
            "boot with lockdown=integrity or none",
        ),
        Some(mode) => Row::ok("kernel", "lockdown", mode),
        None if is_mounted(node, "securityfs") => Row::ok("kernel", "lockdown", "not in this kernel"),
        None => Row::ok("kernel", "lockdown", "securityfs is not mounted").need(Need::Optional).but(
            State::Unknown,
            "",
            "mount -t securityfs securityfs /sys/kernel/security",
        ),
    }
}

fn btf(node: &Node) -> Row {
    let there = node.sys.join("kernel/btf/vmlinux").exists();
    let row = |found| Row::ok("kernel", "kernel types (BTF)", found).need(Need::Required);
    if there {
        return row("/sys/kernel/btf/vmlinux");
    }
    row("none").but(
        State::Missing,
        "offsets of kernel structures",
        "a kernel with CONFIG_DEBUG_INFO_BTF=y; in a container mount /sys/kernel/btf",
    )
}

/// Only root may look into it (fs/tracefs/inode.c: TRACEFS_DEFAULT_MODE), so «not readable» is not «not there».
fn tracefs(node: &Node) -> Row {
    let places = ["kernel/tracing/events", "kernel/debug/tracing/events"];
    let looked = places.map(|place| node.sys.join(place)).map(|place| (place.try_exists(), place));
    let lost = "the formats of tracepoints";
    if let Some((_, place)) = looked.iter().find(|(there, _)| matches!(there, Ok(true))) {
        let place = place.parent().unwrap_or(place);
        return Row::ok("kernel", "tracefs", place.display().to_string());
    }
    match looked.iter().find_map(|(there, _)| there.as_ref().err()) {
        Some(error) => {
            Row::ok("kernel", "tracefs", format!("can't be read: {error}")).but(State::Unknown, lost, "run as root")
        }
        None => Row::ok("kernel", "tracefs", "not mounted").but(
            State::Missing,
            lost,
            "mount -t tracefs tracefs /sys/kernel/tracing",
        ),
    }
}

fn clock(node: &Node) -> Row {
    let path = node.sys.join("devices/system/clocksource/clocksource0/current_clocksource");
    match node.value(&path).as_deref() {
        Some(slow @ ("hpet" | "acpi_pm" | "jiffies")) => Row::ok("kernel", "clock source", slow).but(
            State::Degraded,
            "cheap clock reads: every event costs about a microsecond more, and the kubelet's timers drift with load",
            "find out why the kernel gave up its TSC (dmesg | grep -i tsc)",
        ),
        Some(fast) => Row::ok("kernel", "clock source", fast),
        None => Row::ok("kernel", "clock source", "can't be read").need(Need::Optional).but(State::Unknown, "", ""),
    }
}

fn is_mounted(node: &Node, kind: &str) -> bool {
    let mounts = node.proc.read_table("self/mountinfo").unwrap_or_default();
    mounts.lines().any(|line| line.split_once(" - ").is_some_and(|(_, rest)| rest.starts_with(&format!("{kind} "))))
}
