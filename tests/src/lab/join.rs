//! Joins the prober's log with the tracer's attempts: same probe, nearest start.

use crate::plan::Entry;

use super::tracer::Attempt;

/// Two clocks' readings of one begin differ by the prober's own work before connect(), or before it starts a helper.
const MAX_APART_NS: i64 = 400_000_000;

/// The two logs side by side.
#[derive(Debug, Default)]
pub struct Joined<'a> {
    /// Each entry of the prober with what the tracer saw of it.
    pub pairs: Vec<(&'a Entry, Option<&'a Attempt>)>,
    /// Attempts of the tracer that the prober did not make.
    pub surplus: Vec<&'a Attempt>,
}

/// Each attempt is used once; the nearest pairs are joined first.
pub fn join<'a>(entries: &'a [Entry], attempts: &'a [Attempt]) -> Joined<'a> {
    let mut by_start: Vec<(i64, usize)> =
        attempts.iter().enumerate().map(|(seen, attempt)| (attempt.started_wall_ns(), seen)).collect();
    by_start.sort_unstable();
    let mut near: Vec<(u64, bool, usize, usize)> = Vec::new();
    for (made, entry) in entries.iter().enumerate() {
        let first = by_start.partition_point(|(start, _)| *start < entry.started_wall_ns - MAX_APART_NS);
        let around = by_start[first..].iter().take_while(|(start, _)| *start <= entry.started_wall_ns + MAX_APART_NS);
        for (start, seen) in around.filter(|(_, seen)| attempts[*seen].may_be(&entry.probe)) {
            near.push((start.abs_diff(entry.started_wall_ns), attempts[*seen].key() != entry.probe, made, *seen));
        }
    }
    near.sort_unstable();
    let mut of_entry: Vec<Option<usize>> = vec![None; entries.len()];
    let mut used = vec![false; attempts.len()];
    for (_, _, made, seen) in near {
        if of_entry[made].is_none() && !used[seen] {
            of_entry[made] = Some(seen);
            used[seen] = true;
        }
    }
    let pairs = entries.iter().zip(of_entry).map(|(entry, seen)| (entry, seen.map(|seen| &attempts[seen]))).collect();
    let surplus = attempts.iter().zip(used).filter(|(_, used)| !used).map(|(attempt, _)| attempt).collect();
    Joined { pairs, surplus }
}

impl Joined<'_> {
    /// |tracer's latency − prober's| of each pair of one outcome, ns, ascending.
    pub fn latency_errors_ns(&self) -> Vec<u64> {
        let mut errors: Vec<u64> = self
            .pairs
            .iter()
            .filter_map(|(entry, attempt)| Some((entry, (*attempt)?)))
            .filter(|(entry, attempt)| attempt.outcome == entry.outcome.name())
            .map(|(entry, attempt)| attempt.latency_ns.abs_diff(entry.latency_ns))
            .collect();
        errors.sort_unstable();
        errors
    }
}

/// The value that `percent` of them do not exceed; 0 of none.
pub fn percentile(ascending: &[u64], percent: usize) -> u64 {
    let rank = (ascending.len() * percent).div_ceil(100);
    ascending.get(rank.saturating_sub(1)).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Outcome;

    fn entry(probe: &str, started_wall_ns: i64) -> Entry {
        Entry {
            probe: probe.into(),
            number: 1,
            started_ns: 0,
            started_wall_ns,
            latency_ns: 1000,
            outcome: Outcome::Success,
            text: String::new(),
            tries: 1,
        }
    }

    fn attempt(kind: &str, at_ns: i64, ambiguous: &[&str]) -> Attempt {
        let started_at = jiff::Timestamp::from_nanosecond(i128::from(at_ns)).expect("time").to_string();
        serde_json::from_value(serde_json::json!({
            "started_at": started_at, "tries": 1, "outcome": "success", "latency_ns": 1500, "ambiguous": ambiguous,
            "probe": {"kind": kind, "handler": "http", "target": "10.0.0.1:80", "timeout_ns": 1_000_000_000},
            "kubernetes": {"pod": "p", "container": "c"},
            "verdict": {"cause": "none", "confidence": "proven", "summary": ""},
        }))
        .expect("attempt")
    }

    #[test]
    fn takes_the_nearest_of_the_same_probe() {
        let second = 1_000_000_000;
        let made = [entry("p/c/liveness", second), entry("p/c/liveness", 2 * second), entry("p/c/readiness", second)];
        let seen = [attempt("liveness", 2 * second + 1000, &[]), attempt("liveness", second + 900, &[])];
        let joined = join(&made, &seen);
        let found: Vec<Option<i64>> =
            joined.pairs.iter().map(|(_, attempt)| attempt.map(Attempt::started_wall_ns)).collect();
        assert_eq!(found, [Some(second + 900), Some(2 * second + 1000), None]);
        assert_eq!(joined.latency_errors_ns(), [500, 500]);
    }

    #[test]
    fn an_ambiguous_attempt_fits_each_name_and_a_far_one_none() {
        let made = [entry("p/c/readiness", 5_000_000_000)];
        assert!(join(&made, &[attempt("liveness", 5_000_000_100, &["lab/p/c/readiness"])]).pairs[0].1.is_some());
        let far = [attempt("readiness", 6_000_000_000, &[])];
        assert_eq!(join(&made, &far).surplus.len(), 1);
    }

    #[test]
    fn percentiles() {
        assert_eq!(percentile(&[], 99), 0);
        assert_eq!(percentile(&[1, 2, 3, 4], 50), 2);
        assert_eq!(percentile(&[1, 2, 3, 4], 99), 4);
    }
}
