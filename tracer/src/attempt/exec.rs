//! Processes of the probers and their runtimes to exec attempts.

mod argv;
mod choose;
mod trees;

use self::{
    argv::Role,
    choose::{commands, direct_candidates, retried},
    trees::{ProcKey, Trees},
};
use super::{
    core::{Core, Finished, Key},
    facts::{Run, Try},
    timing::DELIVERY_NS,
    tracker::Output,
};
use crate::{
    attribution::{
        cgroup_name,
        store::{Candidate, LEARNED_LATE_NS},
    },
    event::{Event, Exec, Exit, Fork, What},
};

/// Trees of processes, and which attempt each is.
#[derive(Debug)]
pub struct Execs {
    trees: Trees,
}

impl Execs {
    pub fn new(core: &Core) -> Self {
        let limits = &core.limits;
        Self { trees: Trees::new(limits.trees, limits.processes, limits.recent) }
    }

    /// One event of a process.
    pub fn event(&mut self, core: &mut Core, event: &Event, out: &mut Vec<Output>) {
        match &event.what {
            What::Fork(fork) => self.fork(core, event.at_ns, fork),
            What::Exec(exec) => self.exec(core, event.at_ns, exec, out),
            What::Exit(exit) => self.exit(core, event.at_ns, exit, out),
            _ => {}
        }
    }

    fn fork(&mut self, core: &mut Core, at_ns: u64, fork: &Fork) {
        let key = (fork.kpid, fork.start_boot_ns);
        if self.trees.is_over(key) || self.trees.of(key).is_some() {
            return;
        }
        // A runtime's helper is a root itself (nobody followed its shim): its children are of its tree.
        match self.trees.of_kpid(fork.kppid) {
            Some(id) => {
                if !self.trees.add(id, key, fork.pid) {
                    core.counters.hit("processes_of_one_tree");
                }
                self.share_pids(core, id);
            }
            None if core.is_prober(fork.ppid) => {
                self.plant(core, key, fork.pid, fork.ppid, at_ns);
            }
            // Of a runtime's call that is no exec (a container's own processes), or its beginning was lost.
            None => {}
        }
    }

    fn plant(&mut self, core: &mut Core, key: ProcKey, pid: u32, parent_pid: u32, at_ns: u64) -> u64 {
        // The child's own start lies before the event of its fork, if at all, by microseconds.
        let spawned_ns = core.mono_of_boot(key.1).filter(|start| *start <= at_ns).unwrap_or(at_ns);
        let (id, was_full) = self.trees.plant(key, pid, parent_pid, spawned_ns);
        if was_full {
            core.counters.hit("trees_of_processes");
        }
        id
    }

    fn exec(&mut self, core: &mut Core, at_ns: u64, exec: &Exec, out: &mut Vec<Output>) {
        let key = (exec.kpid, exec.start_boot_ns);
        if self.trees.is_over(key) {
            return;
        }
        let role = argv::role(exec);
        let Some(id) = self.trees.of(key).or_else(|| self.stray(core, at_ns, exec, &role)) else { return };
        match role {
            Role::ExecHelper(container) => self.helper(core, id, key, exec, container, out),
            Role::OtherHelper => {
                if self.trees.get(id).is_some_and(|tree| tree.link.is_none()) {
                    self.trees.fell(id);
                }
            }
            Role::Stage => {}
            Role::Program => self.program(core, id, key, at_ns, exec, out),
        }
    }

    /// An exec whose fork was not seen: a helper, a command in the container of a helper that waits for one, or (under a
    /// prober that runs its commands itself) a probe's command.
    fn stray(&mut self, core: &mut Core, at_ns: u64, exec: &Exec, role: &Role) -> Option<u64> {
        let key = (exec.kpid, exec.start_boot_ns);
        if let Role::ExecHelper(_) = role {
            return Some(self.plant(core, key, exec.pid, 0, at_ns));
        }
        if *role != Role::Program {
            return None;
        }
        let waiting = self.trees.ids(|tree| {
            tree.helper_root == Some(exec.root_kpid)
                && tree.command.is_none()
                && cgroup_name::is_of(&exec.cgroup, &exec.cgroup_parent, &tree.container_id)
        });
        if let Some(id) = waiting.last().copied() {
            return self.adopt(core, id, key, exec.pid).then_some(id);
        }
        // Roots are ids of the initial namespace: in another one such an exec is not taken for a probe's.
        let is_direct = !core.is_kubelet
            && core.is_prober(exec.root_kpid)
            && !commands(core.store.all_exec(at_ns), exec).is_empty();
        is_direct.then(|| self.plant(core, key, exec.pid, 0, at_ns))
    }

