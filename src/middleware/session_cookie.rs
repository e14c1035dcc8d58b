//! Selects the session cookie among all cookies that a browser sends.
//!
//! actix-session reads only the first cookie of its name, and none if any cookie is not valid UTF-8. But
//! other sites of the same domain may set cookies of the same name, or cookies that are not valid UTF-8.

use actix_web::{
    Error,
    body::MessageBody,
    cookie::{Cookie, CookieJar, Key},
    dev::{ServiceRequest, ServiceResponse},
    http::header::{COOKIE, HeaderMap, HeaderValue},
    middleware::Next,
    web::Data,
};

use crate::{
    auth::Sessions,
    core::{
        model::{Credential, Refusal},
        secrets,
    },
    error::ApiError,
    state::AppState,
};

/// Maximum number of cookies of the name that are tried.
const MAX_COOKIES: usize = 50;

/// Removes all cookies but the session's from a request, and lets a sign-in start a session.
pub async fn pick_cookie(
    mut request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let Some(state) = request.app_data::<Data<AppState>>().cloned() else {
        return Err(ApiError::NOT_FOUND.into());
    };
    if request.headers().contains_key(COOKIE) {
        let picked = pick(request.headers(), &state).await.map_err(ApiError::from)?;
        let headers = request.headers_mut();
        headers.remove(COOKIE);
        if let Some(cookie) = picked {
            headers.insert(COOKIE, cookie);
        }
    }
    Sessions::scope(next.call(request)).await
}

/// Returns the first cookie of the name that belongs to a session.
async fn pick(headers: &HeaderMap, state: &AppState) -> Result<Option<HeaderValue>, Refusal> {
    let name = &state.config.cookie_name;
    let mut candidates =
        values(headers, name.as_bytes()).take(MAX_COOKIES).map(|value| format!("{name}={value}"));
    let Some(first) = candidates.next() else { return Ok(None) };
    let mut others = candidates.peekable();
    if others.peek().is_none() {
        // With a single cookie there is no choice. actix-session validates it later.
        return Ok(HeaderValue::try_from(first).ok());
    }
    for candidate in std::iter::once(first).chain(others) {
        if let Some(session) = session(&candidate, name, &state.cookie_key)
            && state.identities.caller(&session).await?.is_some()
        {
            return Ok(HeaderValue::try_from(candidate).ok());
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

/// Returns the session of a cookie, if the cookie has a valid signature.
fn session(cookie: &str, name: &str, key: &Key) -> Option<Credential> {
    let mut jar = CookieJar::new();
    jar.add_original(Cookie::parse_encoded(cookie.to_owned()).ok()?);
    let signed = jar.signed(key).get(name)?;
    Some(Credential::Session(secrets::hash(signed.value())))
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
