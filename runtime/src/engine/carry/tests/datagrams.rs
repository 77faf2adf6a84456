//! Datagrams that are in fragments.

use super::*;

/// Ids may mean others, and what comes behind a first fragment comes within moments.
#[test]
fn datagrams_in_fragments_are_forgotten() {
    let (old, new) = (manifest(&["a", "b"]), manifest(&["b", "a"]));
    let entry = Entry {
        tag: 7,
        backend: 0,
        seconds: 5,
        flags: 0,
    };
    for new in [&old, &new] {
        let image = || {
            let mut layout = Layout::new();
            layout.add("fragments.web", Element::Datagram, 8);
            Bytes::new(layout)
        };
        let (mut before, mut now) = (image(), image());
        let at = before.layout().named("fragments.web").unwrap().1.at(3, 0);
        before.store(at, Width::B8, entry.to_bits());
        let then = counted(&before);
        let mut carried = vec![carry((&old, &before, &then), (new, &mut now))];
        catch_up(
            (&old, &before, &then),
            (new, &mut now),
            &mut Seen::default(),
        );
        carried.push(turn(&old, new, &mut before, |_| {}));
        let told = [false, true].map(|same_image| Carried {
            same_image,
            ..Carried::default()
        });
        assert_eq!(carried, told, "nobody misses them");
        assert_eq!([now, before].map(|image| image.load(at, Width::B8)), [0, 0]);
    }
}
