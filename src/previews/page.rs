//! What a page says of itself: its title, and what the Open Graph protocol (ogp.me) and Twitter's cards name.

use std::collections::HashMap;

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};
use html5gum::{DefaultEmitter, Token, Tokenizer};
use url::Url;

use crate::core::model::Preview;

/// Longest texts, in characters.
const MAX_TITLE: usize = 300;
const MAX_DESCRIPTION: usize = 1_000;
const MAX_SITE: usize = 100;

/// Longest address of a picture, in bytes.
const MAX_IMAGE_URL: usize = 2_048;

/// Largest width and height that are believed.
const MAX_EDGE: i64 = 20_000;

/// Bytes at the start in which the encoding is looked for. The HTML standard says 1024.
const ENCODING_WITHIN: usize = 1_024;

/// Reads a page. `link`: its address as the message has it; `address`: where it was found; `charset`: as its host says.
/// `None` if it has no title.
pub(super) fn read(link: &str, address: &Url, charset: Option<&str>, bytes: &[u8]) -> Option<Preview> {
    let html = decode(charset, bytes);
    let Head { meta, title, base } = head(&html);
    let first = |names: &[&str]| names.iter().find_map(|name| meta.get(*name)).map(String::as_str);
    let title = text(first(&["og:title", "twitter:title"]).unwrap_or(&title), MAX_TITLE);
    if title.is_empty() {
        return None;
    }
    let description = first(&["og:description", "twitter:description", "description"]);
    let site = first(&["og:site_name", "application-name"]).or(address.host_str());
    let base = base.and_then(|base| address.join(&base).ok()).unwrap_or_else(|| address.clone());
    let image = first(&["og:image:secure_url", "og:image", "og:image:url", "twitter:image"]);
    let image = image.and_then(|image| base.join(image.trim()).ok()).filter(is_image_address);
    let edge = |name| {
        let edge: i64 = first(&[name])?.trim().parse().ok()?;
        (1..=MAX_EDGE).contains(&edge).then_some(edge)
    };
    let size = edge("og:image:width").zip(edge("og:image:height")).filter(|_| image.is_some());
    Some(Preview {
        url: link.to_owned(),
        title,
        description: text(description.unwrap_or_default(), MAX_DESCRIPTION),
        site: text(site.unwrap_or_default(), MAX_SITE),
        image: image.map(String::from),
        width: size.map(|(width, _)| width),
        height: size.map(|(_, height)| height),
    })
}

fn is_image_address(image: &Url) -> bool {
    matches!(image.scheme(), "http" | "https") && image.as_str().len() <= MAX_IMAGE_URL
}

/// Returns a text in one line, without control characters, cut to a length in characters.
fn text(raw: &str, max: usize) -> String {
    let words: Vec<&str> = raw.split(|c: char| c.is_whitespace() || c.is_control()).collect();
    let line = words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(max) {
        Some((end, _)) => format!("{}…", line[..end].trim_end()),
        None => line,
    }
}

/// Decodes a page: as a byte order mark says, or its host, or the page.
fn decode(charset: Option<&str>, bytes: &[u8]) -> String {
    let start = String::from_utf8_lossy(&bytes[..bytes.len().min(ENCODING_WITHIN)]);
    let named = || head(&start).meta.remove("charset");
    let label = charset.map(str::to_owned).or_else(named);
    let encoding = label.and_then(|label| Encoding::for_label(label.trim().as_bytes()));
    let guessed = || if std::str::from_utf8(bytes).is_ok() { UTF_8 } else { WINDOWS_1252 };
    // A page may be cut in the midst of a character. It is shown as a replacement character at most.
    let (text, ..) = encoding.unwrap_or_else(guessed).decode(bytes);
    text.into_owned()
}

#[derive(Default)]
struct Head {
    /// The contents of `meta` elements, by their name in lower case. The first of a name counts.
    meta: HashMap<String, String>,
    title: String,
    base: Option<String>,
}

