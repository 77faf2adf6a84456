//! A small map in a sorted vector, which copies share until one of them changes: for what is known at each block and on each
//! path.

use std::rc::Rc;

/// Pairs, sorted by their first halves, which differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assoc<K, V>(Rc<Vec<(K, V)>>);

impl<K: Ord + Copy, V: Clone + PartialEq> Assoc<K, V> {
    /// What is known of `key`.
    pub fn get(&self, key: &K) -> Option<&V> {
        let index = self.find(key).ok()?;
        self.0.get(index).map(|(_, value)| value)
    }

    /// Puts `value` there, or what `join` makes of the one before and it.
    pub fn learn(&mut self, key: K, value: V, join: impl FnOnce(&V, V) -> V) {
        match self.find(&key) {
            Ok(index) => {
                let joined = join(&self.0[index].1, value);
                if joined != self.0[index].1 {
                    Rc::make_mut(&mut self.0)[index].1 = joined;
                }
            }
            Err(index) => Rc::make_mut(&mut self.0).insert(index, (key, value)),
        }
    }

    /// Puts `value` there, whatever was there before.
    pub fn insert(&mut self, key: K, value: V) {
        self.learn(key, value, |_, new| new);
    }

    /// Whether something is known of `key`.
    pub fn contains(&self, key: &K) -> bool {
        self.find(key).is_ok()
    }

    /// What is known of `key`, to be changed.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let index = self.find(key).ok()?;
        let pairs = Rc::make_mut(&mut self.0);
        pairs.get_mut(index).map(|(_, value)| value)
    }

    /// Forgets what is known of `key`.
    pub fn remove(&mut self, key: &K) {
        if let Ok(index) = self.find(key) {
            Rc::make_mut(&mut self.0).remove(index);
        }
    }

    /// Keeps what `keeps` says.
    pub fn retain(&mut self, keeps: impl Fn(&K, &V) -> bool) {
        if self.0.iter().any(|(key, value)| !keeps(key, value)) {
            Rc::make_mut(&mut self.0).retain(|(key, value)| keeps(key, value));
        }
    }

    /// Number of pairs.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All that is known, to be changed, in the order of the keys.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        let pairs = Rc::make_mut(&mut self.0).iter_mut();
        pairs.map(|(_, value)| value)
    }

    /// All pairs in order.
    pub fn iter(&self) -> impl Iterator<Item = &(K, V)> {
        self.0.iter()
    }

    /// Keeps what both have and `join` finds common; of two equal values that must be the same.
    pub fn meet(&mut self, other: &Assoc<K, V>, join: impl Fn(&V, &V) -> Option<V>) {
        if Rc::ptr_eq(&self.0, &other.0) {
            return;
        }
        let mut others = other.0.iter().peekable();
        Rc::make_mut(&mut self.0).retain_mut(|(key, value)| {
            while others.next_if(|(other, _)| other < key).is_some() {}
            let common = others.next_if(|(other, _)| other == key);
            let joined = common.and_then(|(_, other)| join(value, other));
            let stays = joined.is_some();
            *value = joined.unwrap_or_else(|| value.clone());
            stays
        });
    }

    fn find(&self, key: &K) -> Result<usize, usize> {
        self.0.binary_search_by(|(other, _)| other.cmp(key))
    }
}

impl<K, V> Default for Assoc<K, V> {
    fn default() -> Assoc<K, V> {
        Assoc(Rc::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assoc(pairs: &[(u8, u8)]) -> Assoc<u8, u8> {
        let mut found = Assoc::default();
        for (key, value) in pairs {
            found.learn(*key, *value, |a, b| b.max(*a));
        }
        found
    }

    #[test]
    fn what_is_learned_is_found_and_joined() {
        let found = assoc(&[(5, 1), (2, 2), (5, 3), (9, 4)]);
        assert_eq!(
            found.iter().collect::<Vec<_>>(),
            [&(2, 2), &(5, 3), &(9, 4)]
        );
        assert_eq!([found.get(&5), found.get(&6)], [Some(&3), None]);
    }

    #[test]
    fn a_meeting_keeps_what_both_have() {
        let mut found = assoc(&[(1, 1), (2, 5), (3, 3), (7, 7)]);
        let equal_or_less = |a: &u8, b: &u8| (*a != 7).then_some(*a.min(b));
        found.meet(
            &assoc(&[(0, 9), (2, 4), (3, 8), (5, 1), (7, 7)]),
            equal_or_less,
        );
        assert_eq!(found, assoc(&[(2, 4), (3, 3)]));
    }
}
