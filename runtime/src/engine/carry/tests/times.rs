//! Policies that know flows for other times.

use lvsc_abi::manifest::Lives;

use super::*;

#[test]
fn flows_that_live_shorter_than_others_do_so_under_other_times() {
    let old = manifest(&["a", "b"]);
    let mut new = old.clone();
    let flows = new.pools[0].flows.as_mut().unwrap();
    let lives = Lives {
        closing: 30,
        ..Lives::of(1000)
    };
    *flows = flows.with(lives);
    let idle = old.pools[0].flows.unwrap().idle;
    assert_eq!(idle, 10, "no time is shorter");
    assert!(
        !agree(&old, &new),
        "what a packet has entered under the new times would be made older once more"
    );
    let entry = |tag, flags| Entry {
        tag,
        backend: 0,
        seconds: 500,
        flags,
    };
    let mut before = image();
    let at = |index| image().layout().named("flows.web").unwrap().1.at(index, 0);
    let flags = [0, NEW, CLOSING];
    for (index, flags) in (0..).zip(flags) {
        let entry = entry(index as u32, flags);
        before.store(at(index), Width::B8, entry.to_bits());
    }
    let expected = [(500, 1500), (65_046, 510), (65_066, 530)];
    let check = |image: &Bytes| {
        for (index, (flags, (seconds, last))) in (0..).zip(flags.into_iter().zip(expected)) {
            let found = Entry::from_bits(image.load(at(index), Width::B8)).unwrap();
            assert_eq!((found.seconds, found.flags), (seconds, flags));
            assert!(found.is_live(last, 1000) && !found.is_live(last + 1, 1000));
        }
    };
    let mut carried = image();
    carry((&old, &before, &counted(&before)), (&new, &mut carried));
    check(&carried);
    let mut late = image();
    catch_up(
        (&old, &before, &counted(&before)),
        (&new, &mut late),
        &mut Seen::default(),
    );
    check(&late);
    turn(&old, &new, &mut before, |_| {});
    check(&before);
}
