//! Shows each statement of `storage/db/sql` to a test that counts what it costs. Release builds have none of it.

#[cfg(debug_assertions)]
use std::cell::Cell;

use crate::storage::AnyConn;

/// What is called after each statement that this thread runs, with the file and the line at which it is written.
pub type Watcher = fn(&mut AnyConn, &'static str);

#[cfg(debug_assertions)]
thread_local! {
    static WATCHER: Cell<Option<Watcher>> = const { Cell::new(None) };
}

/// Has a watcher called from now on, or none.
#[cfg(debug_assertions)]
pub fn watch(watcher: Option<Watcher>) {
    WATCHER.set(watcher);
}

/// Notes that a statement was run.
#[inline]
pub(crate) fn note(conn: &mut AnyConn, place: &'static str) {
    #[cfg(debug_assertions)]
    if let Some(watcher) = WATCHER.get() {
        watcher(conn, place);
    }
    #[cfg(not(debug_assertions))]
    let _ = (conn, place);
}
