//! Reading and typing: `chats/{chat}/mark-as-read/`, `chats/{chat}/typing/`, `unread/`.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, web::Data};
use serde::{Deserialize, Serialize};

use super::{
    Answer,
    body::{Body, or_refused},
    fields::Field,
    path::Id,
};
use crate::{
    auth::gate::Authenticated,
    chat::Answered,
    model::{
        ChatId, Command, FieldErrors, MessageId, Refusal, command::Action, ids::MAX_ID, permission::Ability,
    },
    server::State,
    storage::chats,
};

/// `POST chats/{chat}/mark-as-read/`
pub async fn mark_as_read(state: Data<State>, caller: Authenticated, chat: Id<ChatId>, body: Body) -> Answer {
    let (chat, by) = (chat.0, caller.id());
    let fields = body.json::<MarkFields>().and_then(|fields| Ok(fields.check()?));
    let up_to = or_refused(fields, state.permitted(chat, by, Ability::TakePart)).await?;
    let answered =
        state.directory.command(Command { chat, by, action: Action::MarkAsRead { up_to } }).await?;
    let Answered::Marked(marked_count) = answered else { return Err(Refusal::Internal.into()) };
    Ok(HttpResponse::Ok().json(MarkedView { status: "success", marked_count }))
}

#[derive(Deserialize)]
struct MarkFields {
    #[serde(default)]
    message_id: Field,
}

impl MarkFields {
    fn check(self) -> Result<Option<MessageId>, FieldErrors> {
        let id = self.message_id.optional_integer().and_then(|id| match id {
            Some(id) if !(1..=MAX_ID).contains(&id) => {
                Err(format!("Invalid pk \"{id}\" - object does not exist."))
            }
            id => Ok(id.map(MessageId)),
        });
        id.map_err(|sentence| FieldErrors::of("message_id", sentence))
    }
}

#[derive(Serialize)]
struct MarkedView {
    status: &'static str,
    marked_count: i64,
}

/// `POST chats/{chat}/typing/`
pub async fn typing(state: Data<State>, caller: Authenticated, chat: Id<ChatId>, body: Body) -> Answer {
    let (chat, by) = (chat.0, caller.id());
    // Asked in any case: strangers neither start the chat's actor nor have it look at its members.
    state.permitted(chat, by, Ability::TakePart).await?;
    let is_typing = body.json::<TypingFields>()?.check()?;
    state.directory.typing(chat, by, is_typing).await?;
    Ok(HttpResponse::Ok().json(TypingView { status: "success" }))
}

#[derive(Deserialize)]
struct TypingFields {
    #[serde(default)]
    is_typing: Field,
}

impl TypingFields {
    fn check(self) -> Result<bool, FieldErrors> {
        self.is_typing.boolean().map_err(|sentence| FieldErrors::of("is_typing", sentence))
    }
}

#[derive(Serialize)]
struct TypingView {
    status: &'static str,
}

/// `GET unread/`
pub async fn unread(state: Data<State>, caller: Authenticated) -> Answer {
    let user = caller.id();
    let unread = state.readers.ask(move |conn| chats::unread_by_chat(conn, user)).await?;
    let total = unread.iter().map(|(_, count)| count).sum();
    Ok(HttpResponse::Ok().json(UnreadView { total, chats: unread.into_iter().collect() }))
}

#[derive(Serialize)]
struct UnreadView {
    total: i64,
    /// Keyed by chat id.
    chats: BTreeMap<ChatId, i64>,
}
