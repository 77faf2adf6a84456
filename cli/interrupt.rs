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
        ends(&stop)?;
        end_on(signal_hook::consts::SIGHUP, &stop)?;
    }
    Ok(stop)
}

/// As [`flag`]; the hangup signal, by which services are asked to read what they are told again, has a flag of its own.
#[cfg(target_os = "linux")]
pub fn flags() -> Result<[Arc<AtomicBool>; 2], Failure> {
    let [stop, again] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
    ends(&stop)?;
    let hangup = signal_hook::consts::SIGHUP;
    signal_hook::flag::register(hangup, Arc::clone(&again)).map_err(|error| deaf(&error))?;
    Ok([stop, again])
}

#[cfg(unix)]
fn ends(stop: &Arc<AtomicBool>) -> Result<(), Failure> {
    let mut signals = [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM].into_iter();
    signals.try_for_each(|signal| end_on(signal, stop))
}

#[cfg(unix)]
fn end_on(signal: i32, stop: &Arc<AtomicBool>) -> Result<(), Failure> {
    use signal_hook::flag;

    // The order matters: the first signal finds the flag false, and makes it true.
    flag::register_conditional_shutdown(signal, 130, Arc::clone(stop))
        .and_then(|_| flag::register(signal, Arc::clone(stop)))
        .map(drop)
        .map_err(|error| deaf(&error))
}

#[cfg(unix)]
fn deaf(error: &std::io::Error) -> Failure {
    Failure::told(format_args!("cannot wait for signals: {error}"))
}
