//! Picture proxy: fetches users' pictures from other hosts, so that these hosts do not learn which client
//! views which user.
//!
//! One task owns the cache and the queue, so no lock is needed. Handlers send it requests over a channel.

mod cache;
mod fetch;
mod image_format;
mod meter;
mod proxy;
mod queue;
mod slots;

use std::sync::Arc;

use bytes::Bytes;

use crate::core::model::UserId;

pub use image_format::ImageFormat;
pub use meter::PictureMeter;
pub use proxy::PictureProxy;

/// Whose picture it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Owner {
    User(UserId),
    /// A page that a message links to, by a hash of the picture's address.
    Page(u64),
}

/// A fetched picture.
#[derive(Debug, Clone)]
pub struct Picture {
    pub kind: ImageFormat,
    pub bytes: Bytes,
    /// ETag of the content, in quotes.
    pub etag: Arc<str>,
}

/// Why a request gets no picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// The fetch failed, less than a minute ago.
    Failed,
    /// The queue is full. Retry in a moment.
    Busy,
}
