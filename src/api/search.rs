//! `search/`: messages by their words, in all of the caller's chats or in one of them.

use actix_web::{HttpRequest, HttpResponse, web::Data};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Answer,
    page::{PageNumber, Query, link, page_size},
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
    services::messages::or_refused,
    state::State,
    storage::{
        AnyConn,
        message_search::pages::{self, Asked, Found, Newer, Question},
    },
    view::{FoundMessageView, MessageView},
};

const PAGE_SIZE: i64 = 50;

/// `GET search/`
pub async fn search(state: Data<State>, caller: Authenticated, request: HttpRequest) -> Answer {
    let query = Query::of(&request);
    let chat = query.filled("chat");
    let chat = chat.map(|chat| ChatId::parse(chat).ok_or(ApiError::NOT_FOUND)).transpose()?;
    let question = words(&query).and_then(|words| Question::of(&query, words, chat));
    let question = match chat {
        Some(chat) => or_refused(question, state.permitted(chat, caller.id(), Ability::TakePart)).await?,
        None => question?,
    };
    answer(&state, &caller, &request, question).await
}

fn words(query: &Query) -> Result<Words, ApiError> {
    let sentence = if query.get("q").is_some() { BLANK } else { REQUIRED };
    let words = Words::of(query.get("q").unwrap_or_default());
    words.ok_or_else(|| FieldErrors::of("q", sentence).into())
}

/// A page of messages that were found.
#[derive(Serialize, ToSchema)]
#[schema(as = FoundMessagePage)]
pub(crate) struct FoundView<'a> {
    /// Exact up to 1,000.
    count: i64,
    /// Older hits.
    #[schema(required)]
    next: Option<String>,
    /// Newer hits.
    #[schema(required)]
    previous: Option<String>,
    results: Vec<FoundMessageView<'a>>,
    /// False where the search was cut short because it would have taken long: `next` goes on from there.
    is_complete: bool,
}

impl Question {
    /// Reads which page is asked for.
    pub(super) fn of(query: &Query, words: Words, chat: Option<ChatId>) -> Result<Self, ApiError> {
        let (before, after) = (query.place("before")?, query.place("after")?);
        let page = match before {
            Some(id) => Asked::Before { id, size: page_size(query, PAGE_SIZE) as usize },
            None => {
                let page = PageNumber::of(query, PAGE_SIZE)?;
                Asked::From {
                    skip: usize::try_from(page.skip()).unwrap_or(usize::MAX),
                    size: page.size as usize,
                }
            }
        };
        let words = words.matching(query.matching()?);
        Ok(Self { words, chat, after: after.unwrap_or(0), page })
    }
}

/// Answers a search.
pub(super) async fn answer(
    state: &State,
    caller: &Authenticated,
    request: &HttpRequest,
    question: Question,
) -> Answer {
    let (rules, user, asked) = (state.rules.clone(), caller.id(), question.page);
    // Long texts and many words take a while, so the highlights are not left to the threads that serve.
    let look = move |conn: &mut AnyConn| {
        let found = pages::page(conn, &rules, user, &question)?;
        let texts = found.messages.iter().map(|message| &message.content);
        let highlights: Vec<_> = texts.map(|text| question.words.highlights(text)).collect();
        Ok((found, highlights))
    };
    let (found, highlights) = state.readers.ask(look).await?;
    if let Asked::From { skip, .. } = asked
        && skip > 0
        && skip >= found.count
    {
        return Err(ApiError::InvalidPage);
    }
    let (next, previous) = links(state, request, &found);
    let views = found.messages.iter().map(|message| MessageView::new(message, &state.links));
    let results = views.zip(highlights).map(|(message, highlights)| FoundMessageView { highlights, message });
    Ok(HttpResponse::Ok().json(FoundView {
        count: found.count as i64,
        next,
        previous,
        results: results.collect(),
        is_complete: found.is_complete,
    }))
}

/// Where the older hits are, and the newer ones.
fn links(state: &State, request: &HttpRequest, found: &Found) -> (Option<String>, Option<String>) {
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
