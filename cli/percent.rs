//! Percent-encoding (RFC 3986, section 2.1).

use std::fmt::Write;

/// A path with everything encoded that a URI does not have by itself; `/` stays.
pub fn encoded(path: &str) -> String {
    let mut text = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}"); // a text takes all
        }
    }
    text
}
