//! Users' pictures of other hosts, fetched by this server: their hosts do not learn who looks at whom, when and from where.
//!
//! One task keeps what was fetched and decides what is fetched next, so there is no lock. Handlers ask it by a channel.

mod cache;
mod failure;
mod fetch;
mod kind;
mod meter;
mod networks;
mod queue;
mod slots;

use std::{sync::Arc, time::Duration};

use actix_rt::time::timeout;
use bytes::Bytes;
use ipnet::IpNet;
use tokio::sync::{mpsc, oneshot};

use crate::model::{Pictures, UserId};
pub use kind::Kind;
pub use meter::PictureMeter;
use queue::{Queue, Turn};

/// How long a viewer waits at most, for the pictures before theirs too.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);

/// Most requests that the task has not looked at yet.
const MAILBOX: usize = 1_024;

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

/// How handlers ask for pictures.
#[derive(Debug, Clone)]
pub struct PictureProxy(mpsc::Sender<Turn>);

impl PictureProxy {
    /// Makes a proxy, and the work behind it, which is to be run.
    pub fn new(
        pictures: Arc<Pictures>,
        allowed: Vec<IpNet>,
        meter: Option<Arc<PictureMeter>>,
    ) -> (Self, impl Future<Output = ()>) {
        let (turns, received) = mpsc::channel(MAILBOX);
        let proxy = Self(turns.clone());
        let work = async move { Queue::new(turns, pictures, allowed, meter).run(received).await };
        (proxy, work)
    }

    /// Returns a user's picture, at its address in the form in which it is stored.
    pub async fn get(&self, user: UserId, stored: &str) -> Result<Picture, Missing> {
        let (reply, answer) = oneshot::channel();
        self.0.try_send(Turn::Asked(user, stored.into(), reply)).map_err(|_| Missing::Busy)?;
        timeout(ANSWERED_WITHIN, answer).await.ok().and_then(Result::ok).unwrap_or(Err(Missing::Busy))
    }
}
