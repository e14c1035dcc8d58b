//! Observed public rooms of a socket, and the `watch` and `unwatch` commands.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, sync::Arc};

use tokio::sync::mpsc;

use crate::{
    core::model::{Chat, ChatId, FieldErrors, Refusal, Seq, permission::Ability},
    error::ApiError,
    hub::{Subscriber, frame_batch::SubscriptionChange},
    state::AppState,
    storage::queries::membership,
};

/// Most rooms that one socket may observe.
pub(super) const MAX_WATCHED: usize = 100;

/// The rooms that a socket observes, each with the last `seq` sent. Shared by the session and the task that
/// runs its commands.
#[derive(Debug, Clone, Default)]
pub(super) struct Watched(Rc<RefCell<BTreeMap<ChatId, Seq>>>);

impl Watched {
    /// Adds a room; an error if the socket observes too many.
    fn begin(&self, room: ChatId) -> Result<(), FieldErrors> {
        let mut rooms = self.0.borrow_mut();
        if rooms.len() >= MAX_WATCHED && !rooms.contains_key(&room) {
            let sentence = format!("A socket watches no more than {MAX_WATCHED} rooms.");
            return Err(FieldErrors::of("chat_id", sentence));
        }
        rooms.entry(room).or_insert(0);
        Ok(())
    }

    /// Records the `seq` that the client was answered with. Earlier events that reach this node later are
    /// dropped.
    fn record(&self, room: ChatId, seq: Seq) {
        if let Some(last) = self.0.borrow_mut().get_mut(&room) {
            *last = seq.max(*last);
        }
    }

    /// Removes a room. Returns whether it was observed.
    pub(super) fn end(&self, room: ChatId) -> bool {
        self.0.borrow_mut().remove(&room).is_some()
    }

    /// Returns whether an event of an observed room must be sent. Its `seq` increases but skips numbers:
    /// observers get few of a room's events.
    pub(super) fn is_news(&self, room: ChatId, seq: Option<Seq>, change: SubscriptionChange) -> bool {
        let mut rooms = self.0.borrow_mut();
        let (Some(last), Some(seq)) = (rooms.get_mut(&room), seq) else { return false };
        if seq <= *last {
            return false;
        }
        *last = seq;
        if change == SubscriptionChange::ObservationEnds {
            rooms.remove(&room);
        }
        true
    }

    /// Returns all observed rooms.
    pub(super) fn rooms(&self) -> Vec<ChatId> {
        self.0.borrow().keys().copied().collect()
    }
}

/// Makes a socket an observer of a public room: it gets the room's title and membership changes. Returns the
/// room's `seq`; later events are delivered. For a member nothing changes.
pub(super) async fn watch(
    state: &AppState,
    socket: &Arc<Subscriber>,
    watched: &Watched,
    room: ChatId,
) -> Result<Seq, ApiError> {
    let (chat, is_member) = read_room(state, socket, room).await?;
    if is_member {
        return Ok(chat.seq);
    }
    watched.begin(room)?;
    let (done, mut is_done) = mpsc::channel(1);
    state.directory.watch(room, chat.seq, socket.clone(), done);
    let _ = is_done.recv().await;
    // The caller may have joined and left during the subscription, which removed the room.
    watched.begin(room)?;
    // Read after the subscription: a change is either delivered, or seen by a client that loads the room
    // afterwards.
    match read_room(state, socket, room).await {
        Ok((chat, is_member)) => {
            if is_member {
                watched.end(room);
            } else {
                watched.record(room, chat.seq);
            }
            Ok(chat.seq)
        }
        Err(refusal) => {
            unwatch(state, socket, watched, room).await;
            Err(refusal.into())
        }
    }
}

/// Ends a socket's observation of a room. No event of the room is sent after this returns.
pub(super) async fn unwatch(state: &AppState, socket: &Subscriber, watched: &Watched, room: ChatId) {
    if watched.end(room) {
        let (done, mut is_done) = mpsc::channel(1);
        state.directory.unwatch(room, socket.id, done);
        let _ = is_done.recv().await;
    }
}

async fn read_room(state: &AppState, socket: &Subscriber, chat: ChatId) -> Result<(Chat, bool), Refusal> {
    let user = socket.user;
    let found =
        state.readers.query(move |conn| membership::authorized(conn, chat, user, Ability::See)).await?;
    if found.role.is_none() && !found.chat.is_public {
        // Staff may read private rooms, but not observe them.
        return Err(Refusal::NotFound);
    }
    Ok((found.chat, found.role.is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_up_to_the_answered_seq_are_not_sent() {
        let (watched, room) = (Watched::default(), ChatId(1));
        let is_news = |seq| watched.is_news(room, Some(seq), SubscriptionChange::Watches);
        watched.begin(room).unwrap();
        assert!(is_news(5));
        watched.record(room, 7);
        assert_eq!([6, 7, 8, 8].map(is_news), [false, false, true, false]);
        watched.record(room, 7);
        assert!(!is_news(8));
    }
}
