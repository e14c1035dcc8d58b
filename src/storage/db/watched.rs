//! Test hook that observes each statement of `storage/db/sql`, to measure its cost. Not in release builds.

#[cfg(debug_assertions)]
use std::cell::Cell;

use crate::storage::AnyConn;

/// Called after each statement of this thread, with the file and line of the statement.
pub type Watcher = fn(&mut AnyConn, &'static str);

#[cfg(debug_assertions)]
thread_local! {
    static WATCHER: Cell<Option<Watcher>> = const { Cell::new(None) };
}

/// Sets or removes the watcher of this thread.
#[cfg(debug_assertions)]
pub fn watch(watcher: Option<Watcher>) {
    WATCHER.set(watcher);
}

/// Reports a statement that has run.
#[inline]
pub(crate) fn note(conn: &mut AnyConn, location: &'static str) {
    #[cfg(debug_assertions)]
    if let Some(watcher) = WATCHER.get() {
        watcher(conn, location);
    }
    #[cfg(not(debug_assertions))]
    let _ = (conn, location);
}
