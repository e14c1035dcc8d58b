//! `messages/{message}/reactions/`: putting emoji on messages.

use actix_web::{
    HttpResponse,
    web::{Data, Path},
};
use serde::{Deserialize, Serialize};

use super::{
    Answer,
    body::{Body, or_refused},
    fields::Field,
    messages::{chat_of, shown},
    path::Id,
};
use crate::{
    auth::gate::Authenticated,
    chat::Answered,
    error::ApiError,
    model::{
        Command, FieldErrors, MessageId, Refusal, UserId,
        command::{Action, ReactIntent},
        emoji::Emoji,
    },
    server::State,
};

/// `POST messages/{message}/reactions/`
pub async fn toggle(state: Data<State>, caller: Authenticated, message: Id<MessageId>, body: Body) -> Answer {
    let emoji = body.json::<ReactFields>().and_then(|fields| Ok(fields.check()?));
    react(&state, caller.id(), message.0, emoji, ReactIntent::Toggle).await
}

/// `PUT messages/{message}/reactions/{emoji}/`
pub async fn put(
    state: Data<State>,
    caller: Authenticated,
    message: Id<MessageId>,
    path: Path<EmojiInPath>,
) -> Answer {
    react(&state, caller.id(), message.0, path.check(), ReactIntent::Add).await
}

/// `DELETE messages/{message}/reactions/{emoji}/`
pub async fn delete(
    state: Data<State>,
    caller: Authenticated,
    message: Id<MessageId>,
    path: Path<EmojiInPath>,
) -> Answer {
    react(&state, caller.id(), message.0, path.check(), ReactIntent::Remove).await?;
    Ok(HttpResponse::NoContent().finish())
}

#[derive(Deserialize)]
struct ReactFields {
    #[serde(default)]
    emoji: Field,
}

impl ReactFields {
    fn check(self) -> Result<Emoji, FieldErrors> {
        let emoji = self.emoji.text().and_then(|text| Emoji::parse(&text));
        emoji.map_err(|sentence| FieldErrors::of("emoji", sentence))
    }
}

/// The path's emoji, percent-encoded there.
#[derive(Deserialize)]
pub struct EmojiInPath {
    emoji: String,
}

impl EmojiInPath {
    fn check(&self) -> Result<Emoji, ApiError> {
        Emoji::parse(&self.emoji).map_err(|sentence| FieldErrors::of("emoji", sentence).into())
    }
}

#[derive(Serialize)]
struct ReactedView<'a> {
    action: &'static str,
    emoji: &'a str,
    message_id: MessageId,
}

async fn react(
    state: &State,
    by: UserId,
    message: MessageId,
    emoji: Result<Emoji, ApiError>,
    intent: ReactIntent,
) -> Answer {
    let visible = async { shown(state, by, message).await.map(drop) };
    if !state.config.allow_reactions {
        visible.await?;
        return Err(ApiError::FORBIDDEN);
    }
    let emoji = or_refused(emoji, visible).await?;
    let chat = chat_of(state, message).await?;
    let action = Action::React { message, emoji: emoji.clone(), intent };
    let Answered::Reacted { added } = state.directory.command(Command { chat, by, action }).await? else {
        return Err(Refusal::Internal.into());
    };
    let action = if added { "added" } else { "removed" };
    Ok(HttpResponse::Ok().json(ReactedView { action, emoji: emoji.as_str(), message_id: message }))
}
