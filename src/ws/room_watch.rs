//! Following public rooms from outside: what a socket watches, and the commands that change it.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, sync::Arc};

use tokio::sync::mpsc;

use crate::{
    core::model::{Chat, ChatId, FieldErrors, Refusal, Seq, permission::Ability},
    error::ApiError,
    hub::{Socket, frame_batch::Standing},
    state::State,
    storage::queries::membership,
};

/// Most rooms that one socket may watch.
pub const MOST_WATCHED: usize = 100;

/// The rooms that a socket watches, each with the number of the latest change that went out; its session and the task
/// that carries out its commands share it.
#[derive(Debug, Clone, Default)]
pub struct Watched(Rc<RefCell<BTreeMap<ChatId, Seq>>>);

impl Watched {
    /// Notes that a room is watched from now on; an error where there are too many.
    fn begin(&self, room: ChatId) -> Result<(), FieldErrors> {
        let mut rooms = self.0.borrow_mut();
        if rooms.len() >= MOST_WATCHED && !rooms.contains_key(&room) {
            let sentence = format!("A socket watches no more than {MOST_WATCHED} rooms.");
            return Err(FieldErrors::of("chat_id", sentence));
        }
        rooms.entry(room).or_insert(0);
        Ok(())
    }

    /// Notes where a room is as far as the client is told: this node may hear later of what brought it there.
    fn tell(&self, room: ChatId, seq: Seq) {
        if let Some(last) = self.0.borrow_mut().get_mut(&room) {
            *last = seq.max(*last);
        }
    }

    /// Notes that a room is not watched any more. Returns whether it was.
    pub fn end(&self, room: ChatId) -> bool {
        self.0.borrow_mut().remove(&room).is_some()
    }

    /// Whether news of a room are new to a socket that watches it. Its numbers rise; they may skip, since much of what
    /// happens in a room is not told outside.
    pub fn is_news(&self, room: ChatId, seq: Option<Seq>, standing: Standing) -> bool {
        let mut rooms = self.0.borrow_mut();
        let (Some(last), Some(seq)) = (rooms.get_mut(&room), seq) else { return false };
        if seq <= *last {
            return false;
        }
        *last = seq;
        if standing == Standing::WatchEnds {
            rooms.remove(&room);
        }
        true
    }

    /// All of them.
    pub fn rooms(&self) -> Vec<ChatId> {
        self.0.borrow().keys().copied().collect()
    }
}

/// Has a socket hear from outside what a public room is called and who is in it. Returns where the room is: what
/// happens after that is told. Nothing changes for who is in it already.
pub async fn watch(
    state: &State,
    socket: &Arc<Socket>,
    watched: &Watched,
    room: ChatId,
) -> Result<Seq, ApiError> {
    let (chat, is_member) = look(state, socket, room).await?;
    if is_member {
        return Ok(chat.seq);
    }
    watched.begin(room)?;
    let (done, mut is_done) = mpsc::channel(1);
    state.directory.watch(room, chat.seq, socket.clone(), done);
    let _ = is_done.recv().await;
    // The caller may have come in and gone again meanwhile, which ended it.
    watched.begin(room)?;
    // Only now, so that a change is either told or known to whoever loads the room after this.
    match look(state, socket, room).await {
        Ok((chat, is_member)) => {
            if is_member {
                watched.end(room);
            } else {
                watched.tell(room, chat.seq);
            }
            Ok(chat.seq)
        }
        Err(refusal) => {
            unwatch(state, socket, watched, room).await;
            Err(refusal.into())
        }
    }
}

/// Ends that. Nothing of the room is sent any more when this returns.
pub async fn unwatch(state: &State, socket: &Socket, watched: &Watched, room: ChatId) {
    if watched.end(room) {
        let (done, mut is_done) = mpsc::channel(1);
        state.directory.unwatch(room, socket.id, done);
        let _ = is_done.recv().await;
    }
}

async fn look(state: &State, socket: &Socket, chat: ChatId) -> Result<(Chat, bool), Refusal> {
    let user = socket.user;
    let met = state.readers.ask(move |conn| membership::authorized(conn, chat, user, Ability::See)).await?;
    if met.role.is_none() && !met.chat.is_public {
        // Staff may help there, and hear of nothing.
        return Err(Refusal::NotFound);
    }
    Ok((met.chat, met.role.is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_brought_a_room_where_the_client_was_told_that_it_is_is_no_news() {
        let (watched, room) = (Watched::default(), ChatId(1));
        let is_news = |seq| watched.is_news(room, Some(seq), Standing::Watches);
        watched.begin(room).unwrap();
        assert!(is_news(5));
        watched.tell(room, 7);
        assert_eq!([6, 7, 8, 8].map(is_news), [false, false, true, false]);
        watched.tell(room, 7);
        assert!(!is_news(8));
    }
}
