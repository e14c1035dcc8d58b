//! Counts steps of SQLite's virtual machine: a query's cost, independent of the computer.

use std::{
    cell::Cell,
    ffi::{c_int, c_void},
    sync::Once,
};

use libsqlite3_sys as ffi;

thread_local! {
    /// Steps of SQLite's virtual machine on connections that this thread opened after `count_steps`.
    static STEPS: Cell<u64> = const { Cell::new(0) };
    static COUNTS: Cell<bool> = const { Cell::new(false) };
}

extern "C" fn step(_: *mut c_void) -> c_int {
    STEPS.set(STEPS.get() + 1);
    0
}

unsafe extern "C" fn opened(
    db: *mut ffi::sqlite3,
    _: *mut *mut std::ffi::c_char,
    _: *const ffi::sqlite3_api_routines,
) -> c_int {
    if COUNTS.get() {
        // SAFETY: the connection is being opened by this thread, and the handler needs no context.
        unsafe { ffi::sqlite3_progress_handler(db, 1, Some(step), std::ptr::null_mut()) };
    }
    ffi::SQLITE_OK
}

/// Makes the connections that this thread opens from now on count their steps.
pub(crate) fn count_steps() {
    static ONCE: Once = Once::new();
    // SAFETY: the entry point has the signature that SQLite calls it with, and lives as long as the process.
    ONCE.call_once(|| unsafe { assert_eq!(ffi::sqlite3_auto_extension(Some(opened)), ffi::SQLITE_OK) });
    COUNTS.set(true);
}

/// Returns the number of steps so far.
pub(crate) fn steps() -> u64 {
    STEPS.get()
}
