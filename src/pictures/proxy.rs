//! Handle of the picture proxy.

use std::{sync::Arc, time::Duration};

use actix_rt::time::timeout;
use tokio::sync::{mpsc, oneshot};

use super::{
    Missing, Owner, Picture, PictureMeter,
    queue::{FetchQueue, QueueMessage},
};
use crate::{core::model::Pictures, outbound::Reach};

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
        reach: Reach,
        meter: Option<Arc<PictureMeter>>,
    ) -> (Self, impl Future<Output = ()>) {
        let (messages, received) = mpsc::channel(MAILBOX);
        let proxy = Self(messages.clone());
        let work = async move { FetchQueue::new(messages, pictures, reach, meter).run(received).await };
        (proxy, work)
    }

    /// Returns an owner's picture by its stored URL, from the cache or from its host.
    pub async fn get(&self, owner: Owner, stored: &str) -> Result<Picture, Missing> {
        let (reply, answer) = oneshot::channel();
        self.0.try_send(QueueMessage::Requested(owner, stored.into(), reply)).map_err(|_| Missing::Busy)?;
        timeout(ANSWERED_WITHIN, answer).await.ok().and_then(Result::ok).unwrap_or(Err(Missing::Busy))
    }
}
