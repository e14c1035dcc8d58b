//! Rooms: found by their object, listed and searched, newest first. Staff find all rooms, guests those that are open
//! to them, other users the public ones.

use super::membership::{Membership, MembershipRow};
use crate::{
    core::{
        model::{ChatForViewer, ChatId, HostObject, UserId, text::fold},
        text_index::Matching,
    },
    storage::{
        AnyConn, ChatCache, StorageError,
        db::{
            like_pattern::{different_words, like_pattern},
            sql::sql,
        },
        tables::users,
    },
};

/// Returns the room of an object, public or not.
pub fn of_object(conn: &mut AnyConn, object: &HostObject) -> Result<Option<ChatId>, StorageError> {
    let row = sql!(
        "SELECT id FROM chats WHERE object_id = ? AND object_type = ? AND deleted_at IS NULL",
        &object.id,
        &object.kind
    );
    Ok(row.first::<ChatId>(conn)?)
}

/// The rooms that a user may find.
#[derive(Clone, Copy, PartialEq)]
enum Reach {
    Public,
    /// Those that are open to guests.
    Guests,
    /// Private ones too: for staff.
    All,
}

/// Queries the rooms within reach: `$before` and `$after` enclose the condition. Each reach has its own
/// statement, since each has its own index.
macro_rules! within {
    ($conn:expr, $reach:expr, $before:literal, $after:literal $(, $value:expr)* $(,)?) => {
        match $reach {
            Reach::Public => sql!(
                concat!($before, " FROM chats WHERE is_public AND deleted_at IS NULL ", $after) $(, $value)*
            )
            .rows($conn)?,
            Reach::Guests => sql!(
                concat!(
                    $before, " FROM chats WHERE guest_access <> 'none' AND deleted_at IS NULL ", $after
                )
                $(, $value)*
            )
            .rows($conn)?,
            Reach::All => sql!(
                concat!($before, " FROM chats WHERE chat_type = 'room' AND deleted_at IS NULL ", $after) $(, $value)*
            )
            .rows($conn)?,
        }
    };
}

/// Which rooms to list.
#[derive(Debug, Clone, Default)]
pub struct RoomFilter {
    /// Every word must match in the title.
    pub search: String,
    pub matching: Matching,
    pub object_type: Option<String>,
    pub object_id: Option<String>,
}

/// Returns the number of rooms that pass the filter, and one page of them for `user`, newest first. A search
/// finds at most [`MAX_FOUND`] rooms and scans at most [`MAX_SEARCHED`].
pub fn page(
    conn: &mut AnyConn,
    cache: &ChatCache,
    user: UserId,
    filter: &RoomFilter,
    skip: i64,
    limit: i64,
) -> Result<(i64, Vec<ChatForViewer>), StorageError> {
    let search = fold(&filter.search);
    let words = different_words(&search);
    let kind = filter.object_type.as_deref();
    let reach = reach_of(conn, user)?;
    let (count, ids) = match &filter.object_id {
        None if words.is_empty() => (count(conn, reach, kind)?, newest(conn, reach, kind, skip, limit)?),
        id => {
            let found = match id {
                Some(id) => on_object(conn, reach, kind, id, (&words, filter.matching))?,
                None => with_words(conn, reach, kind, (&words, filter.matching))?,
            };
            let page = found.iter().copied().skip(skip as usize).take(limit as usize);
            (found.len() as i64, page.collect())
        }
    };
    let chats = cache.at_snapshot(conn)?.for_viewer(conn, user)?;
    let rooms = load(conn, user, &ids)?.into_iter().map(|room| chats.shown(conn, room));
    Ok((count, rooms.collect::<Result<_, _>>()?))
}

fn reach_of(conn: &mut AnyConn, user: UserId) -> Result<Reach, StorageError> {
    Ok(match users::find(conn, user)? {
        Some(user) if user.is_staff => Reach::All,
        Some(user) if user.is_guest => Reach::Guests,
        _ => Reach::Public,
    })
}

fn count(conn: &mut AnyConn, reach: Reach, object_type: Option<&str>) -> Result<i64, StorageError> {
    let counts: Vec<i64> = match object_type {
        None => within!(conn, reach, "SELECT count(*)", ""),
        Some(kind) => within!(conn, reach, "SELECT count(*)", "AND object_type = ?", kind),
    };
    Ok(counts.first().copied().unwrap_or(0))
}

