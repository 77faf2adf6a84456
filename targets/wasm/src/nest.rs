//! Forward jumps as nested blocks. Blocks stand in an order in which every jump goes forward; a jump to the next one
//! falls through, any other leaves a WebAssembly block that ends where its target begins. Such blocks have to nest.

/// For each of `count` positions, the targets whose WebAssembly blocks begin there, the outermost first. `jumps` are
/// pairs of positions, from a smaller to a larger one.
pub(crate) fn nest(count: usize, jumps: &[(usize, usize)]) -> Vec<Vec<usize>> {
    let mut begins = vec![None; count];
    for (from, to) in jumps {
        if let Some(begin) = begins.get_mut(*to) {
            *begin = Some(begin.map_or(*from, |begin: usize| begin.min(*from)));
        }
    }
    let mut opened = vec![Vec::new(); count];
    // Blocks that no other one encloses yet, by rising end; each begins where the one before it ends, or later.
    let mut outer: Vec<(usize, usize)> = Vec::new();
    let mut settle = |(begin, end): (usize, usize)| {
        if let Some(here) = opened.get_mut(begin) {
            here.push(end);
        }
    };
    for (end, begin) in begins.into_iter().enumerate() {
        let Some(mut begin) = begin else { continue };
        while let Some(inner) = outer.pop_if(|(_, inner_end)| *inner_end > begin) {
            begin = begin.min(inner.0);
            settle(inner);
        }
        outer.push((begin, end));
    }
    outer.into_iter().for_each(&mut settle);
    for here in &mut opened {
        here.sort_unstable_by(|a, b| b.cmp(a));
    }
    opened
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, reason = "tests")]

    use super::*;

    #[test]
    fn crossing_jumps_are_widened_until_they_nest() {
        // 0 -> 3 and 1 -> 4 cross: the second begins at 0, too, around the first.
        assert_eq!(
            nest(5, &[(0, 3), (1, 4)]),
            [vec![4, 3], vec![], vec![], vec![], vec![]]
        );
    }

    #[test]
    fn a_block_may_begin_where_another_ends() {
        assert_eq!(
            nest(5, &[(0, 2), (2, 4), (1, 2)])[..3],
            [vec![2], vec![], vec![4]]
        );
    }

    #[test]
    fn every_jump_lies_inside_the_block_that_it_leaves() {
        let jumps = [(0, 7), (1, 3), (2, 5), (4, 6), (5, 9), (3, 8), (6, 8)];
        let opened = nest(10, &jumps);
        let mut open = Vec::new();
        for (position, targets) in opened.iter().enumerate() {
            if open.last() == Some(&position) {
                open.pop();
            }
            assert!(
                !open.contains(&position),
                "the block of {position} is not the innermost"
            );
            open.extend(targets);
            for (_, to) in jumps.iter().filter(|(from, _)| *from == position) {
                assert!(open.contains(to), "{position} -> {to}");
            }
        }
        assert!(open.is_empty());
    }
}