    /// Takes a process of unknown parent into a tree that waits for its command: another run's command looks the same
    /// where the events of that run are lost.
    fn adopt(&mut self, core: &mut Core, id: u64, key: ProcKey, pid: u32) -> bool {
        if !self.trees.add(id, key, pid) {
            return false;
        }
        let Some(tree) = self.trees.get_mut(id) else { return false };
        let run = match tree.link {
            Some((attempt, index)) => core.opens.get_mut(&attempt).and_then(|open| open.run_mut(index)),
            None => Some(&mut tree.run),
        };
        run.into_iter().for_each(|run| run.is_command_guessed = true);
        true
    }

    fn helper(
        &mut self,
        core: &mut Core,
        id: u64,
        key: ProcKey,
        exec: &Exec,
        container: Option<String>,
        out: &mut Vec<Output>,
    ) {
        let Some(tree) = self.trees.get_mut(id) else { return };
        if tree.helper.is_some() {
            return;
        }
        tree.helper = Some(key);
        tree.helper_root = Some(exec.root_kpid);
        tree.container_id = container.unwrap_or_default();
        tree.run.helper = Some(exec.clone());
        self.attribute(core, id, out);
    }

    /// Begins the attempt of a helper's tree (or goes on with one) where its container has exec probes.
    fn attribute(&mut self, core: &mut Core, id: u64, out: &mut Vec<Output>) {
        let Some(tree) = self.trees.get(id) else { return };
        let spawned_ns = tree.run.spawned_ns;
        if tree.container_id.is_empty() || tree.link.is_some() {
            return;
        }
        let candidates = core.store.by_container(spawned_ns, &tree.container_id);
        let Some(command) = tree.run.command.clone().filter(|_| !candidates.is_empty()) else {
            return self.begin(core, id, candidates, out);
        };
        // It came before its container was known.
        let fitting = commands(candidates, &command);
        if fitting.is_empty() {
            core.counters.hit("execs_of_other_commands");
            core.counters.unattributed += 1;
            self.trees.fell(id);
        }
        self.begin(core, id, fitting, out);
    }

    fn begin(&mut self, core: &mut Core, id: u64, candidates: Vec<Candidate>, out: &mut Vec<Output>) {
        if candidates.is_empty() {
            return;
        }
        let Some(tree) = self.trees.get_mut(id) else { return };
        let run = std::mem::take(&mut tree.run);
        let spawned_ns = run.spawned_ns;
        let parent_pid = tree.parent_pid;
        let link = match retried(core, &candidates, spawned_ns) {
            Some(key) => core.next_try(key, Try::Exec(run)).map(|index| (key, index)),
            None => {
                let known = core.probers.iter().find(|prober| prober.pid == parent_pid).or(core.probers.first());
                let prober = known.cloned().unwrap_or_else(|| core.prober(parent_pid));
                core.open(prober, candidates, spawned_ns, Try::Exec(run)).map(|key| (key, 0))
            }
        };
        let Some(link) = link else {
            self.trees.fell(id);
            return;
        };
        tree.link = Some(link);
        self.share_pids(core, id);
        core.evaluate(link.0, out);
    }

    /// A program: the probe's command, another one's, or a child of it.
    fn program(&mut self, core: &mut Core, id: u64, key: ProcKey, at_ns: u64, exec: &Exec, out: &mut Vec<Output>) {
        let Some(tree) = self.trees.get(id) else { return };
        if tree.command.is_some() {
            return;
        }
        if tree.link.is_none() && tree.helper.is_none() {
            let candidates = direct_candidates(core, at_ns, exec, tree.parent_pid);
            self.begin(core, id, candidates, out);
        }
        let Some((attempt, index)) = self.trees.get(id).and_then(|tree| tree.link) else {
            let tree = self.trees.get_mut(id).filter(|tree| tree.helper.is_some());
            tree.into_iter().for_each(|tree| {
                (tree.run.exec_ns, tree.run.command) = (at_ns, Some(exec.clone()));
                tree.command = Some(key);
            });
            return;
        };
        let Some(open) = core.opens.get_mut(&attempt) else { return };
        let fitting = commands(open.candidates.clone(), exec);
        if fitting.is_empty() {
            self.foreign(core, id, attempt, exec, out);
            return;
        }
        open.candidates = fitting;
        if let Some(run) = open.run_mut(index) {
            (run.exec_ns, run.command) = (at_ns, Some(exec.clone()));
        }
        if let Some(tree) = self.trees.get_mut(id) {
            tree.command = Some(key);
        }
        core.evaluate(attempt, out);
    }

