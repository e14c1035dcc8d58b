//! New names and pictures: told at once, and then the latest once in a while, however fast somebody changes theirs.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use bytestring::ByteString;
use tokio::time::{Instant, sleep_until};

use crate::core::model::UserId;

/// How often others hear of the same user's changes.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// Users of whom others have heard of late.
#[derive(Debug, Default)]
pub struct Renamed {
    /// What is to be told of them next, if anything.
    next: HashMap<UserId, Option<ByteString>>,
    /// When they may be told of again, the first first.
    order: VecDeque<(Instant, UserId)>,
}

impl Renamed {
    /// Returns what is to be told now; where others have just heard of the user it is kept in the place of what was.
    pub fn changed(&mut self, user: UserId, frame: ByteString) -> Option<ByteString> {
        match self.next.get_mut(&user) {
            Some(next) => {
                *next = Some(frame);
                None
            }
            None => {
                self.told(user);
                Some(frame)
            }
        }
    }

    /// Waits until something may be told again.
    pub async fn is_due(&self) {
        match self.order.front() {
            Some((at, _)) => sleep_until(*at).await,
            None => std::future::pending().await,
        }
    }

    /// What is to be told now.
    pub fn take_due(&mut self) -> Vec<(UserId, ByteString)> {
        let (now, mut due) = (Instant::now(), Vec::new());
        while let Some((at, user)) = self.order.front().copied()
            && at <= now
        {
            self.order.pop_front();
            if let Some(frame) = self.next.remove(&user).flatten() {
                self.told(user);
                due.push((user, frame));
            }
        }
        due
    }

    fn told(&mut self, user: UserId) {
        self.next.insert(user, None);
        self.order.push_back((Instant::now() + TOLD_EVERY, user));
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    #[actix_rt::test]
    async fn the_first_change_is_told_at_once_and_then_the_latest() {
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
        sleep(TOLD_EVERY).await;
        renamed.is_due().await;
        assert_eq!(renamed.take_due(), [(one, "e".into())]);
        sleep(TOLD_EVERY).await;
        assert_eq!(renamed.take_due(), []);
        assert!(renamed.next.is_empty() && renamed.order.is_empty());
        assert_eq!(renamed.changed(one, "f".into()), Some("f".into()));
    }
}
