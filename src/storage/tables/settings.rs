//! Values that a database keeps for its servers: the keys made for it.

use diesel::{OptionalExtension, QueryDsl, RunQueryDsl};

use crate::{
    core::model::Timestamp,
    storage::{AnyConn, StorageError, db::sql::sql, schema::settings},
};

/// The name under which the nodes of a database know each other.
pub const DEPLOYMENT: &str = "deployment";

/// The value of a setting; `make` gives it where there is none yet. Call it in a transaction that may write. Whoever asks
/// at the same time gets the same.
pub fn get_or_make(
    conn: &mut AnyConn,
    name: &str,
    make: impl FnOnce() -> String,
) -> Result<String, StorageError> {
    if let Some(value) = get(conn, name)? {
        return Ok(value);
    }
    let value = make();
    sql!("INSERT INTO settings (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING", name, &value)
        .run(conn)?;
    Ok(settings::table.find(name).select(settings::value).first(conn)?)
}

/// The value of a setting.
pub(crate) fn get(conn: &mut AnyConn, name: &str) -> Result<Option<String>, StorageError> {
    let found = settings::table.find(name).select(settings::value).first::<String>(conn).optional()?;
    Ok(found)
}

/// Gives a setting its value.
pub(crate) fn put(conn: &mut AnyConn, name: &str, value: &str) -> Result<(), StorageError> {
    sql!(
        "INSERT INTO settings (name, value) VALUES (?, ?) \
         ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        name,
        value
    )
    .run(conn)?;
    Ok(())
}

/// Forgets a setting. Returns whether it was there; of several who ask at the same time one is told so.
pub(crate) fn remove(conn: &mut AnyConn, name: &str) -> Result<bool, StorageError> {
    Ok(diesel::delete(settings::table.find(name)).execute(conn)? > 0)
}

/// When a write was last tried for its own sake.
const LAST_TRIED: &str = "last_tried_write";

/// Writes something, to learn whether that is possible.
pub fn note_write(conn: &mut AnyConn) -> Result<(), StorageError> {
    put(conn, LAST_TRIED, &Timestamp::now().to_string())
}
