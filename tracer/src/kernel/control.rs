//! What is attached where, and the switch between the two ways of claiming sockets.

use std::{
    collections::HashMap,
    os::fd::{AsFd, AsRawFd},
};

use aya::{
    Ebpf,
    programs::{
        BtfTracePoint, CgroupAttachMode, CgroupSkb, CgroupSkbAttachType, Program, SockOps, cgroup_skb::CgroupSkbLink,
        sock_ops::SockOpsLink, tp_btf::BtfTracePointLink,
    },
};
use tracer_ebpf::abi::mode;

use super::{
    cgroup2::{self, Cgroup2},
    error::chain,
    hooks::{EGRESS, HOOKS, Hook, HookState, HookStatus, INGRESS, Kind, ProgramCost, SET_STATE, SOCK_OPS},
    maps::Maps,
    ways::{Order, WayChoice, Ways},
};

/// The loaded programs and their links. Dropping it takes everything off the kernel; so does the end of the process.
pub(super) struct Control {
    ebpf: Ebpf,
    pub maps: Maps,
    choice: WayChoice,
    pub ways: Ways,
    states: HashMap<&'static str, HookState>,
    node: Option<BtfTracePointLink>,
    scoped: Vec<SockOpsLink>,
    bytes: Vec<CgroupSkbLink>,
    folders: Vec<String>,
}

/// Links to our own cgroup, for the self-test.
#[expect(dead_code, reason = "held, to be dropped")]
pub(super) struct OwnLinks(Vec<CgroupSkbLink>, Option<SockOpsLink>);

