//! Maps chat ids to actors. Actor addresses never leave the directory: messages for a chat go through it, and
//! it starts the actor on demand.

use std::{
    collections::HashMap,
    mem,
    sync::{Arc, MutexGuard, atomic::Ordering},
    time::{Duration, Instant},
};

use actix::{Actor, Addr, Context};
use actix_rt::{Arbiter, ArbiterHandle, time::sleep};
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::{
    activity::Activity,
    actor::ChatActor,
    context::{Chats, Services},
    drafts,
    mailbox::{
        Answered, ChatMessage, EnsureSubscribed, GapDetected, Marked, Observe, RemoteEvent, RemoteTyping,
        Reply, Settled, Submit, Subscribe, Type, TypingSignal, Unobserve, Unsubscribe,
    },
    pending_creations::PendingCreations,
};
use crate::{
    core::{
        log_context::LogContext,
        model::{ChatId, Command, DraftChanged, Event, Refusal, Seq, UserId, event::MarkerMoved},
        sync::{Mutex, RwLock},
    },
    hub::subscriber::{Subscriber, SubscriberId},
    storage::WriterHandle,
};

/// Most commands in flight; further ones are refused as busy.
const COMMANDS: usize = 8_192;

/// Shards of the map, to keep lock contention low.
const SHARDS: usize = 64;

/// Polling interval of the shutdown waits.
const POLL_EVERY: Duration = Duration::from_millis(2);

/// The actors of this node's active chats.
pub struct ChatDirectory {
    shards: Vec<Mutex<HashMap<ChatId, Entry>>>,
    /// Arbiters of the threads that serve HTTP.
    arbiters: RwLock<Vec<ArbiterHandle>>,
    pub(super) commands: Arc<Semaphore>,
    pub(super) pending: PendingCreations,
    pub(super) services: Arc<Services>,
}

struct Entry {
    actor: Addr<ChatActor>,
    activity: Arc<Activity>,
}

