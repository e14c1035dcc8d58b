//! The search among a user's chats: by their titles, and by the names of those in them.

use std::collections::{HashMap, HashSet};

use crate::{
    core::{model::UserId, text_index::Matching},
    storage::{
        AnyConn, StorageError,
        db::{like_pattern::like_pattern, sql::sql},
    },
};

/// Different words that a search may have. More are found nowhere.
const MOST_WORDS: usize = 32;

/// The names of the members of larger chats are not looked at one by one.
const LARGE: i64 = 100;

/// Most users of a name who are looked for in large chats. Of more there is soon one among the members.
const MOST_NAMED: i64 = 1_000;

/// The ids, in order, of the user's chats in whose title or members' names each word is found. The user's own name
/// would find them all, so it counts only where nobody else is in the chat and it is the title. The database looks for the
/// longest word; the others are looked for in what that finds.
pub fn with_every_word(
    conn: &mut AnyConn,
    user: UserId,
    words: &[&str],
    matching: Matching,
) -> Result<Vec<i64>, StorageError> {
    let longest = words.iter().max_by_key(|word| word.len());
    let Some(longest) = longest.filter(|_| words.len() <= MOST_WORDS) else { return Ok(Vec::new()) };
    let mut found = with_word(conn, user, longest)?;
    if words.len() > 1 || matching != Matching::Substring {
        keep_matching(conn, user, &mut found, words, matching)?;
    }
    Ok(found)
}

fn with_word(conn: &mut AnyConn, user: UserId, word: &str) -> Result<Vec<i64>, StorageError> {
    let pattern = like_pattern(word);
    let named = if has_large(conn, user)? { named(conn, &pattern)? } else { Vec::new() };
    let are_few = (named.len() as i64) < MOST_NAMED;
    let by_name_up_to = if are_few { LARGE } else { i64::MAX };
    let mut found = by_title_or_name(conn, user, &pattern, by_name_up_to)?;
    if are_few && !named.is_empty() {
        found.extend(large_with_one_of(conn, user, &named)?);
        found.sort_unstable();
        found.dedup();
    }
    Ok(found)
}

/// Chats whose titles and names are read at a time.
const PART: usize = 100;

/// Leaves the chats in whose title or names each word is found in this way.
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
    for part in chats.chunks(PART) {
        let titles = sql!(
            "SELECT id, title_key FROM chats WHERE id IN ? AND title_key LIKE ? ESCAPE '\\'",
            part,
            &pattern
        );
        let mut missing: HashMap<i64, Vec<&str>> = part.iter().map(|chat| (*chat, words.to_vec())).collect();
        strike_out(&mut missing, titles.rows(conn)?, matching);
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
            strike_out(&mut missing, names.rows(conn)?, matching);
        }
        found.extend(missing.into_iter().filter(|(_, words)| words.is_empty()).map(|(chat, _)| chat));
    }
    chats.retain(|id| found.contains(id));
    Ok(())
}

/// Strikes out of what is missing in each chat the words that are found in its texts.
fn strike_out(missing: &mut HashMap<i64, Vec<&str>>, texts: Vec<(i64, String)>, matching: Matching) {
    for (chat, text) in texts {
        if let Some(words) = missing.get_mut(&chat) {
            words.retain(|word| !matching.finds(&text, word));
        }
    }
}

/// The chats with a title that fits, and of those with so many members at most also the ones with a name that fits.
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
    Ok(rows.rows::<(i64,)>(conn)?.into_iter().map(|(id,)| id).collect())
}

/// Whether the user is in a large chat.
fn has_large(conn: &mut AnyConn, user: UserId) -> Result<bool, StorageError> {
    let row = sql!(
        "SELECT c.id FROM members m JOIN chats c ON c.id = m.chat_id \
         WHERE m.user_id = ? AND m.left_seq IS NULL AND c.member_count > ? AND c.deleted_at IS NULL LIMIT 1",
        user,
        LARGE
    );
    Ok(row.first::<(i64,)>(conn)?.is_some())
}

/// Some users with a name that fits; all of them, where they are few.
fn named(conn: &mut AnyConn, pattern: &str) -> Result<Vec<i64>, StorageError> {
    let rows = sql!(
        // Each half has an index of its own.
        "SELECT id FROM users WHERE is_active AND name_key LIKE ? ESCAPE '\\' \
         UNION ALL SELECT id FROM users WHERE NOT is_active AND name_key LIKE ? ESCAPE '\\' LIMIT ?",
        pattern,
        pattern,
        MOST_NAMED
    );
    Ok(rows.rows::<(i64,)>(conn)?.into_iter().map(|(id,)| id).collect())
}

/// The user's large chats in which one of these others is.
fn large_with_one_of(conn: &mut AnyConn, user: UserId, named: &[i64]) -> Result<Vec<i64>, StorageError> {
    let rows = match conn {
        AnyConn::Sqlite(_) => sql!(
            "SELECT c.id FROM members m JOIN chats c ON c.id = m.chat_id \
             WHERE m.user_id = ? AND m.left_seq IS NULL AND c.member_count > ? AND c.deleted_at IS NULL AND EXISTS ( \
                SELECT 1 FROM members o WHERE o.chat_id = c.id AND o.user_id IN ? \
                AND o.user_id <> m.user_id AND o.left_seq IS NULL)",
            user,
            LARGE,
            named
        )
        .rows::<(i64,)>(conn)?,
        // As an array they are looked up in the index.
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
    };
    Ok(rows.into_iter().map(|(id,)| id).collect())
}