fn head(html: &str) -> Head {
    let mut emitter = DefaultEmitter::default();
    // Nothing within scripts and styles is a tag.
    emitter.naively_switch_states(true);
    let mut found = Head::default();
    let mut is_title = false;
    for Ok(token) in Tokenizer::new_with_emitter(html, emitter) {
        match token {
            Token::StartTag(tag) => {
                let attribute = |name: &[u8]| {
                    tag.attributes.get(name).map(|value| String::from_utf8_lossy(value).into_owned())
                };
                match &**tag.name {
                    b"title" => is_title = found.title.is_empty(),
                    b"base" if found.base.is_none() => found.base = attribute(b"href"),
                    b"meta" => {
                        if let Some(charset) = attribute(b"charset") {
                            found.meta.entry("charset".to_owned()).or_insert(charset);
                        }
                        let name = attribute(b"property").or_else(|| attribute(b"name"));
                        let named = name.zip(attribute(b"content"));
                        if let Some((name, content)) = named.filter(|(_, content)| !content.trim().is_empty())
                        {
                            found.meta.entry(name.trim().to_ascii_lowercase()).or_insert(content);
                        } else if let Some(content) = attribute(b"content")
                            && let Some((_, charset)) = content.split_once("charset=")
                        {
                            found.meta.entry("charset".to_owned()).or_insert(charset.to_owned());
                        }
                    }
                    _ => {}
                }
            }
            Token::String(text) if is_title => found.title.push_str(&String::from_utf8_lossy(&text)),
            Token::EndTag(tag) if **tag.name == *b"title" => is_title = false,
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(html: impl AsRef<[u8]>) -> Option<Preview> {
        let address = Url::parse("https://www.example.com/a/b?c").unwrap();
        read("https://example.com/", &address, None, html.as_ref())
    }

    #[test]
    fn open_graph_comes_before_the_title() {
        let page = found(
            "<!doctype html><head><title>Plain</title><meta property=og:title content='A &amp; B'>\
             <meta name=description content=' Two\n words '><meta property='og:site_name' content=Site>\
             <meta property=OG:IMAGE content='../p.png'><meta property=og:image:width content=1200>\
             <meta property=og:image:height content=630></head>",
        );
        let expected = Preview {
            url: "https://example.com/".to_owned(),
            title: "A & B".to_owned(),
            description: "Two words".to_owned(),
            site: "Site".to_owned(),
            image: Some("https://www.example.com/p.png".to_owned()),
            width: Some(1_200),
            height: Some(630),
        };
        assert_eq!(page.unwrap(), expected);
    }

    #[test]
    fn a_title_is_enough_and_without_one_there_is_none() {
        let page = found("<script>'<title>no</title>'</script><title> Just\ta title</title><p>text").unwrap();
        assert_eq!((page.title.as_str(), page.site.as_str()), ("Just a title", "www.example.com"));
        assert_eq!((page.description.as_str(), page.image), ("", None));
        for html in ["", "<p>text", "<title> </title>", "{\"title\": \"no\"}"] {
            assert_eq!(found(html), None, "{html}");
        }
        assert_eq!(
            found(format!("<title>{}", "é".repeat(999))).unwrap().title.chars().count(),
            MAX_TITLE + 1
        );
    }

    #[test]
    fn pictures_are_on_the_web_and_sizes_are_believable() {
        let image = |address: &str| {
            let html = format!(
                "<title>t</title><base href='//cdn.example/x/'><meta property=og:image content='{address}'>\
                 <meta property=og:image:width content=0><meta property=og:image:height content=9>"
            );
            let page = found(html).unwrap();
            assert_eq!((page.width, page.height), (None, None));
            page.image
        };
        assert_eq!(image("p.png").as_deref(), Some("https://cdn.example/x/p.png"));
        for bad in ["javascript:x", "data:image/png;base64,", "file:///etc/hostname", "http://["] {
            assert_eq!(image(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_encoding_is_that_of_the_host_the_page_or_a_guess() {
        let title = |charset, bytes: &[u8]| {
            let address = Url::parse("https://example.com/").unwrap();
            read("", &address, charset, bytes).unwrap().title
        };
        assert_eq!(title(Some("iso-8859-2"), b"<title>\xb1</title>"), "ą");
        assert_eq!(title(None, b"<meta charset=windows-1251><title>\xc6</title>"), "Ж");
        let equiv =
            b"<meta http-equiv=content-type content='text/html; charset=shift_jis'><title>\x82\xa0</title>";
        assert_eq!(title(None, equiv), "あ");
        assert_eq!(title(None, "<title>ü</title>".as_bytes()), "ü");
        assert_eq!(title(None, b"<title>\xfc</title>"), "ü");
        assert_eq!(title(Some("nonsense"), "<title>ü</title>".as_bytes()), "ü");
    }
}