impl ChatDirectory {
    /// Creates an empty directory. Actors run on the arbiters given to [`Self::add_arbiter`].
    pub fn new(services: Services) -> Arc<Self> {
        Arc::new(Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            arbiters: RwLock::default(),
            commands: Arc::new(Semaphore::new(COMMANDS)),
            pending: PendingCreations::default(),
            services: Arc::new(services),
        })
    }

    /// Adds an arbiter on which actors may run. Must be called before the first request. A chat always maps
    /// to the same arbiter.
    pub fn add_arbiter(&self, arbiter: ArbiterHandle) {
        self.arbiters.write().push(arbiter);
    }

    /// Shutdown only: starts all further actors on the calling thread's arbiter. Then waits until the
    /// existing actors have drained their mailboxes, or until `deadline`. Results of their commands arrive at
    /// the new actors. Called once all sockets are closed, before the other threads stop.
    pub async fn migrate_to_current(&self, deadline: Instant) {
        *self.arbiters.write() = vec![Arbiter::current()];
        let old_entries: Vec<Entry> =
            self.shards.iter().flat_map(|shard| mem::take(&mut *shard.lock()).into_values()).collect();
        let has_messages = |entry: &Entry| entry.activity.queued.load(Ordering::Acquire) > 0;
        while old_entries.iter().any(has_messages) && Instant::now() < deadline {
            sleep(POLL_EVERY).await;
        }
    }

    /// Waits until no command is in flight, or until `deadline`.
    pub async fn wait_until_idle(&self, deadline: Instant) {
        while self.under_way() > 0 && Instant::now() < deadline {
            sleep(POLL_EVERY).await;
        }
    }

    /// Sends a command to its chat. The command is in the mailbox when this returns; the future yields its
    /// result.
    pub fn command(
        self: &Arc<Self>,
        command: Command,
    ) -> impl Future<Output = Result<Answered, Refusal>> + use<> {
        await_answer(
            self.services.writer.clone(),
            self.request(command.chat, |reply| Submit { command, reply, log_context: LogContext::current() }),
        )
    }

    /// Sends a typing signal to a chat. The signal is in the mailbox when this returns; the future yields its
    /// result.
    pub fn typing(
        self: &Arc<Self>,
        chat: ChatId,
        signal: TypingSignal,
    ) -> impl Future<Output = Result<Answered, Refusal>> + use<> {
        await_answer(self.services.writer.clone(), self.request(chat, |reply| Type { signal, reply }))
    }

    /// Subscribes a socket to a chat's events after `head`. `done` is dropped once the subscription is
    /// active.
    pub fn subscribe(
        self: &Arc<Self>,
        chat: ChatId,
        head: Seq,
        socket: Arc<Subscriber>,
        done: mpsc::Sender<()>,
    ) {
        self.put(chat, Subscribe { socket, head, done });
    }

    /// Ends a socket's subscription to a chat. A chat without an actor has no subscribers.
    pub fn unsubscribe(self: &Arc<Self>, chat: ChatId, socket: SubscriberId) {
        if let Some(entry) = self.shard(chat).get(&chat) {
            entry.send(Unsubscribe { socket });
        }
    }

    /// Subscribes a socket to a public room as an observer. `done` is dropped once the subscription is
    /// active.
    pub fn watch(self: &Arc<Self>, room: ChatId, head: Seq, socket: Arc<Subscriber>, done: mpsc::Sender<()>) {
        self.put(room, Observe { socket, head, done });
    }

    /// Ends a socket's observer subscription to a room. `done` is dropped once nothing more is delivered.
    pub fn unwatch(self: &Arc<Self>, room: ChatId, socket: SubscriberId, done: mpsc::Sender<()>) {
        if let Some(entry) = self.shard(room).get(&room) {
            entry.send(Unobserve { socket, done });
        }
    }

    /// Applies a durable change that another node published. Ignored if the chat has no actor here and no
    /// user whom it adds is connected to this node.
    pub fn apply_remote_event(self: &Arc<Self>, event: Arc<Event>) {
        let concerns = |user| self.services.hub.is_connected(user);
        if self.is_active(event.chat) || event.newcomers().any(concerns) {
            self.put(event.chat, RemoteEvent(event));
        }
    }

    /// Applies a typing signal from another node. Ignored if the chat has no actor here.
    pub fn apply_remote_typing(&self, chat: ChatId, signal: TypingSignal) {
        if let Some(entry) = self.shard(chat).get(&chat) {
            entry.send(RemoteTyping(signal));
        }
    }

    /// Applies a read marker from another node that is delivered to its reader only.
    pub fn apply_remote_marker(&self, chat: ChatId, moved: MarkerMoved) {
        if let Some(entry) = self.shard(chat).get(&chat) {
            entry.send(Marked(moved));
        }
    }

    /// Applies a change of a draft from another node.
    pub fn apply_remote_draft(&self, changed: &DraftChanged) {
        drafts::deliver(&self.services, changed);
    }

    /// Reports that storage has reached `head` in a chat, so that its actor can detect a gap.
    pub fn report_head(&self, chat: ChatId, head: Seq) {
        if let Some(entry) = self.shard(chat).get(&chat) {
            entry.send(GapDetected { head });
        }
    }

    /// Ensures that a member's sockets are subscribed: this node may have missed the event that added the
    /// user.
    pub fn ensure_subscribed(self: &Arc<Self>, chat: ChatId, user: UserId) {
        self.put(chat, EnsureSubscribed { user });
    }

    /// Lists the chats that have subscribers or observers, each with the `seq` published here.
    pub fn published(&self) -> Vec<(ChatId, Seq)> {
        let published =
            |(chat, entry): (&ChatId, &Entry)| (*chat, entry.activity.published_seq.load(Ordering::Relaxed));
        let of = |shard: &Mutex<HashMap<ChatId, Entry>>| {
            shard.lock().iter().map(published).filter(|(_, seq)| *seq > 0).collect::<Vec<_>>()
        };
        self.shards.iter().flat_map(of).collect()
    }

    fn is_active(&self, chat: ChatId) -> bool {
        self.shard(chat).contains_key(&chat)
    }

    /// Returns the number of commands in flight.
    pub fn under_way(&self) -> usize {
        COMMANDS.saturating_sub(self.commands.available_permits())
    }

    /// Returns the number of running actors.
    pub fn active(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    /// Sends a message before returning, so that two calls of one caller arrive in order.
    fn request<M: Into<ChatMessage>>(
        self: &Arc<Self>,
        chat: ChatId,
        message: impl FnOnce(Reply) -> M,
    ) -> PendingAnswer {
        let permit = self.commands.clone().try_acquire_owned().ok()?;
        let (caller, answer) = oneshot::channel();
        self.put(chat, message(Reply { caller, _place: permit }));
        Some(answer)
    }

    pub(super) fn put(self: &Arc<Self>, chat: ChatId, message: impl Into<ChatMessage>) {
        self.shard(chat).entry(chat).or_insert_with(|| self.start(chat)).send(message.into());
    }

    fn start(self: &Arc<Self>, chat: ChatId) -> Entry {
        let activity = Arc::new(Activity::default());
        let arbiters = self.arbiters.read();
        let arbiter = arbiters.get(chat.0 as usize % arbiters.len().max(1));
        let arbiter = arbiter.cloned().unwrap_or_else(Arbiter::current);
        let (directory, services, shared) = (self.clone(), self.services.clone(), activity.clone());
        let actor = ChatActor::start_in_arbiter(&arbiter, move |_: &mut Context<ChatActor>| {
            ChatActor::new(chat, directory, services, shared)
        });
        Entry { actor, activity }
    }

    fn shard(&self, chat: ChatId) -> MutexGuard<'_, HashMap<ChatId, Entry>> {
        self.shards[chat.0 as usize % SHARDS].lock()
    }
}

impl Chats for ChatDirectory {
    fn send(self: Arc<Self>, chat: ChatId, message: ChatMessage) {
        self.put(chat, message);
    }

    fn settled(self: Arc<Self>, chat: ChatId, settled: Settled) {
        if let Some(settled) = self.pending.hold(chat, settled) {
            self.put(chat, settled);
        }
    }

    fn retire(&self, chat: ChatId) -> bool {
        let mut shard = self.shard(chat);
        let is_idle =
            shard.get(&chat).is_some_and(|entry| entry.activity.queued.load(Ordering::Acquire) == 0);
        if is_idle {
            shard.remove(&chat);
        }
        is_idle
    }
}

/// Receiver of a command's result; `None` if too many commands are in flight.
type PendingAnswer = Option<oneshot::Receiver<Result<Answered, Refusal>>>;

async fn await_answer(writer: WriterHandle, asked: PendingAnswer) -> Result<Answered, Refusal> {
    // An actor that panicked on this command has dropped its reply channel.
    writer.in_time(asked.ok_or(Refusal::Busy)?).await?.unwrap_or(Err(Refusal::Busy))
}

impl Entry {
    /// Bypasses the mailbox's bound: commands in flight are bounded by [`COMMANDS`], and events must not be
    /// lost.
    fn send(&self, message: impl Into<ChatMessage>) {
        self.activity.queued.fetch_add(1, Ordering::Release);
        self.actor.do_send(message.into());
    }
}
