//! Static files of `web/`, embedded in the program: scripts, styles, texts and images.

use std::{collections::HashMap, sync::LazyLock};

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{
        ACCEPT_ENCODING, ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_ENCODING, ETAG, VARY,
    },
    web::Path,
};

use crate::{
    api::{HandlerResult, is_known},
    core::secrets,
    error::ApiError,
};

/// An embedded file.
struct File {
    path: &'static str,
    plain: &'static [u8],
    gzip: &'static [u8],
}

include!(concat!(env!("OUT_DIR"), "/web.rs"));

/// Base path of the files. The version follows, then the path in `web/`.
pub const BASE: &str = "/messages/static";

/// Hash of the content of all files. It is part of their URLs, so that browsers can cache them forever.
pub static VERSION: LazyLock<String> = LazyLock::new(|| {
    let all: Vec<_> =
        FILES.iter().map(|file| format!("{} {}\n", file.path, secrets::hash(file.plain))).collect();
    secrets::hash(all.concat())[..16].to_owned()
});

static ASSETS: LazyLock<HashMap<&str, Asset>> =
    LazyLock::new(|| FILES.iter().map(|file| (file.path, Asset::new(file))).collect());

/// A file with its response headers.
pub struct Asset {
    plain: &'static [u8],
    /// Compressed content, if it is shorter.
    gzip: Option<&'static [u8]>,
    content_type: &'static str,
    /// ETag, a hash of the content.
    etag: String,
}

impl Asset {
    fn new(file: &File) -> Self {
        Self {
            plain: file.plain,
            gzip: Some(file.gzip).filter(|gzip| !gzip.is_empty() && gzip.len() < file.plain.len()),
            content_type: content_type(file.path),
            etag: format!("\"{}\"", &secrets::hash(file.plain)[..16]),
        }
    }

    /// Responds with the file. Any origin may use it, so that pages of other sites can embed it.
    fn answer(&self, request: &HttpRequest, cache_control: &'static str) -> HttpResponse {
        let is_known = is_known(request, &self.etag);
        let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
        response
            .insert_header((CACHE_CONTROL, cache_control))
            .insert_header((VARY, "Accept-Encoding"))
            .insert_header((ACCESS_CONTROL_ALLOW_ORIGIN, "*"))
            .insert_header(("Cross-Origin-Resource-Policy", "cross-origin"));
        let gzip = self.gzip.filter(|_| takes_gzip(request));
        // Both encodings share an ETag, so the compressed one gets a weak ETag.
        let etag = if gzip.is_some() { format!("W/{}", self.etag) } else { self.etag.clone() };
        response.insert_header((ETAG, etag));
        if is_known {
            return response.finish();
        }
        response.content_type(self.content_type);
        match gzip {
            Some(gzip) => response.insert_header((CONTENT_ENCODING, "gzip")).body(gzip),
            None => response.body(self.plain),
        }
    }
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("js") => "text/javascript; charset=utf-8",
        Some("ts") => "application/typescript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("html") => "text/html; charset=utf-8",
        Some("json") => "application/json",
        Some("svg") => "image/svg+xml",
        _ => "text/plain; charset=utf-8",
    }
}

fn takes_gzip(request: &HttpRequest) -> bool {
    let accepted = request.headers().get_all(ACCEPT_ENCODING).filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = weight.trim().strip_prefix("q=").map_or(1.0, |weight| weight.parse().unwrap_or(0.0));
        name.trim().eq_ignore_ascii_case("gzip") && weight > 0.0
    })
}

/// Revalidated on each use, so that a page never runs the client of an older server.
const FRESH: &str = "no-cache";
/// Cached for a year.
const LASTING: &str = "public, max-age=31536000, immutable";

/// Returns the text of an embedded file.
pub fn text(path: &str) -> &'static str {
    let text = ASSETS.get(path).and_then(|asset| std::str::from_utf8(asset.plain).ok());
    text.unwrap_or_default()
}

/// `GET /messages/static/{version}/{path}`
pub async fn show(request: HttpRequest, path: Path<(String, String)>) -> HandlerResult {
    let (version, path) = path.into_inner();
    let asset = ASSETS.get(path.as_str()).ok_or(ApiError::NOT_FOUND)?;
    // A page loaded before an update may request an older version. It gets the current file, uncached.
    Ok(asset.answer(&request, if version == *VERSION { LASTING } else { FRESH }))
}

async fn fresh(request: HttpRequest, path: &str) -> HandlerResult {
    Ok(ASSETS.get(path).ok_or(ApiError::NOT_FOUND)?.answer(&request, FRESH))
}

/// `GET /messages/widgets.js`: stable URL of the widgets of the current version.
pub async fn widgets(request: HttpRequest) -> HandlerResult {
    static WIDGETS: LazyLock<Asset> = LazyLock::new(|| {
        let script = format!("export * from \"./static/{}/widgets.js\";\n", *VERSION);
        Asset::new(&File { path: "widgets.js", plain: script.leak().as_bytes(), gzip: &[] })
    });
    Ok(WIDGETS.answer(&request, FRESH))
}

/// `GET /messages/greenroom.js`
pub async fn client(request: HttpRequest) -> HandlerResult {
    fresh(request, "greenroom.js").await
}

/// `GET /messages/greenroom.d.ts`
pub async fn client_types(request: HttpRequest) -> HandlerResult {
    fresh(request, "greenroom.d.ts").await
}
