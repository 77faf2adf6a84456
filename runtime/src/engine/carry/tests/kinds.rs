//! Tables of one kind, where the other policy has one of the other.

use super::*;

/// What it says of flows whose slots are steady was never true of them.
#[test]
fn a_table_of_every_flow_is_none_of_those_whose_slots_have_changed() {
    let (old, new) = (manifest(&["a", "b"]), changed(&["a", "b"]));
    let (mut before, mut now) = (image(), image_of_changed());
    let then = counted(&before);
    noted(&mut before, 1);
    carry((&old, &before, &then), (&new, &mut now));
    assert_eq!(first(&now), None);
    catch_up(
        (&old, &before, &then),
        (&new, &mut now),
        &mut Seen::default(),
    );
    assert_eq!(first(&now), None);
}
