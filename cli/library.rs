//! The texts that policies take in, from the disk.

use std::fs;

use lvsc_front::library::Library;

/// The disk.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Library for Disk {
    fn read(&self, path: &str) -> Result<String, String> {
        let metadata = fs::metadata(path).map_err(|error| error.to_string())?;
        if !metadata.is_file() {
            return Err("it is no file".to_owned());
        }
        if u32::try_from(metadata.len()).is_err() {
            return Err("it has 4 GiB or more".to_owned());
        }
        let bytes = fs::read(path).map_err(|error| error.to_string())?;
        String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            format!("it is no UTF-8 text: byte {at} is none of a character")
        })
    }

    fn identity(&self, path: &str) -> String {
        let real = fs::canonicalize(path).ok();
        let real = real.and_then(|real| real.into_os_string().into_string().ok());
        real.unwrap_or_else(|| path.to_owned())
    }
}
