//! Services for chats and messages, used by REST handlers and by WebSocket commands.
//!
//! Callers without permission get the permission error, and never an error of their fields, which would
//! reveal that the chat exists.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    auth::Caller,
    chat::{Answered, TypingSignal},
    core::model::{
        ChatId, Command, CustomChange, Message, MessageId, NewMessage, Refusal, UserId,
        command::{Action, MeChange, MessageEdit, ReactIntent},
        emoji::Emoji,
        mentions::NewMentions,
        permission::Ability,
    },
    error::ApiError,
    services::{checked::Checked, previews},
    state::AppState,
    storage::{
        queries::membership,
        tables::{members, positions, users},
    },
    view::frames,
};

type Result<T> = std::result::Result<T, ApiError>;

/// Posts a message.
pub async fn post_message(
    state: &AppState,
    caller: &Caller,
    chat: ChatId,
    fields: Checked<NewMessage>,
) -> Result<Answered> {
    let by = caller.id();
    let has_private = fields.is_some_and(|new| new.custom.has_private());
    let is_staff = caller.is_staff && (!has_private || is_still_staff(state, by).await?);
    let fields = fields.and_then(|new| match is_staff || !has_private {
        true => Ok(new),
        false => Err(ApiError::FORBIDDEN),
    });
    let mut new = fields.authorize_errors(state.permitted(chat, by, Ability::Write)).await?;
    if let Some(mentions) = &mut new.mentions {
        find_connected(state, by, chat, mentions).await?;
    }
    let action = Action::PostMessage { sender: caller.card.clone(), new };
    let answered = state.directory.command(Command { chat, by, action }).await?;
    if let Answered::Message { created: true, .. } = answered {
        previews::look_for(state, caller, chat, &answered);
    }
    // A retry may be of a message that has private names since.
    let is_retry = matches!(answered, Answered::Message { created: false, .. });
    if is_staff && (has_private || is_retry) { with_private(state, by, answered).await } else { Ok(answered) }
}

/// Finds the members that are connected, if they are mentioned by a user who may do so.
async fn find_connected(state: &AppState, by: UserId, chat: ChatId, new: &mut NewMentions) -> Result<()> {
    if new.mentions.here && state.permitted(chat, by, Ability::MentionAll).await.is_ok() {
        let members = state.readers.query_one(move |conn| members::roles(conn, chat)).await?;
        let members = members.into_iter().map(|(user, _)| user).collect();
        new.connected = state.presence.online_among(members);
    }
    Ok(())
}

/// Returns whether a user is staff now. A socket keeps the user of its credential.
async fn is_still_staff(state: &AppState, user: UserId) -> std::result::Result<bool, Refusal> {
    state.readers.query_one(move |conn| users::is_staff(conn, user)).await
}

/// Renders the answer to staff again, with the private part of the custom data. The event that the answer is from
/// is for all members.
async fn with_private(state: &AppState, by: UserId, answered: Answered) -> Result<Answered> {
    let Answered::Message { json, created } = answered else { return Ok(answered) };
    let Ok(Posted { id, mentions_ignored }) = serde_json::from_str(&json) else {
        return Err(Refusal::Internal.into());
    };
    let json = match visible_message(state, by, id).await {
        Ok(message) => {
            let json = frames::message_for_staff(&message, &state.links);
            frames::with_ignored_mentions(json, &mentions_ignored)
        }
        // The message is stored all the same. It may be deleted already.
        Err(_) => json,
    };
    Ok(Answered::Message { json, created })
}

#[derive(Deserialize)]
struct Posted {
    id: MessageId,
    #[serde(default)]
    mentions_ignored: Vec<UserId>,
}

/// Returns the change of custom data as made by a user, who may lack the permission for private names.
pub fn permitted_change(
    is_staff: bool,
    change: Option<CustomChange>,
) -> std::result::Result<Option<CustomChange>, ApiError> {
    change.map(|change| change.by(is_staff).ok_or(ApiError::FORBIDDEN)).transpose()
}

