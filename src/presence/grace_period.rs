//! Grace period of disconnected users: they count as online until it ends.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

use crate::core::model::{Timestamp, UserId};

/// Grace period before a disconnected user counts as offline; a reconnect within it is not reported.
pub(super) const GRACE: Duration = Duration::from_secs(5);

/// Disconnected users within the grace period.
#[derive(Default)]
pub(super) struct GracePeriods {
    since: HashMap<UserId, Instant>,
    /// Ordered by time of disconnection; entries of reconnected users are skipped later.
    order: VecDeque<(Instant, UserId, Timestamp)>,
}

impl GracePeriods {
    /// Starts the grace period of a user who has just disconnected.
    pub(super) fn start(&mut self, user: UserId) {
        let now = Instant::now();
        self.since.insert(user, now);
        self.order.push_back((now, user, Timestamp::now()));
    }

    /// Ends the grace period of a user who has reconnected.
    pub(super) fn cancel(&mut self, user: UserId) {
        self.since.remove(&user);
    }

    /// Waits until the earliest grace period ends.
    pub(super) async fn is_due(&self) {
        match self.order.front() {
            Some((since, ..)) => sleep_until(*since + GRACE).await,
            None => std::future::pending().await,
        }
    }

    /// Takes the users whose grace period is over, each with the time of disconnection.
    pub(super) fn take_due(&mut self) -> Vec<(UserId, Timestamp)> {
        let (now, mut due) = (Instant::now(), Vec::new());
        while let Some((since, user, at)) = self.order.front().copied()
            && since + GRACE <= now
        {
            self.order.pop_front();
            if self.since.get(&user) == Some(&since) {
                self.since.remove(&user);
                due.push((user, at));
            }
        }
        due
    }
}
