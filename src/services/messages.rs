//! Services for chats and messages, used by REST handlers and by WebSocket commands.
//!
//! Callers without permission get the permission error, and never an error of their fields, which would
//! reveal that the chat exists.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    auth::Caller,
    chat::Answered,
    core::model::{
        ChatId, Command, Message, MessageId, Refusal, UserId,
        command::{Action, MeChange, ReactIntent},
        emoji::Emoji,
        permission::Ability,
        text::{ClientId, MessageBody},
    },
    error::ApiError,
    services::checked::Checked,
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
    fields: Checked<(MessageBody, Option<ClientId>)>,
) -> Result<Answered> {
    let by = caller.id();
    let (body, client_id) = fields.authorize_errors(state.permitted(chat, by, Ability::Write)).await?;
    let action = Action::PostMessage { sender: caller.card.clone(), body, client_id };
    Ok(state.directory.command(Command { chat, by, action }).await?)
}

/// Edits a message. Without a new text, nothing changes.
pub async fn edit_message(
    state: &AppState,
    caller: &Caller,
    message: MessageId,
    fields: Checked<Option<MessageBody>>,
) -> Result<Answered> {
    let by = caller.id();
    let body = match fields.into_result() {
        Ok(Some(body)) if state.config.allow_editing => body,
        unchanged => {
            let own = own_message(state, by, message).await?;
            state.permitted(own.chat, by, Ability::EditMessage { own: true }).await?;
            if !state.config.allow_editing {
                return Err(ApiError::FORBIDDEN);
            }
            unchanged?;
            return Ok(Answered::Message { json: frames::message(&own, &state.links), created: false });
        }
    };
    let chat = chat_of(state, message).await?;
    let action = Action::EditMessage { message, body };
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
    fields: Checked<Emoji>,
    intent: ReactIntent,
) -> Result<Reacted> {
    let by = caller.id();
    let permission = may_react(state, by, message);
    if !state.config.allow_reactions {
        permission.await?;
        return Err(ApiError::FORBIDDEN);
    }
    let emoji = fields.authorize_errors(permission).await?;
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
    fields: Checked<Option<MessageId>>,
) -> Result<i64> {
    let by = caller.id();
    let up_to = fields.authorize_errors(state.permitted(chat, by, Ability::TakePart)).await?;
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
    fields: Checked<MeChange>,
) -> Result<()> {
    let by = caller.id();
    let change = fields.authorize_errors(state.permitted(chat, by, Ability::TakePart)).await?;
    state.directory.command(Command { chat, by, action: Action::ChangeMe(change) }).await?;
    Ok(())
}

/// Publishes that the caller started or stopped typing in a chat.
pub async fn typing(state: &AppState, caller: &Caller, chat: ChatId, fields: Checked<bool>) -> Result<()> {
    let by = caller.id();
    // Checked first, so that non-members cannot start the chat's actor or make it load its members.
    state.permitted(chat, by, Ability::Write).await?;
    let is_typing = fields.into_result()?;
    state.directory.typing(chat, by, is_typing).await?;
    Ok(())
}

/// Finds a message. Returns 404 if the user may not see it.
pub async fn visible_message(
    state: &AppState,
    user: UserId,
    message: MessageId,
) -> std::result::Result<Message, Refusal> {
    let policy = state.policy.clone();
    state.readers.query(move |conn| membership::visible(conn, &policy, user, message)).await
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
