//! Adding reactions to messages and removing them.

use super::{messages::visible_message, outcome::take_number};
use crate::{
    core::model::{
        Change, ChatId, FieldErrors, MessageId, Reaction, UserId,
        command::ReactIntent,
        emoji::{Emoji, MAX_PER_MESSAGE},
        event::{Answer, Done},
        permission::Ability,
    },
    storage::{
        AnyConn, StorageError,
        tables::{chats, message_parts, reactions},
    },
};

pub(crate) fn react(
    conn: &mut AnyConn,
    chat: ChatId,
    by: UserId,
    id: MessageId,
    emoji: &Emoji,
    intent: ReactIntent,
) -> Result<Done, StorageError> {
    let (membership, message) = visible_message(conn, chat, by, id)?;
    membership.authorize(Ability::Write)?;
    let mut chat = membership.chat;
    let (place, emoji) = ((chat.id, id), emoji.as_str());
    let is_there = reactions::exists(conn, place, emoji, by)?;
    let wanted = match intent {
        ReactIntent::Toggle => !is_there,
        ReactIntent::Add => true,
        ReactIntent::Remove => false,
    };
    if wanted == is_there {
        return Ok(Done::unchanged(Answer::Reacted { added: wanted }));
    }
    let mut shown = parse(&message.reactions);
    if wanted && shown.len() >= MAX_PER_MESSAGE && shown.iter().all(|reaction| reaction.emoji != emoji) {
        let sentence = format!("A message takes no more than {MAX_PER_MESSAGE} different emoji.");
        return Err(FieldErrors::of("emoji", sentence).into());
    }
    take_number(&mut chat);
    if wanted {
        reactions::add(conn, place, emoji, by, chat.seq, &mut shown)?;
    } else {
        reactions::remove(conn, place, emoji, by, &mut shown)?;
    }
    let json = serde_json::to_string(&shown).expect("reactions are always JSON");
    message_parts::set_reactions(conn, (chat.id, message.pos), &json, chat.seq)?;
    chats::update(conn, &chat)?;
    let change = Change::ReactionsChanged { message: id, reactions: shown };
    Ok(Done::changed(&chat, Answer::Reacted { added: wanted }, change))
}

/// Parses the reactions stored with a message, which are always our own JSON.
fn parse(json: &str) -> Vec<Reaction> {
    serde_json::from_str(json).unwrap_or_default()
}
