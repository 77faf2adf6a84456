//! Ctrl-C and its kin: the first asks to end cleanly, the second ends at once.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::failure::Failure;

/// A flag that becomes true when a signal asks to end. From here on the process ends by itself; a second signal ends it
/// at once, with status 130. Starts no thread.
pub fn flag() -> Result<Arc<AtomicBool>, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    #[cfg(unix)]
    {
        use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
        use signal_hook::flag;

        for signal in [SIGINT, SIGTERM, SIGHUP] {
            // The order matters: the first signal finds the flag false, and makes it true.
            flag::register_conditional_shutdown(signal, 130, Arc::clone(&stop))
                .and_then(|_| flag::register(signal, Arc::clone(&stop)))
                .map_err(|error| Failure::told(format_args!("cannot wait for signals: {error}")))?;
        }
    }
    Ok(stop)
}
