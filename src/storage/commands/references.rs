//! The messages that new messages refer to: quoted and forwarded ones, and roots of threads.

use std::collections::HashMap;

use super::{
    attach::{self, Uploads},
    mentions,
    messages::{Post, Referred},
    outcome::no_such,
    roots::{Linked, Roots},
};
use crate::{
    core::model::{Attachment, ChatId, Forwarded, Message, MessageId, Quote, UserId, permission::Ability},
    storage::{
        AnyConn, StorageError, StoragePolicy,
        queries::membership,
        tables::{
            messages::{self, UnstoredMessage},
            positions, quotes,
        },
    },
};

/// What the posts of one batch refer to.
pub(super) struct References {
    quotes: HashMap<MessageId, (ChatId, Quote)>,
    /// By the user who forwards, and the message.
    forwarded: HashMap<(UserId, MessageId), (Forwarded, Vec<Attachment>)>,
    uploads: Uploads,
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
        let uploads = Uploads::of(conn, posts)?;
        Ok(Self { quotes, forwarded, uploads, roots: Roots::of(conn, posts)? })
    }

    /// Returns what a post refers to. A quoted message must be in the same chat. A forwarded one may be in any chat
    /// whose messages the sender reads. Neither may be deleted.
    pub(super) fn find(
        &self,
        conn: &mut AnyConn,
        policy: &StoragePolicy,
        post: &Post,
    ) -> Result<Referred, StorageError> {
        self.roots.check(post)?;
        let mut referred = Referred { last_reply_at: self.roots.last_reply_at(post), ..Referred::default() };
        if let Some(id) = post.new.reply_to {
            let quote = self.quotes.get(&id).filter(|(chat, quote)| *chat == post.chat && !quote.is_deleted);
            referred.quote = Some(quote.ok_or_else(|| no_such("reply_to", id))?.1.clone());
        }
        let mut attached = self.uploads.find(policy, post)?;
        if let Some(id) = post.new.forward {
            let copy = self.forwarded.get(&(post.sender.id, id));
            let (forwarded, attachments) = copy.ok_or_else(|| no_such("forward", id))?;
            referred.forwarded = Some(forwarded.clone());
            attach::add_copies(conn, &mut attached, attachments)?;
        }
        referred.attached = (!attached.list.is_empty()).then(|| Box::new(attached));
        if let Some(new) = &post.new.mentions {
            let resolved = mentions::resolve(conn, post.chat, post.sender.id, new)?;
            referred.mentions = Some(Box::new(resolved));
        }
        Ok(referred)
    }
}

impl References {
    /// Links a stored message to others: to its attachments, to its thread, and to users who are mentioned.
    pub(super) fn link(
        &mut self,
        conn: &mut AnyConn,
        new: UnstoredMessage,
    ) -> Result<(Message, Linked), StorageError> {
        let UnstoredMessage { message, mentions, attached, .. } = new;
        if let Some(attached) = attached {
            attach::link(conn, &message, &attached)?;
        }
        let linked = self.roots.link(conn, &message, mentions)?;
        Ok((message, linked))
    }
}

/// Copies a message that a user may read. Of a message that only forwards another one, it is that one.
fn copy(
    conn: &mut AnyConn,
    user: UserId,
    id: MessageId,
) -> Result<Option<(Forwarded, Vec<Attachment>)>, StorageError> {
    let Some((chat, pos)) = positions::locate(conn, id)? else { return Ok(None) };
    match membership::authorized(conn, chat, user, Ability::Read) {
        Err(StorageError::Refused(_)) => return Ok(None),
        other => other?,
    };
    let message = messages::at(conn, chat, pos)?.filter(|message| !message.is_deleted);
    Ok(message.map(|message| {
        let forwarded = match message.forwarded_from {
            Some(inner) if message.content.is_empty() => *inner,
            _ => Forwarded { sender: message.sender, content: message.content },
        };
        (forwarded, message.attachments)
    }))
}
