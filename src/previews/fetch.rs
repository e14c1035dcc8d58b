//! Fetches pages, with limits on addresses, redirects, size and time, and keeps what was found.

use std::{
    cell::RefCell,
    time::{Duration, Instant},
};

use actix_rt::time::timeout;
use actix_web::http::header::CONTENT_TYPE;
use awc::{ClientResponse, http::StatusCode};
use futures_util::StreamExt;
use quick_cache::unsync::Cache;
use url::Url;

use super::page;
use crate::{
    core::model::Preview,
    outbound::{Failure, Outbound, Reach, redirect},
};

/// Most bytes of a page that are read. The rest is not looked at.
const LARGEST: usize = 768 << 10;

/// Maximum number of redirects.
const REDIRECTS: usize = 3;

/// Timeout of a page, redirects included.
const FETCHED_WITHIN: Duration = Duration::from_secs(3);

/// The `Accept` header of the requests.
const ACCEPTED: &str = "text/html,application/xhtml+xml";

/// How long a preview is kept.
const KEPT_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// How long it is kept that a page has no preview.
const MISSING_FOR: Duration = Duration::from_secs(10 * 60);

/// Most pages that are kept.
const MAX_KEPT: usize = 2_000;

/// Fetches pages.
pub struct PageFetcher {
    outbound: Outbound,
    /// The server's public URL. Its own pages have no previews.
    own: Option<Url>,
    kept: RefCell<Cache<String, (Instant, Option<Preview>)>>,
}

impl PageFetcher {
    pub fn new(reach: Reach, own: &str) -> Self {
        let kept = RefCell::new(Cache::new(MAX_KEPT));
        Self { outbound: Outbound::new(reach), own: Url::parse(own).ok(), kept }
    }

    /// Returns the preview of a link; `None`: it has none.
    pub async fn preview(&self, link: &str) -> Option<Preview> {
        if let Some((found_at, known)) = self.kept.borrow().get(link) {
            let kept_for = if known.is_some() { KEPT_FOR } else { MISSING_FOR };
            if found_at.elapsed() < kept_for {
                return known.clone();
            }
        }
        let fetched = timeout(FETCHED_WITHIN, self.follow(link)).await;
        let found = match fetched.unwrap_or(Err(Failure::Timeout)) {
            Ok(found) => found,
            Err(failure) => {
                log(link, failure);
                None
            }
        };
        self.kept.borrow_mut().insert(link.to_owned(), (Instant::now(), found.clone()));
        found
    }

    async fn follow(&self, link: &str) -> Result<Option<Preview>, Failure> {
        let mut url = Url::parse(link).map_err(|_| Failure::Address)?;
        for _ in 0..=REDIRECTS {
            if !self.may_ask(&url) {
                return Err(Failure::Address);
            }
            let mut response = self.outbound.get(&url, ACCEPTED).await?;
            let Some(next) = redirect(&response) else {
                let charset = charset_of(&response)?;
                let bytes = read(&mut response).await?;
                return Ok(page::read(link, &url, charset.as_deref(), &bytes));
            };
            url = url.join(&next).map_err(|_| Failure::Address)?;
        }
        Err(Failure::Redirects)
    }

    fn may_ask(&self, url: &Url) -> bool {
        let is_own = self.own.as_ref().is_some_and(|own| own.origin() == url.origin());
        matches!(url.scheme(), "http" | "https")
            && url.username().is_empty()
            && url.password().is_none()
            && !is_own
    }
}

/// Returns the charset of a page as its host says. Fails for anything but a page.
fn charset_of(response: &ClientResponse) -> Result<Option<String>, Failure> {
    if response.status() != StatusCode::OK {
        return Err(Failure::Status);
    }
    let header = response.headers().get(CONTENT_TYPE).and_then(|header| header.to_str().ok());
    let mut parts = header.unwrap_or_default().split(';').map(str::trim);
    let kind = parts.next().unwrap_or_default();
    if !["text/html", "application/xhtml+xml"].iter().any(|page| kind.eq_ignore_ascii_case(page)) {
        return Err(Failure::Kind);
    }
    let charset = parts.filter_map(|part| part.split_once('='));
    let mut charset = charset.filter(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
    Ok(charset.next().map(|(_, value)| value.trim().trim_matches('"').to_owned()))
}

/// Reads a page up to the largest size. What is after it is not waited for.
async fn read(response: &mut ClientResponse) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    while let Some(piece) = response.next().await {
        bytes.extend_from_slice(&piece.map_err(|_| Failure::Broken)?);
        if bytes.len() >= LARGEST {
            bytes.truncate(LARGEST);
            break;
        }
    }
    Ok(bytes)
}

/// Logs a failure with the host only, because the rest of the URL may be a secret.
fn log(link: &str, failure: Failure) {
    let url = Url::parse(link).ok();
    let host = url.as_ref().and_then(|url| url.host_str()).unwrap_or_default();
    tracing::debug!(host, reason = failure.name(), "no preview of a link: its page was not fetched");
}
