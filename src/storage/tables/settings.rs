//! Values that the servers of a database share, such as its secret keys.

use diesel::{OptionalExtension, QueryDsl, RunQueryDsl};

use crate::{
    core::model::Timestamp,
    storage::{AnyConn, StorageError, db::sql::sql, schema::settings},
};

/// Name of the setting with the deployment id, by which the nodes of a database recognize each other.
pub const DEPLOYMENT: &str = "deployment";

/// Name of the setting with the mark of the folder of attachments, which a copy of the database keeps.
pub const FILE_MARK: &str = "file_mark";

/// Returns the value of a setting, and creates it with `make` if there is none. Call it in a write
/// transaction. Concurrent callers get the same value.
pub fn get_or_create(
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

/// Returns the value of a setting.
pub(crate) fn get(conn: &mut AnyConn, name: &str) -> Result<Option<String>, StorageError> {
    let found = settings::table.find(name).select(settings::value).first::<String>(conn).optional()?;
    Ok(found)
}

/// Stores the value of a setting.
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

/// Deletes a setting. Returns whether it existed. Of several concurrent callers only one gets `true`.
pub(crate) fn remove(conn: &mut AnyConn, name: &str) -> Result<bool, StorageError> {
    Ok(diesel::delete(settings::table.find(name)).execute(conn)? > 0)
}

/// Name of the setting with the time of the last test write.
const LAST_TRIED: &str = "last_tried_write";

/// Writes a setting, to test whether the database accepts writes.
pub fn note_write(conn: &mut AnyConn) -> Result<(), StorageError> {
    put(conn, LAST_TRIED, &Timestamp::now().to_string())
}
