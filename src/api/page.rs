//! Pagination: the requested page, its links, and the JSON of a page.

use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use super::{json, query::Query};
use crate::{error::ApiError, net::forwarded, state::AppState, view::render_long};

/// Maximum page size.
const MAX_SIZE: i64 = 100;

/// Requested page of a numbered list.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PageNumber {
    /// From 1.
    pub number: i64,
    pub size: i64,
}

impl PageNumber {
    /// Reads `page` and `page_size`.
    pub(crate) fn of(query: &Query, default_size: i64) -> Result<Self, ApiError> {
        let number = match query.filled("page") {
            None => 1,
            Some(text) => text.parse().ok().filter(|page| *page >= 1).ok_or(ApiError::InvalidPage)?,
        };
        Ok(Self { number, size: page_size(query, default_size) })
    }

    /// Returns how many results precede this page.
    pub(crate) fn skip(self) -> i64 {
        (self.number - 1).saturating_mul(self.size)
    }

    /// Rejects a page past the end. The first page always exists, even if it is empty.
    pub(crate) fn check(self, count: i64) -> Result<(), ApiError> {
        if self.number > 1 && self.skip() >= count { Err(ApiError::InvalidPage) } else { Ok(()) }
    }
}

/// Reads `page_size`. A missing or invalid value gives the default.
pub(crate) fn page_size(query: &Query, default: i64) -> i64 {
    let given = query.filled("page_size").and_then(|text| text.parse().ok());
    given.filter(|size| *size >= 1).map_or(default, |size: i64| size.min(MAX_SIZE))
}

/// A page of results.
#[derive(Debug, Serialize, ToSchema)]
#[schema(bound = "T: ToSchema")]
pub(crate) struct PageView<T> {
    /// Number of results on all pages.
    pub count: i64,
    /// URL of the next page.
    #[schema(required)]
    pub next: Option<String>,
    #[schema(required)]
    pub previous: Option<String>,
    pub results: Vec<T>,
}

impl<T> PageView<T> {
    /// Builds a numbered page with links to the next and the previous one.
    pub(crate) fn numbered(
        request: &HttpRequest,
        state: &AppState,
        page: PageNumber,
        count: i64,
        results: Vec<T>,
    ) -> Self {
        let query = Query::of(request);
        let link = |number: i64| {
            // The first page has no `page` parameter.
            let number = (number > 1).then(|| number.to_string());
            link(request, state, &query, &[("page", number)])
        };
        let has_next = page.skip().saturating_add(page.size) < count;
        Self {
            count,
            next: has_next.then(|| link(page.number + 1)),
            previous: (page.number > 1).then(|| link(page.number - 1)),
            results,
        }
    }
}

impl<T: Serialize> PageView<T> {
    /// Renders the page as a response.
    pub(crate) fn answer(&self) -> HttpResponse {
        json(HttpResponse::Ok(), render_long(self))
    }
}

/// Returns the absolute URL of this request with some parameters changed.
pub(crate) fn link(
    request: &HttpRequest,
    state: &AppState,
    query: &Query,
    changes: &[(&str, Option<String>)],
) -> String {
    let base = forwarded::base_url(request, &state.config);
    let query = query.with(changes);
    let mark = if query.is_empty() { "" } else { "?" };
    format!("{base}{}{mark}{query}", request.path())
}
