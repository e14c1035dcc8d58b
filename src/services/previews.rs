//! Services for previews of links.

use serde::Deserialize;

use crate::{
    auth::Caller,
    chat::Answered,
    core::model::{ChatId, Command, MessageId, command::Action, previews::links_in},
    error::ApiError,
    previews::Wanted,
    state::AppState,
};

use super::messages::chat_of;

/// Has previews fetched for the links of a message that was just posted or edited.
pub(super) fn look_for(state: &AppState, caller: &Caller, chat: ChatId, answered: &Answered) {
    let (Some(queue), Answered::Message { json, .. }) = (&state.previews, answered) else { return };
    // Most messages have no link. They are not parsed.
    if !json.contains("://") {
        return;
    }
    let Ok(Sent { id, content, forwarded_from, previews }) = serde_json::from_str(json) else { return };
    let forwarded = forwarded_from.map(|forwarded| forwarded.content).unwrap_or_default();
    let mut links = links_in(&format!("{content}\n{forwarded}"));
    links.retain(|link| !previews.iter().any(|preview| preview.url == *link));
    if !links.is_empty() {
        queue.add(Wanted { chat, message: id, by: caller.id(), links });
    }
}

#[derive(Deserialize)]
struct Sent {
    id: MessageId,
    content: String,
    forwarded_from: Option<SentText>,
    previews: Vec<SentPreview>,
}

#[derive(Deserialize)]
struct SentText {
    content: String,
}

#[derive(Deserialize)]
struct SentPreview {
    url: String,
}

/// Removes one of the previews of the caller's message, by its index.
pub async fn remove(
    state: &AppState,
    caller: &Caller,
    message: MessageId,
    index: usize,
) -> Result<(), ApiError> {
    let chat = chat_of(state, message).await?;
    let action = Action::RemovePreview { message, index };
    state.directory.command(Command { chat, by: caller.id(), action }).await?;
    Ok(())
}
