//! Password hashes that are not of the current kind, and how long verifying the slowest of them takes.
//!
//! That time is recorded in a setting. A record is never too short: an import raises it in the transaction
//! that stores a hash, and a server lowers it only if nothing was imported since it began to look.

use std::time::Duration;

use super::{settings, users::NO_PASSWORD};
use crate::{
    core::model::{Timestamp, UserId},
    storage::{AnyConn, StorageError, db::sql::sql},
};

/// Name of the setting.
const SETTING: &str = "slowest_hash";

/// Number of digits of the milliseconds in the setting.
const DIGITS: usize = 10;

/// Largest number of hashes in one page.
const PAGE: i64 = 1_000;

/// A recorded time: milliseconds with leading zeros, so that texts compare as numbers do, and when it was
/// recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded(String);

impl Recorded {
    fn new(slowest: Duration) -> Self {
        let (millis, now) = (slowest.as_millis(), Timestamp::now().0);
        Self(format!("{millis:0DIGITS$} {now}"))
    }

    /// Returns the time, rounded down to milliseconds.
    pub fn slowest(&self) -> Duration {
        let millis = self.0.get(..DIGITS).and_then(|digits| digits.parse().ok());
        Duration::from_millis(millis.unwrap_or(0))
    }
}

/// Returns the record, if there is one.
pub fn recorded(conn: &mut AnyConn) -> Result<Option<Recorded>, StorageError> {
    Ok(settings::get(conn, SETTING)?.map(Recorded))
}

/// Returns the recorded time; zero without one.
pub fn slowest(conn: &mut AnyConn) -> Result<Duration, StorageError> {
    Ok(recorded(conn)?.map_or(Duration::ZERO, |recorded| recorded.slowest()))
}

/// Raises the recorded time if it is shorter, and in any case renews the record. For the transaction that
/// stores a hash.
pub fn raise(conn: &mut AnyConn, slowest: Duration) -> Result<(), StorageError> {
    let new = Recorded::new(slowest);
    sql!(
        "INSERT INTO settings (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = \
         CASE WHEN settings.value < excluded.value THEN excluded.value \
         ELSE substr(settings.value, 1, 10) || substr(excluded.value, 11) END",
        SETTING,
        &new.0
    )
    .run(conn)?;
    Ok(())
}

/// Replaces a record by the time that all hashes were found to need, unless it was renewed since.
pub fn replace(conn: &mut AnyConn, before: &Recorded, slowest: Duration) -> Result<(), StorageError> {
    let new = Recorded::new(slowest);
    sql!("UPDATE settings SET value = ? WHERE name = ? AND value = ?", &new.0, SETTING, &before.0)
        .run(conn)?;
    Ok(())
}

/// Loads hashes that do not begin with `current`, with their users, by id. `after`: the last user of the page
/// before.
pub fn page(conn: &mut AnyConn, after: UserId, current: &str) -> Result<Vec<(UserId, String)>, StorageError> {
    let ours = format!("{current}%");
    let rows = sql!(
        "SELECT id, password FROM users WHERE id > ? AND password <> ? AND password NOT LIKE ? \
         ORDER BY id LIMIT ?",
        after,
        NO_PASSWORD,
        &ours,
        PAGE
    );
    Ok(rows.rows::<(UserId, String)>(conn)?)
}
