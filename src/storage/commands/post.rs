//! Posting many messages at once. Each message follows the rules of a single post.

use std::collections::{BTreeSet, HashMap};

use super::{bulk_insert::post_all, drafts, messages::Post, outcome::Outcome, post_each::post_each};
use crate::{
    core::model::{Chat, ChatId, Refusal, event::Done},
    storage::{
        AnyConn, StorageError, StoragePolicy,
        tables::locks::{self, LockedRows},
    },
};

/// Posts one message.
pub(crate) fn post(conn: &mut AnyConn, policy: &StoragePolicy, post: Post) -> Result<Done, StorageError> {
    let mut chats = locks::chats(conn, &BTreeSet::from([post.chat]), LockedRows::Wait)?;
    let outcome = post_together(conn, policy, &mut chats, &[post])?.pop();
    outcome.unwrap_or(Err(Refusal::Internal.into()))
}

/// Posts messages in locked chats, and updates `chats` to their new state. No two posts have the same chat,
/// sender and client id.
pub(crate) fn post_together(
    conn: &mut AnyConn,
    policy: &StoragePolicy,
    chats: &mut HashMap<ChatId, Chat>,
    posts: &[Post],
) -> Result<Vec<Outcome>, StorageError> {
    if posts.is_empty() {
        return Ok(Vec::new());
    }
    let mut outcomes = match conn {
        AnyConn::Sqlite(_) => post_each(conn, policy, chats, posts),
        AnyConn::Postgres(_) => post_all(conn, policy, chats, posts),
    }?;
    drafts::remove_sent(conn, chats, posts, &mut outcomes)?;
    Ok(outcomes)
}
