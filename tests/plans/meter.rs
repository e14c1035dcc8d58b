//! Counts the cost of statements: steps of SQLite's virtual machine, or page accesses of PostgreSQL. Both are
//! the same on every machine.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    ffi::{c_char, c_int, c_void},
    sync::Once,
};

use diesel::{QueryableByName, RunQueryDsl, sql_query, sql_types::BigInt};
use greenroom::storage::{AnyConn, db::watched::watch};
use libsqlite3_sys as ffi;

/// A total cost, and for each statement its cost and the number of runs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cost {
    pub all: i64,
    pub statements: BTreeMap<&'static str, (i64, u32)>,
}

thread_local! {
    /// Steps of all SQLite connections of this thread.
    static STEPS: Cell<i64> = const { Cell::new(0) };
    /// The count at the end of the previous statement.
    static BEFORE: Cell<i64> = const { Cell::new(0) };
    static STATEMENTS: RefCell<BTreeMap<&'static str, (i64, u32)>> = const { RefCell::new(BTreeMap::new()) };
}

/// Makes every SQLite connection that is opened from now on count its steps.
pub(crate) fn count_steps() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: SQLite calls it with the arguments of this signature, once per connection.
        assert_eq!(unsafe { ffi::sqlite3_auto_extension(Some(begin_to_count)) }, ffi::SQLITE_OK);
    });
}

unsafe extern "C" fn begin_to_count(
    connection: *mut ffi::sqlite3,
    _: *mut *mut c_char,
    _: *const ffi::sqlite3_api_routines,
) -> c_int {
    unsafe extern "C" fn step(_: *mut c_void) -> c_int {
        STEPS.set(STEPS.get() + 1);
        0
    }
    // SAFETY: the connection is open, and the function needs no data.
    unsafe { ffi::sqlite3_progress_handler(connection, 1, Some(step), std::ptr::null_mut()) };
    ffi::SQLITE_OK
}

/// Returns the cost of `work`. On PostgreSQL it must run in a transaction, because the server counts pages
/// per transaction.
pub(crate) fn cost<T>(conn: &mut AnyConn, work: impl FnOnce(&mut AnyConn) -> T) -> (T, Cost) {
    STATEMENTS.take();
    let before = now(conn);
    BEFORE.set(before);
    watch(Some(note_after));
    let done = work(conn);
    watch(None);
    let all = now(conn) - before;
    (done, Cost { all, statements: STATEMENTS.take() })
}

/// Records the cost of a statement. Costs between two statements are counted for the second.
fn note_after(conn: &mut AnyConn, place: &'static str) {
    let now = now(conn);
    let cost = now - BEFORE.replace(now);
    STATEMENTS.with_borrow_mut(|statements| {
        let (all, times) = statements.entry(place).or_default();
        *all += cost;
        *times += 1;
    });
}

#[derive(QueryableByName)]
struct Pages {
    #[diesel(sql_type = BigInt)]
    pages: i64,
}

fn now(conn: &mut AnyConn) -> i64 {
    match conn {
        AnyConn::Sqlite(_) => STEPS.get(),
        AnyConn::Postgres(conn) => {
            // Lower oids are system tables. The query fails in a failed transaction.
            let query = "SELECT coalesce(sum(pg_stat_get_xact_blocks_fetched(oid)), 0)::bigint AS pages \
                         FROM pg_class WHERE oid >= 16384";
            sql_query(query).get_result::<Pages>(conn).map_or(0, |row| row.pages)
        }
    }
}
