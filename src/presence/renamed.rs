//! Throttles profile changes: the first is published at once, then the latest at most once per interval.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use bytestring::ByteString;
use tokio::time::{Instant, sleep_until};

use crate::core::model::UserId;

/// Shortest time between two published changes of one user.
const INTERVAL: Duration = Duration::from_secs(1);

/// Users with a recently published change.
#[derive(Debug, Default)]
pub(super) struct Renamed {
    /// The latest unpublished change of each user, if there is one.
    next: HashMap<UserId, Option<ByteString>>,
    /// When each user's next change may be published; earliest first.
    order: VecDeque<(Instant, UserId)>,
}

impl Renamed {
    /// Returns the change if it may be published now. Otherwise keeps it, replacing an earlier unpublished
    /// one.
    pub(super) fn changed(&mut self, user: UserId, frame: ByteString) -> Option<ByteString> {
        match self.next.get_mut(&user) {
            Some(next) => {
                *next = Some(frame);
                None
            }
            None => {
                self.start_interval(user);
                Some(frame)
            }
        }
    }

    /// Waits until the earliest interval ends.
    pub(super) async fn is_due(&self) {
        match self.order.front() {
            Some((at, _)) => sleep_until(*at).await,
            None => std::future::pending().await,
        }
    }

    /// Takes the changes that may be published now.
    pub(super) fn take_due(&mut self) -> Vec<(UserId, ByteString)> {
        let (now, mut due) = (Instant::now(), Vec::new());
        while let Some((at, user)) = self.order.front().copied()
            && at <= now
        {
            self.order.pop_front();
            if let Some(frame) = self.next.remove(&user).flatten() {
                self.start_interval(user);
                due.push((user, frame));
            }
        }
        due
    }

    fn start_interval(&mut self, user: UserId) {
        self.next.insert(user, None);
        self.order.push_back((Instant::now() + INTERVAL, user));
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    #[actix_rt::test]
    async fn the_first_change_is_published_at_once_and_then_the_latest() {
        let (mut renamed, [one, other]) = (Renamed::default(), [UserId(1), UserId(2)]);
        assert_eq!(renamed.changed(one, "a".into()), Some("a".into()));
        for name in ["b", "c", "d"] {
            assert_eq!(renamed.changed(one, name.into()), None);
        }
        assert_eq!(renamed.changed(other, "x".into()), Some("x".into()));
        assert_eq!(renamed.take_due(), []);
        renamed.is_due().await;
        assert_eq!(renamed.take_due(), [(one, "d".into())]);
        assert_eq!(renamed.changed(one, "e".into()), None);
        sleep(INTERVAL).await;
        renamed.is_due().await;
        assert_eq!(renamed.take_due(), [(one, "e".into())]);
        sleep(INTERVAL).await;
        assert_eq!(renamed.take_due(), []);
        assert!(renamed.next.is_empty() && renamed.order.is_empty());
        assert_eq!(renamed.changed(one, "f".into()), Some("f".into()));
    }
}
