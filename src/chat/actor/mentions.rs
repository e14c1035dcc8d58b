//! Unread mentions of the connected members, where a change of a message adds or removes a mention of so many that the
//! transaction does not count them. The actor counts before it publishes the event. Each node does so for its own sockets.

use std::sync::Arc;

use actix_rt::time::sleep;

use super::{ChatActor, mention_counts::MentionCounts, sequencer::BACKFILL_RETRY_DELAY};
use crate::{
    chat::mailbox::MentionsCounted,
    core::model::{
        Event, Refusal, UserId,
        threads::{OwnChange, OwnKind},
    },
    storage::{AnyConn, queries::mentions},
};

impl ChatActor {
    /// Returns the connected users whose mentions an event changes and whose count is not read yet, sorted by id.
    pub(super) fn uncounted(&self, event: &Event) -> Vec<UserId> {
        let Some(change) = &event.mentions else { return Vec::new() };
        let known = Some(&self.mention_counts).filter(|counts| counts.seq == event.seq);
        let users = self.subscribers.values().map(|socket| socket.user);
        let mut users: Vec<UserId> = users
            .filter(|user| change.of(*user).is_some() && !known.is_some_and(|counts| counts.has(*user)))
            .collect();
        users.sort_unstable();
        users.dedup();
        users
    }

    pub(super) fn count_mentions(&self, event: &Arc<Event>, users: Vec<UserId>) {
        let (directory, services, chat, seq) =
            (self.directory.clone(), self.services.clone(), self.chat, event.seq);
        actix_rt::spawn(async move {
            let ids: Arc<[i64]> = users.iter().map(|user| user.0).collect();
            let read = |ids: Arc<[i64]>| {
                move |conn: &mut AnyConn| mentions::unread_of_members(conn, chat, seq, &ids)
            };
            let mut found = services.readers.query(read(ids.clone())).await;
            while let Err(Refusal::Busy | Refusal::StorageAway | Refusal::Throttled) = found {
                sleep(BACKFILL_RETRY_DELAY).await;
                found = services.readers.query(read(ids.clone())).await;
            }
            let found = found.unwrap_or_default();
            let count = |user: UserId| {
                let index = found.binary_search_by_key(&user, |(id, _)| *id).ok()?;
                Some(found[index].1)
            };
            let of = users.into_iter().map(|user| (user, count(user))).collect();
            directory.send(chat, MentionsCounted { seq, of }.into());
        });
    }

    pub(super) fn on_mentions_counted(&mut self, MentionsCounted { seq, of }: MentionsCounted) {
        self.sequencer.resume();
        if self.mention_counts.seq != seq {
            self.mention_counts = MentionCounts { seq, of: Vec::new() };
        }
        // Users may have connected since the first count.
        self.mention_counts.of.extend(of);
        self.mention_counts.of.sort_unstable();
        self.publish_held();
    }

    /// Returns what an event changes for the users whose mentions were counted.
    pub(super) fn counted_mentions<'a>(&'a self, event: &'a Event) -> impl Iterator<Item = OwnChange> + 'a {
        let counts = self.mention_counts.of.iter().filter(|_| self.mention_counts.seq == event.seq);
        let change = event.mentions.as_deref();
        counts.filter_map(move |&(user, unread_mentions)| {
            let (change, unread_mentions) = (change?, unread_mentions?);
            let is_mentioned = change.of(user)?;
            let kind = OwnKind::MentionsChanged { message: change.message, is_mentioned, unread_mentions };
            Some(OwnChange { user, kind })
        })
    }
}
