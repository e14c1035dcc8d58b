//! The messages that new messages reply to.

use std::collections::HashMap;

use super::messages::Post;
use crate::{
    core::model::{ChatId, FieldErrors, MessageId, Quote, Refusal},
    storage::{AnyConn, StorageError, tables::quotes},
};

/// What is quoted in the posts of one batch.
pub(super) struct Quotes(HashMap<MessageId, (ChatId, Quote)>);

impl Quotes {
    /// Loads what is quoted in these posts. Without quotes it takes no statement.
    pub(super) fn of(conn: &mut AnyConn, posts: &[Post]) -> Result<Self, StorageError> {
        Ok(Self(quotes::load(conn, posts.iter().filter_map(|post| post.new.reply_to))?))
    }

    /// Returns what is quoted in a post. The quoted message must be in the same chat, and not deleted.
    pub(super) fn find(&self, post: &Post) -> Result<Option<Quote>, Refusal> {
        let Some(id) = post.new.reply_to else { return Ok(None) };
        match self.0.get(&id) {
            Some((chat, quote)) if *chat == post.chat && !quote.is_deleted => Ok(Some(quote.clone())),
            _ => {
                let sentence = format!("Invalid pk \"{id}\" - object does not exist.");
                Err(FieldErrors::of("reply_to", sentence).into())
            }
        }
    }
}
