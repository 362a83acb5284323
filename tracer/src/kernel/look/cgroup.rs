//! Counters of a container's cgroup: each controller where it lives (v1, v2 or both).

mod folders;

pub use folders::{Folders, v2_folder};

use crate::observation::CgroupState;

/// Reads what there is; `folders` are the container's, one a controller.
pub fn read(folders: &Folders) -> CgroupState {
    let cpu = folders.read("cpu", "cpu.stat").unwrap_or_default();
    let throttled = field(&cpu, "throttled_time").or_else(|| field(&cpu, "throttled_usec")?.checked_mul(1000));
    CgroupState {
        path: folders.path().to_owned(),
        nr_throttled: field(&cpu, "nr_throttled"),
        throttled_ns: throttled,
        cpu_limit: cpu_limit(folders),
        usage_ns: usage(folders, &cpu),
        frozen: frozen(folders),
        pids: pids(folders),
        pids_max_hits: field(&folders.read("pids", "pids.events").unwrap_or_default(), "max"),
        oom_kills: oom_kills(folders),
        pressure_ns: pressure(folders),
    }
}

/// Quota over period, in CPUs; v2 `max 100000`, v1 -1: none.
fn cpu_limit(folders: &Folders) -> Option<f64> {
    let (quota, period) = match folders.read("cpu", "cpu.max") {
        Some(text) => {
            let mut words = text.split_ascii_whitespace().map(str::to_owned);
            (words.next()?, words.next()?)
        }
        None => (folders.read("cpu", "cpu.cfs_quota_us")?, folders.read("cpu", "cpu.cfs_period_us")?),
    };
    let quota: f64 = quota.trim().parse().ok()?;
    let period: f64 = period.trim().parse().ok()?;
    (quota > 0.0 && period > 0.0).then_some(quota / period)
}

fn usage(folders: &Folders, cpu_stat: &str) -> Option<u64> {
    if let Some(text) = folders.read("cpuacct", "cpuacct.usage") {
        return text.trim().parse().ok();
    }
    let text = folders.read("", "cpu.stat");
    field(text.as_deref().unwrap_or(cpu_stat), "usage_usec")?.checked_mul(1000)
}

/// v1's freezer (FREEZING: some tasks are already stopped) or v2's; a frozen parent counts in both.
fn frozen(folders: &Folders) -> Option<bool> {
    let v1 = folders.read("freezer", "freezer.state").map(|state| state.trim() != "THAWED");
    let v2 = folders.read("", "cgroup.events").and_then(|text| field(&text, "frozen")).map(|frozen| frozen != 0);
    match (v1, v2) {
        (None, None) => None,
        (v1, v2) => Some(v1.unwrap_or(false) || v2.unwrap_or(false)),
    }
}

fn pids(folders: &Folders) -> Option<(u64, Option<u64>)> {
    let current = folders.read("pids", "pids.current")?.trim().parse().ok()?;
    Some((current, folders.read("pids", "pids.max")?.trim().parse().ok()))
}

fn oom_kills(folders: &Folders) -> Option<u64> {
    let text = folders.read("memory", "memory.events").or_else(|| folders.read("memory", "memory.oom_control"))?;
    field(&text, "oom_kill")
}

/// PSI's stall totals are µs.
fn pressure(folders: &Folders) -> Option<(u64, u64, u64)> {
    let total = |name: &str| {
        let text = folders.read("", name)?;
        let some = text.lines().find(|line| line.starts_with("some "))?;
        some.rsplit_once("total=")?.1.trim().parse::<u64>().ok()?.checked_mul(1000)
    };
    Some((total("cpu.pressure")?, total("memory.pressure")?, total("io.pressure")?))
}

/// Value of a line `name value`.
fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

#[cfg(test)]
mod tests;
