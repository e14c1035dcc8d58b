//! Rooms: found by their object, listed, searched. Only public ones are listed, newest first.

use super::{
    AnyConn, KnownChats, StorageError,
    chats::chat_columns,
    membership::{Membership, MembershipRow, me_columns, membership_from, place_columns},
    patterns::{different_words, like_pattern},
    sql::sql,
};
use crate::model::{ChatId, HostObject, ShownChat, UserId, text::fold};

/// The room of an object, public or not.
pub fn of_object(conn: &mut AnyConn, object: &HostObject) -> Result<Option<ChatId>, StorageError> {
    let row = sql!(
        "SELECT id FROM chats WHERE object_id = ? AND object_type = ? AND deleted_at IS NULL",
        &object.id,
        &object.kind
    );
    Ok(row.first::<(i64,)>(conn)?.map(|(id,)| ChatId(id)))
}

/// Which public rooms to list.
#[derive(Debug, Clone, Default)]
pub struct RoomFilter {
    /// Every word must be found in the title.
    pub search: String,
    pub object_type: Option<String>,
    pub object_id: Option<String>,
}

/// How many public rooms pass the filter, and those from number `skip` on as `user` sees them, newest first. A search
/// finds no more than [`MOST_FOUND`], and looks at no more than [`MOST_SEARCHED`].
pub fn page(
    conn: &mut AnyConn,
    known: &KnownChats,
    user: UserId,
    filter: &RoomFilter,
    skip: i64,
    limit: i64,
) -> Result<(i64, Vec<ShownChat>), StorageError> {
    let search = fold(&filter.search);
    let words = different_words(&search);
    let kind = filter.object_type.as_deref();
    let (count, ids) = match &filter.object_id {
        None if words.is_empty() => (count(conn, kind)?, newest(conn, kind, skip, limit)?),
        id => {
            let found = match id {
                Some(id) => on_object(conn, kind, id, &words)?,
                None => with_words(conn, kind, &words)?,
            };
            let page = found.iter().copied().skip(skip as usize).take(limit as usize);
            (found.len() as i64, page.collect())
        }
    };
    let look = known.look(conn)?;
    let rooms = met(conn, user, &ids)?.into_iter().map(|room| look.shown(conn, room));
    Ok((count, rooms.collect::<Result<_, _>>()?))
}

fn count(conn: &mut AnyConn, object_type: Option<&str>) -> Result<i64, StorageError> {
    let (count,) = match object_type {
        None => {
            sql!("SELECT count(*) FROM chats WHERE is_public AND deleted_at IS NULL").one::<(i64,)>(conn)?
        }
        Some(kind) => sql!(
            "SELECT count(*) FROM chats WHERE is_public AND deleted_at IS NULL AND object_type = ?",
            kind
        )
        .one(conn)?,
    };
    Ok(count)
}

fn newest(
    conn: &mut AnyConn,
    object_type: Option<&str>,
    skip: i64,
    limit: i64,
) -> Result<Vec<i64>, StorageError> {
    let rows = match object_type {
        None => sql!(
            "SELECT id FROM chats WHERE is_public AND deleted_at IS NULL ORDER BY id DESC LIMIT ? OFFSET ?",
            limit,
            skip
        )
        .rows::<(i64,)>(conn)?,
        Some(kind) => sql!(
            "SELECT id FROM chats WHERE is_public AND deleted_at IS NULL AND object_type = ? \
             ORDER BY id DESC LIMIT ? OFFSET ?",
            kind,
            limit,
            skip
        )
        .rows(conn)?,
    };
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// A room's id and its title as it is searched.
type Titled = (i64, Option<String>);

fn has_words((_, title): &Titled, words: &[&str]) -> bool {
    words.iter().all(|word| title.as_deref().is_some_and(|title| title.contains(word)))
}

/// The public rooms on objects of this id: one, where the type is named too.
fn on_object(
    conn: &mut AnyConn,
    object_type: Option<&str>,
    object_id: &str,
    words: &[&str],
) -> Result<Vec<i64>, StorageError> {
    let rows = sql!(
        "SELECT id, title_key FROM chats WHERE is_public AND deleted_at IS NULL AND object_id = ? \
         AND object_type = coalesce(?, object_type) ORDER BY id DESC",
        object_id,
        object_type
    )
    .rows::<Titled>(conn)?;
    Ok(rows.into_iter().filter(|room| has_words(room, words)).map(|(id, _)| id).collect())
}

/// Most rooms that a search finds.
pub const MOST_FOUND: usize = 1_000;

/// Most rooms, the newest ones, whose titles a search looks at.
pub const MOST_SEARCHED: i64 = 250_000;

/// The newest public rooms in whose title each word is found. The database narrows by the longest word, some rooms at
/// a time, until there are enough.
fn with_words(
    conn: &mut AnyConn,
    object_type: Option<&str>,
    words: &[&str],
) -> Result<Vec<i64>, StorageError> {
    let longest = words.iter().max_by_key(|word| word.len()).copied().unwrap_or_default();
    let pattern = like_pattern(longest);
    let last = newest(conn, object_type, MOST_SEARCHED - 1, 1)?.first().copied().unwrap_or(0);
    let (mut found, mut before) = (Vec::new(), i64::MAX);
    loop {
        let rooms = some_with(conn, object_type, &pattern, last..before)?;
        let is_all = rooms.len() < MOST_FOUND;
        before = rooms.last().map_or(0, |(id, _)| *id);
        found.extend(rooms.iter().filter(|room| has_words(room, words)).map(|(id, _)| *id));
        if is_all || found.len() >= MOST_FOUND {
            found.truncate(MOST_FOUND);
            return Ok(found);
        }
    }
}

fn some_with(
    conn: &mut AnyConn,
    object_type: Option<&str>,
    pattern: &str,
    ids: std::ops::Range<i64>,
) -> Result<Vec<Titled>, StorageError> {
    let limit = MOST_FOUND as i64;
    let rows = match object_type {
        None => sql!(
            "SELECT id, title_key FROM chats WHERE is_public AND deleted_at IS NULL AND id < ? AND id >= ? \
             AND title_key LIKE ? ESCAPE '\\' ORDER BY id DESC LIMIT ?",
            ids.end,
            ids.start,
            pattern,
            limit
        )
        .rows(conn)?,
        Some(kind) => sql!(
            "SELECT id, title_key FROM chats WHERE is_public AND deleted_at IS NULL AND object_type = ? \
             AND id < ? AND id >= ? AND title_key LIKE ? ESCAPE '\\' ORDER BY id DESC LIMIT ?",
            kind,
            ids.end,
            ids.start,
            pattern,
            limit
        )
        .rows(conn)?,
    };
    Ok(rows)
}

/// Rooms as a user meets them, newest first.
fn met(conn: &mut AnyConn, user: UserId, ids: &[i64]) -> Result<Vec<Membership>, StorageError> {
    let rows = sql!(
        concat!(
            "SELECT ",
            chat_columns!(),
            ", ",
            place_columns!(),
            " FROM chats c ",
            "LEFT JOIN members m ON m.chat_id = c.id AND m.user_id = ? AND m.left_seq IS NULL ",
            "WHERE c.id IN ? ORDER BY c.id DESC"
        ),
        user,
        ids
    )
    .rows::<MembershipRow>(conn)?;
    Ok(rows.into_iter().map(|row| membership_from(user, row)).collect())
}
