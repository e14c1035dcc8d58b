//! Map of the state that limiters keep for each client.

use std::{collections::HashMap, hash::Hash};

/// Map of states by key. It drops unused states each time that it has doubled, so that an insertion takes
/// constant time on average.
#[derive(Debug)]
pub(crate) struct KeyedMap<K, V> {
    states: HashMap<K, V>,
    /// Minimum number of states before a sweep.
    few: usize,
    /// Number of states at which the next sweep runs.
    sweep_at: usize,
}

impl<K: Eq + Hash, V> KeyedMap<K, V> {
    pub(crate) fn new(few: usize) -> Self {
        Self { states: HashMap::new(), few, sweep_at: few }
    }

    /// Returns the state of a key, if there is one.
    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.states.get_mut(key)
    }

    /// Returns the state of a key, which `new` creates if there is none.
    pub(crate) fn get_or_insert_with(&mut self, key: K, new: impl FnOnce() -> V) -> &mut V {
        self.states.entry(key).or_insert_with(new)
    }

    /// Drops the states that are not in use, if the map has doubled since the last time.
    pub(crate) fn sweep(&mut self, mut is_in_use: impl FnMut(&V) -> bool) {
        if self.states.len() < self.sweep_at {
            return;
        }
        self.states.retain(|_, state| is_in_use(state));
        self.sweep_at = self.few.max(2 * self.states.len());
        self.states.shrink_to(self.sweep_at);
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.states.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unused_states_are_dropped_when_the_map_has_doubled() {
        let mut map = KeyedMap::new(10);
        let mut longest = 0;
        for key in 0..10_000 {
            map.sweep(|last: &i32| key - last < 100);
            *map.get_or_insert_with(key, || 0) = key;
            longest = longest.max(map.len());
        }
        assert!((150..=202).contains(&longest), "{longest}");
        assert_eq!(map.get_mut(&9_999), Some(&mut 9_999));
        assert_eq!(map.get_mut(&1), None);
    }

    #[test]
    fn states_in_use_stay() {
        let mut map = KeyedMap::new(10);
        for key in 0..1_000 {
            map.sweep(|_| true);
            map.get_or_insert_with(key, || ());
        }
        assert_eq!(map.len(), 1_000);
    }
}
