//! Run time and runs of a process's programs, as the kernel counts them.

use std::{collections::BTreeMap, fs};

use anyhow::{Context, Result};

use super::empty::PROGRAMS;

/// Of one program, since it was loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Time in it.
    pub run_ns: u64,
    /// Times it ran.
    pub runs: u64,
    /// Times the kernel skipped it, as it ran on this CPU already.
    pub missed: u64,
}

/// Bytes of a program's name in the kernel (BPF_OBJ_NAME_LEN with its NUL).
const NAME_BYTES: usize = 15;

/// Of every program of [`PROGRAMS`] that this process holds.
///
/// # Errors
/// The process has ended, or its programs can't be listed.
pub fn of(pid: u32) -> Result<BTreeMap<&'static str, Stats>> {
    let mut held = BTreeMap::new();
    let folder = format!("/proc/{pid}/fdinfo");
    for entry in fs::read_dir(&folder).with_context(|| folder.clone())? {
        // A file that was closed meanwhile is no program of ours.
        let text = fs::read_to_string(entry?.path()).unwrap_or_default();
        if let Some((id, stats)) = parse(&text) {
            held.insert(id, stats);
        }
    }
    let mut names = BTreeMap::new();
    for program in aya::programs::loaded_programs() {
        // One that went while we looked.
        let Ok(program) = program else { continue };
        names.insert(program.id(), program.name_as_str().unwrap_or_default().to_owned());
    }
    let held: Vec<_> = held.into_iter().map(|(id, stats)| (names.remove(&id).unwrap_or_default(), stats)).collect();
    Ok(named(&held))
}

/// Names are cut in the kernel: those that became equal are told apart by the order in which they were loaded.
fn named(held: &[(String, Stats)]) -> BTreeMap<&'static str, Stats> {
    let mut found = BTreeMap::new();
    for (name, stats) in held {
        let fits = |program: &&(&'static str, &str)| {
            program.0.get(..NAME_BYTES).unwrap_or(program.0) == name && !found.contains_key(program.0)
        };
        if let Some((program, _)) = PROGRAMS.iter().find(fits) {
            found.insert(*program, *stats);
        }
    }
    found
}

/// `fdinfo` of a program (kernel/bpf/syscall.c: bpf_prog_show_fdinfo).
fn parse(text: &str) -> Option<(u32, Stats)> {
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.trim().parse::<u64>().ok()
    };
    field("prog_type")?;
    let id = u32::try_from(field("prog_id")?).ok()?;
    let missed = field("recursion_misses").unwrap_or(0);
    Some((id, Stats { run_ns: field("run_time_ns")?, runs: field("run_cnt")?, missed }))
}

/// What came to pass between the two.
pub fn difference(
    before: &BTreeMap<&'static str, Stats>,
    after: &BTreeMap<&'static str, Stats>,
) -> BTreeMap<&'static str, Stats> {
    let since = |(name, after): (&&'static str, &Stats)| {
        let before = before.get(name).copied().unwrap_or_default();
        let stats = Stats {
            run_ns: after.run_ns.saturating_sub(before.run_ns),
            runs: after.runs.saturating_sub(before.runs),
            missed: after.missed.saturating_sub(before.missed),
        };
        (*name, stats)
    };
    after.iter().map(since).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stats(runs: u64) -> Stats {
        Stats { run_ns: runs * 100, runs, missed: 0 }
    }

    #[test]
    fn reads_a_program_and_not_a_link_to_it() {
        let text = "pos:\t0\nprog_type:\t26\nprog_id:\t7\nrun_time_ns:\t100\nrun_cnt:\t1\nrecursion_misses:\t0\n";
        assert_eq!(parse(text), Some((7, stats(1))));
        assert_eq!(parse("link_type:\traw_tracepoint\nlink_id:\t3\nprog_id:\t7\n"), None);
    }

    #[test]
    fn equal_short_names_go_by_the_order_of_loading() {
        let held = [("sched_process_e".to_owned(), stats(1)), ("sched_process_e".to_owned(), stats(2))];
        let named = named(&held);
        assert_eq!(named["sched_process_exec"].runs, 1);
        assert_eq!(named["sched_process_exit"].runs, 2);
    }

    #[test]
    fn a_difference_starts_at_the_earlier_reading() {
        let before = BTreeMap::from([("a", stats(1))]);
        let after = BTreeMap::from([("a", stats(5)), ("b", stats(2))]);
        let since = difference(&before, &after);
        assert_eq!((since["a"].runs, since["b"].runs), (4, 2));
    }
}
