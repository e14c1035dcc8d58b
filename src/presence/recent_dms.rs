//! Dms that were created a moment ago.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

use crate::core::model::UserId;

/// Longest time that another node's message may take to arrive.
const RECENT: Duration = Duration::from_secs(10);

/// The pairs of new dms. A message of another node that lists a user's partners may be older than the dm.
#[derive(Debug, Default)]
pub(super) struct RecentDms(VecDeque<(Instant, [UserId; 2])>);

impl RecentDms {
    /// Adds a new dm.
    pub(super) fn add(&mut self, one: UserId, other: UserId, now: Instant) {
        self.forget(now);
        self.0.push_back((now, [one, other]));
    }

    /// Adds a user's new partners to those that a message lists.
    pub(super) fn complete(&mut self, user: UserId, partners: &mut Vec<UserId>, now: Instant) {
        self.forget(now);
        for (_, [one, other]) in &self.0 {
            let partner = if *one == user { *other } else { *one };
            if [*one, *other].contains(&user) && !partners.contains(&partner) {
                partners.push(partner);
            }
        }
    }

    fn forget(&mut self, now: Instant) {
        while self.0.front().is_some_and(|(since, _)| now.duration_since(*since) >= RECENT) {
            self.0.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partners_of_a_new_dm_are_added_for_a_while() {
        let ([ann, bob, carl], now) = ([UserId(1), UserId(2), UserId(3)], Instant::now());
        let mut dms = RecentDms::default();
        dms.add(ann, bob, now);
        dms.add(carl, ann, now + RECENT / 2);
        let mut partners_of = |user, at| {
            let mut partners = vec![carl];
            dms.complete(user, &mut partners, at);
            partners
        };
        assert_eq!(partners_of(ann, now), [carl, bob]);
        assert_eq!(partners_of(bob, now), [carl, ann]);
        assert_eq!(partners_of(UserId(4), now), [carl]);
        assert_eq!(partners_of(bob, now + RECENT), [carl]);
        assert_eq!(partners_of(carl, now + RECENT), [carl, ann]);
    }
}
