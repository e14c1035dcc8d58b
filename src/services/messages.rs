//! Services for chats and messages, used by REST handlers and by WebSocket commands.
//!
//! Each takes the result of parsing its fields. Callers without permission get the permission error, and
//! never the parse error, which would reveal that the chat exists.

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
    state::AppState,
    storage::{queries::membership, tables::messages},
    view::frames,
};

type Result<T> = std::result::Result<T, ApiError>;

/// Posts a message.
pub async fn post_message(
    state: &AppState,
    caller: &Caller,
    chat: ChatId,
    fields: Result<PostFields>,
) -> Result<Answered> {
    let by = caller.id();
    let checked = fields.and_then(|fields| Ok(fields.check()?));
    let (body, client_id) =
        authorize_before_errors(checked, state.permitted(chat, by, Ability::Write)).await?;
    let action = Action::PostMessage { sender: caller.card.clone(), body, client_id };
    Ok(state.directory.command(Command { chat, by, action }).await?)
}

/// Edits a message. With `is_whole`, `content` is required. Otherwise a missing `content` changes nothing.
pub async fn edit_message(
    state: &AppState,
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
pub async fn delete_message(state: &AppState, caller: &Caller, message: MessageId) -> Result<()> {
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

/// Result of a reaction: the emoji in its fully-qualified form, and whether it is set now.
pub struct Reacted {
    pub emoji: Emoji,
    pub added: bool,
}

impl Reacted {
    /// Returns the action as clients see it.
    pub fn action(&self) -> ReactionAction {
        if self.added { ReactionAction::Added } else { ReactionAction::Removed }
    }
}

/// Whether a reaction was added or removed.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ReactionAction {
    Added,
    Removed,
}

/// Adds a reaction to a message or removes it.
pub async fn react(
    state: &AppState,
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
    let emoji = authorize_before_errors(fields.and_then(|fields| Ok(fields.check()?)), permission).await?;
    let chat = chat_of(state, message).await?;
    let action = Action::React { message, emoji: emoji.clone(), intent };
    match state.directory.command(Command { chat, by, action }).await? {
        Answered::Reacted { added } => Ok(Reacted { emoji, added }),
        _ => Err(Refusal::Internal.into()),
    }
}

/// Checks that a user sees a message and may react to it.
pub async fn may_react(
    state: &AppState,
    user: UserId,
    message: MessageId,
) -> std::result::Result<(), Refusal> {
    let message = visible_message(state, user, message).await?;
    state.permitted(message.chat, user, Ability::Write).await
}

/// Moves the caller's read marker. Returns the number of newly read messages by other users.
pub async fn mark_as_read(
    state: &AppState,
    caller: &Caller,
    chat: ChatId,
    fields: Result<MarkFields>,
) -> Result<i64> {
    let by = caller.id();
    let checked = fields.and_then(|fields| Ok(fields.check()?));
    let up_to = authorize_before_errors(checked, state.permitted(chat, by, Ability::TakePart)).await?;
    match state.directory.command(Command { chat, by, action: Action::MarkAsRead { up_to } }).await? {
        Answered::Marked(count) => Ok(count),
        _ => Err(Refusal::Internal.into()),
    }
}

/// Changes the caller's preferences in a chat.
pub async fn change_me(
    state: &AppState,
    caller: &Caller,
    chat: ChatId,
    fields: Result<MeFields>,
) -> Result<()> {
    let by = caller.id();
    let checked = fields.and_then(|fields| Ok(fields.check()?));
    let change = authorize_before_errors(checked, state.permitted(chat, by, Ability::TakePart)).await?;
    state.directory.command(Command { chat, by, action: Action::ChangeMe(change) }).await?;
    Ok(())
}

/// Publishes that the caller started or stopped typing in a chat.
pub async fn typing(
    state: &AppState,
    caller: &Caller,
    chat: ChatId,
    fields: Result<TypingFields>,
) -> Result<()> {
    let by = caller.id();
    // Checked first, so that non-members cannot start the chat's actor or make it load its members.
    state.permitted(chat, by, Ability::Write).await?;
    let is_typing = fields?.check()?;
    state.directory.typing(chat, by, is_typing).await?;
    Ok(())
}

/// Finds a message. Returns 404 if the user may not see it.
pub async fn visible_message(
    state: &AppState,
    user: UserId,
    message: MessageId,
) -> std::result::Result<Message, Refusal> {
    let rules = state.rules.clone();
    state.readers.query(move |conn| membership::visible(conn, &rules, user, message)).await
}

async fn own_message(
    state: &AppState,
    user: UserId,
    message: MessageId,
) -> std::result::Result<Message, Refusal> {
    let message = visible_message(state, user, message).await?;
    if message.sender.id == user { Ok(message) } else { Err(Refusal::Forbidden) }
}

/// Finds the chat of a message, without a permission check.
async fn chat_of(state: &AppState, message: MessageId) -> std::result::Result<ChatId, Refusal> {
    let place = state.readers.query_one(move |conn| messages::locate(conn, message)).await?;
    place.map(|(chat, _)| chat).ok_or(Refusal::NotFound)
}

/// Returns the checked fields. If they are invalid, checks the permission first, so that only permitted
/// callers get the validation error.
pub async fn authorize_before_errors<T>(
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
