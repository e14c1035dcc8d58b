//! `users/{user}/block/`, `users/blocked/`: the users that the caller has blocked.

use actix_web::{HttpRequest, HttpResponse, web::Data};

use super::{
    HandlerResult,
    page::{PageNumber, PageView},
    path::Id,
    query::Query,
};
use crate::{
    core::model::UserId,
    middleware::authenticate::Authenticated,
    state::AppState,
    storage::{commands::blocking, tables::blocks},
    view::UserView,
};

const PAGE_SIZE: i64 = 100;

/// `POST users/{user}/block/`
pub async fn block(state: Data<AppState>, caller: Authenticated, user: Id<UserId>) -> HandlerResult {
    let (by, user) = (caller.id(), user.0);
    let blocked =
        state.writer.run("block_user", move |conn, policy| blocking::block(conn, policy, by, user)).await?;
    Ok(HttpResponse::Ok().json(UserView::new(&blocked, &state.links)))
}

/// `DELETE users/{user}/block/`; idempotent.
pub async fn unblock(state: Data<AppState>, caller: Authenticated, user: Id<UserId>) -> HandlerResult {
    let (by, user) = (caller.id(), user.0);
    super::users::known(&state, by, user).await?;
    state.writer.run("unblock_user", move |conn, _| blocks::unblock(conn, by, user)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// `GET users/blocked/`
pub async fn list(state: Data<AppState>, caller: Authenticated, request: HttpRequest) -> HandlerResult {
    let page = PageNumber::of(&Query::of(&request), PAGE_SIZE)?;
    let by = caller.id();
    let (count, cards) =
        state.readers.query(move |conn| blocks::page(conn, by, page.skip(), page.size)).await?;
    page.check(count)?;
    let results = cards.iter().map(|card| UserView::new(card, &state.links)).collect();
    Ok(PageView::numbered(&request, &state, page, count, results).answer())
}
