//! `messages/{message}/reactions/`: putting emoji on messages.

use actix_web::{
    HttpResponse,
    web::{Data, Path},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Answer, body::Body, path::Id};
use crate::{
    core::model::{MessageId, command::ReactIntent},
    input::{Field, ReactFields},
    middleware::authenticate::Authenticated,
    services::messages::{self, Reacted, ReactionAction},
    state::State,
};

/// `POST messages/{message}/reactions/`
pub async fn toggle(state: Data<State>, caller: Authenticated, message: Id<MessageId>, body: Body) -> Answer {
    let reacted = messages::react(&state, &caller, message.0, body.json(), ReactIntent::Toggle).await?;
    Ok(shown(message.0, &reacted))
}

/// `PUT messages/{message}/reactions/{emoji}/`
pub async fn put(
    state: Data<State>,
    caller: Authenticated,
    message: Id<MessageId>,
    path: Path<EmojiInPath>,
) -> Answer {
    let fields = Ok(path.into_inner().fields());
    let reacted = messages::react(&state, &caller, message.0, fields, ReactIntent::Add).await?;
    Ok(shown(message.0, &reacted))
}

/// `DELETE messages/{message}/reactions/{emoji}/`
pub async fn delete(
    state: Data<State>,
    caller: Authenticated,
    message: Id<MessageId>,
    path: Path<EmojiInPath>,
) -> Answer {
    let fields = Ok(path.into_inner().fields());
    messages::react(&state, &caller, message.0, fields, ReactIntent::Remove).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// The path's emoji, percent-encoded there.
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
    /// In its full form.
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
