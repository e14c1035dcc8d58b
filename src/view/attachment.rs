//! JSON of attachments.

use serde::Serialize;
use utoipa::ToSchema;

use super::Links;
use crate::core::model::{Attachment, AttachmentId, AttachmentState};

/// A file that a message shows, or a complete upload.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Attachment)]
pub struct AttachmentView<'a> {
    id: AttachmentId,
    /// Without any path. Show it as text.
    name: &'a str,
    /// Bytes of what is served.
    size: i64,
    /// Found in the bytes, whatever the name says.
    content_type: &'a str,
    /// Hash of what is served, in hexadecimal.
    sha256: &'a str,
    /// In pixels, as it is shown. Null for all but pictures.
    #[schema(required)]
    width: Option<i64>,
    #[schema(required)]
    height: Option<i64>,
    /// A placeholder for the time of loading, see blurha.sh.
    #[schema(required)]
    blurhash: Option<&'a str>,
    /// A description for those who do not see it; may be empty.
    alt: &'a str,
    state: AttachmentState,
    /// Null unless the state is `clean`.
    #[schema(required)]
    url: Option<String>,
    /// Smaller versions of a picture, in WebP.
    thumbnails: Vec<ThumbnailView>,
}

/// A smaller version of a picture.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Thumbnail)]
struct ThumbnailView {
    width: i64,
    height: i64,
    url: String,
}

impl<'a> AttachmentView<'a> {
    pub fn new(shown: &'a Attachment, links: &Links) -> Self {
        let is_clean = shown.state == AttachmentState::Clean;
        let url = is_clean.then(|| links.file(shown));
        let thumbnails = url.iter().flat_map(|url| {
            shown.thumbnails.iter().map(move |thumbnail| ThumbnailView {
                width: thumbnail.width,
                height: thumbnail.height,
                url: format!("{url}?thumbnail={}", thumbnail.width.max(thumbnail.height)),
            })
        });
        Self {
            id: shown.id,
            name: &shown.name,
            size: shown.size,
            content_type: &shown.content_type,
            sha256: &shown.sha256,
            width: shown.width,
            height: shown.height,
            blurhash: shown.blurhash.as_deref(),
            alt: &shown.alt,
            state: shown.state,
            thumbnails: thumbnails.collect(),
            url,
        }
    }
}
