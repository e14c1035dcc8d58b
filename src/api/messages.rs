//! `chats/{chat}/messages/` and `messages/{message}/`: list, post, edit and delete messages.

use actix_web::{HttpRequest, HttpResponse, web::Data};

use super::{
    HandlerResult,
    body::Body,
    json,
    page::{PageNumber, PageView, link, page_size},
    path::Id,
    query::Query,
    search,
};
use crate::{
    chat::Answered,
    core::{
        model::{
            ChatId, FieldErrors, Message, MessageId, Pos, Refusal, Timestamp, UserId, permission::Ability,
        },
        text_index::Words,
    },
    error::ApiError,
    input::{EditFields, PostFields},
    middleware::authenticate::Authenticated,
    services::{self, checked::Checked},
    state::AppState,
    storage::{
        AnyConn, ChatCache, StorageError, message_search::pages::SearchRequest, queries::membership,
        tables::positions,
    },
    view::{MessageView, Senders},
};

const PAGE_SIZE: i64 = 50;

/// `GET chats/{chat}/messages/`
pub async fn list(
    state: Data<AppState>,
    caller: Authenticated,
    chat: Id<ChatId>,
    request: HttpRequest,
) -> HandlerResult {
    let query = Query::of(&request);
    let permission = state.permitted(chat.0, caller.id(), Ability::Read);
    if let Some(words) = query.get("search").and_then(Words::of) {
        let question =
            expect_without_at(&query, "search").and_then(|()| SearchRequest::of(&query, words, Some(chat.0)));
        let question = Checked::from(question).authorize_errors(permission).await?;
        return search::answer(&state, &caller, &request, question).await;
    }
    let wanted = Checked::from(PageQuery::of(&query)).authorize_errors(permission).await?;
    let (chat, user, known) = (chat.0, caller.id(), state.chat_cache.clone());
    let found = state.readers.query(move |conn| find(conn, &known, chat, user, wanted)).await?;
    let senders = Senders::of(&found.messages, &state.links);
    let view = |message| MessageView::said(message, &senders).seen_by(caller.is_staff, message);
    let results = found.messages.iter().map(view).collect();
    let window = match wanted {
        PageQuery::Numbered(page) => {
            page.check(found.count)?;
            return Ok(PageView::numbered(&request, &state, page, found.count, results).answer());
        }
        PageQuery::Window(window) => window,
        PageQuery::At { size, .. } => Window { before: None, after: None, size },
    };
    let (older, newer) = window.neighbours(&found);
    let link = |changes: Changes| link(&request, &state, &query, &changes);
    let page = PageView { count: found.count, next: older.map(link), previous: newer.map(link), results };
    Ok(page.answer())
}

/// Requested page: by page number, by keyset pagination with `before` and `after`, or by a moment.
#[derive(Debug, Clone, Copy)]
enum PageQuery {
    Numbered(PageNumber),
    Window(Window),
    /// The page that begins with the first message at a moment or after it. After the last message, it is the
    /// newest page.
    At {
        moment: Timestamp,
        size: i64,
    },
}

/// Keyset pagination by message id. The bounds need not be ids of messages in the chat.
#[derive(Debug, Clone, Copy)]
struct Window {
    before: Option<i64>,
    after: Option<i64>,
    size: i64,
}

impl PageQuery {
    fn of(query: &Query) -> Result<Self, ApiError> {
        let (before, after) = (query.place("before")?, query.place("after")?);
        if let Some(moment) = query.moment("at")? {
            ["before", "after", "page"].into_iter().try_for_each(|name| expect_without_at(query, name))?;
            return Ok(Self::At { moment, size: page_size(query, PAGE_SIZE) });
        }
        if before.is_none() && after.is_none() {
            return Ok(Self::Numbered(PageNumber::of(query, PAGE_SIZE)?));
        }
        Ok(Self::Window(Window { before, after, size: page_size(query, PAGE_SIZE) }))
    }
}

/// Refuses a parameter beside `at`.
fn expect_without_at(query: &Query, name: &'static str) -> Result<(), ApiError> {
    if query.filled("at").is_none() || query.filled(name).is_none() {
        return Ok(());
    }
    Err(FieldErrors::of(name, "This does not go with at.").into())
}

/// A page of a chat's messages, newest first.
struct MessagePage {
    messages: Vec<Message>,
    /// Number of messages in the chat.
    count: i64,
    /// Range of positions that was searched; the lower bound is exclusive.
    bounds: (Pos, Pos),
}

