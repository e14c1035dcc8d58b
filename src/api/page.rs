//! Pages: which one is asked for, and how it is shown.

use std::num::IntErrorKind;

use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use url::form_urlencoded::{Serializer, parse};
use utoipa::ToSchema;

use super::json;
use crate::{
    core::{model::FieldErrors, text_index::Matching},
    error::ApiError,
    net::forwarded,
    state::State,
    view::render_long,
};

/// Most results on a page.
const MAX_SIZE: i64 = 100;

/// The parameters behind a path's `?`.
pub struct Query(Vec<(String, String)>);

impl Query {
    pub fn of(request: &HttpRequest) -> Self {
        Self(parse(request.query_string().as_bytes()).into_owned().collect())
    }

    /// A parameter's value, the last one where it was given more than once.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The same, where an empty value is as good as none.
    pub fn filled(&self, name: &str) -> Option<&str> {
        self.get(name).map(str::trim).filter(|value| !value.is_empty())
    }

    /// A parameter that names a place in the order of ids. Any integer does; what is too large is beyond all ids.
    pub fn place(&self, name: &'static str) -> Result<Option<i64>, ApiError> {
        let number = |text: &str| match text.parse::<i64>() {
            Ok(number) => Ok(number),
            Err(error) => match error.kind() {
                IntErrorKind::PosOverflow => Ok(i64::MAX),
                IntErrorKind::NegOverflow => Ok(i64::MIN),
                _ => Err(FieldErrors::of(name, "A valid integer is required.").into()),
            },
        };
        self.filled(name).map(number).transpose()
    }

    /// Reads how the words of a search must stand in a text.
    pub fn matching(&self) -> Result<Matching, ApiError> {
        let unknown = |name: &str| FieldErrors::of("match", format!("\"{name}\" is not a valid choice."));
        let parse = |name| Matching::parse(name).ok_or_else(|| unknown(name).into());
        self.filled("match").map_or(Ok(Matching::default()), parse)
    }

    /// The same parameters with some set anew, or taken away.
    fn with(&self, changes: &[(&str, Option<String>)]) -> String {
        let mut query = Serializer::new(String::new());
        let changed = |name: &str| changes.iter().any(|(key, _)| *key == name);
        query.extend_pairs(self.0.iter().filter(|(name, _)| !changed(name)));
        query.extend_pairs(changes.iter().filter_map(|(name, value)| Some((name, value.as_ref()?))));
        query.finish()
    }
}

/// Which page is asked for.
#[derive(Debug, Clone, Copy)]
pub struct PageNumber {
    /// From 1.
    pub number: i64,
    pub size: i64,
}

impl PageNumber {
    /// Reads `page` and `page_size`.
    pub fn of(query: &Query, default_size: i64) -> Result<Self, ApiError> {
        let number = match query.filled("page") {
            None => 1,
            Some(text) => text.parse().ok().filter(|page| *page >= 1).ok_or(ApiError::InvalidPage)?,
        };
        Ok(Self { number, size: page_size(query, default_size) })
    }

    /// How many results come before this page.
    pub fn skip(self) -> i64 {
        (self.number - 1).saturating_mul(self.size)
    }

    /// A page past the end is none, but the first one always is.
    pub fn check(self, count: i64) -> Result<(), ApiError> {
        if self.number > 1 && self.skip() >= count { Err(ApiError::InvalidPage) } else { Ok(()) }
    }
}

/// Reads `page_size`; what cannot be read is the default.
pub fn page_size(query: &Query, default: i64) -> i64 {
    let given = query.filled("page_size").and_then(|text| text.parse().ok());
    given.filter(|size| *size >= 1).map_or(default, |size: i64| size.min(MAX_SIZE))
}

/// A page, as clients see it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(bound = "T: ToSchema")]
pub struct PageView<T> {
    /// How many results there are, on all pages.
    pub count: i64,
    /// The address of the next page.
    #[schema(required)]
    pub next: Option<String>,
    #[schema(required)]
    pub previous: Option<String>,
    pub results: Vec<T>,
}

impl<T> PageView<T> {
    /// A numbered page with links to its neighbours.
    pub fn numbered(
        request: &HttpRequest,
        state: &State,
        page: PageNumber,
        count: i64,
        results: Vec<T>,
    ) -> Self {
        let query = Query::of(request);
        let link = |number: i64| {
            // The first page is the plain address.
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
    /// The page as an answer.
    pub fn answer(&self) -> HttpResponse {
        json(HttpResponse::Ok(), render_long(self))
    }
}

/// The absolute address of this request with some parameters changed.
pub fn link(
    request: &HttpRequest,
    state: &State,
    query: &Query,
    changes: &[(&str, Option<String>)],
) -> String {
    let base = forwarded::base_url(request, &state.config);
    let query = query.with(changes);
    let mark = if query.is_empty() { "" } else { "?" };
    format!("{base}{}{mark}{query}", request.path())
}
