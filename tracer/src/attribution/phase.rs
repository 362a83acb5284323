//! Tells probes on one endpoint apart by the phase of their periods.
//!
//! The kubelet runs each worker on a `time.Ticker` that begins with the worker and survives restarts of the container
//! (prober/worker.go: run), so the begins of one probe are the same modulo its period. Readiness is also triggered off that
//! grid. Two workers made by one AddPod often have the *same* phase: then nothing is decided here.

use std::collections::{BTreeMap, VecDeque};

use super::{
    key::ProbeKey,
    spec::{ProbeKind, ProbeSpec},
};

/// A begin this near to the grid is on it: a ticker's wake-up and the socket's making.
const ON_GRID_NS: u64 = 25_000_000;
/// A begin farther than this from the grid is not on it.
const OFF_GRID_NS: u64 = 100_000_000;
/// A starved kubelet's begin may be this late after its tick: it left no grid.
const LATE_NS: u64 = 1_000_000_000;
/// Begins remembered of one set of rivals.
const REMEMBERED: usize = 64;
/// Begins that must have been on a grid before it decides anything.
const HITS_TO_TRUST: u32 = 2;
/// Begins in a row off the grid after which it is learned anew: a newer kubelet resets the ticker on a manual run.
const MISSES_TO_FORGET: u32 = 2;

/// What was learned of one probe.
#[derive(Debug)]
struct Grid {
    period_ns: u64,
    last_ns: u64,
    hits: u32,
    misses: u32,
}

impl Grid {
    fn distance(&self, at_ns: u64) -> u64 {
        let offset = at_ns.abs_diff(self.last_ns) % self.period_ns.max(1);
        offset.min(self.period_ns - offset)
    }

    /// Since the tick before.
    fn lateness(&self, at_ns: u64) -> u64 {
        let period_ns = self.period_ns.max(1);
        let ahead = self.last_ns.saturating_sub(at_ns) % period_ns;
        (at_ns.saturating_sub(self.last_ns) % period_ns + (period_ns - ahead) % period_ns) % period_ns
    }
}

/// Grids by probe, and recent begins by set of rivals; both bounded.
#[derive(Debug)]
pub struct Phases {
    grids: BTreeMap<ProbeKey, Grid>,
    rivals: BTreeMap<Vec<ProbeKey>, VecDeque<u64>>,
    limit: usize,
    dropped: u64,
}

impl Phases {
    /// Remembers at most `limit` probes, and as many sets of rivals.
    pub fn new(limit: usize) -> Self {
        Self { grids: BTreeMap::new(), rivals: BTreeMap::new(), limit, dropped: 0 }
    }

    /// Probes or sets that were forgotten for want of room.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// An attempt that is certainly of `spec` began at `began_ns`.
    pub fn learn(&mut self, spec: &ProbeSpec, began_ns: u64) {
        if spec.period_ns == 0 {
            return;
        }
        let key = ProbeKey::of(spec);
        let fresh = Grid { period_ns: spec.period_ns, last_ns: began_ns, hits: 1, misses: 0 };
        match self.grids.get_mut(&key) {
            Some(grid) if grid.period_ns == spec.period_ns => {
                if grid.distance(began_ns) <= ON_GRID_NS {
                    (grid.last_ns, grid.hits, grid.misses) = (began_ns, grid.hits.saturating_add(1), 0);
                } else {
                    grid.misses += 1;
                    if grid.misses >= MISSES_TO_FORGET {
                        *grid = fresh;
                    }
                }
            }
            _ => {
                self.grids.insert(key, fresh);
                if self.grids.len() > self.limit {
                    self.dropped += 1;
                    let oldest = self.grids.iter().min_by_key(|(_, grid)| grid.last_ns).map(|(key, _)| key.clone());
                    oldest.map(|key| self.grids.remove(&key));
                }
            }
        }
    }

