//! The messages that new messages refer to: quoted and forwarded ones, and roots of threads.

use std::collections::HashMap;

use super::{
    mentions,
    messages::{Post, Referred},
    outcome::no_such,
    roots::Roots,
};
use crate::{
    core::model::{ChatId, Forwarded, MessageId, Quote, UserId, permission::Ability},
    storage::{
        AnyConn, StorageError,
        queries::membership,
        tables::{messages, positions, quotes},
    },
};

/// What the posts of one batch refer to.
pub(super) struct References {
    quotes: HashMap<MessageId, (ChatId, Quote)>,
    /// By the user who forwards, and the message.
    forwarded: HashMap<(UserId, MessageId), Forwarded>,
    pub(super) roots: Roots,
}

impl References {
    /// Loads what these posts refer to. Where they refer to nothing, it takes no statement.
    pub(super) fn of(conn: &mut AnyConn, posts: &[Post]) -> Result<Self, StorageError> {
        let quotes = quotes::load(conn, posts.iter().filter_map(|post| post.new.reply_to))?;
        let mut forwarded = HashMap::new();
        for post in posts {
            if let Some(id) = post.new.forward
                && let Some(copy) = copy(conn, post.sender.id, id)?
            {
                forwarded.insert((post.sender.id, id), copy);
            }
        }
        Ok(Self { quotes, forwarded, roots: Roots::of(conn, posts)? })
    }

    /// Returns what a post refers to. A quoted message must be in the same chat. A forwarded one may be in any chat
    /// whose messages the sender reads. Neither may be deleted.
    pub(super) fn find(&self, conn: &mut AnyConn, post: &Post) -> Result<Referred, StorageError> {
        self.roots.check(post)?;
        let mut referred = Referred { last_reply_at: self.roots.last_reply_at(post), ..Referred::default() };
        if let Some(id) = post.new.reply_to {
            let quote = self.quotes.get(&id).filter(|(chat, quote)| *chat == post.chat && !quote.is_deleted);
            referred.quote = Some(quote.ok_or_else(|| no_such("reply_to", id))?.1.clone());
        }
        if let Some(id) = post.new.forward {
            let copy = self.forwarded.get(&(post.sender.id, id));
            referred.forwarded = Some(copy.ok_or_else(|| no_such("forward", id))?.clone());
        }
        if let Some(new) = &post.new.mentions {
            let resolved = mentions::resolve(conn, post.chat, post.sender.id, new)?;
            referred.mentions = Some(Box::new(resolved));
        }
        Ok(referred)
    }
}

/// Copies a message that a user may read. Of a message that only forwards another one, it is that one.
fn copy(conn: &mut AnyConn, user: UserId, id: MessageId) -> Result<Option<Forwarded>, StorageError> {
    let Some((chat, pos)) = positions::locate(conn, id)? else { return Ok(None) };
    match membership::authorized(conn, chat, user, Ability::Read) {
        Err(StorageError::Refused(_)) => return Ok(None),
        other => other?,
    };
    let message = messages::at(conn, chat, pos)?.filter(|message| !message.is_deleted);
    Ok(message.map(|message| match message.forwarded_from {
        Some(inner) if message.content.is_empty() => *inner,
        _ => Forwarded { sender: message.sender, content: message.content },
    }))
}
