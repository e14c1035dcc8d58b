//! What a message shows of others: of the one that it replies to, and of the one that it forwards. Quotes are read
//! together with the message, so an edit or a deletion of the quoted message shows in all of them. A forwarded text is
//! a copy; its sender's names are read.

use std::collections::HashMap;

use super::{rows::CardRow, users};
use crate::{
    core::model::{ChatId, Forwarded, Message, MessageId, Quote, UserCard, UserId},
    storage::{
        AnyConn, StorageError,
        db::{row::row, sql::sql},
    },
};

row! {
    /// A quoted message with its sender's card.
    struct QuoteRow from messages q {
        id: MessageId,
        chat_id: ChatId,
        is_deleted: bool,
        excerpt: String = "substr(CASE WHEN q.is_deleted THEN '' WHEN q.content = '' THEN coalesce(q.forwarded_content, '') ELSE q.content END, 1, 200)",
        sender: CardRow,
    }
}

/// A message, and what it refers to, which is not loaded yet.
pub(super) struct Unlinked {
    pub message: Message,
    pub reply_to: Option<MessageId>,
    /// The sender and the content of a forwarded message.
    pub forwarded: Option<(UserId, String)>,
}

/// Loads what messages refer to. It takes one statement if any message replies to another one, and one if any
/// forwards another one.
pub(super) fn add(conn: &mut AnyConn, messages: Vec<Unlinked>) -> Result<Vec<Message>, StorageError> {
    let quotes = load(conn, messages.iter().filter_map(|unlinked| unlinked.reply_to))?;
    let senders =
        messages.iter().filter_map(|unlinked| unlinked.forwarded.as_ref().map(|(sender, _)| *sender));
    let senders: Vec<UserId> = senders.collect();
    let cards = if senders.is_empty() { Vec::new() } else { users::cards(conn, &senders)? };
    let add = |Unlinked { mut message, reply_to, forwarded }: Unlinked| {
        let quoted = reply_to.and_then(|id| quotes.get(&id)).filter(|(chat, _)| *chat == message.chat);
        message.reply_to = quoted.map(|(_, quote)| Box::new(quote.clone()));
        message.forwarded_from = forwarded.and_then(|(sender, content)| {
            let card: &UserCard = cards.iter().find(|card| card.id == sender)?;
            Some(Box::new(Forwarded { sender: card.clone(), content }))
        });
        message
    };
    Ok(messages.into_iter().map(add).collect())
}

/// Loads what is quoted of the messages with these ids, each with its chat.
pub fn load(
    conn: &mut AnyConn,
    ids: impl Iterator<Item = MessageId>,
) -> Result<HashMap<MessageId, (ChatId, Quote)>, StorageError> {
    let mut ids: Vec<i64> = ids.map(|id| id.0).collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    ids.sort_unstable();
    ids.dedup();
    let rows = sql!(
        "SELECT {} FROM message_ids i JOIN messages q ON q.chat_id = i.chat_id AND q.pos = i.pos \
         JOIN users u ON u.id = q.sender_id WHERE i.id IN ?",
        ids.as_slice()
    );
    let quoted = |row: QuoteRow| {
        let QuoteRow { id, chat_id, is_deleted, excerpt, sender } = row;
        (id, (chat_id, Quote { id, sender: sender.into(), excerpt, is_deleted }))
    };
    Ok(rows.rows::<QuoteRow>(conn)?.into_iter().map(quoted).collect())
}
