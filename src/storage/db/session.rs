//! Session settings of a connection, and checks of its state.

use std::time::Duration;

use diesel::{connection::SimpleConnection, result::DatabaseErrorKind};

use super::{
    conn::{Access, AnyConn},
    sql::sql,
};

/// How long SQLite waits for another process that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a PostgreSQL statement waits for locked rows.
const LOCK_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a writing transaction of PostgreSQL may be idle before it is ended. Otherwise a paused process
/// would keep its row locks and block others.
const IDLE_TIMEOUT: Duration = Duration::from_secs(3);

/// Key of the PostgreSQL advisory lock that serializes schema migrations.
const MIGRATION_LOCK: i64 = 0x6772_6565_6e02;

pub(crate) fn set_up_sqlite(conn: &mut AnyConn, access: Access) -> Result<(), diesel::result::Error> {
    // Code in the file's schema may be of untrusted origin.
    conn.batch_execute("PRAGMA trusted_schema = OFF")?;
    conn.batch_execute(&format!("PRAGMA busy_timeout = {}", BUSY_TIMEOUT.as_millis()))?;
    conn.batch_execute("PRAGMA journal_mode = WAL")?;
    // An acknowledged write must survive a power failure; group commit makes it affordable.
    conn.batch_execute("PRAGMA synchronous = FULL")?;
    conn.batch_execute("PRAGMA foreign_keys = ON")?;
    // In pages. Each checkpoint copies a page once, however many commits changed it, so rare checkpoints are
    // cheap. A larger limit would slow down recovery after a crash.
    conn.batch_execute("PRAGMA wal_autocheckpoint = 8192")?;
    conn.batch_execute("PRAGMA cache_size = -16384")?;
    conn.batch_execute("PRAGMA temp_store = MEMORY")?;
    // Overwrites deleted content with zeros.
    conn.batch_execute("PRAGMA secure_delete = ON")?;
    if access == Access::Read {
        conn.batch_execute("PRAGMA query_only = ON")?;
    }
    Ok(())
}

pub(crate) fn set_up_postgres(conn: &mut AnyConn, access: Access) -> Result<(), diesel::result::Error> {
    clear_time_limits(conn)?;
    // Some errors are recognized by their English text only. Without the privilege to set this,
    // `has_english_errors` returns false.
    let _ = conn.batch_execute("SET lc_messages = 'C'");
    // Notices would bypass the log and go to standard error.
    conn.batch_execute("SET client_min_messages = error")?;
    match access {
        Access::Write => {
            let (lock, idle) = (LOCK_TIMEOUT.as_millis(), IDLE_TIMEOUT.as_millis());
            conn.batch_execute(&format!(
                "SET lock_timeout = {lock}; SET idle_in_transaction_session_timeout = {idle}"
            ))?;
            // An acknowledged write must survive a power failure, whatever the database's default is.
            conn.batch_execute(
                "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'",
            )
        }
        Access::Read => conn.batch_execute("SET default_transaction_read_only = on"),
    }
}

/// Removes the time limits that a role or a database sets for new connections. Older versions lack some of
/// them.
fn clear_time_limits(conn: &mut AnyConn) -> Result<(), diesel::result::Error> {
    conn.batch_execute("SET statement_timeout = 0")?;
    conn.batch_execute("SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0")?;
    conn.batch_execute(
        "SELECT set_config(name, '0', false) FROM pg_settings \
         WHERE name IN ('transaction_timeout', 'idle_session_timeout')",
    )
}

/// Returns whether the database reports errors in English, which some are recognized by.
pub(crate) fn has_english_errors(conn: &mut AnyConn) -> Result<bool, diesel::result::Error> {
    let language = match conn {
        AnyConn::Sqlite(_) => return Ok(true),
        AnyConn::Postgres(_) => sql!("SELECT current_setting('lc_messages')").one::<String>(conn)?,
    };
    Ok(["", "C", "POSIX"].contains(&language.as_str())
        || language.starts_with("C.")
        || language.starts_with("en"))
}

/// Makes PostgreSQL use indexes and cached generic plans. Otherwise it would plan each statement anew, or
/// scan whole tables because of outdated statistics.
pub(crate) fn prefer_keys(conn: &mut AnyConn) -> Result<(), diesel::result::Error> {
    match conn {
        AnyConn::Sqlite(_) => Ok(()),
        AnyConn::Postgres(_) => conn.batch_execute(
            "SET plan_cache_mode = force_generic_plan; SET jit = off; SET enable_seqscan = off; \
             SET enable_bitmapscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off",
        ),
    }
}

/// Sets PostgreSQL's statement timeout.
pub(crate) fn limit_statements(conn: &mut AnyConn, limit: Duration) -> Result<(), diesel::result::Error> {
    match conn {
        AnyConn::Sqlite(_) => Ok(()),
        AnyConn::Postgres(_) => conn.batch_execute(&format!("SET statement_timeout = {}", limit.as_millis())),
    }
}

/// Interval between attempts to take the migration lock.
const MIGRATION_LOCK_RETRY_DELAY: Duration = Duration::from_millis(200);

/// Takes the migration lock until this connection closes. SQLite needs none. If another process has it, calls
/// `on_wait` once, with what is known of the holder.
pub(crate) fn lock_schema(conn: &mut AnyConn, on_wait: &dyn Fn(String)) -> Result<(), diesel::result::Error> {
    if matches!(conn, AnyConn::Sqlite(_)) {
        return Ok(());
    }
    // The other migration may take long; each of its statements has a timeout.
    conn.batch_execute("SET lock_timeout = 0")?;
    let mut has_waited = false;
    while !sql!("SELECT pg_try_advisory_lock(?)", MIGRATION_LOCK).one::<bool>(conn)? {
        if !has_waited {
            on_wait(lock_holder(conn)?);
            has_waited = true;
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "runs on a thread of its own, before anything is served"
        )]
        std::thread::sleep(MIGRATION_LOCK_RETRY_DELAY);
    }
    Ok(())
}

/// Describes the PostgreSQL process that holds the migration lock, if there still is one.
fn lock_holder(conn: &mut AnyConn) -> Result<String, diesel::result::Error> {
    let holder = sql!(
        "SELECT CAST(pid AS bigint) FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1 \
         AND (CAST(classid AS bigint) << 32) + CAST(objid AS bigint) = ? \
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        MIGRATION_LOCK
    );
    let holder = holder.rows::<i64>(conn)?;
    Ok(holder.first().map_or_else(String::new, |pid| format!(" (process {pid} of PostgreSQL)")))
}

/// Returns whether the connection is lost, which shows only when it is used.
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
