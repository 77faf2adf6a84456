//! Layout and manifest as they travel: JSON that is read or refused, and a manifest that fits its layout can be published.

use lvsc_abi::image::Bytes;
use lvsc_abi::layout::Layout;
use lvsc_abi::manifest::Manifest;
use lvsc_abi::publish::{publish, recall};
use lvsc_abi::world::World;
use lvsc_target_wasm::Wasm;

use crate::hunt::{Judged, Target};
use crate::modules::artifacts;
use crate::{change, corpus};

/// Most bytes of an image that is filled.
const IMAGE: u64 = 4 << 20;

pub fn target() -> Target {
    let pair = |layout: Vec<u8>, manifest: Vec<u8>| [layout, manifest].join(&b'\n');
    let built = artifacts(&Wasm).into_iter();
    let texts: Vec<Vec<u8>> = built
        .map(|made| pair(made.layout.encode(), made.manifest.encode()))
        .collect();
    let others = [
        "null", "true", "-1", "1.5", "1e9", "\"::1\"", "weighted", "backup", "drain", "[[[[",
        "\\u0000", "word", "cursor", "slot", "flow",
    ];
    let words = corpus::words(&texts, &others);
    Target {
        name: "encodings",
        cases: 1500,
        make: Box::new(move |chance| match chance.below(2) {
            0 => change::gently(&texts, chance),
            _ => change::text(&texts, &words, chance),
        }),
        judge,
    }
}

/// The input is a layout, a line end, and a manifest.
fn judge(input: &[u8]) -> Judged {
    let end = input
        .iter()
        .position(|byte| *byte == b'\n')
        .unwrap_or(input.len());
    let (layout, manifest) = input.split_at(end);
    let manifest = Manifest::decode(manifest);
    if let Ok(manifest) = &manifest {
        let again = Manifest::decode(&manifest.encode()).map_err(|error| error.to_string())?;
        if again != *manifest {
            return Err(format!("read again it is {again:?}, not {manifest:?}"));
        }
    }
    let layout: Result<Layout, _> = serde_json::from_slice(layout);
    if let (Ok(layout), Ok(manifest)) = (layout, manifest)
        && layout.is_sound()
        && manifest.fits(&layout)
    {
        published(&layout, &manifest);
    }
    Ok(())
}

/// Fills an image, unless it is large.
pub fn published(layout: &Layout, manifest: &Manifest) {
    if layout.size() > IMAGE {
        return;
    }
    let mut image = Bytes::new(layout.clone());
    for world in [World::of(manifest), World::for_tests(manifest)] {
        publish(manifest, &world, &mut image);
        if let Some(known) = recall(manifest, &image) {
            drop(known.follow(manifest, manifest));
        }
    }
}
