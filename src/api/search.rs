//! `search/`: full-text search over the messages of the caller's chats, or of one chat.

use actix_web::{HttpRequest, HttpResponse, web::Data};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    HandlerResult,
    page::{PageNumber, link, page_size},
    query::Query,
};
use crate::{
    core::{
        model::{
            ChatId, FieldErrors,
            permission::Ability,
            text::{BLANK, REQUIRED},
        },
        text_index::Words,
    },
    error::ApiError,
    middleware::authenticate::Authenticated,
    services::checked::Checked,
    state::AppState,
    storage::{
        AnyConn,
        message_search::pages::{self, Newer, RequestedPage, SearchPage, SearchRequest},
    },
    view::{FoundMessageView, MessageView},
};

const PAGE_SIZE: i64 = 50;

/// `GET search/`
pub async fn search(state: Data<AppState>, caller: Authenticated, request: HttpRequest) -> HandlerResult {
    let query = Query::of(&request);
    let chat = query.filled("chat");
    let chat = chat.map(|chat| ChatId::parse(chat).ok_or(ApiError::NOT_FOUND)).transpose()?;
    let question = words(&query).and_then(|words| SearchRequest::of(&query, words, chat));
    let question = match chat {
        Some(chat) => {
            let permission = state.permitted(chat, caller.id(), Ability::Read);
            Checked::from(question).authorize_errors(permission).await?
        }
        None => question?,
    };
    answer(&state, &caller, &request, question).await
}

fn words(query: &Query) -> Result<Words, ApiError> {
    if query.filled("q").is_none() && has_file(query)? {
        return Ok(Words::none());
    }
    let sentence = if query.get("q").is_some() { BLANK } else { REQUIRED };
    let words = Words::of(query.get("q").unwrap_or_default());
    words.ok_or_else(|| FieldErrors::of("q", sentence).into())
}

/// Reads `has`: whether only messages with attachments are found.
pub(super) fn has_file(query: &Query) -> Result<bool, ApiError> {
    match query.filled("has") {
        None => Ok(false),
        Some("file") => Ok(true),
        Some(other) => Err(FieldErrors::of("has", format!("\"{other}\" is not a valid choice.")).into()),
    }
}

/// A page of search hits.
#[derive(Serialize, ToSchema)]
#[schema(as = FoundMessagePage)]
pub(crate) struct FoundView<'a> {
    /// Number of hits, exact up to 1,000.
    count: i64,
    /// URL of the page with older hits.
    #[schema(required)]
    next: Option<String>,
    /// URL of the page with newer hits.
    #[schema(required)]
    previous: Option<String>,
    results: Vec<FoundMessageView<'a>>,
    /// False if the search stopped early to limit its cost; `next` continues from there.
    is_complete: bool,
}

impl SearchRequest {
    /// Reads the requested page and the search options.
    pub(super) fn of(query: &Query, words: Words, chat: Option<ChatId>) -> Result<Self, ApiError> {
        let (before, after) = (query.place("before")?, query.place("after")?);
        let page = match before {
            Some(id) => RequestedPage::Before { id, size: page_size(query, PAGE_SIZE) as usize },
            None => {
                let page = PageNumber::of(query, PAGE_SIZE)?;
                RequestedPage::From {
                    skip: usize::try_from(page.skip()).unwrap_or(usize::MAX),
                    size: page.size as usize,
                }
            }
        };
        let words = words.matching(query.matching()?);
        Ok(Self { words, has_file: has_file(query)?, chat, after: after.unwrap_or(0), page })
    }
}

/// Runs a search and renders the response.
pub(super) async fn answer(
    state: &AppState,
    caller: &Authenticated,
    request: &HttpRequest,
    question: SearchRequest,
) -> HandlerResult {
    let (policy, user, asked) = (state.policy.clone(), caller.id(), question.page);
    // Highlighting can be slow for long texts and many words. So it runs on the read pool, not on a worker.
    let look = move |conn: &mut AnyConn| {
        let found = pages::page(conn, &policy, user, &question)?;
        let texts = found.messages.iter().map(|message| &message.content);
        let highlights: Vec<_> = texts.map(|text| question.words.highlights(text)).collect();
        Ok((found, highlights))
    };
    let (found, highlights) = state.readers.query(look).await?;
    if let RequestedPage::From { skip, .. } = asked
        && skip > 0
        && skip >= found.count
    {
        return Err(ApiError::InvalidPage);
    }
    let (next, previous) = links(state, request, &found);
    let view = |message| MessageView::new(message, &state.links).seen_by(caller.is_staff, message);
    let views = found.messages.iter().map(view);
    let results = views.zip(highlights).map(|(message, highlights)| FoundMessageView { highlights, message });
    Ok(HttpResponse::Ok().json(FoundView {
        count: found.count as i64,
        next,
        previous,
        results: results.collect(),
        is_complete: found.is_complete,
    }))
}

/// Returns the URLs of the pages with older and with newer hits.
fn links(state: &AppState, request: &HttpRequest, found: &SearchPage) -> (Option<String>, Option<String>) {
    let query = Query::of(request);
    let before = |id: Option<i64>| {
        link(request, state, &query, &[("before", id.map(|id| id.to_string())), ("page", None)])
    };
    let newer = match found.newer {
        Newer::None => None,
        Newer::First => Some(before(None)),
        Newer::Before(id) => Some(before(Some(id))),
    };
    (found.older.map(|id| before(Some(id))), newer)
}
