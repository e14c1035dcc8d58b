//! Handle of the picture proxy.

use std::{sync::Arc, time::Duration};

use actix_rt::time::timeout;
use ipnet::IpNet;
use tokio::sync::{mpsc, oneshot};

use super::{
    Missing, Picture, PictureMeter,
    queue::{FetchQueue, QueueMessage},
};
use crate::core::model::{Pictures, UserId};

/// Timeout of a request, including the time in the queue.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);

/// Capacity of the task's mailbox.
const MAILBOX: usize = 1_024;

/// Handle that sends requests to the proxy's task.
#[derive(Debug, Clone)]
pub struct PictureProxy(mpsc::Sender<QueueMessage>);

impl PictureProxy {
    /// Creates a proxy, and the future of its task, which the caller must spawn.
    pub fn new(
        pictures: Arc<Pictures>,
        allowed: Vec<IpNet>,
        meter: Option<Arc<PictureMeter>>,
    ) -> (Self, impl Future<Output = ()>) {
        let (messages, received) = mpsc::channel(MAILBOX);
        let proxy = Self(messages.clone());
        let work = async move { FetchQueue::new(messages, pictures, allowed, meter).run(received).await };
        (proxy, work)
    }

    /// Returns a user's picture by its stored URL, from the cache or from its host.
    pub async fn get(&self, user: UserId, stored: &str) -> Result<Picture, Missing> {
        let (reply, answer) = oneshot::channel();
        self.0.try_send(QueueMessage::Requested(user, stored.into(), reply)).map_err(|_| Missing::Busy)?;
        timeout(ANSWERED_WITHIN, answer).await.ok().and_then(Result::ok).unwrap_or(Err(Missing::Busy))
    }
}
