//! Search in a user's chats: by title, and by the names of members.

use std::collections::{HashMap, HashSet};

use crate::{
    core::{model::UserId, text_index::Matching},
    storage::{
        AnyConn, StorageError,
        db::{like_pattern::like_pattern, sql::sql},
    },
};

/// Most distinct words per search. A search with more finds nothing.
const MAX_WORDS: usize = 32;

/// In chats with more members than this, members' names are not scanned one by one.
const LARGE: i64 = 100;

/// Most users with a matching name for whom large chats are searched. With more of them, a scan of a chat
/// soon finds one.
const MAX_NAMED: i64 = 1_000;

/// Returns the sorted ids of the user's chats in whose title or members' names every word is found. The
/// user's own name would match all of them. So it counts only in a chat without other members, whose title it
/// is. The database searches for the longest word; the others are checked in its results.
pub(crate) fn with_every_word(
    conn: &mut AnyConn,
    user: UserId,
    words: &[&str],
    matching: Matching,
) -> Result<Vec<i64>, StorageError> {
    let longest = words.iter().max_by_key(|word| word.len());
    let Some(longest) = longest.filter(|_| words.len() <= MAX_WORDS) else { return Ok(Vec::new()) };
    let mut found = with_word(conn, user, longest)?;
    if words.len() > 1 || matching != Matching::Substring {
        keep_matching(conn, user, &mut found, words, matching)?;
    }
    Ok(found)
}

fn with_word(conn: &mut AnyConn, user: UserId, word: &str) -> Result<Vec<i64>, StorageError> {
    let pattern = like_pattern(word);
    let named = if has_large(conn, user)? { users_named(conn, &pattern)? } else { Vec::new() };
    let are_few = (named.len() as i64) < MAX_NAMED;
    let by_name_up_to = if are_few { LARGE } else { i64::MAX };
    let mut found = by_title_or_name(conn, user, &pattern, by_name_up_to)?;
    if are_few && !named.is_empty() {
        found.extend(large_with_one_of(conn, user, &named)?);
        found.sort_unstable();
        found.dedup();
    }
    Ok(found)
}

/// Chats whose titles and names are read per query.
const BATCH: usize = 100;

/// Keeps the chats in whose title or names every word matches.
fn keep_matching(
    conn: &mut AnyConn,
    user: UserId,
    chats: &mut Vec<i64>,
    words: &[&str],
    matching: Matching,
) -> Result<(), StorageError> {
    let pattern = match words {
        [word] => like_pattern(word),
        _ => "%".to_owned(),
    };
    let mut found = HashSet::new();
    for part in chats.chunks(BATCH) {
        let titles = sql!(
            "SELECT id, title_key FROM chats WHERE id IN ? AND title_key LIKE ? ESCAPE '\\'",
            part,
            &pattern
        );
        let mut missing: HashMap<i64, Vec<&str>> = part.iter().map(|chat| (*chat, words.to_vec())).collect();
        remove_found(&mut missing, titles.rows(conn)?, matching);
        let rest: Vec<i64> = part.iter().copied().filter(|chat| !missing[chat].is_empty()).collect();
        if !rest.is_empty() {
            let names = sql!(
                "SELECT c.id, u.name_key FROM chats c JOIN members o ON o.chat_id = c.id JOIN users u ON u.id = o.user_id \
                 WHERE c.id IN ? AND o.left_seq IS NULL AND o.joined_seq > 0 \
                 AND (o.user_id <> ? OR c.member_count = 1) AND u.name_key LIKE ? ESCAPE '\\'",
                rest.as_slice(),
                user,
                &pattern
            );
            remove_found(&mut missing, names.rows(conn)?, matching);
        }
        found.extend(missing.into_iter().filter(|(_, words)| words.is_empty()).map(|(chat, _)| chat));
    }
    chats.retain(|id| found.contains(id));
    Ok(())
}

