//! Services for threads.

use super::{checked::Checked, messages};
use crate::{
    auth::Caller,
    chat::Answered,
    core::model::{Command, FieldErrors, MessageId, Refusal, command::Action, permission::Ability},
    error::ApiError,
    hub::{Subscriber, subscriber::MAX_OPEN_THREADS},
    state::AppState,
    storage::{
        queries::{membership, threads as thread_queries},
        tables::positions,
    },
};

/// Lets a socket receive who is typing in a thread, whose chat the caller reads.
pub async fn open(
    state: &AppState,
    caller: &Caller,
    socket: &Subscriber,
    root: MessageId,
) -> Result<(), ApiError> {
    let user = caller.id();
    let found = state.readers.query(move |conn| {
        let (chat, _) = positions::locate(conn, root)?.ok_or(Refusal::NotFound)?;
        membership::authorized(conn, chat, user, Ability::Read)?;
        thread_queries::root_in(conn, chat, root)?.ok_or_else(|| Refusal::NotFound.into())
    });
    found.await?;
    if socket.open_thread(root) {
        return Ok(());
    }
    let sentence = format!("A socket has no more than {MAX_OPEN_THREADS} threads open.");
    Err(FieldErrors::of("root", sentence).into())
}

/// Follows a thread, or stops following it.
pub async fn follow(
    state: &AppState,
    caller: &Caller,
    root: MessageId,
    is_followed: bool,
) -> Result<(), ApiError> {
    let chat = messages::chat_of(state, root).await?;
    let action = Action::FollowThread { root, is_followed };
    state.directory.command(Command { chat, by: caller.id(), action }).await?;
    Ok(())
}

/// Moves the caller's read marker of a thread. Returns the number of newly read replies by other users.
pub async fn mark_as_read(
    state: &AppState,
    caller: &Caller,
    root: MessageId,
    fields: Checked<Option<MessageId>>,
) -> Result<i64, ApiError> {
    let (chat, by) = (messages::chat_of(state, root).await?, caller.id());
    let up_to = fields.authorize_errors(state.permitted(chat, by, Ability::TakePart)).await?;
    let action = Action::MarkThreadAsRead { root, up_to };
    match state.directory.command(Command { chat, by, action }).await? {
        Answered::Marked(count) => Ok(count),
        _ => Err(Refusal::Internal.into()),
    }
}
