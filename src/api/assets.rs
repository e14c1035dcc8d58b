//! `greenroom.js`, the client for browsers and Node, with its types. Both are part of the program.

use std::sync::LazyLock;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CACHE_CONTROL, ETAG},
};

use super::is_known;
use crate::auth::keys;

/// A file that is served as it was when the program was built.
struct Asset {
    content: &'static str,
    content_type: &'static str,
    /// Changes with the content.
    etag: String,
}

impl Asset {
    fn new(content: &'static str, content_type: &'static str) -> Self {
        Self { content, content_type, etag: format!("\"{}\"", &keys::hash(content)[..16]) }
    }

    /// Open to all, so that other sites' pages can import it; asked for anew each time, so that a page never runs the
    /// client of an older server.
    fn answer(&self, request: &HttpRequest) -> HttpResponse {
        let is_known = is_known(request, &self.etag);
        let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
        response
            .insert_header((ETAG, self.etag.as_str()))
            .insert_header((CACHE_CONTROL, "no-cache"))
            .insert_header(("Cross-Origin-Resource-Policy", "cross-origin"));
        if is_known {
            return response.finish();
        }
        response.content_type(self.content_type).body(self.content)
    }
}

/// `GET /messages/greenroom.js`
pub async fn client(request: HttpRequest) -> HttpResponse {
    static CLIENT: LazyLock<Asset> = LazyLock::new(|| {
        Asset::new(include_str!("../../web/greenroom.js"), "text/javascript; charset=utf-8")
    });
    CLIENT.answer(&request)
}

/// `GET /messages/greenroom.d.ts`
pub async fn client_types(request: HttpRequest) -> HttpResponse {
    static TYPES: LazyLock<Asset> = LazyLock::new(|| {
        Asset::new(include_str!("../../web/greenroom.d.ts"), "application/typescript; charset=utf-8")
    });
    TYPES.answer(&request)
}
