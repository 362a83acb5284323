//! Processes under a prober or its runtime, by tree. A process is known by its pid and its start: pids are used again.

use std::collections::BTreeMap;

use crate::attempt::{core::Key, facts::Run, recent::Recent};

/// pid in the initial namespace, and start (CLOCK_BOOTTIME).
pub type ProcKey = (u32, u64);

/// One tree.
#[derive(Debug)]
pub struct Tree {
    /// Its first process.
    pub first: ProcKey,
    /// Parent of that, as the tracer sees it.
    pub parent_pid: u32,
    /// What is known of the run; moves into the attempt once there is one.
    pub run: Run,
    /// Container, once a helper named it.
    pub container_id: String,
    /// The attempt, and which of its tries this is.
    pub link: Option<(Key, usize)>,
    /// Living processes, with their pids as the tracer sees them.
    pub live: BTreeMap<ProcKey, u32>,
    /// The runtime's helper.
    pub helper: Option<ProcKey>,
    /// Root whose tree the kernel's side counts the helper's processes to.
    pub helper_root: Option<u32>,
    /// The probe's command.
    pub command: Option<ProcKey>,
}

/// All trees, bounded.
#[derive(Debug)]
pub struct Trees {
    trees: BTreeMap<u64, Tree>,
    by_proc: BTreeMap<ProcKey, u64>,
    by_kpid: BTreeMap<u32, ProcKey>,
    /// Processes that are over or of no interest.
    over: Recent<ProcKey>,
    next_id: u64,
    limit: usize,
    max_processes: usize,
}

impl Trees {
    pub fn new(limit: usize, max_processes: usize, recent: usize) -> Self {
        Self {
            trees: BTreeMap::new(),
            by_proc: BTreeMap::new(),
            by_kpid: BTreeMap::new(),
            over: Recent::new(recent),
            next_id: 0,
            limit: limit.max(1),
            max_processes,
        }
    }

    /// A new tree; true where an older one had to go for it.
    pub fn plant(&mut self, first: ProcKey, pid: u32, parent_pid: u32, spawned_ns: u64) -> (u64, bool) {
        let full = self.trees.len() >= self.limit;
        if full {
            let oldest = self.trees.iter().find(|(_, tree)| tree.link.is_none()).or(self.trees.iter().next());
            let oldest = oldest.map(|(id, _)| *id);
            oldest.into_iter().for_each(|id| self.fell(id));
        }
        self.next_id += 1;
        let run = Run { spawned_ns, ..Run::default() };
        let tree = Tree {
            first,
            parent_pid,
            run,
            container_id: String::new(),
            link: None,
            live: BTreeMap::new(),
            helper: None,
            helper_root: None,
            command: None,
        };
        self.trees.insert(self.next_id, tree);
        self.add(self.next_id, first, pid);
        (self.next_id, full)
    }

    /// A process of a tree; false where the tree is full.
    pub fn add(&mut self, id: u64, key: ProcKey, pid: u32) -> bool {
        let Some(tree) = self.trees.get_mut(&id) else { return false };
        if tree.live.len() >= self.max_processes {
            return false;
        }
        tree.live.insert(key, pid);
        self.by_proc.insert(key, id);
        self.by_kpid.insert(key.0, key);
        true
    }

    /// A process ended; its tree goes with its last one where no attempt holds it.
    pub fn exited(&mut self, key: ProcKey) {
        self.over.insert(key);
        let Some(id) = self.by_proc.remove(&key) else { return };
        if self.by_kpid.get(&key.0) == Some(&key) {
            self.by_kpid.remove(&key.0);
        }
        let Some(tree) = self.trees.get_mut(&id) else { return };
        tree.live.remove(&key);
        // Without a helper a tree stands for its first process only.
        let is_idle = tree.live.is_empty() || (tree.helper.is_none() && tree.first == key);
        if tree.link.is_none() && tree.container_id.is_empty() && is_idle {
            self.fell(id);
        }
    }

    /// Forgets a tree; its processes begin nothing any more.
    pub fn fell(&mut self, id: u64) {
        let Some(tree) = self.trees.remove(&id) else { return };
        self.over.insert(tree.first);
        for key in tree.live.into_keys() {
            self.over.insert(key);
            self.by_proc.remove(&key);
            if self.by_kpid.get(&key.0) == Some(&key) {
                self.by_kpid.remove(&key.0);
            }
        }
    }

    /// Whether events of this process begin nothing.
    pub fn is_over(&self, key: ProcKey) -> bool {
        self.over.contains(&key)
    }

    /// The tree of a process.
    pub fn of(&self, key: ProcKey) -> Option<u64> {
        self.by_proc.get(&key).copied()
    }

    /// The tree of the living process with this pid.
    pub fn of_kpid(&self, kpid: u32) -> Option<u64> {
        self.by_kpid.get(&kpid).and_then(|key| self.of(*key))
    }

    pub fn get(&self, id: u64) -> Option<&Tree> {
        self.trees.get(&id)
    }

    pub fn get_mut(&mut self, id: u64) -> Option<&mut Tree> {
        self.trees.get_mut(&id)
    }

    /// Trees that satisfy `test`.
    pub fn ids(&self, test: impl Fn(&Tree) -> bool) -> Vec<u64> {
        self.trees.iter().filter(|(_, tree)| test(tree)).map(|(id, _)| *id).collect()
    }
}
