//! Quotes: what a message shows of the message that it replies to. They are read together with the message, so an
//! edit or a deletion of the quoted message shows in all of them.

use std::collections::HashMap;

use super::rows::CardRow;
use crate::{
    core::model::{ChatId, Message, MessageId, Quote},
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
        excerpt: String = "substr(q.content, 1, 200)",
        sender: CardRow,
    }
}

/// A message, and the id of the one that it replies to.
pub(super) type Unquoted = (Message, Option<MessageId>);

/// Loads the quotes of messages. It takes one statement if any message replies to another one.
pub(super) fn add(conn: &mut AnyConn, messages: Vec<Unquoted>) -> Result<Vec<Message>, StorageError> {
    let quotes = load(conn, messages.iter().filter_map(|(_, reply_to)| *reply_to))?;
    let add = |(message, reply_to): Unquoted| {
        let quoted = reply_to.and_then(|id| quotes.get(&id)).filter(|(chat, _)| *chat == message.chat);
        Message { reply_to: quoted.map(|(_, quote)| Box::new(quote.clone())), ..message }
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
