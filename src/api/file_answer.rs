//! Answers with the bytes of a file: whole, a range of them, or none if the client has them.

use std::fs::File;

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    body::SizedStream,
    http::{
        StatusCode,
        header::{
            ACCEPT_RANGES, ByteRangeSpec, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_RANGE,
            CONTENT_SECURITY_POLICY, Charset, ContentDisposition, DispositionParam, DispositionType, ETAG,
            ExtendedValue, Header, IF_RANGE, Range,
        },
    },
};

use super::{HandlerResult, is_known};
use crate::{
    core::model::{Attachment, FileId, Refusal},
    error::ApiError,
    files::{FileStore, content_type, picture, pieces::pieces},
};

/// Answers with an attachment, as far as the request asks for it.
pub(super) async fn answer(
    request: &HttpRequest,
    readers: Readers,
    store: &FileStore,
    (attachment, stored): (&Attachment, FileId),
) -> HandlerResult {
    let served = Served {
        readers,
        name: attachment.name.clone(),
        content_type: &attachment.content_type,
        etag: format!("\"{}\"", attachment.sha256),
        length: attachment.size.unsigned_abs(),
    };
    served.answer(request, store.work("be read", move |folder| folder.open(stored))).await
}

/// Answers with a thumbnail of an attachment. `edge`: its longer edge.
pub(super) async fn answer_thumbnail(
    request: &HttpRequest,
    readers: Readers,
    store: &FileStore,
    (attachment, stored): (&Attachment, FileId),
    edge: i64,
) -> HandlerResult {
    let is_known = attachment.thumbnails.iter().any(|size| size.width.max(size.height) == edge);
    let name = picture::thumbnail_name(edge).filter(|_| is_known).ok_or(ApiError::NOT_FOUND)?;
    let opened = store.work("be read", move |folder| {
        let Some(file) = folder.open_named(stored, &name)? else { return Ok(None) };
        let length = file.metadata()?.len();
        Ok(Some((file, length)))
    });
    let (file, length) = opened.await?.ok_or(ApiError::NOT_FOUND)?;
    let served = Served {
        readers,
        name: format!("{edge}.webp"),
        content_type: "image/webp",
        etag: format!("\"{}-{edge}\"", attachment.sha256),
        length,
    };
    served.answer(request, async { Ok(Some(file)) }).await
}

/// Pages that may show a file.
#[derive(Clone, Copy)]
pub(super) enum Readers {
    /// Those that send the user's cookie: pages of the same site.
    SameSite,
    /// All: the address is a link.
    All,
}

impl Readers {
    /// Returns the value of `Cross-Origin-Resource-Policy`.
    fn policy(self) -> &'static str {
        match self {
            Self::SameSite => "same-site",
            Self::All => "cross-origin",
        }
    }
}

/// What is served.
struct Served<'a> {
    readers: Readers,
    name: String,
    content_type: &'a str,
    etag: String,
    length: u64,
}

