//! What a program in C includes that links the object.

use std::fmt::Write as _;

use lvsc_abi::layout::{ABI_VERSION, ALIGN, Layout};
use lvsc_abi::manifest::Manifest;
use lvsc_abi::object::identifier;

/// The part that is the same for each policy.
const COMMON: &str = include_str!("header.h");

/// The header of a policy's object.
pub(crate) fn write(layout: &Layout, manifest: &Manifest) -> String {
    let mut numbers = String::new();
    let mut define = |name: &str, value: &str| {
        let _ = writeln!(numbers, "#define LVSC_{name} {value}");
    };
    define("ABI_VERSION", &format!("{ABI_VERSION}u"));
    define("IMAGE_DIGEST", &format!("0x{:016x}u", layout.digest()));
    define("IMAGE_SIZE", &format!("{}u", layout.size()));
    define("IMAGE_ALIGN", &format!("{ALIGN}u"));
    for (_, section) in layout.sections() {
        let name = identifier(&section.name);
        define(&format!("OFFSET_{name}"), &format!("{}u", section.offset));
        define(&format!("LENGTH_{name}"), &format!("{}u", section.length));
        let stride = section.element.stride();
        define(&format!("STRIDE_{name}"), &format!("{stride}u"));
    }
    for (index, interface) in manifest.interfaces.iter().enumerate() {
        let name = identifier(&interface.name);
        define(&format!("INTERFACE_{name}"), &format!("{index}u"));
    }
    let policy = manifest.policy().unwrap_or("a policy");
    COMMON
        .replace("@POLICY@", policy)
        .replace("@NUMBERS@\n", &numbers)
}
