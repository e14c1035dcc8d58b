//! Services for drafts.

use crate::{
    auth::Caller,
    chat::Answered,
    core::model::{
        ChatId, Command, Draft, MessageId, NewDraft, Refusal, command::Action, permission::Ability,
    },
    error::ApiError,
    services::checked::Checked,
    state::AppState,
};

/// Saves the caller's draft of a thread; `None`: of the chat's timeline. Returns the draft; `None` if it was empty,
/// which removes it.
pub async fn save(
    state: &AppState,
    caller: &Caller,
    chat: ChatId,
    fields: Checked<(Option<MessageId>, NewDraft)>,
) -> Result<Option<Box<Draft>>, ApiError> {
    let by = caller.id();
    let (thread, draft) = fields.authorize_errors(state.permitted(chat, by, Ability::Write)).await?;
    let action = Action::SaveDraft { thread, draft };
    match state.directory.command(Command { chat, by, action }).await? {
        Answered::Draft(draft) => Ok(draft),
        _ => Err(Refusal::Internal.into()),
    }
}

/// Removes the caller's draft of a thread; `None`: of the chat's timeline.
pub async fn remove(
    state: &AppState,
    caller: &Caller,
    chat: ChatId,
    thread: Checked<Option<MessageId>>,
) -> Result<(), ApiError> {
    let by = caller.id();
    let thread = thread.authorize_errors(state.permitted(chat, by, Ability::TakePart)).await?;
    state.directory.command(Command { chat, by, action: Action::RemoveDraft { thread } }).await?;
    Ok(())
}
