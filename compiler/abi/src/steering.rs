//! The program that says which of a device's packets are the kernel's, as it travels inside of an artifact whose engine is
//! handed the others (`AF_XDP`): an object of [`crate::object`] with a map of [`SOCKETS`](crate::object::SOCKETS).
//!
//! Its section is `{seal u64, the object's bytes}`, little endian. The seal is [`hash::digest`] of the artifact's layout and
//! manifest, as their sections have them, and the object's bytes, one behind the other: so an object that is damaged, or another
//! policy's, is told. It is absent where only the policy's whole program can say which packets are the kernel's.

use crate::hash;

/// Name of the section.
pub const STEERING: &str = "lvsc.steering";

/// The section of an object.
pub fn seal(object: &[u8], layout: &[u8], manifest: &[u8]) -> Vec<u8> {
    let seal = digest(object, layout, manifest);
    [&seal.to_le_bytes(), object].concat()
}

/// The object in a section of an artifact with this layout and manifest; `None` where it is another one's, or damaged.
pub fn open<'a>(section: &'a [u8], layout: &[u8], manifest: &[u8]) -> Option<&'a [u8]> {
    let (seal, object) = section.split_first_chunk()?;
    let whole = u64::from_le_bytes(*seal) == digest(object, layout, manifest);
    whole.then_some(object)
}

fn digest(object: &[u8], layout: &[u8], manifest: &[u8]) -> u64 {
    hash::digest(&[layout, manifest, object].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_comes_back_to_its_own_artifact_alone() {
        let section = seal(b"object", b"layout", b"manifest");
        assert_eq!(open(&section, b"layout", b"manifest"), Some(&b"object"[..]));
        assert_eq!(open(&section, b"layout", b"another"), None);
        assert_eq!(open(&section, b"another", b"manifest"), None);
        for length in 0..section.len() {
            let cut = section.get(..length).unwrap_or_default();
            assert_eq!(open(cut, b"layout", b"manifest"), None, "{length} bytes");
        }
        for bit in 0..section.len() * 8 {
            let mut other = section.clone();
            if let Some(byte) = other.get_mut(bit / 8) {
                *byte ^= 1 << (bit % 8);
            }
            assert_eq!(open(&other, b"layout", b"manifest"), None, "bit {bit}");
        }
    }
}