fn newest(
    conn: &mut AnyConn,
    reach: Reach,
    object_type: Option<&str>,
    skip: i64,
    limit: i64,
) -> Result<Vec<i64>, StorageError> {
    Ok(match object_type {
        None => within!(conn, reach, "SELECT id", "ORDER BY id DESC LIMIT ? OFFSET ?", limit, skip),
        Some(kind) => within!(
            conn,
            reach,
            "SELECT id",
            "AND object_type = ? ORDER BY id DESC LIMIT ? OFFSET ?",
            kind,
            limit,
            skip
        ),
    })
}

/// A room's id and its folded title.
type Titled = (i64, Option<String>);

/// Search words, and how they must match in a title.
type TitleQuery<'a> = (&'a [&'a str], Matching);

fn has_words((_, title): &Titled, (words, matching): TitleQuery) -> bool {
    words.iter().all(|word| title.as_deref().is_some_and(|title| matching.finds(title, word)))
}

/// Returns the rooms on objects with this id: at most one where the type is given too.
fn on_object(
    conn: &mut AnyConn,
    reach: Reach,
    object_type: Option<&str>,
    object_id: &str,
    query: TitleQuery,
) -> Result<Vec<i64>, StorageError> {
    let rows: Vec<Titled> = within!(
        conn,
        reach,
        "SELECT id, title_key",
        "AND object_id = ? AND object_type = coalesce(?, object_type) ORDER BY id DESC",
        object_id,
        object_type
    );
    Ok(rows.into_iter().filter(|room| has_words(room, query)).map(|(id, _)| id).collect())
}

/// Most rooms that a search finds.
pub const MAX_FOUND: usize = 1_000;

/// Most rooms whose titles a search scans, from the newest on.
pub const MAX_SEARCHED: i64 = 250_000;

/// Returns the newest rooms in whose title every word matches. The database filters by the longest word, in
/// batches, until there are enough.
fn with_words(
    conn: &mut AnyConn,
    reach: Reach,
    object_type: Option<&str>,
    query: TitleQuery,
) -> Result<Vec<i64>, StorageError> {
    let longest = query.0.iter().max_by_key(|word| word.len()).copied().unwrap_or_default();
    let pattern = like_pattern(longest);
    let last = newest(conn, reach, object_type, MAX_SEARCHED - 1, 1)?.first().copied().unwrap_or(0);
    let (mut found, mut before) = (Vec::new(), i64::MAX);
    loop {
        let rooms = some_with(conn, reach, object_type, &pattern, last..before)?;
        let is_all = rooms.len() < MAX_FOUND;
        before = rooms.last().map_or(0, |(id, _)| *id);
        found.extend(rooms.iter().filter(|room| has_words(room, query)).map(|(id, _)| *id));
        if is_all || found.len() >= MAX_FOUND {
            found.truncate(MAX_FOUND);
            return Ok(found);
        }
    }
}

fn some_with(
    conn: &mut AnyConn,
    reach: Reach,
    object_type: Option<&str>,
    pattern: &str,
    ids: std::ops::Range<i64>,
) -> Result<Vec<Titled>, StorageError> {
    let limit = MAX_FOUND as i64;
    Ok(match object_type {
        None => within!(
            conn,
            reach,
            "SELECT id, title_key",
            "AND id < ? AND id >= ? AND title_key LIKE ? ESCAPE '\\' ORDER BY id DESC LIMIT ?",
            ids.end,
            ids.start,
            pattern,
            limit
        ),
        Some(kind) => within!(
            conn,
            reach,
            "SELECT id, title_key",
            "AND object_type = ? AND id < ? AND id >= ? AND title_key LIKE ? ESCAPE '\\' ORDER BY id DESC LIMIT ?",
            kind,
            ids.end,
            ids.start,
            pattern,
            limit
        ),
    })
}

/// Loads these rooms and a user's state in them, newest first.
fn load(conn: &mut AnyConn, user: UserId, ids: &[i64]) -> Result<Vec<Membership>, StorageError> {
    let rows = sql!(
        "SELECT {} FROM chats c LEFT JOIN members m ON m.chat_id = c.id AND m.user_id = ? AND m.left_seq IS NULL \
         WHERE c.id IN ? ORDER BY c.id DESC",
        user,
        ids
    )
    .rows::<MembershipRow>(conn)?;
    Ok(rows.into_iter().map(|row| row.of(user)).collect())
}
