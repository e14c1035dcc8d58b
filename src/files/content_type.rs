//! The content type of a file, by its bytes, and whether browsers may show it in a page.

/// Most bytes of the beginning that are looked at.
pub const LOOKED_AT: usize = 8 << 10;

/// Content type of bytes that are not recognized.
const UNKNOWN: &str = "application/octet-stream";

/// Content types that browsers show or play without running anything of them. All others are downloads. A document in
/// PDF is one too: Chromium's viewer does not open in a sandbox.
const SHOWN: &[&str] = &[
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "image/avif",
    "audio/mpeg",
    "audio/m4a",
    "audio/mp4",
    "audio/ogg",
    "audio/opus",
    "audio/aac",
    "audio/x-flac",
    "audio/x-wav",
    "video/mp4",
    "video/x-m4v",
    "video/webm",
    "video/quicktime",
];

/// Returns the content type of a file that begins with these bytes. `is_whole`: there are no further bytes.
pub fn of(start: &[u8], is_whole: bool) -> &'static str {
    if let Some(found) = infer::get(start) {
        return match found.mime_type() {
            "text/xml" if is_svg(start) => "image/svg+xml",
            kind => kind,
        };
    }
    match text(start, is_whole) {
        Some(_) if is_svg(start) => "image/svg+xml",
        Some(text) if looks_like_html(text) => "text/html",
        Some(_) => "text/plain",
        None => UNKNOWN,
    }
}

/// Returns whether browsers may show files of a type in a page.
pub fn is_shown(content_type: &str) -> bool {
    SHOWN.contains(&content_type)
}

/// Returns the header of the type. Only text has more than its type.
pub fn header(content_type: &str) -> String {
    if content_type.starts_with("text/") {
        format!("{content_type}; charset=utf-8")
    } else {
        content_type.to_owned()
    }
}

/// Returns the bytes as text, without a character that is cut off at the end. `None`: they are no text.
fn text(start: &[u8], is_whole: bool) -> Option<&str> {
    let text = match str::from_utf8(start) {
        Ok(text) => text,
        Err(error) if !is_whole && error.error_len().is_none() => {
            str::from_utf8(&start[..error.valid_up_to()]).ok()?
        }
        Err(_) => return None,
    };
    let is_control = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\u{c}' | '\u{1b}');
    (!text.chars().any(is_control)).then_some(text)
}

fn is_svg(start: &[u8]) -> bool {
    contains(start, b"<svg")
}

fn looks_like_html(text: &str) -> bool {
    ["<!doctype html", "<html", "<head", "<body", "<script"]
        .iter()
        .any(|tag| contains(text.as_bytes(), tag.as_bytes()))
}

/// Returns whether bytes contain a tag, in any case.
fn contains(bytes: &[u8], tag: &[u8]) -> bool {
    bytes.windows(tag.len()).any(|part| part.eq_ignore_ascii_case(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_found_in_the_bytes() {
        for (bytes, kind) in [
            (&b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"[..], "image/png"),
            (b"\xff\xd8\xff\xe0\0\x10JFIF", "image/jpeg"),
            (b"GIF89a", "image/gif"),
            (b"%PDF-1.7\n", "application/pdf"),
            (b"PK\x03\x04rest", "application/zip"),
            (b"<!DOCTYPE html><p>", "text/html"),
            (b"  <HtMl>", "text/html"),
            (b"hi <script>", "text/html"),
            (b"<?xml version=\"1.0\"?><svg xmlns=\"\">", "image/svg+xml"),
            (b"<svg onload=x>", "image/svg+xml"),
            (b"<?xml version=\"1.0\"?><a/>", "text/xml"),
            (b"plain text\n", "text/plain"),
            ("f\u{fc}r".as_bytes(), "text/plain"),
            (b"\0\x01\x02", "application/octet-stream"),
            (b"\xff\xfe\xfd", "application/octet-stream"),
        ] {
            assert_eq!(of(bytes, true), kind, "{:?}", String::from_utf8_lossy(bytes));
        }
        assert_eq!(of(&"ü".as_bytes()[..1], false), "text/plain");
        assert_eq!(of(&"ü".as_bytes()[..1], true), "application/octet-stream");
    }

    #[test]
    fn what_browsers_run_is_not_shown() {
        for kind in ["text/html", "image/svg+xml", "text/xml", "text/plain", "application/pdf", UNKNOWN] {
            assert!(!is_shown(kind), "{kind}");
        }
        assert!(is_shown("image/png") && is_shown("video/mp4"));
    }
}