impl Served<'_> {
    async fn answer(
        self,
        request: &HttpRequest,
        open: impl Future<Output = Result<Option<File>, Refusal>>,
    ) -> HandlerResult {
        let length = self.length;
        if is_known(request, &self.etag) {
            return Ok(self.head(StatusCode::NOT_MODIFIED).finish());
        }
        let bytes = match range(request, &self.etag, length) {
            Wanted::All => 0..length,
            Wanted::Part(part) => part,
            Wanted::Nothing => return Err(ApiError::NoSuchRange { length }),
        };
        let file = open.await?.ok_or(ApiError::NOT_FOUND)?;
        let is_part = bytes.end - bytes.start < length;
        let mut answer = self.head(if is_part { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK });
        answer.content_type(content_type::header(self.content_type));
        if is_part {
            let range = format!("bytes {}-{}/{length}", bytes.start, bytes.end - 1);
            answer.insert_header((CONTENT_RANGE, range));
        }
        Ok(answer.body(SizedStream::new(bytes.end - bytes.start, pieces(file, bytes))))
    }

    /// Returns the headers of all answers. What browsers run stays a download, and runs in a sandbox without an origin.
    fn head(&self, status: StatusCode) -> HttpResponseBuilder {
        let is_shown = content_type::is_shown(self.content_type);
        let disposition = ContentDisposition {
            disposition: if is_shown { DispositionType::Inline } else { DispositionType::Attachment },
            parameters: named(&self.name),
        };
        let mut answer = HttpResponse::build(status);
        answer
            .insert_header((ETAG, self.etag.as_str()))
            .insert_header((ACCEPT_RANGES, "bytes"))
            // Membership is checked at each fetch, so a cache may keep the bytes only to be asked for them again.
            .insert_header((CACHE_CONTROL, "private, no-cache"))
            .insert_header((CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'"))
            .insert_header((CONTENT_DISPOSITION, disposition))
            .insert_header(("Cross-Origin-Resource-Policy", self.readers.policy()));
        answer
    }
}

/// Returns the parameters that give a name. Names that are not in ASCII come in the form that all browsers read (RFC 6266,
/// section 4.3).
fn named(name: &str) -> Vec<DispositionParam> {
    let plain = name.chars().map(|c| if c.is_ascii() { c } else { '_' }).collect();
    let extended = ExtendedValue {
        charset: Charset::Ext("UTF-8".to_owned()),
        language_tag: None,
        value: name.as_bytes().to_vec(),
    };
    let extended = (!name.is_ascii()).then_some(DispositionParam::FilenameExt(extended));
    [DispositionParam::Filename(plain)].into_iter().chain(extended).collect()
}

/// What a request asks for.
enum Wanted {
    All,
    Part(std::ops::Range<u64>),
    /// A range that the file does not have.
    Nothing,
}

/// Reads the range of a request. Several ranges, and a range of an earlier state, are answered as a whole.
fn range(request: &HttpRequest, etag: &str, length: u64) -> Wanted {
    let is_current = |state: &actix_web::http::header::HeaderValue| state.as_bytes() == etag.as_bytes();
    if request.headers().get(IF_RANGE).is_some_and(|state| !is_current(state)) {
        return Wanted::All;
    }
    let Ok(Range::Bytes(ranges)) = Range::parse(request) else { return Wanted::All };
    match ranges.as_slice() {
        [one] => wanted(one, length),
        _ => Wanted::All,
    }
}

fn wanted(range: &ByteRangeSpec, length: u64) -> Wanted {
    match range.to_satisfiable_range(length) {
        Some((first, last)) => Wanted::Part(first..last + 1),
        None => Wanted::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn one_range_is_answered_and_several_as_a_whole() {
        let asks = |range: &str, condition: Option<&str>| {
            let mut request = TestRequest::default().insert_header(("Range", range));
            if let Some(condition) = condition {
                request = request.insert_header(("If-Range", condition));
            }
            match super::range(&request.to_http_request(), "\"e\"", 10) {
                Wanted::All => "all".to_owned(),
                Wanted::Part(part) => format!("{part:?}"),
                Wanted::Nothing => "nothing".to_owned(),
            }
        };
        for (range, answer) in [
            ("bytes=0-3", "0..4"),
            ("bytes=4-", "4..10"),
            ("bytes=-3", "7..10"),
            ("bytes=-99", "0..10"),
            ("bytes=0-99", "0..10"),
            ("bytes=10-", "nothing"),
            ("bytes=-0", "nothing"),
            ("bytes=0-1,3-4", "all"),
            ("bytes=5-3", "all"),
            ("bytes=x", "all"),
            ("lines=0-1", "all"),
            ("bytes=18446744073709551615-", "nothing"),
        ] {
            assert_eq!(asks(range, None), answer, "{range}");
        }
        assert_eq!(asks("bytes=0-3", Some("\"e\"")), "0..4");
        assert_eq!(asks("bytes=0-3", Some("\"old\"")), "all");
        assert_eq!(asks("bytes=0-3", Some("W/\"e\"")), "all");
    }
}
