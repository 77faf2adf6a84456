//! Constant sets.

use lvsc_abi::kind::Kind;

/// A constant set of values of one width.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set {
    /// Its name; empty for a literal.
    pub name: String,
    /// Width of the members (bits).
    pub width: u16,
    /// How people write the members.
    pub kind: Kind,
    /// Inclusive ranges, sorted; none reaches into another.
    pub ranges: Vec<(u128, u128)>,
}

impl Set {
    /// Whether a value is one of the members.
    pub fn contains(&self, value: u128) -> bool {
        let behind = self.ranges.partition_point(|(low, _)| *low <= value);
        let before = behind.checked_sub(1).and_then(|at| self.ranges.get(at));
        before.is_some_and(|(_, high)| value <= *high)
    }
}
