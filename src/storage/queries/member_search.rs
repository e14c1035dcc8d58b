//! Search for members of a chat by name.

use crate::{
    core::{
        model::{ChatId, Member, UserId, text::fold},
        text_index::Matching,
    },
    storage::{
        AnyConn, StorageError,
        db::{
            like_pattern::{different_words, like_pattern},
            sql::sql,
        },
        tables::members,
    },
};

/// Most distinct words per search; no name has as many.
const MAX_WORDS: usize = 32;

/// Finds members whose names contain every word of `query`. Returns their number and one page, in order of
/// joining.
pub fn search(
    conn: &mut AnyConn,
    chat: ChatId,
    (query, matching): (&str, Matching),
    skip: i64,
    limit: i64,
) -> Result<(i64, Vec<Member>), StorageError> {
    let query = fold(query);
    let words = different_words(&query);
    let longest = words.iter().max_by_key(|word| word.len());
    let Some(longest) = longest.filter(|_| words.len() <= MAX_WORDS) else { return Ok((0, Vec::new())) };
    let pattern = like_pattern(longest);
    let rows = sql!(
        "SELECT u.id, u.name_key FROM members m JOIN users u ON u.id = m.user_id \
         WHERE m.chat_id = ? AND m.left_seq IS NULL AND m.joined_seq > 0 AND u.name_key LIKE ? ESCAPE '\\' \
         ORDER BY m.joined_seq, m.user_id",
        chat,
        &pattern
    )
    .rows::<(i64, String)>(conn)?;
    let found: Vec<UserId> = rows
        .into_iter()
        .filter(|(_, name)| words.iter().all(|word| matching.finds(name, word)))
        .map(|(id, _)| UserId(id))
        .collect();
    let page: Vec<UserId> = found.iter().skip(skip as usize).take(limit as usize).copied().collect();
    Ok((found.len() as i64, members::among(conn, chat, &page)?))
}
