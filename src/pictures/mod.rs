//! Users' pictures of other hosts, fetched by this server: their hosts do not learn who looks at whom, when and from where.
//!
//! One task keeps what was fetched and decides what is fetched next, so there is no lock. Handlers ask it by a channel.

mod cache;
mod failure;
mod fetch;
mod kind;
mod meter;
mod networks;
mod proxy;
mod queue;
mod slots;

use std::sync::Arc;

use bytes::Bytes;

pub use kind::Kind;
pub use meter::PictureMeter;
pub use proxy::PictureProxy;

/// A picture as it was fetched.
#[derive(Debug, Clone)]
pub struct Picture {
    pub kind: Kind,
    pub bytes: Bytes,
    /// Names this content, in quotes.
    pub etag: Arc<str>,
}

/// Why there is no picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// It cannot be had, as was found out less than a minute ago.
    Failed,
    /// Too much waits: try again in a moment.
    Busy,
}
