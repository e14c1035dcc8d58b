//! What clients ask of chats and messages, whichever way it came: over REST or as a socket's command.
//!
//! Each takes its fields parsed or with what was wrong with them, which only those learn who may know of the chat.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    auth::Caller,
    chat::Answered,
    core::model::{
        ChatId, Command, Message, MessageId, Refusal, UserId,
        command::{Action, ReactIntent},
        emoji::Emoji,
        permission::Ability,
    },
    error::ApiError,
    input::{EditFields, MarkFields, MeFields, PostFields, ReactFields, TypingFields},
    state::State,
    storage::{queries::membership, tables::messages},
    view::frames,
};

type Result<T> = std::result::Result<T, ApiError>;

/// Posts a message.
pub async fn post_message(
    state: &State,
    caller: &Caller,
    chat: ChatId,
    fields: Result<PostFields>,
) -> Result<Answered> {
    let by = caller.id();
    let checked = fields.and_then(|fields| Ok(fields.check()?));
    let (body, client_id) = or_refused(checked, state.permitted(chat, by, Ability::Write)).await?;
    let action = Action::PostMessage { sender: caller.card.clone(), body, client_id };
    Ok(state.directory.command(Command { chat, by, action }).await?)
}

/// Edits a message. `is_whole`: a content must be given; otherwise nothing changes without one.
pub async fn edit_message(
    state: &State,
    caller: &Caller,
    message: MessageId,
    fields: Result<EditFields>,
    is_whole: bool,
) -> Result<Answered> {
    let by = caller.id();
    let checked = fields.and_then(|fields| Ok(fields.check(is_whole)?));
    let (Ok(Some(body)), true) = (&checked, state.config.allow_editing) else {
        let own = own_message(state, by, message).await?;
        state.permitted(own.chat, by, Ability::EditMessage { own: true }).await?;
        if !state.config.allow_editing {
            return Err(ApiError::FORBIDDEN);
        }
        checked?;
        return Ok(Answered::Message { json: frames::message(&own, &state.links), created: false });
    };
    let chat = chat_of(state, message).await?;
    let action = Action::EditMessage { message, body: body.clone() };
    Ok(state.directory.command(Command { chat, by, action }).await?)
}

/// Deletes a message.
pub async fn delete_message(state: &State, caller: &Caller, message: MessageId) -> Result<()> {
    let by = caller.id();
    if !state.config.allow_deleting {
        own_message(state, by, message).await?;
        return Err(ApiError::FORBIDDEN);
    }
    let chat = chat_of(state, message).await?;
    let command = Command { chat, by, action: Action::DeleteMessage { message } };
    if let Answered::Deleted { is_left: true } = state.directory.command(command).await? {
        state.purge.notify_one();
    }
    Ok(())
}

/// What came of a reaction: the emoji in its full form, and whether it is there now.
pub struct Reacted {
    pub emoji: Emoji,
    pub added: bool,
}

impl Reacted {
    /// What was done, in a word.
    pub fn action(&self) -> ReactionAction {
        if self.added { ReactionAction::Added } else { ReactionAction::Removed }
    }
}

/// What was done with a reaction.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ReactionAction {
    Added,
    Removed,
}

/// Puts an emoji on a message or takes it off.
pub async fn react(
    state: &State,
    caller: &Caller,
    message: MessageId,
    fields: Result<ReactFields>,
    intent: ReactIntent,
) -> Result<Reacted> {
    let by = caller.id();
    let permission = may_react(state, by, message);
    if !state.config.allow_reactions {
        permission.await?;
        return Err(ApiError::FORBIDDEN);
    }
    let emoji = or_refused(fields.and_then(|fields| Ok(fields.check()?)), permission).await?;
    let chat = chat_of(state, message).await?;
    let action = Action::React { message, emoji: emoji.clone(), intent };
    match state.directory.command(Command { chat, by, action }).await? {
        Answered::Reacted { added } => Ok(Reacted { emoji, added }),
        _ => Err(Refusal::Internal.into()),
    }
}

/// Whether a user sees a message and may react to it.
pub async fn may_react(state: &State, user: UserId, message: MessageId) -> std::result::Result<(), Refusal> {
    let message = visible_message(state, user, message).await?;
    state.permitted(message.chat, user, Ability::Write).await
}

/// Moves the caller's read marker. Returns how many messages of others were newly read.
pub async fn mark_as_read(
    state: &State,
    caller: &Caller,
    chat: ChatId,
    fields: Result<MarkFields>,
) -> Result<i64> {
    let by = caller.id();
    let checked = fields.and_then(|fields| Ok(fields.check()?));
    let up_to = or_refused(checked, state.permitted(chat, by, Ability::TakePart)).await?;
    match state.directory.command(Command { chat, by, action: Action::MarkAsRead { up_to } }).await? {
        Answered::Marked(count) => Ok(count),
        _ => Err(Refusal::Internal.into()),
    }
}

/// Changes what the caller has set for themselves in a chat.
pub async fn change_me(state: &State, caller: &Caller, chat: ChatId, fields: Result<MeFields>) -> Result<()> {
    let by = caller.id();
    let checked = fields.and_then(|fields| Ok(fields.check()?));
    let change = or_refused(checked, state.permitted(chat, by, Ability::TakePart)).await?;
    state.directory.command(Command { chat, by, action: Action::ChangeMe(change) }).await?;
    Ok(())
}

/// Tells a chat that the caller types, or stops.
pub async fn typing(
    state: &State,
    caller: &Caller,
    chat: ChatId,
    fields: Result<TypingFields>,
) -> Result<()> {
    let by = caller.id();
    // Asked in any case: strangers neither start the chat's actor nor have it look at its members.
    state.permitted(chat, by, Ability::Write).await?;
    let is_typing = fields?.check()?;
    state.directory.typing(chat, by, is_typing).await?;
    Ok(())
}

/// A message that the user may see.
pub async fn visible_message(
    state: &State,
    user: UserId,
    message: MessageId,
) -> std::result::Result<Message, Refusal> {
    let rules = state.rules.clone();
    state.readers.ask(move |conn| membership::visible(conn, &rules, user, message)).await
}

async fn own_message(
    state: &State,
    user: UserId,
    message: MessageId,
) -> std::result::Result<Message, Refusal> {
    let message = visible_message(state, user, message).await?;
    if message.sender.id == user { Ok(message) } else { Err(Refusal::Forbidden) }
}

/// The chat of a message, which says nothing yet of who may see it.
async fn chat_of(state: &State, message: MessageId) -> std::result::Result<ChatId, Refusal> {
    let place = state.readers.ask_one(move |conn| messages::locate(conn, message)).await?;
    place.map(|(chat, _)| chat).ok_or(Refusal::NotFound)
}

/// A result of looking at a request's fields, told only to who has the permission to know of the object they are for.
pub async fn or_refused<T>(
    checked: Result<T>,
    permission: impl Future<Output = std::result::Result<(), Refusal>>,
) -> Result<T> {
    match checked {
        Ok(value) => Ok(value),
        Err(error) => {
            permission.await?;
            Err(error)
        }
    }
}
