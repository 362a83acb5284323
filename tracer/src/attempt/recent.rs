//! A bounded memory of what is over: late or doubled events of it begin nothing.

use std::collections::{BTreeSet, VecDeque};

/// The last `limit` keys.
#[derive(Debug)]
pub struct Recent<K> {
    set: BTreeSet<K>,
    order: VecDeque<K>,
    limit: usize,
}

impl<K: Ord + Clone> Recent<K> {
    /// Remembers at most `limit` keys.
    pub fn new(limit: usize) -> Self {
        Self { set: BTreeSet::new(), order: VecDeque::new(), limit }
    }

    /// Adds a key; the oldest is forgotten where there is no room.
    pub fn insert(&mut self, key: K) {
        if !self.set.insert(key.clone()) {
            return;
        }
        self.order.push_back(key);
        if self.order.len() > self.limit
            && let Some(oldest) = self.order.pop_front()
        {
            self.set.remove(&oldest);
        }
    }

    /// Whether it is remembered.
    pub fn contains(&self, key: &K) -> bool {
        self.set.contains(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_first_and_doubles_take_no_room() {
        let mut recent = Recent::new(2);
        for key in [1, 2, 2, 3] {
            recent.insert(key);
        }
        assert!(!recent.contains(&1));
        assert!(recent.contains(&2) && recent.contains(&3));
    }
}
