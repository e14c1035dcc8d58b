//! `messages/{message}/reactions/`: toggle, add and remove reactions.

use actix_web::{
    HttpResponse,
    web::{Data, Path},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{HandlerResult, body::Body, path::Id};
use crate::{
    core::model::{MessageId, command::ReactIntent},
    input::{Field, ReactFields},
    middleware::authenticate::Authenticated,
    services::messages::{self, Reacted, ReactionAction},
    state::AppState,
};

/// `POST messages/{message}/reactions/`
pub async fn toggle(
    state: Data<AppState>,
    caller: Authenticated,
    message: Id<MessageId>,
    body: Body,
) -> HandlerResult {
    let emoji = body.checked(ReactFields::check);
    let reacted = messages::react(&state, &caller, message.0, emoji, ReactIntent::Toggle).await?;
    Ok(shown(message.0, &reacted))
}

/// `PUT messages/{message}/reactions/{emoji}/`
pub async fn put(
    state: Data<AppState>,
    caller: Authenticated,
    message: Id<MessageId>,
    path: Path<EmojiInPath>,
) -> HandlerResult {
    let emoji = path.into_inner().fields().check().into();
    let reacted = messages::react(&state, &caller, message.0, emoji, ReactIntent::Add).await?;
    Ok(shown(message.0, &reacted))
}

/// `DELETE messages/{message}/reactions/{emoji}/`
pub async fn delete(
    state: Data<AppState>,
    caller: Authenticated,
    message: Id<MessageId>,
    path: Path<EmojiInPath>,
) -> HandlerResult {
    let emoji = path.into_inner().fields().check().into();
    messages::react(&state, &caller, message.0, emoji, ReactIntent::Remove).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Emoji from the path, where it is percent-encoded.
#[derive(Deserialize)]
pub struct EmojiInPath {
    emoji: String,
}

impl EmojiInPath {
    fn fields(self) -> ReactFields {
        ReactFields { emoji: Field::Text(self.emoji) }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = ReactionResult)]
pub(crate) struct ReactedView<'a> {
    action: ReactionAction,
    /// The emoji in its fully-qualified form.
    emoji: &'a str,
    message_id: MessageId,
}

fn shown(message_id: MessageId, reacted: &Reacted) -> HttpResponse {
    HttpResponse::Ok().json(ReactedView {
        action: reacted.action(),
        emoji: reacted.emoji.as_str(),
        message_id,
    })
}
