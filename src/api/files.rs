//! `files/`: the bytes of attachments, links to them, and the attachments of a chat.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web::Data};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    HandlerResult,
    file_answer::{self, Readers},
    json,
    page::{link as page_link, page_size},
    path::Id,
    query::Query,
};
use crate::{
    core::model::{AttachmentId, AttachmentState, ChatId, MessageId, Timestamp, UserId, permission::Ability},
    error::ApiError,
    middleware::authenticate::{Authenticated, caller},
    services::checked::Checked,
    state::AppState,
    storage::{
        Principal,
        queries::{attachments, membership},
    },
    view::{AttachmentView, UserView, file_links::FileLink, render_long},
};

const PAGE_SIZE: i64 = 50;

/// How long a link opens a file.
const LINK_FOR: Duration = Duration::from_secs(5 * 60);

/// A link that opens a file without a credential.
#[derive(Serialize, ToSchema)]
#[schema(as = FileLink)]
pub(crate) struct FileLinkView {
    /// For whoever has it. It ends with the rights of the user who has asked for it.
    url: String,
    expires_at: Timestamp,
}

/// `GET files/{file}/{name}`
pub async fn show(state: Data<AppState>, request: HttpRequest, file: Id<AttachmentId>) -> HandlerResult {
    let query = Query::of(&request);
    let store = state.files.clone();
    let (user, is_linked) = match query.get("v") {
        Some(text) => {
            let link = state.links.open_file_link(file.0, text).ok_or(ApiError::NOT_FOUND)?;
            (link.user, true)
        }
        None => (signed_in(&request, &state).await?, false),
    };
    let id = file.0;
    let found = state.readers.query_one(move |conn| {
        if is_linked && !attachments::is_active(conn, user)? {
            return Ok(None);
        }
        attachments::open_to(conn, user, id).map(Some)
    });
    let found = Principal::User(user).scope(found).await?;
    let (attachment, stored) = found.ok_or(ApiError::NOT_FOUND)?;
    if is_linked && attachment.state != AttachmentState::Clean {
        return Err(ApiError::NOT_FOUND);
    }
    let store = store.ok_or(ApiError::NOT_FOUND)?;
    let readers = if is_linked { Readers::All } else { Readers::SameSite };
    match query.place("thumbnail")? {
        None => file_answer::answer(&request, readers, &store, (&attachment, stored)).await,
        Some(edge) => {
            file_answer::answer_thumbnail(&request, readers, &store, (&attachment, stored), edge).await
        }
    }
}

/// Returns the authenticated caller of a route outside the middleware.
async fn signed_in(request: &HttpRequest, state: &AppState) -> Result<UserId, ApiError> {
    Ok(caller(request, state).await?.ok_or(ApiError::Unauthenticated)?.id())
}

/// `GET files/{file}/link/`
pub async fn link(state: Data<AppState>, request: HttpRequest, file: Id<AttachmentId>) -> HandlerResult {
    let (user, id) = (signed_in(&request, &state).await?, file.0);
    let found = state.readers.query_one(move |conn| attachments::open_to(conn, user, id));
    let (attachment, _) = Principal::User(user).scope(found).await?;
    // Others could use the link to get around the scanner.
    if attachment.state != AttachmentState::Clean {
        return Err(ApiError::NOT_FOUND);
    }
    let expires_at = Timestamp::now().after(LINK_FOR);
    let url = state.links.file_with_link(&attachment, FileLink { user, expires_at });
    Ok(HttpResponse::Ok().json(FileLinkView { url: url.ok_or(ApiError::NOT_FOUND)?, expires_at }))
}

/// An attachment in the list of a chat.
#[derive(Serialize, ToSchema)]
#[schema(as = ListedAttachment)]
pub(crate) struct ListedView<'a> {
    #[serde(flatten)]
    attachment: AttachmentView<'a>,
    /// The message that shows it.
    message: MessageId,
    sender: UserView<'a>,
    /// When the message was posted.
    created_at: Timestamp,
}

/// A page of a chat's attachments.
#[derive(Serialize, ToSchema)]
#[schema(as = AttachmentPage)]
pub(crate) struct ListView<'a> {
    /// URL of the page with older ones.
    #[schema(required)]
    next: Option<String>,
    results: Vec<ListedView<'a>>,
}

/// `GET chats/{chat}/files/`
pub async fn list(
    state: Data<AppState>,
    caller: Authenticated,
    request: HttpRequest,
    chat: Id<ChatId>,
) -> HandlerResult {
    let query = Query::of(&request);
    let (chat, user, size) = (chat.0, caller.id(), page_size(&query, PAGE_SIZE));
    let before = Checked::from(query.place("before"));
    let before = before.authorize_errors(state.permitted(chat, user, Ability::Read)).await?.map(AttachmentId);
    let found = state.readers.query(move |conn| {
        let chat = membership::authorized(conn, chat, user, Ability::Read)?.chat;
        attachments::of_chat(conn, chat.id, before, size + 1)
    });
    let mut found = found.await?;
    let is_more = found.len() as i64 > size;
    found.truncate(size as usize);
    let next = found
        .last()
        .filter(|_| is_more)
        .map(|last| page_link(&request, &state, &query, &[("before", Some(last.attachment.id.to_string()))]));
    let results = found.iter().map(|listed| ListedView {
        attachment: AttachmentView::new(&listed.attachment, &state.links),
        message: listed.message,
        sender: UserView::new(&listed.sender, &state.links),
        created_at: listed.created_at,
    });
    Ok(json(HttpResponse::Ok(), render_long(&ListView { next, results: results.collect() })))
}
