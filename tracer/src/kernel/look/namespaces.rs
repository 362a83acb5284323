//! sock_diag sockets kept open, one a network namespace.

use std::{
    collections::HashMap,
    io,
    time::{Duration, Instant},
};

use super::{
    netns::{Entered, NetnsIndex},
    sock_diag::SockDiag,
};

/// Open at once; the one not used for longest gives way.
const MAX_OPEN: usize = 64;
/// A socket keeps its namespace alive: a deleted pod's must not live on through us.
const IDLE_FOR: Duration = Duration::from_secs(10);

/// The pool.
#[derive(Default)]
pub struct DiagPool {
    open: HashMap<u64, (SockDiag, Instant)>,
    /// Closed because too many were open.
    pub evicted: u64,
}

impl DiagPool {
    /// The socket of a namespace; opens it within (the calling thread goes there and comes back).
    pub fn get(&mut self, inode: u64, index: &NetnsIndex, now: Instant) -> io::Result<&mut SockDiag> {
        if !self.open.contains_key(&inode) {
            self.make_room(now);
            let namespace = index.open(inode)?;
            let socket = {
                let _entered = Entered::enter(&namespace)?;
                SockDiag::open()?
            };
            self.open.insert(inode, (socket, now));
        }
        let entry = self.open.get_mut(&inode).ok_or_else(|| io::Error::other("no room for a sock_diag socket"))?;
        entry.1 = now;
        Ok(&mut entry.0)
    }

    /// Closes one, as after an error.
    pub fn close(&mut self, inode: u64) {
        self.open.remove(&inode);
    }

    /// Closes those that nobody asked for lately.
    pub fn close_idle(&mut self, now: Instant) {
        self.open.retain(|_, (_, used)| now.saturating_duration_since(*used) < IDLE_FOR);
    }

    fn make_room(&mut self, now: Instant) {
        self.close_idle(now);
        if self.open.len() < MAX_OPEN {
            return;
        }
        if let Some(oldest) = self.open.iter().min_by_key(|(_, (_, used))| *used).map(|(inode, _)| *inode) {
            self.open.remove(&oldest);
            self.evicted += 1;
        }
    }
}
