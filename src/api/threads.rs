//! Threads: `messages/{root}/replies/`, `messages/{root}/follow/`, `messages/{root}/mark-as-read/`, `threads/` and
//! `threads/{root}/`.

use actix_web::{HttpRequest, HttpResponse, web::Data};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    HandlerResult,
    activity::MarkedView,
    body::Body,
    json,
    message_pages::{self, Listing, PageQuery},
    page::{PageNumber, PageView},
    path::Id,
    query::Query,
};
use crate::{
    core::model::{
        ChatId, ChatKind, FieldErrors, Message, MessageId, Refusal, UserId,
        permission::Ability,
        threads::{OwnThread, ThreadForViewer},
    },
    error::ApiError,
    input::MarkFields,
    middleware::authenticate::Authenticated,
    services::{self, checked::Checked},
    state::AppState,
    storage::{
        AnyConn, StorageError,
        queries::{membership, threads as thread_queries},
        tables::positions,
    },
    view::{Links, MessageView, Senders, chat_title, render_long},
};

const PAGE_SIZE: i64 = 50;

/// `GET messages/{root}/replies/`
pub async fn replies(
    state: Data<AppState>,
    caller: Authenticated,
    root: Id<MessageId>,
    request: HttpRequest,
) -> HandlerResult {
    let query = Query::of(&request);
    let (root, user) = (root.0, caller.id());
    let permission = async {
        let found = state.readers.query(move |conn| readable_root(conn, user, root));
        found.await.map(drop)
    };
    let page = Checked::from(PageQuery::without_at(&query)).authorize_errors(permission).await?;
    message_pages::answer(&state, &caller, &request, page, move |conn| readable_root(conn, user, root)).await
}

/// Finds the thread of a root whose chat a user may read. A reply has none: 404.
fn readable_root(conn: &mut AnyConn, user: UserId, root: MessageId) -> Result<Listing, StorageError> {
    let (chat, _) = positions::locate(conn, root)?.ok_or(Refusal::NotFound)?;
    let chat = membership::authorized(conn, chat, user, Ability::Read)?.chat;
    let thread = thread_queries::root_in(conn, chat.id, root)?.ok_or(Refusal::NotFound)?;
    Ok(Listing::Thread(chat, thread))
}

/// A thread in the list of the caller's threads.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Thread)]
pub(crate) struct ThreadView<'a> {
    root: MessageView<'a>,
    chat: ThreadChatView,
    is_followed: bool,
    /// Replies of other users after the thread's read marker, without deleted ones. 0 if the caller does not follow the
    /// thread.
    unread: i64,
    /// Those that mention the caller.
    mentions: i64,
    /// The last reply that is read; null for none.
    #[schema(required)]
    last_read_message_id: Option<MessageId>,
    /// The newest reply that is not deleted.
    #[schema(required)]
    last_reply: Option<MessageView<'a>>,
}

/// The chat of a thread.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ThreadChat)]
struct ThreadChatView {
    id: ChatId,
    title: String,
    #[schema(value_type = ChatKind)]
    chat_type: &'static str,
}

impl<'a> ThreadView<'a> {
    fn of(thread: &'a ThreadForViewer, senders: &'a Senders, is_staff: bool) -> Self {
        let view = |message: &'a Message| MessageView::said(message, senders).seen_by(is_staff, message);
        let OwnThread { is_followed, unread, mentions, last_read_message_id, .. } = thread.own;
        let (chat, viewer) = (&thread.chat.chat.snapshot, &thread.chat.viewer);
        Self {
            root: view(&thread.root),
            chat: ThreadChatView {
                id: chat.chat.id,
                title: chat_title(chat, viewer.id),
                chat_type: chat.chat.kind.as_str(),
            },
            is_followed,
            unread,
            mentions,
            last_read_message_id,
            last_reply: thread.last_reply.as_ref().map(view),
        }
    }
}

fn views<'a>(threads: &'a [ThreadForViewer], senders: &'a Senders, is_staff: bool) -> Vec<ThreadView<'a>> {
    threads.iter().map(|thread| ThreadView::of(thread, senders, is_staff)).collect()
}

fn senders(threads: &[ThreadForViewer], links: &Links) -> Senders {
    let messages = threads.iter().flat_map(|thread| std::iter::once(&thread.root).chain(&thread.last_reply));
    Senders::of(messages, links)
}

/// `GET threads/`
pub async fn list(state: Data<AppState>, caller: Authenticated, request: HttpRequest) -> HandlerResult {
    let query = Query::of(&request);
    let is_unread = is_unread(&query)?;
    let page = PageNumber::of(&query, PAGE_SIZE)?;
    let (user, cache) = (caller.id(), state.chat_cache.clone());
    let found = state.readers.query(move |conn| {
        let (count, rows) = thread_queries::page(conn, user, is_unread, page.skip(), page.size)?;
        Ok((count, cache.threads(conn, user, rows)?))
    });
    let (count, threads) = found.await?;
    page.check(count)?;
    let senders = senders(&threads, &state.links);
    let results = views(&threads, &senders, caller.is_staff);
    Ok(PageView::numbered(&request, &state, page, count, results).answer())
}

/// Reads `unread=1`.
pub(super) fn is_unread(query: &Query) -> Result<bool, ApiError> {
    match query.filled("unread") {
        None | Some("0" | "false") => Ok(false),
        Some("1" | "true") => Ok(true),
        Some(_) => Err(FieldErrors::of("unread", "Must be a valid boolean.").into()),
    }
}

/// `GET threads/{root}/`
pub async fn detail(state: Data<AppState>, caller: Authenticated, root: Id<MessageId>) -> HandlerResult {
    let (root, user, cache) = (root.0, caller.id(), state.chat_cache.clone());
    let found = state.readers.query(move |conn| {
        let row = thread_queries::one(conn, user, root)?.ok_or(Refusal::NotFound)?;
        cache.threads(conn, user, vec![row])
    });
    let threads = found.await?;
    let senders = senders(&threads, &state.links);
    let view = views(&threads, &senders, caller.is_staff).pop().ok_or(Refusal::NotFound)?;
    Ok(json(HttpResponse::Ok(), render_long(&view)))
}

/// `PUT messages/{root}/follow/`
pub async fn follow(state: Data<AppState>, caller: Authenticated, root: Id<MessageId>) -> HandlerResult {
    services::threads::follow(&state, &caller, root.0, true).await?;
    detail(state, caller, root).await
}

/// `DELETE messages/{root}/follow/`
pub async fn unfollow(state: Data<AppState>, caller: Authenticated, root: Id<MessageId>) -> HandlerResult {
    services::threads::follow(&state, &caller, root.0, false).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// `POST messages/{root}/mark-as-read/`
pub async fn mark_as_read(
    state: Data<AppState>,
    caller: Authenticated,
    root: Id<MessageId>,
    body: Body,
) -> HandlerResult {
    let fields = body.checked(MarkFields::check);
    let marked_count = services::threads::mark_as_read(&state, &caller, root.0, fields).await?;
    Ok(HttpResponse::Ok().json(MarkedView::new(marked_count)))
}