/// Edits a message, or changes its custom data. Without either, nothing changes.
pub async fn edit_message(
    state: &AppState,
    caller: &Caller,
    message: MessageId,
    fields: Checked<MessageEdit>,
) -> Result<Answered> {
    let by = caller.id();
    let has_custom = fields.is_some_and(|edit| edit.custom.is_some());
    let is_staff = caller.is_staff && (!has_custom || is_still_staff(state, by).await?);
    let fields =
        fields.and_then(|edit| Ok(MessageEdit { custom: permitted_change(is_staff, edit.custom)?, ..edit }));
    let edit = match fields.into_result() {
        Ok(edit) if edit.changes_text() && state.config.allow_editing => edit,
        Ok(edit) if !edit.changes_text() && edit.custom.is_some() => edit,
        other => {
            let seen = visible_message(state, by, message).await?;
            let is_of_staff = is_staff && other.is_err();
            if seen.sender.id != by && !is_of_staff {
                return Err(ApiError::FORBIDDEN);
            }
            state.permitted(seen.chat, by, Ability::EditMessage { own: true }).await?;
            let is_about_custom = other.as_ref().is_err_and(|error| error.is_about("custom"));
            if !state.config.allow_editing && !is_about_custom {
                return Err(ApiError::FORBIDDEN);
            }
            other?;
            let json = match is_staff {
                true => frames::message_for_staff(&seen, &state.links),
                false => frames::message(&seen, &state.links),
            };
            return Ok(Answered::Message { json, created: false });
        }
    };
    let chat = chat_of(state, message).await?;
    let mut edit = edit;
    if let Some(mentions) = &mut edit.mentions {
        find_connected(state, by, chat, mentions).await?;
    }
    let has_new_text = edit.body.is_some();
    let action = Action::EditMessage { message, edit };
    let answered = state.directory.command(Command { chat, by, action }).await?;
    if has_new_text {
        previews::look_for(state, caller, chat, &answered);
    }
    if is_staff { with_private(state, by, answered).await } else { Ok(answered) }
}

/// Pins a message.
pub async fn pin_message(
    state: &AppState,
    caller: &Caller,
    chat: ChatId,
    message: MessageId,
) -> Result<Answered> {
    let by = caller.id();
    let action = Action::Pin { message, is_pinned: true };
    let answered = state.directory.command(Command { chat, by, action }).await?;
    let is_staff = caller.is_staff && is_still_staff(state, by).await?;
    if is_staff { with_private(state, by, answered).await } else { Ok(answered) }
}

/// Removes one of the previews of the caller's message, by its index.
pub async fn remove_preview(
    state: &AppState,
    caller: &Caller,
    message: MessageId,
    index: usize,
) -> Result<()> {
    let chat = chat_of(state, message).await?;
    let action = Action::RemovePreview { message, index };
    state.directory.command(Command { chat, by: caller.id(), action }).await?;
    Ok(())
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
    let deleted = state.directory.command(command).await?;
    if let Some(files) = &state.files {
        files.wake.notify_one();
    }
    if let Answered::Deleted { is_left: true } = deleted {
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

/// Publishes that the caller started or stopped typing in a chat or in a thread.
pub async fn typing(
    state: &AppState,
    caller: &Caller,
    chat: ChatId,
    fields: Checked<(bool, Option<MessageId>)>,
) -> Result<()> {
    let by = caller.id();
    // Checked first, so that non-members cannot start the chat's actor or make it load its members.
    state.permitted(chat, by, Ability::Write).await?;
    let (is_typing, thread) = fields.into_result()?;
    state.directory.typing(chat, TypingSignal { user: by, thread, is_typing }).await?;
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
pub(super) async fn chat_of(state: &AppState, message: MessageId) -> std::result::Result<ChatId, Refusal> {
    let place = state.readers.query_one(move |conn| positions::locate(conn, message)).await?;
    place.map(|(chat, _)| chat).ok_or(Refusal::NotFound)
}
