//! Finds messages with attachments, the newest first, among the rows of the attachments.

use std::ops::Range;

use super::{
    query::{Hits, Scope},
    texts,
};
use crate::{
    core::{model::case_folding::fold, text_index::Words},
    storage::{AnyConn, StorageError, db::sql::sql},
};

/// Rows read per query.
const BATCH: i64 = 256;

/// Rows after which a search is cut short. Most of them may be of chats of other users.
const MAX_ROWS: i64 = 16_384;

/// Returns the newest messages with attachments in a range of ids in which every word matches, at most `limit`.
pub(super) fn newest(
    conn: &mut AnyConn,
    scope: &Scope,
    words: &Words,
    ids: Range<i64>,
    limit: usize,
) -> Result<Hits, StorageError> {
    let mut hits = Hits::default();
    let (mut end, mut read) = (ids.end, 0);
    loop {
        let rows = rows(conn, scope, ids.start..end)?;
        let is_last = (rows.len() as i64) < BATCH;
        read += rows.len() as i64;
        end = rows.last().map_or(ids.start, |(message, _)| *message);
        let mut found: Vec<i64> =
            rows.into_iter().filter(|(_, chat)| scope.has(*chat)).map(|(message, _)| message).collect();
        found.dedup();
        if words.count() > 0 {
            let texts = texts::with_ids(conn, &found)?;
            let matches = |text: &str| words.found_in(&fold(text)) == words.count();
            found = texts.into_iter().filter(|(_, _, text)| matches(text)).map(|(id, ..)| id).collect();
        }
        hits.ids.extend(found);
        if hits.ids.len() >= limit {
            hits.ids.truncate(limit);
            return Ok(hits);
        }
        if is_last {
            return Ok(hits);
        }
        if read >= MAX_ROWS {
            hits.stopped = Some(end);
            return Ok(hits);
        }
    }
}

/// Returns the newest attachments in a range of message ids: the message and the chat of each.
fn rows(conn: &mut AnyConn, scope: &Scope, ids: Range<i64>) -> Result<Vec<(i64, i64)>, StorageError> {
    let rows = match scope {
        Scope::Chat(chat) => sql!(
            "SELECT message_id, chat_id FROM attachments WHERE chat_id = ? AND message_id >= ? AND message_id < ? \
             ORDER BY message_id DESC LIMIT ?",
            chat.id,
            ids.start,
            ids.end,
            BATCH
        )
        .rows(conn)?,
        Scope::Mine { .. } => sql!(
            "SELECT message_id, chat_id FROM attachments WHERE message_id >= ? AND message_id < ? \
             ORDER BY message_id DESC LIMIT ?",
            ids.start,
            ids.end,
            BATCH
        )
        .rows(conn)?,
    };
    Ok(rows)
}
