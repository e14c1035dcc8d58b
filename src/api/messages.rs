//! `chats/{chat}/messages/` and `messages/{message}/`: reading, posting, editing and deleting messages.

use actix_web::{HttpRequest, HttpResponse, web::Data};

use super::{
    Answer,
    body::Body,
    json,
    page::{PageNumber, PageView, Query, link, page_size},
    path::Id,
    search,
};
use crate::{
    chat::Answered,
    core::{
        model::{ChatId, Message, MessageId, Pos, Refusal, UserId, permission::Ability},
        text_index::Words,
    },
    error::ApiError,
    middleware::authenticate::Authenticated,
    services::{self, messages::or_refused},
    state::State,
    storage::{
        AnyConn, KnownChats, StorageError, message_search::pages::Question, queries::membership,
        tables::messages,
    },
    view::{MessageView, Senders},
};

const PAGE_SIZE: i64 = 50;

/// `GET chats/{chat}/messages/`
pub async fn list(
    state: Data<State>,
    caller: Authenticated,
    chat: Id<ChatId>,
    request: HttpRequest,
) -> Answer {
    let query = Query::of(&request);
    if let Some(words) = query.get("search").and_then(Words::of) {
        let question = Question::of(&query, words, Some(chat.0));
        let question = or_refused(question, state.permitted(chat.0, caller.id(), Ability::TakePart)).await?;
        return search::answer(&state, &caller, &request, question).await;
    }
    let wanted =
        or_refused(Wanted::of(&query), state.permitted(chat.0, caller.id(), Ability::TakePart)).await?;
    let (chat, user, known) = (chat.0, caller.id(), state.known.clone());
    let found = state.readers.ask(move |conn| find(conn, &known, chat, user, wanted)).await?;
    let senders = Senders::of(&found.messages, &state.links);
    let results = found.messages.iter().map(|message| MessageView::said(message, &senders)).collect();
    let page = match wanted {
        Wanted::Numbered(page) => {
            page.check(found.count)?;
            PageView::numbered(&request, &state, page, found.count, results)
        }
        Wanted::Near(near) => {
            let (older, newer) = near.neighbours(&found);
            let link = |changes: [(&str, Option<String>); 2]| link(&request, &state, &query, &changes);
            PageView { count: found.count, next: older.map(link), previous: newer.map(link), results }
        }
    };
    Ok(page.answer())
}

/// Which messages are asked for.
#[derive(Debug, Clone, Copy)]
enum Wanted {
    Numbered(PageNumber),
    Near(Near),
}

/// The messages nearest to a place in the order of ids, which need not be that of a message in the chat.
#[derive(Debug, Clone, Copy)]
struct Near {
    before: Option<i64>,
    after: Option<i64>,
    size: i64,
}

impl Wanted {
    fn of(query: &Query) -> Result<Self, ApiError> {
        let (before, after) = (query.place("before")?, query.place("after")?);
        if before.is_none() && after.is_none() {
            return Ok(Self::Numbered(PageNumber::of(query, PAGE_SIZE)?));
        }
        Ok(Self::Near(Near { before, after, size: page_size(query, PAGE_SIZE) }))
    }
}

/// Messages of a chat, newest first.
struct Found {
    messages: Vec<Message>,
    /// How many the chat has.
    count: i64,
    /// Places between which messages were looked for, the first one excluded.
    bounds: (Pos, Pos),
}

fn find(
    conn: &mut AnyConn,
    known: &KnownChats,
    chat: ChatId,
    user: UserId,
    wanted: Wanted,
) -> Result<Found, StorageError> {
    let chat = membership::authorized(conn, chat, user, Ability::TakePart)?.chat;
    let (bounds, places) = match wanted {
        Wanted::Numbered(page) => {
            let newest = chat.last_pos.saturating_sub(page.skip());
            ((0, chat.last_pos), newest.saturating_sub(page.size) + 1..=newest)
        }
        Wanted::Near(Near { before, after, size }) => {
            let above =
                after.map_or(Ok(0), |id| messages::places_before(conn, &chat, id.saturating_add(1)))?;
            let last = before.map_or(Ok(chat.last_pos), |id| messages::places_before(conn, &chat, id))?;
            let places = match before {
                Some(_) => (last - size + 1).max(above + 1)..=last,
                None => above + 1..=(above + size).min(last),
            };
            ((above, last), places)
        }
    };
    let count = chat.last_pos;
    let messages = known.look(conn)?.messages(conn, chat, places)?;
    Ok(Found { messages, count, bounds })
}

type Changes = [(&'static str, Option<String>); 2];

impl Near {
    /// The parameters that lead on to older and to newer messages, where there are any.
    fn neighbours(self, found: &Found) -> (Option<Changes>, Option<Changes>) {
        let (first_place, last_place) = found.bounds;
        let (oldest, newest) = (found.messages.last(), found.messages.first());
        let keep = |id: Option<i64>| id.map(|id| id.to_string());
        let window = self.before.is_some() && self.after.is_some();
        // Within a window the other bound stays; otherwise one may leave by the way one came.
        let older = match oldest {
            Some(message) => {
                let floor = if window { first_place } else { 0 };
                (message.pos > floor + 1).then_some(message.id.0)
            }
            None => self.after.filter(|_| !window && first_place > 0).map(|id| id.saturating_add(1)),
        };
        let newer = match newest {
            Some(message) => {
                let ceiling = if window { last_place } else { found.count };
                (message.pos < ceiling).then_some(message.id.0)
            }
            None => {
                self.before.filter(|_| !window && last_place < found.count).map(|id| id.saturating_sub(1))
            }
        };
        let kept_after = if window { keep(self.after) } else { None };
        let kept_before = if window { keep(self.before) } else { None };
        (
            older.map(|id| [("before", keep(Some(id))), ("after", kept_after)]),
            newer.map(|id| [("after", keep(Some(id))), ("before", kept_before)]),
        )
    }
}

/// `POST chats/{chat}/messages/`
pub async fn post(state: Data<State>, caller: Authenticated, chat: Id<ChatId>, body: Body) -> Answer {
    // Those who have posted at the same time go on together, and so more of them share a transaction.
    tokio::task::yield_now().await;
    answer(services::messages::post_message(&state, &caller, chat.0, body.json()).await?)
}

/// `GET messages/{message}/`
pub async fn detail(state: Data<State>, caller: Authenticated, message: Id<MessageId>) -> Answer {
    let message = services::messages::visible_message(&state, caller.id(), message.0).await?;
    Ok(HttpResponse::Ok().json(MessageView::new(&message, &state.links)))
}

/// `PUT` and `PATCH messages/{message}/`
pub async fn update(
    state: Data<State>,
    caller: Authenticated,
    message: Id<MessageId>,
    request: HttpRequest,
    body: Body,
) -> Answer {
    let is_whole = request.method() == "PUT";
    answer(services::messages::edit_message(&state, &caller, message.0, body.json(), is_whole).await?)
}

/// `DELETE messages/{message}/`
pub async fn delete(state: Data<State>, caller: Authenticated, message: Id<MessageId>) -> Answer {
    services::messages::delete_message(&state, &caller, message.0).await?;
    Ok(HttpResponse::NoContent().finish())
}

fn answer(answered: Answered) -> Answer {
    match answered {
        Answered::Message { json: body, created: true } => Ok(json(HttpResponse::Created(), body)),
        Answered::Message { json: body, created: false } => Ok(json(HttpResponse::Ok(), body)),
        _ => Err(Refusal::Internal.into()),
    }
}
