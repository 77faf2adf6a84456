//! The texts that policies take in, from the disk.

use lvsc_front::library::Library;

/// The disk.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Library for Disk {
    fn read(&self, path: &str) -> Result<String, String> {
        let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
        String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            format!("it is no UTF-8 text: byte {at} is none of a character")
        })
    }
}
