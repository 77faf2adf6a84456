//! Policies that know flows for other times.

use lvsc_abi::flows::{CLOSING, NEW};
use lvsc_abi::manifest::Lives;

use super::*;

/// The policy that it was, but for the time of all flows, and of those that are being closed.
fn under(policy: &Manifest, idle: u32, closing: u32) -> Manifest {
    let mut policy = policy.clone();
    let flows = policy.pools[0].flows.as_mut().unwrap();
    *flows = flows.with(Lives {
        closing,
        ..Lives::of(idle)
    });
    policy
}

/// An image whose entries have these flags and seconds.
fn filled(empty: &Bytes, entries: &[(u64, u16)]) -> Bytes {
    let mut image = empty.clone();
    for (index, (flags, seconds)) in (0..).zip(entries) {
        let entry = Entry {
            tag: index as u32,
            backend: 0,
            seconds: *seconds,
            flags: *flags,
        };
        let at = image.layout().named("flows.web").unwrap().1.at(index, 0);
        image.store(at, Width::B8, entry.to_bits());
    }
    image
}

/// The seconds of the entries when the other policy has taken over, in each of the ways in which it may.
fn taken_over(old: &Manifest, new: &Manifest, before: &Bytes, empty: &Bytes) -> [Vec<u16>; 3] {
    let (mut carried, mut late, mut turned) = (empty.clone(), empty.clone(), before.clone());
    let then = counted(before);
    carry((old, before, &then), (new, &mut carried));
    catch_up((old, before, &then), (new, &mut late), &mut Seen::default());
    turn(old, new, &mut turned, |_| {});
    [carried, late, turned].map(|image| {
        let table = image.layout().named("flows.web").unwrap().1;
        let words = (0..8).map(|index| image.load(table.at(index, 0), Width::B8));
        let entries = words.filter_map(Entry::from_bits);
        entries.map(|entry| entry.seconds).collect()
    })
}

#[test]
fn flows_live_until_they_were_to_end_whatever_times_the_next_policy_has() {
    let old = under(&manifest(&["a", "b"]), 100, 50);
    let flows = old.pools[0].flows.unwrap();
    // Of TCP, of UDP that lives half as long, an opening, and what is being closed, all seen at 500.
    let lives = [(0, 100), (0, 50), (NEW, 10), (CLOSING, 50)];
    let entered = |(flags, life)| (flags, 500_u16.wrapping_sub(flows.rest(life) as u16));
    let entries = lives.map(entered);
    let before = filled(&image(), &entries);
    for new in [under(&old, 20, 10), under(&old, 1000, 120)] {
        assert!(agree(&old, &new), "an image goes on");
        let oldest = new.pools[0].flows.unwrap().oldest();
        for seconds in taken_over(&old, &new, &before, &image()) {
            assert_eq!(seconds, entries.map(|(_, seconds)| seconds));
            for (seconds, (flags, life)) in seconds.into_iter().zip(lives) {
                let entry = Entry {
                    tag: 0,
                    backend: 0,
                    seconds,
                    flags,
                };
                let last = 500 + u64::from(life);
                assert!(entry.is_live(last, oldest.into()));
                assert!(!entry.is_live(last + 1, oldest.into()));
            }
        }
    }
}

/// A slot knows for `idle` that there are flows elsewhere, and no longer: an entry that outlived that would be found after the
/// next change, and be wrong.
#[test]
fn what_is_noted_lives_as_long_as_the_next_policy_says() {
    let old = under(&changed(&["a", "b"]), 100, 50);
    let before = filled(&image_of_changed(), &[(0, 500), (CLOSING, 450)]);
    for (idle, closing, entered) in [(20, 10, 490), (1000, 120, 65_156), (100, 50, 450)] {
        let new = under(&old, idle, closing);
        assert_eq!(
            agree(&old, &new),
            (idle, closing) == (100, 50),
            "what a packet has entered under the new times would be made older once more"
        );
        for seconds in taken_over(&old, &new, &before, &image_of_changed()) {
            assert_eq!(seconds, [500, entered], "{idle} {closing}");
        }
    }
}