/// Removes from each chat's missing words those that match in its texts.
fn remove_found(missing: &mut HashMap<i64, Vec<&str>>, texts: Vec<(i64, String)>, matching: Matching) {
    for (chat, text) in texts {
        if let Some(words) = missing.get_mut(&chat) {
            words.retain(|word| !matching.finds(&text, word));
        }
    }
}

/// Returns chats with a matching title. Chats of at most `most_members` members are also found by a member's
/// name.
fn by_title_or_name(
    conn: &mut AnyConn,
    user: UserId,
    pattern: &str,
    most_members: i64,
) -> Result<Vec<i64>, StorageError> {
    let rows = sql!(
        "SELECT c.id FROM members m JOIN chats c ON c.id = m.chat_id \
         WHERE m.user_id = ? AND m.left_seq IS NULL AND c.deleted_at IS NULL AND (c.title_key LIKE ? ESCAPE '\\' \
            OR c.member_count <= ? AND EXISTS ( \
                SELECT 1 FROM members o JOIN users u ON u.id = o.user_id \
                WHERE o.chat_id = c.id AND o.left_seq IS NULL AND o.joined_seq > 0 \
                AND (o.user_id <> m.user_id OR c.member_count = 1) AND u.name_key LIKE ? ESCAPE '\\')) \
         ORDER BY c.id",
        user,
        pattern,
        most_members,
        pattern
    );
    Ok(rows.rows::<i64>(conn)?)
}

/// Returns whether the user is in a large chat.
fn has_large(conn: &mut AnyConn, user: UserId) -> Result<bool, StorageError> {
    let row = sql!(
        "SELECT c.id FROM members m JOIN chats c ON c.id = m.chat_id \
         WHERE m.user_id = ? AND m.left_seq IS NULL AND c.member_count > ? AND c.deleted_at IS NULL LIMIT 1",
        user,
        LARGE
    );
    Ok(row.first::<i64>(conn)?.is_some())
}

/// Returns up to [`MAX_NAMED`] users with a matching name.
fn users_named(conn: &mut AnyConn, pattern: &str) -> Result<Vec<i64>, StorageError> {
    let rows = sql!(
        // Each half uses its own index.
        "SELECT id FROM users WHERE is_active AND name_key LIKE ? ESCAPE '\\' \
         UNION ALL SELECT id FROM users WHERE NOT is_active AND name_key LIKE ? ESCAPE '\\' LIMIT ?",
        pattern,
        pattern,
        MAX_NAMED
    );
    Ok(rows.rows::<i64>(conn)?)
}

/// Returns the user's large chats that have one of these users as another member.
fn large_with_one_of(conn: &mut AnyConn, user: UserId, named: &[i64]) -> Result<Vec<i64>, StorageError> {
    Ok(match conn {
        AnyConn::Sqlite(_) => sql!(
            "SELECT c.id FROM members m JOIN chats c ON c.id = m.chat_id \
             WHERE m.user_id = ? AND m.left_seq IS NULL AND c.member_count > ? AND c.deleted_at IS NULL AND EXISTS ( \
                SELECT 1 FROM members o WHERE o.chat_id = c.id AND o.user_id IN ? \
                AND o.user_id <> m.user_id AND o.left_seq IS NULL)",
            user,
            LARGE,
            named
        )
        .rows(conn)?,
        // PostgreSQL looks up the elements of an array in the index.
        AnyConn::Postgres(_) => sql!(
            "SELECT c.id FROM members m JOIN chats c ON c.id = m.chat_id \
             WHERE m.user_id = ? AND m.left_seq IS NULL AND c.member_count > ? AND c.deleted_at IS NULL AND EXISTS ( \
                SELECT 1 FROM members o WHERE o.chat_id = c.id AND o.user_id = ANY (ARRAY ?) \
                AND o.user_id <> m.user_id AND o.left_seq IS NULL)",
            user,
            LARGE,
            named
        )
        .rows(conn)?,
    })
}
