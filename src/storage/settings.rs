//! Values that a database keeps for its servers: the keys made for it.

use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, RunQueryDsl};

use super::{AnyConn, StorageError, sql::sql};
use crate::{model::Timestamp, schema::settings};

/// The value of a setting; `make` gives it where there is none yet. Call it in a transaction that may write.
pub fn get_or_make(
    conn: &mut AnyConn,
    name: &str,
    make: impl FnOnce() -> String,
) -> Result<String, StorageError> {
    let found = settings::table.find(name).select(settings::value).first::<String>(conn).optional()?;
    if let Some(value) = found {
        return Ok(value);
    }
    let value = make();
    diesel::insert_into(settings::table)
        .values((settings::name.eq(name), settings::value.eq(&value)))
        .execute(conn)?;
    Ok(value)
}

/// When a write was last tried for its own sake.
const LAST_TRIED: &str = "last_tried_write";

/// Writes something, to learn whether that is possible.
pub fn note_write(conn: &mut AnyConn) -> Result<(), StorageError> {
    let now = Timestamp::now().to_string();
    sql!(
        "INSERT INTO settings (name, value) VALUES (?, ?) \
         ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        LAST_TRIED,
        &now
    )
    .run(conn)?;
    Ok(())
}
