//! Detects connection poolers without sessions, such as PgBouncer with `pool_mode = transaction` or
//! `statement`.
//!
//! There each transaction runs on any free connection of the pooler. Session state, namely settings, locks
//! and prepared statements, would be missing where it is needed and would leak into the sessions of others.

use std::{collections::BTreeSet, sync::mpsc, thread, time::Duration};

use diesel::{
    Connection, QueryableByName, RunQueryDsl, connection::SimpleConnection, pg::PgConnection, sql_query,
    sql_types::Text,
};

use crate::core::sync::Mutex;

/// The error for a pooler without sessions.
pub(crate) const NO_SESSIONS: &str = "a connection pooler in front of it keeps no sessions, which Greenroom needs: set \
     pool_mode = session in PgBouncer for this database, or connect to PostgreSQL itself";

/// Number of comparisons of two connections: a busy pooler may return the same session twice by chance.
const COMPARISONS: usize = 5;

/// Timeout for a second connection. A pool of one connection has no other, and keeps its session.
const SECOND_CONNECTION_TIMEOUT: Duration = Duration::from_secs(3);

/// The URLs that passed the check.
static CHECKED_URLS: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Returns whether a new connection to `url` has a session of its own. Changes no session state, and checks
/// each URL once.
pub(crate) fn keeps_sessions(conn: &mut PgConnection, url: &str) -> bool {
    let checked = || CHECKED_URLS.lock();
    if checked().contains(url) {
        return true;
    }
    let keeps = compare_sessions(conn, url);
    if keeps {
        checked().insert(url.to_owned());
    }
    keeps
}

/// Uses two connections at once: with sessions, each keeps its own. Any other failure will show when the
/// connection is used.
fn compare_sessions(conn: &mut PgConnection, url: &str) -> bool {
    let Ok(own) = session(conn) else { return takes_transactions(url) };
    let _ = conn.batch_execute("ROLLBACK");
    (0..COMPARISONS).all(|_| keeps_beside_another(conn, &own, url))
}

/// Returns whether a connection keeps its session while another one is in a transaction.
fn keeps_beside_another(conn: &mut PgConnection, own: &str, url: &str) -> bool {
    let Some((other, hold)) = another(url.to_owned()) else { return true };
    if other == own {
        return false;
    }
    let again = session(conn);
    let _ = conn.batch_execute("ROLLBACK");
    drop(hold);
    again.is_ok_and(|again| again == own)
}

/// Opens another connection and returns its session. It stays in a transaction until the returned sender is
/// dropped.
fn another(url: String) -> Option<(String, mpsc::Sender<()>)> {
    let (found, is_found) = mpsc::channel();
    let (hold, is_held) = mpsc::channel::<()>();
    thread::spawn(move || {
        let Ok(mut conn) = PgConnection::establish(&url) else { return };
        if let Ok(session) = session(&mut conn) {
            let _ = found.send(session);
            let _ = is_held.recv();
        }
        let _ = conn.batch_execute("ROLLBACK");
    });
    Some((is_found.recv_timeout(SECOND_CONNECTION_TIMEOUT).ok()?, hold))
}

#[derive(QueryableByName)]
struct SessionName {
    #[diesel(sql_type = Text)]
    name: String,
}

/// Begins a transaction, so that a pooler runs all of it on one connection, and returns the name of its
/// session. Disables the role's time limits for this transaction, since they could end it.
fn session(conn: &mut PgConnection) -> Result<String, diesel::result::Error> {
    conn.batch_execute(
        "BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0",
    )?;
    let query = "SELECT concat_ws(' ', pid, backend_start) AS name FROM pg_stat_activity WHERE pid = pg_backend_pid()";
    Ok(sql_query(query).get_result::<SessionName>(conn)?.name)
}

/// Returns false if transactions are the cause of a failure, as with `pool_mode = statement`. PgBouncer
/// closes the connection over them, so this tries on another one.
fn takes_transactions(url: &str) -> bool {
    let Ok(mut conn) = PgConnection::establish(url) else { return true };
    let answers = conn.batch_execute("SELECT 1").is_ok();
    !answers || conn.batch_execute("BEGIN").is_ok()
}
