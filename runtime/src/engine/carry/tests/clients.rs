//! Clients that keep their backends.

use lvsc_abi::manifest::Persist;

use super::*;

#[test]
fn clients_stay_with_their_backends_by_name_and_none_is_lost_as_a_flow_is() {
    let mut policies = [manifest(&["a", "b", "c"]), manifest(&["c", "b"])];
    for policy in &mut policies {
        policy.pools[0].persist = Some(Persist {
            entries: 8,
            life: 60,
            mask: 32,
            mask6: 128,
        });
    }
    let [old, new] = policies;
    let image = || {
        let mut layout = Layout::new();
        layout.add("persist.web", Element::Client, 8);
        Bytes::new(layout)
    };
    let at = |index| {
        image()
            .layout()
            .named("persist.web")
            .unwrap()
            .1
            .at(index, 0)
    };
    let entry = |backend| Entry {
        tag: 7 + u32::from(backend),
        backend,
        seconds: 5,
        flags: 0,
    };
    let mut before = image();
    for id in 0..3 {
        before.store(at(u64::from(id)), Width::B8, entry(id).to_bits());
    }
    let check = |image: &Bytes| {
        let found = (0..3).map(|index| Entry::from_bits(image.load(at(index), Width::B8)));
        let moved = Entry {
            backend: 0,
            ..entry(2)
        };
        assert_eq!(
            found.collect::<Vec<_>>(),
            [None, Some(entry(1)), Some(moved)]
        );
    };
    let then = counted(&before);
    let mut now = image();
    let carried = carry((&old, &before, &then), (&new, &mut now));
    assert_eq!(
        (carried.kept, carried.lost),
        (vec!["persist.web".to_owned()], 0)
    );
    check(&now);
    let mut late = image();
    let mut seen = Seen::default();
    catch_up((&old, &before, &then), (&new, &mut late), &mut seen);
    let found = (0..8).filter_map(|index| Entry::from_bits(late.load(at(index), Width::B8)));
    assert_eq!(found.count(), 2, "those that came late");
    let carried = turn(&old, &new, &mut before, |_| {});
    assert_eq!(carried.lost, 0);
    check(&before);
}