fn find(
    conn: &mut AnyConn,
    known: &ChatCache,
    chat: ChatId,
    user: UserId,
    wanted: PageQuery,
) -> Result<MessagePage, StorageError> {
    let chat = membership::authorized(conn, chat, user, Ability::Read)?.chat;
    let (bounds, places) = match wanted {
        PageQuery::Numbered(page) => {
            let newest = chat.last_pos.saturating_sub(page.skip());
            ((0, chat.last_pos), newest.saturating_sub(page.size) + 1..=newest)
        }
        PageQuery::Window(Window { before, after, size }) => {
            let above =
                after.map_or(Ok(0), |id| positions::count_before(conn, &chat, id.saturating_add(1)))?;
            let last = before.map_or(Ok(chat.last_pos), |id| positions::count_before(conn, &chat, id))?;
            let places = match before {
                Some(_) => (last - size + 1).max(above + 1)..=last,
                None => above + 1..=(above + size).min(last),
            };
            ((above, last), places)
        }
        PageQuery::At { moment, size } => {
            let earlier = positions::posted_before(conn, &chat, moment)?;
            let is_past = earlier == chat.last_pos;
            let first = if is_past { (earlier - size).max(0) + 1 } else { earlier + 1 };
            ((0, chat.last_pos), first..=(first + size - 1).min(chat.last_pos))
        }
    };
    let count = chat.last_pos;
    let messages = known.at_snapshot(conn)?.messages(conn, chat, places)?;
    Ok(MessagePage { messages, count, bounds })
}

type Changes = [(&'static str, Option<String>); 3];

impl Window {
    /// Returns the query parameters of the pages with older and with newer messages, if there are any.
    fn neighbours(self, found: &MessagePage) -> (Option<Changes>, Option<Changes>) {
        let (first_place, last_place) = found.bounds;
        let (oldest, newest) = (found.messages.last(), found.messages.first());
        let keep = |id: Option<i64>| id.map(|id| id.to_string());
        let is_bounded = self.before.is_some() && self.after.is_some();
        // With both bounds given, the links stay between them. With one bound, the links may lead past it.
        let older = match oldest {
            Some(message) => {
                let floor = if is_bounded { first_place } else { 0 };
                (message.pos > floor + 1).then_some(message.id.0)
            }
            None => self.after.filter(|_| !is_bounded && first_place > 0).map(|id| id.saturating_add(1)),
        };
        let newer = match newest {
            Some(message) => {
                let ceiling = if is_bounded { last_place } else { found.count };
                (message.pos < ceiling).then_some(message.id.0)
            }
            None => {
                self.before.filter(|_| !is_bounded && last_place < found.count).map(|id| id.saturating_sub(1))
            }
        };
        let kept_after = if is_bounded { keep(self.after) } else { None };
        let kept_before = if is_bounded { keep(self.before) } else { None };
        (
            older.map(|id| [("before", keep(Some(id))), ("after", kept_after), ("at", None)]),
            newer.map(|id| [("after", keep(Some(id))), ("before", kept_before), ("at", None)]),
        )
    }
}

/// `POST chats/{chat}/messages/`
pub async fn post(
    state: Data<AppState>,
    caller: Authenticated,
    chat: Id<ChatId>,
    body: Body,
) -> HandlerResult {
    // Yields once, so that concurrent posts reach the writer together and share a group commit.
    tokio::task::yield_now().await;
    answer(services::messages::post_message(&state, &caller, chat.0, body.checked(PostFields::check)).await?)
}

/// `GET messages/{message}/`
pub async fn detail(state: Data<AppState>, caller: Authenticated, message: Id<MessageId>) -> HandlerResult {
    let message = services::messages::visible_message(&state, caller.id(), message.0).await?;
    Ok(HttpResponse::Ok().json(MessageView::new(&message, &state.links).seen_by(caller.is_staff, &message)))
}

/// `PUT` and `PATCH messages/{message}/`
pub async fn update(
    state: Data<AppState>,
    caller: Authenticated,
    message: Id<MessageId>,
    request: HttpRequest,
    body: Body,
) -> HandlerResult {
    let is_whole = request.method() == "PUT";
    let fields = body.checked(|fields: EditFields| fields.check(is_whole));
    answer(services::messages::edit_message(&state, &caller, message.0, fields).await?)
}

/// `DELETE messages/{message}/`
pub async fn delete(state: Data<AppState>, caller: Authenticated, message: Id<MessageId>) -> HandlerResult {
    services::messages::delete_message(&state, &caller, message.0).await?;
    Ok(HttpResponse::NoContent().finish())
}

fn answer(answered: Answered) -> HandlerResult {
    match answered {
        Answered::Message { json: body, created: true } => Ok(json(HttpResponse::Created(), body)),
        Answered::Message { json: body, created: false } => Ok(json(HttpResponse::Ok(), body)),
        _ => Err(Refusal::Internal.into()),
    }
}
