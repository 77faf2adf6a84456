//! A small map in a sorted vector: cheap to copy, for what is known at each block.

/// Pairs, sorted by their first halves, which differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Assoc<K, V>(Vec<(K, V)>);

impl<K: Ord + Copy, V: Copy> Assoc<K, V> {
    pub(crate) fn get(&self, key: &K) -> Option<V> {
        let found = self.0.binary_search_by(|(other, _)| other.cmp(key)).ok();
        found
            .and_then(|index| self.0.get(index))
            .map(|(_, value)| *value)
    }

    /// Puts `value` there, or what `join` makes of the one before and it.
    pub(crate) fn learn(&mut self, key: K, value: V, join: impl FnOnce(V, V) -> V) {
        match self.0.binary_search_by(|(other, _)| other.cmp(&key)) {
            Ok(index) => self.0[index].1 = join(self.0[index].1, value),
            Err(index) => self.0.insert(index, (key, value)),
        }
    }

    pub(crate) fn retain(&mut self, keeps: impl Fn(&K) -> bool) {
        self.0.retain(|(key, _)| keeps(key));
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (K, V)> {
        self.0.iter().copied()
    }

    /// Keeps what both have and `join` finds common.
    pub(crate) fn meet(&mut self, other: &Assoc<K, V>, join: impl Fn(V, V) -> Option<V>) {
        let mut others = other.0.iter().peekable();
        self.0.retain_mut(|(key, value)| {
            while others.next_if(|(other, _)| other < key).is_some() {}
            let common = others.next_if(|(other, _)| other == key);
            let joined = common.and_then(|(_, other)| join(*value, *other));
            *value = joined.unwrap_or(*value);
            joined.is_some()
        });
    }
}

impl<K, V> Default for Assoc<K, V> {
    fn default() -> Assoc<K, V> {
        Assoc(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assoc(pairs: &[(u8, u8)]) -> Assoc<u8, u8> {
        let mut found = Assoc::default();
        for (key, value) in pairs {
            found.learn(*key, *value, u8::max);
        }
        found
    }

    #[test]
    fn what_is_learned_is_found_and_joined() {
        let found = assoc(&[(5, 1), (2, 2), (5, 3), (9, 4)]);
        assert_eq!(found.iter().collect::<Vec<_>>(), [(2, 2), (5, 3), (9, 4)]);
        assert_eq!([found.get(&5), found.get(&6)], [Some(3), None]);
    }

    #[test]
    fn a_meeting_keeps_what_both_have() {
        let mut found = assoc(&[(1, 1), (2, 5), (3, 3), (7, 7)]);
        let equal_or_less = |a: u8, b: u8| (a != 7).then_some(a.min(b));
        found.meet(
            &assoc(&[(0, 9), (2, 4), (3, 8), (5, 1), (7, 7)]),
            equal_or_less,
        );
        assert_eq!(found, assoc(&[(2, 4), (3, 3)]));
    }
}
