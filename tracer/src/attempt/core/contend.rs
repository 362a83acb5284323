//! Which of the connections that begin right after an error is its next try, where another probe has the same endpoint and may
//! begin at the same moment: known once it is seen what each one sends. Until then each is an attempt of its own, and the one
//! that erred stays open.

use super::{Core, Key};
use crate::{
    attempt::{
        open::Open,
        outcome::{self, Ruling},
        timing::MAX_TRIES,
        tracker::Output,
    },
    attribution::{matching, store::Candidate},
};

/// A socket that changed its attempt.
#[derive(Debug)]
pub struct Moved {
    pub sock_id: u64,
    pub remote: std::net::SocketAddr,
    pub from: Key,
    pub to: Key,
}

impl Core {
    /// `key` may turn out to be the next try of one of these attempts, the likeliest first.
    pub fn contend(&mut self, key: Key, parents: Vec<Key>) {
        if let Some(open) = self.opens.get_mut(&key) {
            open.retry_of = parents;
        }
    }

    /// Whether something may still turn out to be this attempt's next try.
    pub(super) fn is_contended(&self, key: Key) -> bool {
        self.opens.values().any(|open| open.retry_of.contains(&key))
    }

    /// Looks at what `key` turned out to be. True: the next try of another attempt, of which it is now a part.
    pub(super) fn is_absorbed(&mut self, key: Key, out: &mut Vec<Output>) -> bool {
        let Some(open) = self.opens.get(&key).filter(|open| !open.retry_of.is_empty()) else { return false };
        let seen = matching::by_request(&open.candidates, open.connections()).kept;
        let parents = open.retry_of.iter().filter_map(|parent| Some((*parent, self.opens.get(parent)?)));
        let mut fitting = parents
            .filter(|(_, parent)| parent.settled.is_none() && parent.tries.len() < MAX_TRIES)
            .map(|(parent, open)| (parent, kept(open)))
            .filter(|(_, kept)| seen.iter().any(|one| kept.contains(one)));
        let found = fitting.next();
        let is_over = || matches!(outcome::decide(open, self.rules()), Ruling::Is(_));
        match found {
            Some((parent, kept)) if seen.iter().all(|one| kept.contains(one)) || is_over() => {
                self.absorb(key, parent, kept);
                self.evaluate(parent, out);
                true
            }
            Some(_) => false,
            None => {
                self.release(key, out);
                false
            }
        }
    }

    fn release(&mut self, key: Key, out: &mut Vec<Output>) {
        let parents = self.opens.get_mut(&key).map(|open| std::mem::take(&mut open.retry_of)).unwrap_or_default();
        for parent in parents {
            self.evaluate(parent, out);
        }
    }

    fn absorb(&mut self, key: Key, parent: Key, kept: Vec<Candidate>) {
        let Some(gone) = self.detach(key) else { return };
        let sockets = gone.all_connections();
        self.moved.extend(sockets.map(|one| Moved { sock_id: one.sock_id, remote: one.remote, from: key, to: parent }));
        if let Some(open) = self.opens.get_mut(&parent) {
            open.candidates = kept;
            open.closed_unread.extend(gone.closed_unread);
            open.tries.extend(gone.tries);
            open.looks.answers.extend(gone.looks.answers);
            open.looks.next_try();
        }
        for open in self.opens.values_mut() {
            // An error has one next try; what may be that of the absorbed one may now be the parent's.
            open.retry_of.retain(|one| *one != parent);
            open.retry_of.iter_mut().filter(|one| **one == key).for_each(|one| *one = parent);
        }
    }
}

/// What an attempt may be, by its requests so far.
pub fn kept(open: &Open) -> Vec<Candidate> {
    let kept = matching::by_request(&open.candidates, open.connections()).kept;
    if kept.is_empty() { open.candidates.clone() } else { kept }
}
