//! The root of the API: links to its collections.

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, web::Data};

use super::HandlerResult;
use crate::{net::forwarded, paths, state::AppState};

/// `GET /messages/api/`
pub async fn show(state: Data<AppState>, request: HttpRequest) -> HandlerResult {
    let base = forwarded::base_url(&request, &state.config);
    let lists = [
        "chats",
        "drafts",
        "rooms",
        "search",
        "settings",
        "unread",
        "users/blocked",
        "users/me",
        "users/search",
    ];
    let links: BTreeMap<_, _> =
        lists.iter().map(|name| (*name, format!("{base}{}/{name}/", paths::BASE))).collect();
    Ok(HttpResponse::Ok().json(links))
}
