//! JSON of previews.

use serde::Serialize;
use utoipa::ToSchema;

use super::Links;
use crate::core::model::Preview;

/// What a page that a message links to says of itself.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Preview)]
pub struct PreviewView<'a> {
    /// The link, as the text has it.
    url: &'a str,
    /// Show it as text, as the following. In one line, up to 300 characters.
    title: &'a str,
    /// Up to 1,000 characters; may be empty.
    description: &'a str,
    /// The name of the site, or its host.
    site: &'a str,
    /// The page's picture, which this server fetches. Null if it has none.
    #[schema(required)]
    image_url: Option<String>,
    /// In pixels, as the page says; null if it does not.
    #[schema(required)]
    width: Option<i64>,
    #[schema(required)]
    height: Option<i64>,
}

impl<'a> PreviewView<'a> {
    pub fn new(shown: &'a Preview, links: &Links) -> Self {
        let image_url = shown.image.as_deref().and_then(|image| links.preview_image(image));
        let is_shown = image_url.is_some();
        Self {
            url: &shown.url,
            title: &shown.title,
            description: &shown.description,
            site: &shown.site,
            image_url,
            width: shown.width.filter(|_| is_shown),
            height: shown.height.filter(|_| is_shown),
        }
    }
}
