//! Request ids.

use std::sync::{
    LazyLock,
    atomic::{AtomicU64, Ordering},
};

use actix_web::http::header::{HeaderName, HeaderValue};

use crate::core::secrets;

/// Response header with the request's id.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Id of a request: a random prefix of the process and a counter. Unique across servers with high
/// probability.
#[derive(Debug, Clone)]
pub(super) struct RequestId(HeaderValue);

impl RequestId {
    /// Returns the id of the next request.
    pub(super) fn next() -> Self {
        static PROCESS: LazyLock<String> = LazyLock::new(secrets::random_name::<6>);
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let id = HeaderValue::try_from(format!("{}-{number:x}", *PROCESS));
        Self(id.unwrap_or(HeaderValue::from_static("-")))
    }

    pub(super) fn header(&self) -> HeaderValue {
        self.0.clone()
    }

    pub(super) fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}
