//! What this node allows, asked without changing anything: for doctor, and for clear errors before loading.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use aya::{maps::MapType, programs::ProgramType};

use super::{btf::Btf, error::chain};

/// The answer to «is it there?».
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Yes.
    Yes,
    /// No, and what to do about it.
    No(String),
    /// It could not be told, and why.
    Unknown(String),
}

/// One thing that tracing needs or uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feature {
    /// `ring buffer`.
    pub name: &'static str,
    /// Whether it is there.
    pub answer: Answer,
    /// Tracing can't start without it.
    pub required: bool,
}

/// Capabilities (include/uapi/linux/capability.h) that together load and attach everything.
const NEEDED: [(u32, &str); 3] = [(39, "CAP_BPF"), (38, "CAP_PERFMON"), (12, "CAP_NET_ADMIN")];
const CAP_SYS_ADMIN: u32 = 21;
const TRACEFS: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

/// All checks.
pub fn features() -> Vec<Feature> {
    let feature = |name, required, answer| Feature { name, answer, required };
    vec![
        feature("capabilities", true, capabilities()),
        feature("kernel types (BTF)", true, readable("/sys/kernel/btf/vmlinux", "needs CONFIG_DEBUG_INFO_BTF=y")),
        feature("kernel memory readable", true, lockdown()),
        feature("tracefs", false, tracefs_answer()),
        feature("ring buffer", true, map(MapType::RingBuf, "needs Linux 5.8")),
        feature("socket storage", true, map(MapType::SkStorage, "needs Linux 5.11")),
        feature("tracepoints with BTF", true, btf_tracepoints()),
        feature("tracepoints", false, program(ProgramType::TracePoint, "needs CONFIG_BPF_EVENTS=y")),
        feature("sock_ops", false, program(ProgramType::SockOps, "needs CONFIG_CGROUP_BPF=y")),
        feature("cgroup_skb", false, program(ProgramType::CgroupSkb, "needs CONFIG_CGROUP_BPF=y")),
        feature("cgroup v2", false, cgroup2()),
        feature("kprobes (unused at this rung)", false, kprobes()),
    ]
}

fn capabilities() -> Answer {
    match missing_capabilities().as_slice() {
        [] => Answer::Yes,
        missing => Answer::No(format!("{} missing: run as root or privileged", missing.join(", "))),
    }
}

/// What this process lacks.
pub(super) fn missing_capabilities() -> Vec<&'static str> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    missing_of(&status)
}

fn missing_of(status: &str) -> Vec<&'static str> {
    let mask = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(u64::MAX);
    let has = |number: u32| mask >> number & 1 == 1;
    if has(CAP_SYS_ADMIN) && has(12) {
        return Vec::new();
    }
    NEEDED.iter().filter(|(number, _)| !has(*number)).map(|(_, name)| *name).collect()
}

fn readable(path: &str, fix: &str) -> Answer {
    match fs::File::open(path) {
        Ok(_) => Answer::Yes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Answer::No(format!("{path} is missing: {fix}")),
        Err(error) => Answer::Unknown(format!("{path}: {error}")),
    }
}

/// The lockdown mode, where it forbids programs to read kernel memory.
pub(super) fn confidential_lockdown() -> Option<String> {
    let text = fs::read_to_string("/sys/kernel/security/lockdown").ok()?;
    text.contains("[confidentiality]").then(|| text.trim().to_owned())
}

fn lockdown() -> Answer {
    match confidential_lockdown() {
        Some(mode) => Answer::No(format!("lockdown is {mode}: boot with lockdown=integrity or none")),
        None => Answer::Yes,
    }
}

/// Where tracefs is mounted.
pub(super) fn tracefs() -> Option<PathBuf> {
    let is_mounted = |path: &&&str| Path::new(**path).join("events").is_dir();
    TRACEFS.iter().find(is_mounted).map(PathBuf::from)
}

fn tracefs_answer() -> Answer {
    match tracefs() {
        Some(_) => Answer::Yes,
        None => Answer::No("not mounted: it is mounted privately while the hooks are attached".to_owned()),
    }
}

/// The types `btf_trace_*` came with programs of this kind (5.5, include/trace/bpf_probe.h).
fn btf_tracepoints() -> Answer {
    let bytes = match fs::read("/sys/kernel/btf/vmlinux") {
        Ok(bytes) => bytes,
        Err(error) => return Answer::Unknown(format!("/sys/kernel/btf/vmlinux: {error}")),
    };
    match Btf::parse(bytes).map(|btf| btf.tracepoint_args("sched_process_exit")) {
        Ok(Some(_)) => Answer::Yes,
        Ok(None) => Answer::No("needs Linux 5.5".to_owned()),
        Err(error) => Answer::Unknown(error.to_string()),
    }
}

/// perf's event source is registered where CONFIG_KPROBE_EVENTS is on (kernel/events/core.c: perf_kprobe, since 4.17).
fn kprobes() -> Answer {
    if Path::new("/sys/bus/event_source/devices/kprobe").exists() {
        Answer::Yes
    } else {
        Answer::No("needs CONFIG_KPROBE_EVENTS=y".to_owned())
    }
}

fn cgroup2() -> Answer {
    match super::cgroup2::Cgroup2::open() {
        Ok(_) => Answer::Yes,
        Err(why) => Answer::No(why),
    }
}

fn map(kind: MapType, fix: &str) -> Answer {
    answer(aya::sys::is_map_supported(kind).map_err(|error| chain(&error)), fix)
}

fn program(kind: ProgramType, fix: &str) -> Answer {
    answer(aya::sys::is_program_supported(kind).map_err(|error| chain(&error)), fix)
}

fn answer(result: Result<bool, String>, fix: &str) -> Answer {
    match result {
        Ok(true) => Answer::Yes,
        Ok(false) => Answer::No(fix.to_owned()),
        Err(why) => Answer::Unknown(why),
    }
}

/// Whether `uname -r` is of this version or later: only for the words of an error.
pub(super) fn is_at_least(major: u32, minor: u32) -> bool {
    let uname = rustix::system::uname();
    let release = uname.release().to_string_lossy().into_owned();
    let mut numbers = release.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (major, minor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_read_from_the_mask() {
        assert!(missing_of("CapEff:\t000001ffffffffff\n").is_empty());
        assert_eq!(missing_of("CapEff:\t0000000000000000\n"), ["CAP_BPF", "CAP_PERFMON", "CAP_NET_ADMIN"]);
        assert_eq!(missing_of("CapEff:\t000000c000000000\n"), ["CAP_NET_ADMIN"]);
        assert!(missing_of("CapEff:\t0000000000201000\n").is_empty(), "CAP_SYS_ADMIN holds the first two");
    }

    #[test]
    fn every_check_answers() {
        assert!(features().iter().any(|feature| feature.name == "ring buffer" && feature.required));
    }
}
