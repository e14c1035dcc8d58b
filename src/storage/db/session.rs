//! What a connection is told before it is used, and what can be asked of it.

use std::time::Duration;

use diesel::{connection::SimpleConnection, result::DatabaseErrorKind};

use super::{
    conn::{Access, AnyConn},
    sql::sql,
};

/// How long SQLite waits for another process that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a statement of PostgreSQL's waits for rows that others have locked.
const LOCK_TIMEOUT: Duration = Duration::from_secs(1);

/// How long PostgreSQL waits for the next statement of a transaction that writes before it ends it: a paused process must
/// not keep others from the rows that it has locked.
const IDLE_TIMEOUT: Duration = Duration::from_secs(3);

/// Names the lock of who brings the schema up to date among PostgreSQL's advisory locks.
const MIGRATING: i64 = 0x6772_6565_6e02;

pub(crate) fn set_up_sqlite(conn: &mut AnyConn, access: Access) -> Result<(), diesel::result::Error> {
    // What the file itself says to carry out may have come from anybody.
    conn.batch_execute("PRAGMA trusted_schema = OFF")?;
    conn.batch_execute(&format!("PRAGMA busy_timeout = {}", BUSY_TIMEOUT.as_millis()))?;
    conn.batch_execute("PRAGMA journal_mode = WAL")?;
    // An answered write must survive a power cut; group commit pays for it.
    conn.batch_execute("PRAGMA synchronous = FULL")?;
    conn.batch_execute("PRAGMA foreign_keys = ON")?;
    // In pages. A page that many commits touch is copied back once per checkpoint, so seldom is cheap; more than this
    // would make the start after a crash slow.
    conn.batch_execute("PRAGMA wal_autocheckpoint = 8192")?;
    conn.batch_execute("PRAGMA cache_size = -16384")?;
    conn.batch_execute("PRAGMA temp_store = MEMORY")?;
    // What is deleted is overwritten with zeros.
    conn.batch_execute("PRAGMA secure_delete = ON")?;
    if access == Access::Read {
        conn.batch_execute("PRAGMA query_only = ON")?;
    }
    Ok(())
}

pub(crate) fn set_up_postgres(conn: &mut AnyConn, access: Access) -> Result<(), diesel::result::Error> {
    no_time_limits(conn)?;
    // Some errors are known by their words only. Not everybody may set this; who may not is told by `speaks_english`.
    let _ = conn.batch_execute("SET lc_messages = 'C'");
    // Notices would go to standard error, past the log.
    conn.batch_execute("SET client_min_messages = error")?;
    match access {
        Access::Write => {
            let (lock, idle) = (LOCK_TIMEOUT.as_millis(), IDLE_TIMEOUT.as_millis());
            conn.batch_execute(&format!(
                "SET lock_timeout = {lock}; SET idle_in_transaction_session_timeout = {idle}"
            ))?;
            // An answered write must survive a power cut, whatever the database's default is.
            conn.batch_execute(
                "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'",
            )
        }
        Access::Read => conn.batch_execute("SET default_transaction_read_only = on"),
    }
}

/// Ends the time limits that a role or a database sets for what connects. Older versions do not know all of them.
fn no_time_limits(conn: &mut AnyConn) -> Result<(), diesel::result::Error> {
    conn.batch_execute("SET statement_timeout = 0")?;
    conn.batch_execute("SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0")?;
    conn.batch_execute(
        "SELECT set_config(name, '0', false) FROM pg_settings \
         WHERE name IN ('transaction_timeout', 'idle_session_timeout')",
    )
}

/// Whether errors that are known by their words only will be.
pub(crate) fn speaks_english(conn: &mut AnyConn) -> Result<bool, diesel::result::Error> {
    let language = match conn {
        AnyConn::Sqlite(_) => return Ok(true),
        AnyConn::Postgres(_) => sql!("SELECT current_setting('lc_messages')").one::<(String,)>(conn)?.0,
    };
    Ok(["", "C", "POSIX"].contains(&language.as_str())
        || language.starts_with("C.")
        || language.starts_with("en"))
}

/// Has PostgreSQL find every row by an index, in a plan that is made once. It would else plan each statement anew, or by
/// statistics that are out of date walk through a whole table.
pub(crate) fn prefer_keys(conn: &mut AnyConn) -> Result<(), diesel::result::Error> {
    match conn {
        AnyConn::Sqlite(_) => Ok(()),
        AnyConn::Postgres(_) => conn.batch_execute(
            "SET plan_cache_mode = force_generic_plan; SET jit = off; SET enable_seqscan = off; \
             SET enable_bitmapscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off",
        ),
    }
}

/// Has PostgreSQL end a statement that takes longer.
pub(crate) fn limit_statements(conn: &mut AnyConn, limit: Duration) -> Result<(), diesel::result::Error> {
    match conn {
        AnyConn::Sqlite(_) => Ok(()),
        AnyConn::Postgres(_) => conn.batch_execute(&format!("SET statement_timeout = {}", limit.as_millis())),
    }
}

/// How often it is tried to take the lock of who brings the schema up to date.
const TRY_EVERY: Duration = Duration::from_millis(200);

/// Keeps other processes from bringing the schema up to date until this connection is closed. SQLite needs no help. Where
/// another process has to be waited for, `waits` is called with what is known of it.
pub(crate) fn lock_schema(conn: &mut AnyConn, waits: &dyn Fn(String)) -> Result<(), diesel::result::Error> {
    if matches!(conn, AnyConn::Sqlite(_)) {
        return Ok(());
    }
    // Another process may take its time; each of its statements has a limit.
    conn.batch_execute("SET lock_timeout = 0")?;
    let mut has_waited = false;
    while !sql!("SELECT pg_try_advisory_lock(?)", MIGRATING).one::<(bool,)>(conn)?.0 {
        if !has_waited {
            waits(migrating(conn)?);
            has_waited = true;
        }
        std::thread::sleep(TRY_EVERY);
    }
    Ok(())
}

/// Names PostgreSQL's process for who brings the schema up to date, if there still is one.
fn migrating(conn: &mut AnyConn) -> Result<String, diesel::result::Error> {
    let holder = sql!(
        "SELECT CAST(pid AS bigint) FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1 \
         AND (CAST(classid AS bigint) << 32) + CAST(objid AS bigint) = ? \
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        MIGRATING
    );
    let holder = holder.rows::<(i64,)>(conn)?;
    Ok(holder.first().map_or_else(String::new, |(pid,)| format!(" (process {pid} of PostgreSQL)")))
}

/// Whether the connection is of no use any more. A lost connection shows only once it is used.
pub(crate) fn is_lost(conn: &mut AnyConn) -> bool {
    match conn {
        AnyConn::Sqlite(_) => false,
        AnyConn::Postgres(conn) => matches!(
            conn.batch_execute("SELECT 1"),
            Err(diesel::result::Error::DatabaseError(
                DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand,
                _
            ))
        ),
    }
}