    /// Notes that one of `specs` was tried at `began_ns`, whichever it was.
    pub fn note(&mut self, specs: &[&ProbeSpec], began_ns: u64) {
        let begins = self.rivals.entry(set_key(specs)).or_default();
        begins.push_back(began_ns);
        if begins.len() > REMEMBERED {
            begins.pop_front();
        }
        if self.rivals.len() > self.limit {
            self.dropped += 1;
            let oldest = self.rivals.iter().min_by_key(|(_, begins)| begins.back().copied());
            let oldest = oldest.map(|(key, _)| key.clone());
            oldest.map(|key| self.rivals.remove(&key));
        }
    }

    /// Which of `specs` began at `began_ns`, where the evidence is clear. Call [`Self::note`] first.
    pub fn choose(&self, specs: &[&ProbeSpec], began_ns: u64) -> Option<usize> {
        self.by_grid(specs, began_ns).or_else(|| self.by_chain(specs, began_ns))
    }

    fn trusted(&self, spec: &ProbeSpec) -> Option<&Grid> {
        let grid = self.grids.get(&ProbeKey::of(spec))?;
        (grid.hits >= HITS_TO_TRUST && grid.period_ns == spec.period_ns).then_some(grid)
    }

    /// One is on its grid and all others are known to be off theirs; or all but one are off a grid that they never leave.
    fn by_grid(&self, specs: &[&ProbeSpec], began_ns: u64) -> Option<usize> {
        let distance: Vec<Option<u64>> =
            specs.iter().map(|spec| self.trusted(spec).map(|grid| grid.distance(began_ns))).collect();
        let off = |index: usize| distance[index].is_some_and(|distance| distance > OFF_GRID_NS);
        let on = |index: usize| distance[index].is_some_and(|distance| distance <= ON_GRID_NS);
        let all_others = |index: usize, test: &dyn Fn(usize) -> bool| (0..specs.len()).all(|i| i == index || test(i));
        let is_late = |index: usize| self.trusted(specs[index]).is_some_and(|grid| grid.lateness(began_ns) <= LATE_NS);
        let keeps_to_grid = |index: usize| off(index) && !is_late(index) && specs[index].kind != ProbeKind::Readiness;
        let certain = (0..specs.len()).find(|index| on(*index) && all_others(*index, &off));
        certain.or_else(|| {
            let mut left = (0..specs.len()).filter(|index| !keeps_to_grid(*index));
            let only = left.next()?;
            (left.next().is_none() && specs.len() > 1).then_some(only)
        })
    }

    /// Of different periods: the one whose three earlier ticks were all seen.
    fn by_chain(&self, specs: &[&ProbeSpec], began_ns: u64) -> Option<usize> {
        let begins = self.rivals.get(&set_key(specs))?;
        let near = |at: u64, within: u64| begins.iter().filter(|begin| begin.abs_diff(at) <= within).count();
        let chain = |period: u64| {
            period > 0 && (1..=3).all(|k| began_ns.checked_sub(k * period).is_some_and(|at| near(at, ON_GRID_NS) == 1))
        };
        let unlike = specs.iter().enumerate().all(|(i, a)| specs[..i].iter().all(|b| a.period_ns != b.period_ns));
        // Two begins at one moment: the grids coincide, and which is which can't be told.
        if !unlike || near(began_ns, OFF_GRID_NS) != 1 {
            return None;
        }
        let mut chained: Vec<usize> = (0..specs.len()).filter(|index| chain(specs[*index].period_ns)).collect();
        chained.sort_by_key(|index| specs[*index].period_ns);
        let first = *chained.first()?;
        // A multiple of the shortest period is seen wherever that one is; there is only one worker of each.
        let explained = chained.iter().all(|index| specs[*index].period_ns.is_multiple_of(specs[first].period_ns));
        explained.then_some(first)
    }
}

fn set_key(specs: &[&ProbeSpec]) -> Vec<ProbeKey> {
    let mut keys: Vec<ProbeKey> = specs.iter().map(|spec| ProbeKey::of(spec)).collect();
    keys.sort();
    keys
}

#[cfg(test)]
mod tests;
