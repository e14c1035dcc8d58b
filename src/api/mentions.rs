//! `mentions/`: the messages that mention the caller.

use actix_web::{HttpRequest, web::Data};

use super::{
    HandlerResult,
    page::{PageNumber, PageView},
    query::Query,
    threads::is_unread,
};
use crate::{
    middleware::authenticate::Authenticated,
    state::AppState,
    storage::queries::mentions,
    view::{MessageView, Senders},
};

const PAGE_SIZE: i64 = 50;

/// `GET mentions/`
pub async fn list(state: Data<AppState>, caller: Authenticated, request: HttpRequest) -> HandlerResult {
    let query = Query::of(&request);
    let is_unread = is_unread(&query)?;
    let page = PageNumber::of(&query, PAGE_SIZE)?;
    let (user, policy) = (caller.id(), state.policy.clone());
    let found = state
        .readers
        .query(move |conn| mentions::page(conn, &policy, user, is_unread, page.skip(), page.size));
    let (count, messages) = found.await?;
    page.check(count)?;
    let senders = Senders::of(&messages, &state.links);
    let view = |message| MessageView::said(message, &senders).seen_by(caller.is_staff, message);
    let results = messages.iter().map(view).collect();
    Ok(PageView::numbered(&request, &state, page, count, results).answer())
}