    /// Another command than the probes' in this container: kubectl exec, a lifecycle hook.
    fn foreign(&mut self, core: &mut Core, id: u64, attempt: Key, exec: &Exec, out: &mut Vec<Output>) {
        let Some(tree) = self.trees.get(id) else { return };
        let container = tree.container_id.clone();
        let in_container = exec.cgroup.is_empty() || cgroup_name::is_of(&exec.cgroup, &exec.cgroup_parent, &container);
        if !in_container {
            return;
        }
        core.counters.hit("execs_of_other_commands");
        let Some(open) = core.opens.get_mut(&attempt) else { return };
        if open.tries.len() > 1 {
            open.tries.pop();
            self.trees.fell(id);
        } else {
            open.is_foreign = true;
        }
        core.evaluate(attempt, out);
    }

    fn exit(&mut self, core: &mut Core, at_ns: u64, exit: &Exit, out: &mut Vec<Output>) {
        let key = (exit.kpid, exit.start_boot_ns);
        let Some(id) = self.trees.of(key).filter(|_| !self.trees.is_over(key)) else { return };
        let max = core.limits.other_exits;
        let Some(tree) = self.trees.get_mut(id) else { return };
        let (is_command, is_helper) = (tree.command == Some(key), tree.helper == Some(key));
        let link = tree.link;
        let run = match link {
            Some((attempt, index)) => core.opens.get_mut(&attempt).and_then(|open| open.run_mut(index)),
            None => Some(&mut tree.run),
        };
        if let Some(run) = run {
            note_exit(run, at_ns, exit, is_command, is_helper, max);
        }
        self.trees.exited(key);
        self.share_pids(core, id);
        if let Some((attempt, _)) = link {
            core.evaluate(attempt, out);
        }
    }

    /// The attempt's looks need the living processes.
    fn share_pids(&self, core: &mut Core, id: u64) {
        let Some(tree) = self.trees.get(id) else { return };
        let Some((attempt, index)) = tree.link else { return };
        if let Some(open) = core.opens.get_mut(&attempt)
            && index + 1 == open.tries.len()
        {
            open.live = tree.live.len();
            open.live_pids = tree.live.values().copied().filter(|pid| *pid != 0).collect();
        }
    }

    /// New specs: helpers of containers that were unknown.
    pub fn specs_changed(&mut self, core: &mut Core, out: &mut Vec<Output>) {
        for id in self.trees.ids(|tree| tree.helper.is_some() && tree.link.is_none()) {
            self.attribute(core, id, out);
        }
    }

    /// Gives up on trees that are no probe's.
    pub fn tick(&mut self, core: &mut Core) {
        let old_ns = core.watermark_ns.saturating_sub(LEARNED_LATE_NS);
        for id in self.trees.ids(|tree| tree.link.is_none() && tree.run.spawned_ns < old_ns) {
            let was_helper = self.trees.get(id).is_some_and(|tree| tree.helper.is_some());
            core.counters.unattributed += u64::from(was_helper);
            self.trees.fell(id);
        }
    }

    /// When the oldest tree is given up.
    pub fn next_deadline(&self) -> Option<u64> {
        let waiting = self.trees.ids(|tree| tree.link.is_none() && tree.helper.is_some());
        let first = waiting.iter().filter_map(|id| self.trees.get(*id)).map(|tree| tree.run.spawned_ns).min();
        first.map(|spawned| spawned.saturating_add(LEARNED_LATE_NS + DELIVERY_NS + 1))
    }

    /// An attempt is over.
    pub fn forget(&mut self, finished: &Finished) {
        for id in self.trees.ids(|tree| tree.link.is_some_and(|(key, _)| key == finished.key)) {
            self.trees.fell(id);
        }
    }
}

fn note_exit(run: &mut Run, at_ns: u64, exit: &Exit, is_command: bool, is_helper: bool, max: usize) {
    if is_command {
        (run.exit_ns, run.exit) = (at_ns, Some(exit.clone()));
    } else if is_helper {
        (run.helper_exit_ns, run.helper_exit) = (at_ns, Some(exit.clone()));
    } else if run.others.len() < max {
        run.others.push(exit.clone());
    } else {
        run.others_cut = true;
    }
}

#[cfg(test)]
mod tests;
