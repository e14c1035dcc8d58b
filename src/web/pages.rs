//! HTML pages: sign-in, messages, widget demo and API reference.

use std::{collections::HashMap, sync::LazyLock};

use actix_web::{
    HttpRequest, HttpResponse,
    body::MessageBody,
    http::header::{ACCEPT, CONTENT_SECURITY_POLICY, HeaderValue, LOCATION, REFERRER_POLICY, VARY},
    web::Data,
};
use url::form_urlencoded;

use super::assets;
use crate::{
    api::{self, HandlerResult, query::Query, sign_in},
    middleware::authenticate,
    openapi,
    state::AppState,
};

/// Returns the `Content-Security-Policy` of pages. All resources are from this server, except users' pictures
/// if the picture proxy is off. Forms may also be sent to the public URL.
fn policy(state: &AppState) -> String {
    let public_url = state.config.public_url.as_deref().unwrap_or_default();
    let others = if state.config.picture_proxy { "" } else { "https: " };
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
         img-src 'self' {others}data: blob: {public_url}; media-src 'self' {public_url}; form-action 'self' {public_url}; base-uri 'none'; frame-ancestors 'none'"
    )
}

fn page(state: &AppState, name: &'static str) -> HttpResponse {
    static PAGES: LazyLock<HashMap<&str, String>> =
        LazyLock::new(|| ["messages", "demo", "reference"].map(|name| (name, filled_in(name))).into());
    in_html(state, PAGES.get(name).map(String::as_str).unwrap_or_default())
}

fn in_html(state: &AppState, text: impl MessageBody + 'static) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((CONTENT_SECURITY_POLICY, policy(state)))
        .body(text)
}

/// Fills in a page's template. `{{static}}` becomes the base URL of the files. `{{modules}}` becomes preload
/// links for all modules that its script imports, so that a browser loads them in parallel.
fn filled_in(name: &str) -> String {
    let base = format!("{}/{}", assets::BASE, *assets::VERSION);
    let preloads: Vec<_> = imports(&format!("{name}.js"))
        .iter()
        .map(|path| format!("<link rel=\"modulepreload\" href=\"{base}/{path}\">"))
        .collect();
    let page = assets::text(&format!("pages/{name}.html"));
    page.replace("{{static}}", &base).replace("{{modules}}", &preloads.join("\n    "))
}

/// Returns all static imports of a module, transitively. Dynamic imports are not included.
fn imports(entry: &str) -> Vec<String> {
    let mut found = vec![entry.to_owned()];
    let mut next = 0;
    while let Some(module) = found.get(next).cloned() {
        next += 1;
        let folder = module.rsplit_once('/').map_or("", |(folder, _)| folder);
        let imported =
            assets::text(&module).split("from \"").skip(1).filter_map(|rest| rest.split('"').next());
        for path in imported.filter(|path| path.starts_with('.')).map(|path| resolved(folder, path)) {
            if !found.contains(&path) {
                found.push(path);
            }
        }
    }
    found.split_off(1)
}

/// Resolves a relative path against a folder.
fn resolved(folder: &str, path: &str) -> String {
    let mut parts: Vec<_> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

fn go_to(address: &str) -> HttpResponse {
    HttpResponse::Found().insert_header((LOCATION, address)).finish()
}

/// `GET /` and `GET /messages/`
pub async fn messages(state: Data<AppState>, request: HttpRequest) -> HandlerResult {
    if authenticate::optional_user(&request, &state).await?.is_some() {
        return Ok(page(&state, "messages"));
    }
    let next: String = form_urlencoded::byte_serialize(request.uri().to_string().as_bytes()).collect();
    Ok(go_to(&format!("/login/?next={next}")))
}

/// `GET /demo/`, without authentication: visitors see what they would see on a host's site.
pub async fn demo(state: Data<AppState>) -> HandlerResult {
    Ok(page(&state, "demo"))
}

/// `GET /messages/api/docs/`, without authentication.
pub async fn reference(state: Data<AppState>) -> HandlerResult {
    Ok(page(&state, "reference"))
}

/// `GET /messages/api/`, without authentication: for browsers a page with all routes, for others links as
/// JSON.
pub async fn index(state: Data<AppState>, request: HttpRequest) -> HandlerResult {
    static INDEX: LazyLock<String> =
        LazyLock::new(|| filled_in("index").replace("{{list}}", &openapi::index()));
    let accepted = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut answer = if accepted.contains("text/html") {
        in_html(&state, INDEX.as_str())
    } else {
        api::index::show(state, request).await?
    };
    answer.headers_mut().insert(VARY, HeaderValue::from_static("Accept"));
    Ok(answer)
}

/// `GET /login/`
pub async fn sign_in(state: Data<AppState>, request: HttpRequest) -> HandlerResult {
    if authenticate::optional_user(&request, &state).await?.is_none() {
        static PAGE: LazyLock<String> = LazyLock::new(|| filled_in("login"));
        let address = state.config.public_url.as_deref().unwrap_or_default();
        let mut page = in_html(&state, PAGE.replace("{{public}}", &address.replace('"', "&quot;")));
        // Without JavaScript the browser submits the form itself. The CSRF check needs its `Origin` then.
        page.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
        return Ok(page);
    }
    let query = Query::of(&request);
    let next = query.get("next").filter(|path| sign_in::is_own_path(path)).unwrap_or("/");
    Ok(go_to(next))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_names_all_that_its_script_imports() {
        for page in ["login", "messages"] {
            let modules = imports(&format!("{page}.js"));
            assert!(modules.contains(&"greenroom.js".to_owned()), "{modules:?}");
            assert!(modules.contains(&"vendor/preact.js".to_owned()), "{modules:?}");
            assert!(modules.iter().all(|path| !assets::text(path).is_empty()), "{modules:?}");
            assert!(!filled_in(page).replace("{{public}}", "").contains("{{"));
        }
    }
}
