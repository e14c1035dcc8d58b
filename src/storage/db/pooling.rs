//! Recognises connection poolers that keep no sessions, as PgBouncer with `pool_mode = transaction` or `statement`.
//!
//! Each transaction then runs on whichever of the pooler's connections is free. Settings, locks and prepared statements,
//! which are a session's, would be missing where they are needed and stay where others meet them.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError, mpsc},
    thread,
    time::Duration,
};

use diesel::{
    Connection, QueryableByName, RunQueryDsl, connection::SimpleConnection, pg::PgConnection, sql_query,
    sql_types::Text,
};

/// What to say where there are no sessions.
pub const NO_SESSIONS: &str = "a connection pooler in front of it keeps no sessions, which Greenroom needs: set \
     pool_mode = session in PgBouncer for this database, or connect to PostgreSQL itself";

/// How often two connections are compared: a busy pooler may give one the same session twice.
const LOOKS: usize = 5;

/// For so long a second connection is waited for. A pool of one connection has no other, and keeps its session.
const PATIENCE: Duration = Duration::from_secs(3);

/// The URLs that were looked at.
static KNOWN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Whether a new connection to `url` has a session of its own. It changes nothing in it, and asks once for each URL.
pub fn keeps_sessions(conn: &mut PgConnection, url: &str) -> bool {
    let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if known().contains(url) {
        return true;
    }
    let keeps = look(conn, url);
    if keeps {
        known().insert(url.to_owned());
    }
    keeps
}

/// Two connections at once: what has sessions gives each its own, for good. What fails otherwise shows when it is used.
fn look(conn: &mut PgConnection, url: &str) -> bool {
    let Ok(own) = session(conn) else { return takes_transactions(url) };
    let _ = conn.batch_execute("ROLLBACK");
    (0..LOOKS).all(|_| keeps_beside_another(conn, &own, url))
}

/// Whether a connection keeps its session while another one is in a transaction.
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

/// The session of another connection, which is in a transaction until what comes with it is dropped.
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
    Some((is_found.recv_timeout(PATIENCE).ok()?, hold))
}

#[derive(QueryableByName)]
struct Session {
    #[diesel(sql_type = Text)]
    name: String,
}

/// Begins a transaction, so that all of this is asked on one connection of a pooler's, and names its session. Time
/// limits of the role could end the session in between; for this transaction there are none.
fn session(conn: &mut PgConnection) -> Result<String, diesel::result::Error> {
    conn.batch_execute(
        "BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0",
    )?;
    let query = "SELECT concat_ws(' ', pid, backend_start) AS name FROM pg_stat_activity WHERE pid = pg_backend_pid()";
    Ok(sql_query(query).get_result::<Session>(conn)?.name)
}

/// Whether transactions are the reason for a failure: with `pool_mode = statement` there are none. PgBouncer closes the
/// connection over them, so another one is asked.
fn takes_transactions(url: &str) -> bool {
    let Ok(mut conn) = PgConnection::establish(url) else { return true };
    let answers = conn.batch_execute("SELECT 1").is_ok();
    !answers || conn.batch_execute("BEGIN").is_ok()
}
