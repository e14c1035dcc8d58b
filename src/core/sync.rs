//! Locks that ignore poisoning.
//!
//! A lock of the standard library is poisoned when a thread panics while it holds the lock. From then on, each
//! caller must handle an error. In a server that would turn one panic into a failure of every later request.
//! So code that holds one of these locks keeps the value valid at each step at which it may panic, or fills it
//! with data that can be read again. The panic itself is logged where it is caught.

use std::sync::{self, MutexGuard, PoisonError, RwLockReadGuard, RwLockWriteGuard};

/// A mutex of the standard library without poisoning.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T: ?Sized>(sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(sync::Mutex::new(value))
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Waits for the lock and takes it.
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A condition variable for the guards of a [`Mutex`].
#[derive(Debug, Default)]
pub(crate) struct Condvar(sync::Condvar);

impl Condvar {
    pub(crate) const fn new() -> Self {
        Self(sync::Condvar::new())
    }

    /// Releases the lock until the next notification. Like any condition variable it may also return without
    /// one.
    pub(crate) fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        self.0.wait(guard).unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn notify_one(&self) {
        self.0.notify_one();
    }

    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }
}

/// A readers-writer lock of the standard library without poisoning.
#[derive(Debug, Default)]
pub(crate) struct RwLock<T: ?Sized>(sync::RwLock<T>);

impl<T: ?Sized> RwLock<T> {
    /// Waits for shared access and takes it.
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, T> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for exclusive access and takes it.
    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, T> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    #[test]
    fn a_panic_under_the_lock_leaves_the_value_to_the_next_caller() {
        static NUMBER: Mutex<i32> = Mutex::new(1);
        let panicked = catch_unwind(|| {
            let mut number = NUMBER.lock();
            *number = 2;
            panic!("in the middle");
        });
        assert!(panicked.is_err());
        assert_eq!(*NUMBER.lock(), 2);
    }
}
