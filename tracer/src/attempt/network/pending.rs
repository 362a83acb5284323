//! Connections of a prober to endpoints that no source knows (yet): their events are kept, and replayed once one does.
//!
//! A new pod's first probes come up to 9 s before the API server has its address (measured, kubelet 1.20).

use std::collections::{BTreeMap, VecDeque};

use crate::{
    attempt::core::Core,
    attribution::store::LEARNED_LATE_NS,
    event::{Event, What},
};

/// Sockets that wait.
#[derive(Debug)]
pub struct Pending {
    sockets: BTreeMap<u64, Waiting>,
    order: VecDeque<(u64, u64)>,
    max_sockets: usize,
    max_events: usize,
}

#[derive(Debug)]
struct Waiting {
    began_ns: u64,
    events: Vec<Event>,
}

impl Pending {
    pub fn new(max_sockets: usize, max_events: usize) -> Self {
        Self { sockets: BTreeMap::new(), order: VecDeque::new(), max_sockets: max_sockets.max(1), max_events }
    }

    pub fn contains(&self, sock_id: u64) -> bool {
        self.sockets.contains_key(&sock_id)
    }

    /// A new one. Where there is no room the oldest is given up (counted) and returned.
    pub fn begin(&mut self, core: &mut Core, sock_id: u64, began_ns: u64, event: &Event) -> Option<u64> {
        let mut gone = None;
        if self.sockets.len() >= self.max_sockets {
            gone = self.pop_oldest();
            core.counters.hit("pending_sockets");
            core.counters.unattributed += u64::from(gone.is_some());
        }
        self.sockets.insert(sock_id, Waiting { began_ns, events: vec![event.clone()] });
        self.order.push_back((began_ns, sock_id));
        gone
    }

    /// One more event of a socket that waits.
    pub fn push(&mut self, core: &mut Core, sock_id: u64, event: &Event) {
        let Some(waiting) = self.sockets.get_mut(&sock_id) else { return };
        if waiting.events.len() < self.max_events {
            waiting.events.push(event.clone());
        } else {
            core.counters.hit("pending_events");
        }
    }

    /// The events of all sockets whose endpoint is known now, in the order of time.
    pub fn take_known(&mut self, core: &Core) -> Vec<Event> {
        let is_known = |waiting: &Waiting| match waiting.events.first().map(|event| &event.what) {
            Some(What::Sock(sock)) => {
                !core.store.by_endpoint(waiting.began_ns, sock.remote.ip(), sock.remote.port()).is_empty()
            }
            _ => false,
        };
        let known: Vec<u64> = self.sockets.iter().filter(|(_, waiting)| is_known(waiting)).map(|(id, _)| *id).collect();
        let mut events: Vec<Event> = Vec::new();
        for sock_id in known {
            events.extend(self.sockets.remove(&sock_id).into_iter().flat_map(|waiting| waiting.events));
        }
        self.order.retain(|(_, id)| self.sockets.contains_key(id));
        events.sort_by_key(|event| (event.at_ns, event.cpu, event.seq));
        events
    }

    /// Gives up those that no source came to know in time; returns their ids.
    pub fn expire(&mut self, core: &mut Core) -> Vec<u64> {
        let mut gone = Vec::new();
        while self.next_deadline().is_some_and(|deadline| deadline <= core.watermark_ns) {
            gone.extend(self.pop_oldest());
        }
        core.counters.unattributed += gone.len() as u64;
        gone
    }

    /// Tracing ends.
    pub fn give_up(&mut self, core: &mut Core) {
        core.counters.unattributed += self.sockets.len() as u64;
        self.sockets.clear();
        self.order.clear();
    }

    /// When the oldest is given up.
    pub fn next_deadline(&self) -> Option<u64> {
        self.order.front().map(|(began_ns, _)| began_ns.saturating_add(LEARNED_LATE_NS))
    }

    fn pop_oldest(&mut self) -> Option<u64> {
        let (_, sock_id) = self.order.pop_front()?;
        self.sockets.remove(&sock_id);
        Some(sock_id)
    }
}
