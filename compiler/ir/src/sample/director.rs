//! One program that is no sample by chance: a director as policies make them.

use lvsc_abi::image::{Bytes, Image, Width};

use super::Case;
use crate::text;

/// A director with a table of `entries` entries of an element, `flow` or `noted`: what it knows before it asks that can be saved.
///
/// # Panics
///
/// For a number of entries that no table has.
pub fn director(element: &str, entries: u32) -> Case {
    let text = format!(
        "section ring.web slot 16\nsection backends.web backend 4\nsection flows.web {element} {entries}\n\
         section counters counter 8\nb0:\n  v50 = ingress\n  count counters[v50]\n  \
         bounds +38 b1() else b8()\n\
         b1:\n  v0 = frame.be2 +12\n  v1 = const 0x800\n  v2 = eq v0, v1\n  if v2 b2() else b9()\n\
         b2:\n  v51 = const 5\n  count counters[v51]\n  v3 = frame.be4 +26\n  v4 = frame.be4 +34\n  v5 = const 32\n  v6 = shl v3, v5\n  v7 = or v6, v4\n  \
         v8 = const 0x9e3779b97f4a7c15\n  v9 = mul v7, v8\n  v10 = const 36\n  v11 = shr v9, v10\n  \
         v12 = const 8\n  v13 = const 7\n  v14 = and v9, v13\n  v15 = find flows.web[v14], v11\n  v16 = lt v15, v12\n  \
         v17 = mul v14, v12\n  if v16 b3() else b4()\n\
         b3:\n  v18 = add v17, v15\n  v19 = load.shared8 flows.web[v18]+0\n  v20 = const 20\n  v21 = shr v19, v20\n  \
         v22 = const 3\n  v23 = and v21, v22\n  jump b6(v23)\n\
         b4:\n  v24 = ingress\n  v25 = place flows.web[v14], v13, v24, v13\n  v26 = const 3\n  v27 = and v3, v26\n  \
         v28 = const 20\n  v29 = shl v27, v28\n  v30 = shl v11, v10\n  v31 = or v29, v30\n  v32 = const 1\n  \
         v33 = or v31, v32\n  v34 = add v17, v25\n  v35 = const 0\n  v36 = exchange flows.web[v34] = v33 if v35\n  \
         if v36 b5() else b6(v27)\n\
         b5:\n  v37 = const 7\n  count counters[v37]\n  return drop\n\
         b6(v38):\n  v39 = load.config8 backends.web[v38]+0\n  v40 = swap.6 v39\n  frame.be6 +0 = v40\n  \
         count counters[v38]\n  v41 = const 48\n  v42 = shr v39, v41\n  jump b7(v42)\n\
         b7(v43):\n  return send v43\n\
         b8:\n  v44 = const 6\n  count counters[v44]\n  return drop\nb9:\n  return pass\n"
    );
    let source = text::parse(&text).expect("it is a program");
    let mut image = Bytes::new(source.layout.clone());
    let (_, backends) = source
        .layout
        .named("backends.web")
        .expect("it has backends");
    for index in 0..4 {
        let record = 0x0001_0101_0000_0002 + (index << 40 | index << 48);
        image.store(backends.at(index, 0), Width::B8, record);
    }
    let frame = |index: u8| {
        let length = if index % 11 == 10 { 37 } else { 60 };
        let mut frame = vec![index.wrapping_mul(37); length];
        frame[12..14].copy_from_slice(if index % 7 == 6 {
            &[0x86, 0xdd]
        } else {
            &[8, 0]
        });
        (frame, index % 4)
    };
    let frames = (0..50).chain(10..60).map(frame).collect();
    Case {
        program: source.program,
        layout: source.layout,
        image,
        frames,
    }
}
