//! What one thread says and others look at: only the last of it counts.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A value that changes while others look at it.
#[derive(Debug, Default)]
pub struct Current<T>(Mutex<T>);

impl<T: Clone> Current<T> {
    /// This one for now.
    pub fn new(value: T) -> Current<T> {
        Current(Mutex::new(value))
    }

    /// The one that counts now.
    pub fn get(&self) -> T {
        self.lock().clone()
    }

    /// Another one from now on.
    pub fn set(&self, value: T) {
        *self.lock() = value;
    }

    /// A thread that has panicked has left a whole value.
    fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
