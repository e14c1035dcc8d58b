//! The files of `web/`, which are part of the program: scripts, styles, texts and pictures.

use std::{collections::HashMap, sync::LazyLock};

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{
        ACCEPT_ENCODING, ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_ENCODING, ETAG, VARY,
    },
    web::Path,
};

use crate::{
    api::{Answer, is_known},
    core::secrets,
    error::ApiError,
};

/// A file as it was when the program was built.
struct File {
    path: &'static str,
    plain: &'static [u8],
    gzip: &'static [u8],
}

include!(concat!(env!("OUT_DIR"), "/web.rs"));

/// Where the files are: below it the version, and then their paths in `web/`.
pub const BASE: &str = "/messages/static";

/// Names the content of all files. It is in their addresses, so what was got under one never has to be asked for again.
pub static VERSION: LazyLock<String> = LazyLock::new(|| {
    let all: Vec<_> =
        FILES.iter().map(|file| format!("{} {}\n", file.path, secrets::hash(file.plain))).collect();
    secrets::hash(all.concat())[..16].to_owned()
});

static ASSETS: LazyLock<HashMap<&str, Asset>> =
    LazyLock::new(|| FILES.iter().map(|file| (file.path, Asset::new(file))).collect());

/// A file and what is said of it.
pub struct Asset {
    plain: &'static [u8],
    /// Where that is shorter.
    gzip: Option<&'static [u8]>,
    content_type: &'static str,
    /// Changes with the content.
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

    /// Open to all, so that other sites' pages can use it.
    fn answer(&self, request: &HttpRequest, cache_control: &'static str) -> HttpResponse {
        let is_known = is_known(request, &self.etag);
        let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
        response
            .insert_header((CACHE_CONTROL, cache_control))
            .insert_header((VARY, "Accept-Encoding"))
            .insert_header((ACCESS_CONTROL_ALLOW_ORIGIN, "*"))
            .insert_header(("Cross-Origin-Resource-Policy", "cross-origin"));
        let gzip = self.gzip.filter(|_| takes_gzip(request));
        // Both forms have one tag, so with the shorter one it says no more than that they mean the same.
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

/// Asked for anew each time, so that a page never runs the client of an older server.
const FRESH: &str = "no-cache";
/// Kept for a year.
const LASTING: &str = "public, max-age=31536000, immutable";

/// The text of a file that is part of the program.
pub fn text(path: &str) -> &'static str {
    let text = ASSETS.get(path).and_then(|asset| std::str::from_utf8(asset.plain).ok());
    text.unwrap_or_default()
}

/// `GET /messages/static/{version}/{path}`
pub async fn show(request: HttpRequest, path: Path<(String, String)>) -> Answer {
    let (version, path) = path.into_inner();
    let asset = ASSETS.get(path.as_str()).ok_or(ApiError::NOT_FOUND)?;
    // A page from before an update may still ask for another version: it gets what there is.
    Ok(asset.answer(&request, if version == *VERSION { LASTING } else { FRESH }))
}

async fn fresh(request: HttpRequest, path: &str) -> Answer {
    Ok(ASSETS.get(path).ok_or(ApiError::NOT_FOUND)?.answer(&request, FRESH))
}

/// `GET /messages/widgets.js`: under an address that stays the same, those of this version.
pub async fn widgets(request: HttpRequest) -> Answer {
    static WIDGETS: LazyLock<Asset> = LazyLock::new(|| {
        let script = format!("export * from \"./static/{}/widgets.js\";\n", *VERSION);
        Asset::new(&File { path: "widgets.js", plain: script.leak().as_bytes(), gzip: &[] })
    });
    Ok(WIDGETS.answer(&request, FRESH))
}

/// `GET /messages/greenroom.js`
pub async fn client(request: HttpRequest) -> Answer {
    fresh(request, "greenroom.js").await
}

/// `GET /messages/greenroom.d.ts`
pub async fn client_types(request: HttpRequest) -> Answer {
    fresh(request, "greenroom.d.ts").await
}
