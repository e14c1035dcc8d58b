//! Previews of the pages that a message links to.

use linkify::{LinkFinder, LinkKind};
use serde::{Deserialize, Serialize};

/// Most previews of a message.
pub const MOST_PREVIEWS: usize = 3;

/// Longest address that gets a preview, in bytes.
const MAX_URL: usize = 2_048;

/// What a page says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preview {
    /// The address as the message has it.
    pub url: String,
    pub title: String,
    pub description: String,
    pub site: String,
    /// The address of the page's picture.
    pub image: Option<String>,
    pub width: Option<i64>,
    pub height: Option<i64>,
}

/// The previews of a message. They are stored as JSON with it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Previews {
    pub shown: Vec<Preview>,
    /// Addresses whose previews the sender has removed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<String>,
}

impl Previews {
    /// Parses the stored JSON; `None` is empty.
    pub fn from_stored(json: Option<&str>) -> Self {
        json.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default()
    }

    /// Returns the previews as they are stored; `None` if there are none.
    pub fn stored(&self) -> Option<String> {
        (!self.is_empty()).then(|| serde_json::to_string(self).expect("previews are always JSON"))
    }

    /// Returns whether there is nothing to store.
    pub fn is_empty(&self) -> bool {
        self.shown.is_empty() && self.removed.is_empty()
    }

    /// Returns those of these links whose preview is neither shown nor removed.
    pub fn lacking(&self, mut links: Vec<String>) -> Vec<String> {
        links.retain(|link| {
            !self.removed.contains(link) && !self.shown.iter().any(|preview| preview.url == *link)
        });
        links
    }

    /// Adds previews, and drops those of other links. They are in the order of the links.
    pub fn show(&mut self, links: &[String], found: &[Preview]) {
        let known = std::mem::take(&mut self.shown);
        let wanted = links.iter().filter(|link| !self.removed.contains(link));
        self.shown = wanted
            .filter_map(|link| found.iter().chain(&known).find(|preview| preview.url == *link))
            .cloned()
            .collect();
        self.removed.retain(|link| links.contains(link));
    }
}

/// Returns the first web addresses of a text, each once.
pub fn links_in(text: &str) -> Vec<String> {
    let mut links: Vec<String> = Vec::new();
    if !text.contains("://") {
        return links;
    }
    let mut finder = LinkFinder::new();
    finder.kinds(&[LinkKind::Url]).url_must_have_scheme(true);
    for link in finder.links(text) {
        let url = link.as_str();
        let scheme = url.split("://").next().unwrap_or_default();
        let is_of_web = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
        if is_of_web && url.len() <= MAX_URL && !links.iter().any(|known| known == url) {
            links.push(url.to_owned());
        }
        if links.len() == MOST_PREVIEWS {
            break;
        }
    }
    links
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preview(url: &str) -> Preview {
        let (title, description, site) = ("t".to_owned(), String::new(), String::new());
        Preview { url: url.to_owned(), title, description, site, image: None, width: None, height: None }
    }

    #[test]
    fn the_first_three_different_links_count() {
        let text = "See https://a.example/x, (http://b.example/y) and https://a.example/x.\nHTTPS://c.example? \
                    https://d.example ftp://e.example www.f.example mailto:g@h.example";
        assert_eq!(links_in(text), ["https://a.example/x", "http://b.example/y", "HTTPS://c.example"]);
        assert_eq!(links_in("no://link here"), Vec::<String>::new());
        assert_eq!(links_in(&format!("https://a.example/{}", "x".repeat(MAX_URL))), Vec::<String>::new());
    }

    #[test]
    fn previews_follow_the_links_of_the_text() {
        let links = |of: &[&str]| of.iter().map(|link| (*link).to_owned()).collect::<Vec<_>>();
        let mut previews = Previews::default();
        previews.show(&links(&["a", "b"]), &[preview("b"), preview("a"), preview("c")]);
        let urls = |previews: &Previews| previews.shown.iter().map(|one| one.url.clone()).collect::<Vec<_>>();
        assert_eq!(urls(&previews), ["a", "b"]);
        previews.shown.remove(0);
        previews.removed.push("a".to_owned());
        assert_eq!(previews.lacking(links(&["a", "b", "c"])), ["c"]);
        previews.show(&links(&["a", "c", "b"]), &[preview("a"), preview("c")]);
        assert_eq!(urls(&previews), ["c", "b"]);
        previews.show(&links(&["b"]), &[]);
        assert_eq!((urls(&previews), previews.removed.len()), (links(&["b"]), 0));
        assert_eq!(Previews::from_stored(previews.stored().as_deref()), previews);
    }
}
