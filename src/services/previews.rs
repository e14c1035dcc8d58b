//! Services for previews of links.

use serde::Deserialize;

use crate::{
    auth::Caller,
    chat::Answered,
    core::model::{ChatId, MessageId, previews::links_in},
    previews::Wanted,
    state::AppState,
};

/// Has previews fetched for the links of a message that was just posted or edited.
pub(super) fn look_for(state: &AppState, caller: &Caller, chat: ChatId, answered: &Answered) {
    let (Some(queue), Answered::Message { json, .. }) = (&state.previews, answered) else { return };
    // Most messages have no link. They are not parsed.
    if !json.contains("://") {
        return;
    }
    let Ok(MessageAnswer { id, content, forwarded_from, previews }) = serde_json::from_str(json) else {
        return;
    };
    let forwarded = forwarded_from.map(|forwarded| forwarded.content).unwrap_or_default();
    let mut links = links_in(&format!("{content}\n{forwarded}"));
    links.retain(|link| !previews.iter().any(|preview| preview.url == *link));
    if !links.is_empty() {
        queue.add(Wanted { chat, message: id, by: caller.id(), links });
    }
}

#[derive(Deserialize)]
struct MessageAnswer {
    id: MessageId,
    content: String,
    forwarded_from: Option<ForwardedAnswer>,
    previews: Vec<PreviewAnswer>,
}

#[derive(Deserialize)]
struct ForwardedAnswer {
    content: String,
}

#[derive(Deserialize)]
struct PreviewAnswer {
    url: String,
}