impl Control {
    /// `failures`: programs that the kernel refused.
    pub fn new(ebpf: Ebpf, maps: Maps, failures: Vec<(&'static str, String)>, choice: WayChoice) -> Self {
        let ways = Ways::new(WayChoice::Node, Ok(()));
        let states = failures.into_iter().map(|(name, why)| (name, HookState::Failed(why))).collect();
        let (node, scoped, bytes, folders) = (None, Vec::new(), Vec::new(), Vec::new());
        Self { ebpf, maps, choice, ways, states, node, scoped, bytes, folders }
    }

    /// Attaches the hooks that are the same for every prober.
    pub fn attach_fixed(&mut self) {
        for hook in HOOKS.iter().filter(|hook| hook.kind != Kind::Cgroup && hook.name != SET_STATE) {
            if !self.states.contains_key(hook.name) {
                let state = self.attach_tracepoint(hook).map_or_else(HookState::Failed, |()| HookState::Attached);
                self.states.insert(hook.name, state);
            }
        }
    }

    fn attach_tracepoint(&mut self, hook: &Hook) -> Result<(), String> {
        let program = self.ebpf.program_mut(hook.program).ok_or("not in the object")?;
        match (hook.kind, program) {
            (Kind::BtfTracepoint(_), Program::BtfTracePoint(program)) => program.attach().map(drop),
            (Kind::Tracepoint(category, name), Program::TracePoint(program)) => {
                program.attach(category, name).map(drop)
            }
            _ => return Err("of another kind in the object".to_owned()),
        }
        .map_err(|error| chain(&error))
    }

    /// Attaches the node-wide way if it isn't.
    pub fn attach_node(&mut self) -> Result<(), String> {
        if self.node.is_some() {
            return Ok(());
        }
        if let Some(HookState::Failed(why)) = self.states.get(SET_STATE) {
            return Err(why.clone());
        }
        let result = (|| {
            let program = self.ebpf.program_mut("inet_sock_set_state").ok_or("not in the object")?;
            let program = <&mut BtfTracePoint>::try_from(program).map_err(|error| chain(&error))?;
            let id = program.attach().map_err(|error| chain(&error))?;
            program.take_link(id).map_err(|error| chain(&error))
        })();
        match result {
            Ok(link) => {
                self.node = Some(link);
                let fired = self.states.get(SET_STATE) == Some(&HookState::Fired);
                self.states.insert(SET_STATE, if fired { HookState::Fired } else { HookState::Attached });
                Ok(())
            }
            Err(why) => {
                self.states.insert(SET_STATE, HookState::Failed(why.clone()));
                Err(why)
            }
        }
    }

    /// Makes these the probers, attaches to their cgroups, decides the way anew where those changed.
    pub fn set_probers(&mut self, pids: &[u32]) -> Result<(), String> {
        if Maps::set_keys(&mut self.maps.probers, pids) > 0 {
            tracing::warn!("more probers than can be followed: only 64 of {} are", pids.len());
        }
        let folders: Vec<_> = pids.iter().map(|pid| cgroup2::folder_of(*pid)).collect();
        let plan = cgroup2::plan(&folders);
        if plan.bytes == self.folders && !self.folders.is_empty() {
            return Ok(());
        }
        let bytes = self.attach_bytes(&plan.bytes);
        let scoped = match (self.choice, plan.scoped) {
            (WayChoice::Node, _) => Err("asked for".to_owned()),
            (_, scoped) => scoped.and_then(|()| self.attach_scoped(&plan.bytes)),
        };
        if let Err(why) = &scoped {
            self.scoped.clear();
            self.note(SOCK_OPS, HookState::NotNeeded(why.clone()));
        }
        for name in [EGRESS, INGRESS] {
            self.note(name, bytes.clone().map_or_else(HookState::Failed, |()| HookState::Attached));
        }
        self.folders = plan.bytes;
        self.ways = Ways::new(self.choice, scoped);
        self.enter_way()
    }

    /// Brings hooks and mode to what `ways` says at its beginning.
    fn enter_way(&mut self) -> Result<(), String> {
        if self.ways.is_scoped() {
            self.node = None;
            self.note(SET_STATE, HookState::NotNeeded("the prober's cgroup is watched".to_owned()));
            return self.set_mode(mode::CGROUP);
        }
        self.attach_node()?;
        self.set_mode(if self.ways.is_comparing() { mode::COMPARE } else { mode::NODE })
    }

    /// A state that must not hide that the hook failed or has fired.
    fn note(&mut self, name: &'static str, state: HookState) {
        let present = self.states.get(name);
        let keep = matches!(
            (present, &state),
            (Some(HookState::Fired | HookState::Silent), HookState::Attached)
                | (Some(HookState::Failed(_)), HookState::NotNeeded(_) | HookState::Failed(_))
        );
        if !keep {
            self.states.insert(name, state);
        }
    }

    /// Attaches the bytes' programs to these folders; the old links go once the new ones are there.
    fn attach_bytes(&mut self, folders: &[String]) -> Result<(), String> {
        let tree = Cgroup2::open()?;
        let mut links = Vec::new();
        for folder in folders {
            links.extend(self.bytes_links(&tree, folder)?);
        }
        self.bytes = links;
        Ok(())
    }

    fn bytes_links(&mut self, tree: &Cgroup2, folder: &str) -> Result<Vec<CgroupSkbLink>, String> {
        let fd = tree.folder(folder)?;
        let ends = [("bytes_sent", CgroupSkbAttachType::Egress), ("bytes_received", CgroupSkbAttachType::Ingress)];
        let mut links = Vec::new();
        for (name, side) in ends {
            let program = self.ebpf.program_mut(name).ok_or("not in the object")?;
            let program = <&mut CgroupSkb>::try_from(program).map_err(|error| chain(&error))?;
            // A bpf_link on a cgroup always shares it with others; `AllowMultiple` would be refused.
            let id = program.attach(fd.as_fd(), side, CgroupAttachMode::Single).map_err(|error| chain(&error))?;
            links.push(program.take_link(id).map_err(|error| chain(&error))?);
        }
        Ok(links)
    }

    fn attach_scoped(&mut self, folders: &[String]) -> Result<(), String> {
        let tree = Cgroup2::open()?;
        let links: Result<Vec<_>, _> = folders.iter().map(|folder| self.scoped_link(&tree, folder)).collect();
        match links {
            Ok(links) => {
                self.scoped = links;
                self.note(SOCK_OPS, HookState::Attached);
                Ok(())
            }
            Err(why) => Err(format!("sock_ops: {why}")),
        }
    }

    fn scoped_link(&mut self, tree: &Cgroup2, folder: &str) -> Result<SockOpsLink, String> {
        let fd = tree.folder(folder)?;
        let program = self.ebpf.program_mut("prober_sock_ops").ok_or("not in the object")?;
        let program = <&mut SockOps>::try_from(program).map_err(|error| chain(&error))?;
        let id = program.attach(fd.as_fd(), CgroupAttachMode::Single).map_err(|error| chain(&error))?;
        program.take_link(id).map_err(|error| chain(&error))
    }

    /// Attaches the cgroup programs to our own folder, for as long as the result lives.
    pub fn attach_to_own_cgroup(&mut self) -> Result<OwnLinks, String> {
        let folder = cgroup2::folder_of(std::process::id())?;
        let tree = Cgroup2::open()?;
        let bytes = self.bytes_links(&tree, &folder);
        let scoped = self.scoped_link(&tree, &folder);
        let (bytes_failed, scoped_failed) = (bytes.as_ref().err(), scoped.as_ref().err());
        for (name, failed) in [(EGRESS, bytes_failed), (INGRESS, bytes_failed), (SOCK_OPS, scoped_failed)] {
            if !matches!(self.states.get(name), Some(HookState::Failed(_))) {
                self.states.insert(name, failed.map_or(HookState::Attached, |why| HookState::Failed(why.clone())));
            }
        }
        Ok(OwnLinks(bytes.unwrap_or_default(), scoped.ok()))
    }

    /// What `ways` ordered.
    pub fn obey(&mut self, order: Order) {
        let result = match order {
            Order::StayNodeWide => {
                let result = self.set_mode(mode::NODE);
                self.scoped.clear();
                self.note(SOCK_OPS, HookState::NotNeeded(self.ways.describe()));
                result
            }
            Order::ClaimInCgroup => self.set_mode(mode::CGROUP),
            Order::DetachNodeWide => {
                self.node = None;
                self.note(SET_STATE, HookState::NotNeeded("the prober's cgroup is watched".to_owned()));
                Ok(())
            }
        };
        if let Err(why) = result {
            tracing::warn!("switching the way of tracing: {why}");
        }
    }

    /// See [`mode`].
    pub fn set_mode(&mut self, mode: u32) -> Result<(), String> {
        self.maps.mode.set(0, mode, 0).map_err(|error| chain(&error))
    }

    /// What the self-test found.
    pub fn fired(&mut self, name: &'static str, fired: bool) {
        if let Some(state @ (HookState::Attached | HookState::Silent)) = self.states.get_mut(name) {
            *state = if fired { HookState::Fired } else { HookState::Silent };
        }
    }

    /// Every hook's state.
    pub fn hooks(&self) -> Vec<HookStatus> {
        let status = |hook: &Hook| HookStatus {
            name: hook.name,
            rung: "tracepoint",
            state: self.states.get(hook.name).cloned().unwrap_or(HookState::NotNeeded("not yet".to_owned())),
            lost_without: hook.lost,
        };
        HOOKS.iter().map(status).collect()
    }

    /// See [`ProgramCost`].
    pub fn costs(&self) -> Vec<ProgramCost> {
        let cost = |hook: &Hook| {
            let info = self.ebpf.program(hook.program)?.info().ok()?;
            let (runs, total_ns) = (info.run_count(), u64::try_from(info.run_time().as_nanos()).unwrap_or(u64::MAX));
            Some(ProgramCost { hook: hook.name, program: hook.program, runs, total_ns })
        };
        HOOKS.iter().filter_map(cost).collect()
    }

    /// Invocations that the kernel skipped because a program was running already, summed over programs.
    pub fn recursion_misses(&self) -> u64 {
        let of_program = |(_, program): (&str, &Program)| {
            let fd = program.fd().ok()?.as_fd().as_raw_fd();
            let text = std::fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).ok()?;
            text.lines().find_map(|line| line.strip_prefix("recursion_misses:"))?.trim().parse::<u64>().ok()
        };
        self.ebpf.programs().filter_map(of_program).sum()
    }
}
