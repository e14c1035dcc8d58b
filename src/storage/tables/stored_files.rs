//! Files in the store: how many attachments show each, who may write its bytes, and how much space they take. A file
//! without references waits in this table until its bytes are deleted.

use std::collections::BTreeMap;

use crate::{
    core::model::{FileId, Timestamp, UserId},
    storage::{AnyConn, StorageError, db::sql::sql},
};

/// The user id under which the bytes of all users are counted.
pub const SITE: UserId = UserId(0);

/// Adds a file that is not written yet, with one reference.
pub fn insert(conn: &mut AnyConn, user: UserId, size: i64) -> Result<FileId, StorageError> {
    let row = sql!(
        "INSERT INTO stored_files (user_id, size, reference_count) VALUES (?, ?, 1) RETURNING id",
        user,
        size
    );
    Ok(row.one(conn)?)
}

/// Adds a file that a request writes in the place of another one. It has no reference until it takes that place.
pub fn insert_derived(
    conn: &mut AnyConn,
    source: FileId,
    writer: &Writer,
    until: Timestamp,
) -> Result<FileId, StorageError> {
    let now = Timestamp::now();
    let row = sql!(
        "INSERT INTO stored_files (user_id, size, reference_count, dropped_at, writer, writer_until) \
         SELECT user_id, 0, 0, ?, ?, ? FROM stored_files WHERE id = ? RETURNING id",
        now,
        writer,
        until,
        source
    );
    Ok(row.one(conn)?)
}

/// Adds a reference, unless the last one has gone. Returns whether it was added.
pub fn add_reference(conn: &mut AnyConn, file: FileId) -> Result<bool, StorageError> {
    let changed = sql!(
        "UPDATE stored_files SET reference_count = reference_count + 1 WHERE id = ? AND reference_count > 0",
        file
    );
    Ok(changed.run(conn)? > 0)
}

/// Removes a reference to each of these files. Without references, a file's bytes count for nobody and are to be
/// deleted.
pub fn drop_references(conn: &mut AnyConn, mut files: Vec<FileId>) -> Result<(), StorageError> {
    // In one order, and the counts at last, so that two transactions do not wait for each other.
    files.sort_unstable();
    let mut freed: BTreeMap<UserId, i64> = BTreeMap::new();
    for file in files {
        let now = Timestamp::now();
        let dropped = sql!(
            "UPDATE stored_files SET reference_count = reference_count - 1, \
             dropped_at = CASE WHEN reference_count = 1 THEN ? ELSE dropped_at END \
             WHERE id = ? AND reference_count > 0 RETURNING user_id, size, reference_count",
            now,
            file
        );
        let dropped = dropped.first::<(UserId, i64, i64)>(conn)?;
        if let Some((user, size, 0)) = dropped {
            *freed.entry(user).or_default() += size;
        }
    }
    if freed.is_empty() {
        return Ok(());
    }
    add(conn, SITE, -freed.values().sum::<i64>())?;
    freed.into_iter().try_for_each(|(user, bytes)| add(conn, user, -bytes))
}

/// Gives a file that was written in the place of another one its first reference, and its size. Returns whether it was
/// still there.
pub fn replace(conn: &mut AnyConn, old: FileId, new: FileId, size: i64) -> Result<bool, StorageError> {
    let user = sql!(
        "UPDATE stored_files SET reference_count = 1, dropped_at = NULL, size = ?, writer = NULL, writer_until = NULL \
         WHERE id = ? AND reference_count = 0 RETURNING user_id",
        size,
        new
    );
    let Some(user) = user.first::<UserId>(conn)? else { return Ok(false) };
    drop_references(conn, vec![old])?;
    count(conn, user, size)?;
    Ok(true)
}

/// The owner of a right to write a file's bytes: a request, by a random name.
pub type Writer = str;

/// Gives a request the right to write a file's bytes. `takes_over`: whether another request may have it now. Returns
/// whether it was given: not for a file that is to be deleted.
pub fn begin_writing(
    conn: &mut AnyConn,
    file: FileId,
    writer: &Writer,
    until: Timestamp,
    takes_over: bool,
) -> Result<bool, StorageError> {
    let now = Timestamp::now();
    let changed = sql!(
        "UPDATE stored_files SET writer = ?, writer_until = ? WHERE id = ? AND reference_count > 0 \
         AND (? OR writer IS NULL OR writer_until < ?)",
        writer,
        until,
        file,
        takes_over,
        now
    );
    Ok(changed.run(conn)? > 0)
}

/// Extends the right of a request to write. Returns whether it still has it.
pub fn go_on_writing(
    conn: &mut AnyConn,
    file: FileId,
    writer: &Writer,
    until: Timestamp,
) -> Result<bool, StorageError> {
    let changed = sql!(
        "UPDATE stored_files SET writer_until = ? WHERE id = ? AND writer = ? AND reference_count > 0",
        until,
        file,
        writer
    );
    Ok(changed.run(conn)? > 0)
}

