//! Creation of chats: runs the transaction, then publishes `chat_created` before any other event of the chat.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::{
    directory::ChatDirectory,
    mailbox::{Reply, Settled},
};
use crate::{
    core::model::{
        Change, ChatId, Event, Refusal,
        command::{NewChat, NewRoom},
        event::{Answer, Done},
    },
    storage::{
        AnyConn, StorageError, StoragePolicy,
        commands::{Made, create_chat, create_room},
    },
};

impl ChatDirectory {
    /// Creates a chat, or finds the existing dm. Returns the id and whether the chat is new. `chat_created`
    /// is published to the members before any other event of the chat, even if the caller has disconnected.
    pub async fn create(self: &Arc<Self>, new: NewChat) -> Result<(ChatId, bool), Refusal> {
        self.make("create_chat", move |conn, policy| create_chat(conn, policy, &new)).await
    }

    /// Creates a room, or finds the existing room of the same object. Returns the id and whether the room is
    /// new. `chat_created` is published to the members before any other event of the room.
    pub async fn create_room(self: &Arc<Self>, new: NewRoom) -> Result<(ChatId, bool), Refusal> {
        self.make("create_room", move |conn, policy| create_room(conn, policy, &new)).await
    }

    async fn make(
        self: &Arc<Self>,
        kind: &'static str,
        mut make: impl FnMut(&mut AnyConn, &StoragePolicy) -> Result<Made, StorageError> + Send + 'static,
    ) -> Result<(ChatId, bool), Refusal> {
        let permit = self.commands.clone().try_acquire_owned().map_err(|_| Refusal::Busy)?;
        let (caller, published) = oneshot::channel();
        let (found, made) = oneshot::channel();
        // A retried transaction creates a chat with another id each time.
        let (attempt, attempts) = std::sync::mpsc::channel();
        let directory = self.clone();
        let work = move |conn: &mut AnyConn, policy: &StoragePolicy| {
            let made = make(conn, policy)?;
            if let Made::New { snapshot, .. } = &made {
                directory.pending.begin(snapshot.chat.id);
                let _ = attempt.send(snapshot.chat.id);
            }
            Ok(made)
        };
        let directory = self.clone();
        let settle = move |result: Result<Made, Refusal>| {
            let mut announcement = None;
            let result = result.map(|made| match made {
                Made::Existing(chat) => (chat, false),
                Made::New { snapshot, members, join_counts } => {
                    let chat = snapshot.chat.id;
                    let change = Change::ChatCreated { snapshot: *snapshot, members, join_counts };
                    announcement = Some(creation_result(chat, change, Reply { caller, _place: permit }));
                    (chat, true)
                }
            });
            for chat in attempts.try_iter() {
                let is_made = result == Ok((chat, true));
                let made = if is_made { announcement.take() } else { None };
                directory.pending.end(chat, made, |settled| directory.put(chat, settled));
            }
            let _ = found.send(result);
        };
        self.services.writer.run_then(kind, work, settle);
        let outcome = async {
            let (chat, is_new) = made.await.unwrap_or(Err(Refusal::Internal))?;
            if is_new {
                published.await.unwrap_or(Err(Refusal::Busy))?;
            }
            Ok((chat, is_new))
        };
        self.services.writer.in_time(outcome).await?
    }
}

/// Builds the `chat_created` result of a new chat.
fn creation_result(chat: ChatId, change: Change, reply: Reply) -> Settled {
    let event = Some(Arc::new(Event::new(chat, 1, change)));
    let done = Done { event, ..Done::unchanged(Answer::Done) };
    Settled { result: Ok(Arc::new(done)), was_submitted: false, reply }
}
