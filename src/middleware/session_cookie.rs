//! Selects the session cookie among all cookies that a browser sends, and finds its session.
//!
//! actix-session reads only the first cookie of its name, and none if any cookie is not valid UTF-8. But
//! other sites of the same domain may set cookies of the same name, or cookies that are not valid UTF-8. It
//! also verifies the signature and loads the session on each request. So it gets the cookie only if it has
//! to change the session or to renew the cookie.

use actix_web::{
    Error, HttpMessage,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::header::{COOKIE, HeaderMap, HeaderValue},
    middleware::Next,
    web::Data,
};

use crate::{
    auth::{SessionCookies, Sessions},
    core::model::{Credential, Refusal, Timestamp, time::DAY},
    error::ApiError,
    state::AppState,
};

/// Maximum number of cookies of the name that are tried.
const MAX_COOKIES: usize = 50;

/// Paths that start and end sessions, without their trailing slash.
const SIGN_IN_PATHS: [&str; 2] = ["/login", "/logout"];

/// The session of a request's cookie.
#[derive(Debug, Clone)]
pub(super) struct CookieSession {
    pub(super) credential: Credential,
    /// Whether the session was last renewed more than a day ago.
    pub(super) is_due: bool,
}

/// Removes all cookies from a request, and adds its session to it. Lets a sign-in start a session.
pub async fn pick_cookie(
    mut request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let Some(state) = request.app_data::<Data<AppState>>().cloned() else {
        return Err(ApiError::NOT_FOUND.into());
    };
    if request.headers().contains_key(COOKIE) {
        let picked = pick(request.headers(), &state).await.map_err(ApiError::from)?;
        // As the router sees it: a path may be percent-encoded.
        let is_for_sign_in = SIGN_IN_PATHS.contains(&request.match_info().as_str().trim_end_matches('/'));
        let headers = request.headers_mut();
        headers.remove(COOKIE);
        if let Some((value, session)) = picked {
            if session.is_due || is_for_sign_in {
                let cookie = HeaderValue::try_from(format!("{}={value}", state.session_cookies.name()));
                cookie.map(|cookie| headers.insert(COOKIE, cookie)).ok();
            }
            request.extensions_mut().insert(session);
        }
    }
    Sessions::scope(next.call(request)).await
}

/// Returns the value of the first cookie of the name that belongs to a session, and that session.
async fn pick(headers: &HeaderMap, state: &AppState) -> Result<Option<(String, CookieSession)>, Refusal> {
    let cookies: &SessionCookies = &state.session_cookies;
    for value in values(headers, cookies.name().as_bytes()).take(MAX_COOKIES) {
        if let Some(credential) = cookies.session(value)
            && let Some(caller) = state.identities.caller(&credential).await?
        {
            let is_due = caller.renewed_at.is_some_and(|last| last.plus(DAY) < Timestamp::now());
            return Ok(Some((value.to_owned(), CookieSession { credential, is_due })));
        }
    }
    Ok(None)
}

/// Returns the values of all cookies of a name, without quotes.
fn values<'h>(headers: &'h HeaderMap, name: &'h [u8]) -> impl Iterator<Item = &'h str> {
    let cookies = headers.get_all(COOKIE).flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    cookies.filter_map(move |cookie| {
        let at = cookie.iter().position(|byte| *byte == b'=')?;
        let (found, value) = (cookie[..at].trim_ascii(), cookie[at + 1..].trim_ascii());
        let value = std::str::from_utf8(value).ok().filter(|_| found == name)?;
        let quoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        Some(quoted.unwrap_or(value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_of_the_name_are_found_whatever_stands_beside_them() {
        let mut headers = HeaderMap::new();
        for line in [
            &b"a=1; sessionid=one;sessionid = two ; SESSIONID=x"[..],
            b"flag; =; b=\xff\xfe; sessionid=\"three\"; sessionid=\xff; xsessionid=x",
            b"sessionid=a=b; sessionid=",
        ] {
            headers.append(COOKIE, HeaderValue::from_bytes(line).unwrap());
        }
        let found: Vec<_> = values(&headers, b"sessionid").collect();
        assert_eq!(found, ["one", "two", "three", "a=b", ""]);
    }
}