/// Returns the request that has the right to write a file's bytes now.
pub fn writer_of(conn: &mut AnyConn, file: FileId) -> Result<Option<String>, StorageError> {
    let now = Timestamp::now();
    let row = sql!("SELECT writer FROM stored_files WHERE id = ? AND writer_until >= ?", file, now);
    Ok(row.first::<Option<String>>(conn)?.flatten())
}

/// Ends the right of a request to write.
pub fn end_writing(conn: &mut AnyConn, file: FileId, writer: &Writer) -> Result<(), StorageError> {
    sql!(
        "UPDATE stored_files SET writer = NULL, writer_until = NULL WHERE id = ? AND writer = ?",
        file,
        writer
    )
    .run(conn)?;
    Ok(())
}

/// Ends all rights to write. Only for a database whose only server has just started.
pub fn end_all_writing(conn: &mut AnyConn) -> Result<(), StorageError> {
    sql!("UPDATE stored_files SET writer = NULL, writer_until = NULL WHERE writer IS NOT NULL").run(conn)?;
    Ok(())
}

/// Returns files whose bytes are to be deleted, the oldest first. Leaves out those that a request still writes.
pub fn dropped(conn: &mut AnyConn, limit: i64) -> Result<Vec<FileId>, StorageError> {
    let now = Timestamp::now();
    let rows = sql!(
        "SELECT id FROM stored_files WHERE reference_count = 0 AND (writer IS NULL OR writer_until < ?) \
         ORDER BY id LIMIT ?",
        now,
        limit
    );
    Ok(rows.rows(conn)?)
}

/// Forgets files whose bytes are deleted.
pub fn forget(conn: &mut AnyConn, files: &[FileId]) -> Result<(), StorageError> {
    let (ids, now): (Vec<i64>, _) = (files.iter().map(|file| file.0).collect(), Timestamp::now());
    sql!(
        "DELETE FROM stored_files WHERE id IN ? AND reference_count = 0 AND (writer IS NULL OR writer_until < ?)",
        ids.as_slice(),
        now
    )
    .run(conn)?;
    Ok(())
}

/// Returns whether a file has a row.
pub fn is_known(conn: &mut AnyConn, file: FileId) -> Result<bool, StorageError> {
    Ok(sql!("SELECT id FROM stored_files WHERE id = ?", file).first::<FileId>(conn)?.is_some())
}

/// Returns whether a file has a reference.
pub fn is_kept(conn: &mut AnyConn, file: FileId) -> Result<bool, StorageError> {
    let row = sql!("SELECT id FROM stored_files WHERE id = ? AND reference_count > 0", file);
    Ok(row.first::<FileId>(conn)?.is_some())
}

/// Returns the files above an id, in the order of their ids, and whether each has its bytes in the store: not one that
/// is to be deleted, or whose upload is not complete.
pub fn after(conn: &mut AnyConn, file: FileId, limit: i64) -> Result<Vec<(FileId, bool)>, StorageError> {
    let rows = sql!(
        "SELECT f.id, f.reference_count > 0 AND EXISTS (SELECT 1 FROM attachments a WHERE a.file_id = f.id \
            AND a.state NOT IN ('pending', 'blocked')) FROM stored_files f WHERE f.id > ? ORDER BY f.id LIMIT ?",
        file,
        limit
    );
    Ok(rows.rows(conn)?)
}

/// Counts bytes against the quotas of a user and of the site. All transactions count for the site first.
pub fn count(conn: &mut AnyConn, user: UserId, bytes: i64) -> Result<(), StorageError> {
    add(conn, SITE, bytes)?;
    add(conn, user, bytes)
}

fn add(conn: &mut AnyConn, whose: UserId, bytes: i64) -> Result<(), StorageError> {
    sql!(
        "INSERT INTO file_usage (user_id, bytes) VALUES (?, ?) \
         ON CONFLICT (user_id) DO UPDATE SET bytes = file_usage.bytes + excluded.bytes",
        whose,
        bytes
    )
    .run(conn)?;
    Ok(())
}

/// Returns the bytes that count against the quota of a user, or of the site.
pub fn counted(conn: &mut AnyConn, whose: UserId) -> Result<i64, StorageError> {
    Ok(sql!("SELECT bytes FROM file_usage WHERE user_id = ?", whose).first::<i64>(conn)?.unwrap_or(0))
}

/// Locks the count of the site until the transaction ends, so that no other one counts meanwhile.
pub fn lock_counts(conn: &mut AnyConn) -> Result<(), StorageError> {
    // Without the row there is nothing to lock. The first two uploads of all may exceed the quota together.
    if let AnyConn::Postgres(_) = conn {
        sql!("SELECT user_id FROM file_usage WHERE user_id = ? FOR NO KEY UPDATE", SITE)
            .first::<i64>(conn)?;
    }
    Ok(())
}
