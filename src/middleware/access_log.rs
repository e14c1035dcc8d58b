//! Access log. Methods and path segments that may contain a secret are masked.

use std::{
    fmt::{self, Display, Formatter},
    net::IpAddr,
};

use actix_web::http::{Method, StatusCode, Uri};

use crate::{
    auth::{Caller, audit},
    core::request_id::RequestId,
    state::AppState,
    telemetry::http::is_known,
};

/// Maximum length of a path segment that is logged, in bytes. Keys and tokens are longer.
const LONGEST_WORD: usize = 20;

/// Method and path of a request, as the log shows them.
pub(super) struct RequestLine(pub(super) Method, pub(super) Uri);

impl Display for RequestLine {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method(), self.path())
    }
}

impl RequestLine {
    /// Returns the method, or `...` for one that HTTP does not define, since it may be any text.
    pub(super) fn method(&self) -> &str {
        if is_known(&self.0) { self.0.as_str() } else { "..." }
    }

    /// Returns the path without its query.
    pub(super) fn path(&self) -> LoggedPath<'_> {
        LoggedPath(self.1.path())
    }
}

/// A path for the log: short words and numbers are shown, all other segments are `...`.
pub(super) struct LoggedPath<'a>(&'a str);

impl Display for LoggedPath<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (index, part) in self.0.split('/').enumerate() {
            if index > 0 {
                f.write_str("/")?;
            }
            f.write_str(if is_word(part) { part } else { "..." })?;
        }
        Ok(())
    }
}

fn is_word(part: &str) -> bool {
    part.len() <= LONGEST_WORD
        && (part.bytes().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'.' | b'-' | b'_'))
            || part.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Logs the status of a request. 401 and 403 include the client's address, for intrusion detection.
pub(super) fn log(
    state: &AppState,
    line: &RequestLine,
    status: StatusCode,
    id: RequestId,
    caller: Option<&Caller>,
    from: IpAddr,
) {
    let (status, request_id) = (status.as_u16(), tracing::field::display(id));
    // A 503 during shutdown is expected.
    let is_fault = status >= 500 && !(status == 503 && state.is_draining());
    if is_fault {
        tracing::error!(request_id, status, "{line}");
    } else if status == 401 {
        tracing::info!(request_id, status, %from, "{line}");
    } else if status == 403 {
        let user = caller.map(|caller| &*caller.card.username);
        let user_id = caller.map(|caller| caller.id().0);
        tracing::info!(target: audit::TARGET, user, user_id, %from, request_id, status, "refused: {line}");
    } else {
        tracing::debug!(request_id, status, "{line}");
    }
}
