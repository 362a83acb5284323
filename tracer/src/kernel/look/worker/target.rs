//! The target's side: which network namespace it is, and what lies in there.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    time::Instant,
};

use super::{Look, Worker, socket_state};
use crate::{
    event::tcp_state,
    kernel::look::{
        counters, listeners,
        process::{self, Holders},
    },
    observation::{ListenerState, TargetState},
};

/// Namespaces with one address in which the connection is looked for.
const MAX_CANDIDATES: usize = 8;
/// Nearest other listeners whose process is looked for where nothing takes the connection.
const NAMED_OTHERS: usize = 4;
/// Remembered holders.
const MAX_HOLDERS: usize = 256;
const MAX_CO_OWNERS: usize = 7;

impl Worker {
    /// By the kernel's rule: an address that is local to the prober's namespace ends there. Else the container's
    /// namespace, else the one that owns the address.
    pub(super) fn target_netns(
        &mut self,
        look: &mut Look<'_>,
        prober: Option<u64>,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> Option<u64> {
        let now = look.started;
        let address = remote.ip().to_canonical();
        let mut owns = |inode: u64| self.index.addresses(inode, now).is_ok_and(|own| own.contains(address));
        if let Some(prober) = prober.filter(|prober| address.is_loopback() || owns(*prober)) {
            return Some(prober);
        }
        if let Some(container) = look.container_netns.filter(|container| owns(*container)) {
            return Some(container);
        }
        let owners = self.index.by_address(address, now);
        let found = match owners.as_slice() {
            [] => None,
            [one] => Some(*one),
            many => self.with_connection(many, local, remote, now),
        };
        match (found, look.container_netns) {
            (Some(found), Some(_)) => {
                look.failed(format!("{address} is not an address of the container's network namespace"));
                Some(found)
            }
            (Some(found), None) => Some(found),
            // Nobody's address: a Service, another node, or wrong. The container's own listeners still tell.
            (None, Some(container)) => Some(container),
            (None, None) if owners.is_empty() => {
                look.failed(format!("the target: no network namespace on this node owns {address}"));
                None
            }
            (None, None) => {
                look.failed(format!("the target: {} network namespaces own {address}", owners.len()));
                None
            }
        }
    }

    /// The only one of these that holds the other end of this connection.
    fn with_connection(&mut self, inodes: &[u64], local: SocketAddr, remote: SocketAddr, now: Instant) -> Option<u64> {
        let mut holding: Vec<u64> = inodes
            .iter()
            .copied()
            .take(MAX_CANDIDATES)
            .filter(|inode| self.socket(*inode, remote, local, now).is_ok_and(|socket| socket.is_some()))
            .collect();
        let first = holding.pop();
        if holding.is_empty() { first } else { None }
    }

    /// Reads a namespace as the target's.
    pub(super) fn target(&mut self, look: &mut Look<'_>, inode: u64, local: SocketAddr, remote: SocketAddr) {
        let address: IpAddr = remote.ip().to_canonical();
        let address_is_local = address.is_loopback()
            || self.index.addresses(inode, look.started).is_ok_and(|addresses| addresses.contains(address));
        let of_container = look.container_netns.map(|own| own == inode);
        let mut target = TargetState { netns: inode, address_is_local, of_container, ..Default::default() };
        if let Err(error) = self.sockets(look, &mut target, local, remote) {
            self.diag.close(inode);
            look.failed(format!("sockets of network namespace {inode}: {error}"));
        }
        match (self.index.read_net(inode, "netstat"), self.index.read_net(inode, "snmp")) {
            (Ok(netstat), Ok(snmp)) => target.counters = counters::parse(&netstat, &snmp),
            (Err(error), _) | (_, Err(error)) => look.failed(format!("counters of network namespace {inode}: {error}")),
        }
        if self.in_time(look, "the process that listens") {
            self.owners(look, &mut target);
        }
        look.answer.target = Some(target);
    }

    fn sockets(
        &mut self,
        look: &mut Look<'_>,
        target: &mut TargetState,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> std::io::Result<()> {
        let diag = self.diag.get(target.netns, &self.index, look.started)?;
        let (sockets, cut) = diag.listeners()?;
        (target.listeners, target.other_listeners, target.listeners_cut) = listeners::split(&sockets, remote);
        target.listeners_cut |= cut;
        let connected = look.answer.prober_socket.as_ref().is_some_and(|own| own.state == tcp_state::ESTABLISHED);
        let child = diag.get(remote, local)?;
        let child = match child {
            // Address translation on the way: the ports are usually kept.
            None if connected && !target.listeners.is_empty() => {
                let states = 1 << tcp_state::ESTABLISHED | 1 << tcp_state::CLOSE_WAIT | 1 << tcp_state::SYN_RECV;
                let (mut found, _) = diag.by_ports(states, remote.port(), local.port())?;
                let why = match found.len() {
                    0 => "not found by its addresses or ports",
                    1 => "found by its ports, its addresses are translated",
                    _ => "several connections have its ports",
                };
                look.answer.failures.push(format!("the target's end of the connection: {why}"));
                found.pop().filter(|_| found.is_empty())
            }
            child => child,
        };
        target.child = child.map(socket_state);
        // A queued child is counted in its listener (sk_ack_backlog): an empty queue needs no walk.
        if target.listeners.iter().any(|listener| listener.queue_len > 0) {
            target.unaccepted = diag.unaccepted(remote.port())?.0;
        }
        Ok(())
    }

    /// Who holds the child and the listeners.
    fn owners(&mut self, look: &mut Look<'_>, target: &mut TargetState) {
        let child = target.child.as_ref().map(|child| child.inode).filter(|inode| *inode != 0);
        let of = |listeners: &[ListenerState]| -> Vec<u64> {
            listeners.iter().map(|listener| listener.inode).filter(|inode| *inode != 0).collect()
        };
        let (takes, others) = (of(&target.listeners), of(&target.other_listeners));
        let all: BTreeSet<u64> = takes.iter().chain(&others).copied().chain(child).collect();
        let of_container = process::find_holders(&self.proc, &all, &look.container_pids, true);
        let named = if takes.is_empty() { NAMED_OTHERS } else { 0 };
        let wanted = takes.iter().chain(others.iter().take(named)).copied().chain(child).collect();
        let holders = self.search_namespace(&wanted, of_container.clone(), look.started, target.netns);
        self.remember(&holders);
        let known_container = !look.container_pids.is_empty();
        for listener in target.listeners.iter_mut().chain(&mut target.other_listeners) {
            listener.pid = holders.by_inode.get(&listener.inode).and_then(|pids| pids.first()).copied();
            let comm = listener.pid.and_then(|pid| self.proc.read(format!("{pid}/comm")).ok());
            listener.comm = comm.map(|comm| comm.trim_end().to_owned());
            let inside = of_container.by_inode.contains_key(&listener.inode);
            listener.in_container = (inside || (known_container && !of_container.cut)).then_some(inside);
        }
        self.describe(look, target, &holders, child);
    }

    /// Adds to `found` the first holder of each socket that is still wanted, among the namespace's processes; walks
    /// /proc again if need be.
    fn search_namespace(&mut self, wanted: &BTreeSet<u64>, mut found: Holders, now: Instant, netns: u64) -> Holders {
        for walk in [false, true] {
            let missing: BTreeSet<u64> =
                wanted.iter().copied().filter(|inode| !found.by_inode.contains_key(inode)).collect();
            if missing.is_empty() || (walk && !self.index.refresh(now)) {
                break;
            }
            let mut pids: Vec<u32> = missing.iter().filter_map(|inode| self.holders.get(inode).copied()).collect();
            pids.extend_from_slice(self.index.pids_of(netns));
            let mut more = process::find_holders(&self.proc, &missing, &pids, false);
            found.by_inode.append(&mut more.by_inode);
            found.cut |= more.cut;
        }
        found
    }

    fn describe(&self, look: &mut Look<'_>, target: &mut TargetState, holders: &Holders, child: Option<u64>) {
        let mut pids: Vec<u32> = Vec::new();
        let of_listeners: Vec<u64> = target.listeners.iter().map(|listener| listener.inode).collect();
        let known = |inode: &u64| holders.by_inode.get(inode).cloned().unwrap_or_default();
        let of_child = child.as_ref().map(known).unwrap_or_default();
        let mut of_listeners: Vec<u32> = of_listeners.iter().flat_map(known).collect();
        // A pre-forked server's workers accept, its parent only keeps the socket.
        let parent = |pid: &u32| self.proc.stat(*pid).ok().and_then(|stat| u32::try_from(stat.ppid).ok());
        let all = of_listeners.clone();
        of_listeners.sort_by_key(|pid| !parent(pid).is_some_and(|parent| all.contains(&parent)));
        for pid in of_child.into_iter().chain(of_listeners) {
            if !pids.contains(&pid) {
                pids.push(pid);
            }
        }
        if pids.is_empty() && !(target.listeners.is_empty() && child.is_none()) {
            let cut = if holders.cut { ", the search was cut" } else { "" };
            look.failed(format!("the process that listens: not found{cut}"));
        }
        let mut states = pids.iter().filter_map(|pid| process::read(&self.proc, *pid).ok());
        target.owner = states.next();
        target.co_owners = states.take(MAX_CO_OWNERS).collect();
    }

    fn remember(&mut self, found: &Holders) {
        if self.holders.len() > MAX_HOLDERS {
            self.holders.clear();
        }
        let firsts = found.by_inode.iter().filter_map(|(inode, pids)| Some((*inode, *pids.first()?)));
        self.holders.extend(firsts);
    }
}
