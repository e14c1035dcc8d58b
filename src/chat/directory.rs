//! Chat id → actor. No address leaves this place: whoever has something for a chat gives it to the directory, which
//! starts the actor if there is none.

use std::{
    collections::HashMap,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, atomic::Ordering},
    time::{Duration, Instant},
};

use actix::{Actor, Addr, Context};
use actix_rt::{Arbiter, ArbiterHandle, time::sleep};
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::{
    activity::Pulse,
    actor::ChatActor,
    context::{Chats, Services},
    mailbox::{
        Admit, Answered, Behind, ChatMessage, Learned, Marked, Reply, Settled, Submit, Subscribe, Type,
        Typed, Unsubscribe, Unwatch, Watch,
    },
    pending_creations::Makings,
};
use crate::{
    core::model::{
        Change, ChatId, Command, Event, Refusal, Seq, UserId,
        command::{NewChat, NewRoom},
        event::{Answer, Done, MarkerMoved},
    },
    hub::subscriber::{Socket, SocketId},
    storage::{
        AnyConn, Rules, StorageError, WriterHandle,
        commands::{Made, create_chat, create_room},
    },
};

/// Commands under way at once; more are turned down.
const COMMANDS: usize = 8_192;

/// Shards of the map, so that threads seldom wait for one another.
const SHARDS: usize = 64;

/// Between two looks whether something has ended.
const A_MOMENT: Duration = Duration::from_millis(2);

/// The actors of this node's active chats.
pub struct ChatDirectory {
    shards: Vec<Mutex<HashMap<ChatId, Entry>>>,
    /// Of the threads that serve HTTP.
    arbiters: RwLock<Vec<ArbiterHandle>>,
    commands: Arc<Semaphore>,
    makings: Makings,
    services: Arc<Services>,
}

struct Entry {
    actor: Addr<ChatActor>,
    pulse: Arc<Pulse>,
}

impl ChatDirectory {
    /// A directory without chats, whose actors live on the threads that are named to [`Self::live_on`].
    pub fn new(services: Services) -> Arc<Self> {
        Arc::new(Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            arbiters: RwLock::default(),
            commands: Arc::new(Semaphore::new(COMMANDS)),
            makings: Makings::default(),
            services: Arc::new(services),
        })
    }

    /// Names a thread on which actors may live, before anybody is let in. A chat is always on the same one.
    pub fn live_on(&self, arbiter: ArbiterHandle) {
        self.arbiters.write().unwrap_or_else(PoisonError::into_inner).push(arbiter);
    }

    /// Has all chats live on the thread that calls, which must have an arbiter, and waits until those elsewhere have begun
    /// what they were asked for; what comes of it arrives here. For a server whose sockets are gone and whose other threads
    /// are about to end.
    pub async fn move_here(&self, deadline: Instant) {
        *self.arbiters.write().unwrap_or_else(PoisonError::into_inner) = vec![Arbiter::current()];
        let left: Vec<Entry> =
            self.shards.iter().flat_map(|shard| mem::take(&mut *lock(shard)).into_values()).collect();
        let is_asked = |entry: &Entry| entry.pulse.queued.load(Ordering::Acquire) > 0;
        while left.iter().any(is_asked) && Instant::now() < deadline {
            sleep(A_MOMENT).await;
        }
    }

    /// Waits until no command is under way.
    pub async fn settle(&self, deadline: Instant) {
        while self.under_way() > 0 && Instant::now() < deadline {
            sleep(A_MOMENT).await;
        }
    }

    /// Has a chat carry out a command, which is on its way when this returns.
    pub fn command(
        self: &Arc<Self>,
        command: Command,
    ) -> impl Future<Output = Result<Answered, Refusal>> + use<> {
        answer(self.services.writer.clone(), self.ask(command.chat, |reply| Submit { command, reply }))
    }

    /// Tells a chat that somebody types, or stops; it is on its way when this returns.
    pub fn typing(
        self: &Arc<Self>,
        chat: ChatId,
        user: UserId,
        is_typing: bool,
    ) -> impl Future<Output = Result<Answered, Refusal>> + use<> {
        answer(self.services.writer.clone(), self.ask(chat, |reply| Type { user, is_typing, reply }))
    }

    /// Makes a chat, or finds the dm that there is; whether it is new. Its members hear of it as soon as it is durable:
    /// before anything that happens in it, and also where whoever asked has gone meanwhile.
    pub async fn create(self: &Arc<Self>, new: NewChat) -> Result<(ChatId, bool), Refusal> {
        self.make("create_chat", move |conn, rules| create_chat(conn, rules, &new)).await
    }

    /// The same for a room, or the one that its object has.
    pub async fn create_room(self: &Arc<Self>, new: NewRoom) -> Result<(ChatId, bool), Refusal> {
        self.make("create_room", move |conn, rules| create_room(conn, rules, &new)).await
    }

    async fn make(
        self: &Arc<Self>,
        kind: &'static str,
        mut make: impl FnMut(&mut AnyConn, &Rules) -> Result<Made, StorageError> + Send + 'static,
    ) -> Result<(ChatId, bool), Refusal> {
        let place = self.commands.clone().try_acquire_owned().map_err(|_| Refusal::Busy)?;
        let (caller, is_known) = oneshot::channel();
        let (found, made) = oneshot::channel();
        // Each time that it is tried it makes another chat.
        let (tell, tried) = std::sync::mpsc::channel();
        let directory = self.clone();
        let work = move |conn: &mut AnyConn, rules: &Rules| {
            let made = make(conn, rules)?;
            if let Made::New { snapshot, .. } = &made {
                directory.makings.begin(snapshot.chat.id);
                let _ = tell.send(snapshot.chat.id);
            }
            Ok(made)
        };
        let directory = self.clone();
        let settle = move |result: Result<Made, Refusal>| {
            let mut announcement = None;
            let result = result.map(|made| match made {
                Made::Existing(chat) => (chat, false),
                Made::New { snapshot, members, feeds } => {
                    let chat = snapshot.chat.id;
                    let change = Change::ChatCreated { snapshot: *snapshot, members, feeds };
                    announcement = Some(announced(chat, change, Reply { caller, _place: place }));
                    (chat, true)
                }
            });
            for chat in tried.try_iter() {
                let is_made = result == Ok((chat, true));
                let made = if is_made { announcement.take() } else { None };
                directory.makings.end(chat, made, |settled| directory.put(chat, settled));
            }
            let _ = found.send(result);
        };
        self.services.writer.run_then(kind, work, settle);
        let known = async {
            let (chat, is_new) = made.await.unwrap_or(Err(Refusal::Internal))?;
            if is_new {
                is_known.await.unwrap_or(Err(Refusal::Busy))?;
            }
            Ok((chat, is_new))
        };
        self.services.writer.in_time(known).await?
    }

    /// Lets a socket hear a chat's events, from after `head` at the latest. `done` is dropped once it does.
    pub fn subscribe(self: &Arc<Self>, chat: ChatId, head: Seq, socket: Arc<Socket>, done: mpsc::Sender<()>) {
        self.put(chat, Subscribe { socket, head, done });
    }

    /// Ends that; a chat without an actor has nobody listening anyway.
    pub fn unsubscribe(self: &Arc<Self>, chat: ChatId, socket: SocketId) {
        if let Some(entry) = self.shard(chat).get(&chat) {
            entry.send(Unsubscribe { socket });
        }
    }

    /// Lets a socket follow a public room from outside. `done` is dropped once it does.
    pub fn watch(self: &Arc<Self>, room: ChatId, head: Seq, socket: Arc<Socket>, done: mpsc::Sender<()>) {
        self.put(room, Watch { socket, head, done });
    }

    /// Ends that. `done` is dropped once nothing more is delivered.
    pub fn unwatch(self: &Arc<Self>, room: ChatId, socket: SocketId, done: mpsc::Sender<()>) {
        if let Some(entry) = self.shard(room).get(&room) {
            entry.send(Unwatch { socket, done });
        }
    }

    /// Another node tells of a lasting change. It is of no use here where nobody listens and nobody comes in.
    pub fn learn(self: &Arc<Self>, event: Arc<Event>) {
        let concerns = |user| self.services.registry.is_connected(user);
        if self.is_active(event.chat) || event.newcomers().any(concerns) {
            self.put(event.chat, Learned(event));
        }
    }

    /// Another node tells that somebody types, or stops.
    pub fn learn_typing(&self, chat: ChatId, user: UserId, is_typing: bool) {
        if let Some(entry) = self.shard(chat).get(&chat) {
            entry.send(Typed { user, is_typing });
        }
    }

    /// Another node tells of a marker that only its reader hears of.
    pub fn learn_marker(&self, chat: ChatId, moved: MarkerMoved) {
        if let Some(entry) = self.shard(chat).get(&chat) {
            entry.send(Marked(moved));
        }
    }

    /// Storage was seen to have reached `head` in a chat.
    pub fn is_behind(&self, chat: ChatId, head: Seq) {
        if let Some(entry) = self.shard(chat).get(&chat) {
            entry.send(Behind { head });
        }
    }

    /// Somebody is in a chat and has perhaps not been told.
    pub fn admit(self: &Arc<Self>, chat: ChatId, user: UserId) {
        self.put(chat, Admit { user });
    }

    /// The chats that somebody listens to, each with how far it has been made known here.
    pub fn told(&self) -> Vec<(ChatId, Seq)> {
        let told = |(chat, entry): (&ChatId, &Entry)| (*chat, entry.pulse.told.load(Ordering::Relaxed));
        let of = |shard| lock(shard).iter().map(told).filter(|(_, seq)| *seq > 0).collect::<Vec<_>>();
        self.shards.iter().flat_map(of).collect()
    }

    fn is_active(&self, chat: ChatId) -> bool {
        self.shard(chat).contains_key(&chat)
    }

    /// How many commands are under way.
    pub fn under_way(&self) -> usize {
        COMMANDS.saturating_sub(self.commands.available_permits())
    }

    /// How many actors there are.
    pub fn active(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    /// Sends a message at once, so that whoever asks twice is heard in that order.
    fn ask<M: Into<ChatMessage>>(self: &Arc<Self>, chat: ChatId, message: impl FnOnce(Reply) -> M) -> Asked {
        let place = self.commands.clone().try_acquire_owned().ok()?;
        let (caller, answer) = oneshot::channel();
        self.put(chat, message(Reply { caller, _place: place }));
        Some(answer)
    }

    fn put(self: &Arc<Self>, chat: ChatId, message: impl Into<ChatMessage>) {
        self.shard(chat).entry(chat).or_insert_with(|| self.start(chat)).send(message.into());
    }

    fn start(self: &Arc<Self>, chat: ChatId) -> Entry {
        let pulse = Arc::new(Pulse::default());
        let arbiters = self.arbiters.read().unwrap_or_else(PoisonError::into_inner);
        let arbiter = arbiters.get(chat.0 as usize % arbiters.len().max(1));
        let arbiter = arbiter.cloned().unwrap_or_else(Arbiter::current);
        let (directory, services, shown) = (self.clone(), self.services.clone(), pulse.clone());
        let actor = ChatActor::start_in_arbiter(&arbiter, move |_: &mut Context<ChatActor>| {
            ChatActor::new(chat, directory, services, shown)
        });
        Entry { actor, pulse }
    }

    fn shard(&self, chat: ChatId) -> MutexGuard<'_, HashMap<ChatId, Entry>> {
        lock(&self.shards[chat.0 as usize % SHARDS])
    }
}

impl Chats for ChatDirectory {
    fn send(self: Arc<Self>, chat: ChatId, message: ChatMessage) {
        self.put(chat, message);
    }

    fn settled(self: Arc<Self>, chat: ChatId, settled: Settled) {
        if let Some(settled) = self.makings.hold(chat, settled) {
            self.put(chat, settled);
        }
    }

    fn retire(&self, chat: ChatId) -> bool {
        let mut shard = self.shard(chat);
        let is_idle = shard.get(&chat).is_some_and(|entry| entry.pulse.queued.load(Ordering::Acquire) == 0);
        if is_idle {
            shard.remove(&chat);
        }
        is_idle
    }
}

/// The way on which an answer will come; `None` where too much is under way already.
type Asked = Option<oneshot::Receiver<Result<Answered, Refusal>>>;

async fn answer(writer: WriterHandle, asked: Asked) -> Result<Answered, Refusal> {
    // An actor that failed over this very command has dropped the way back.
    writer.in_time(asked.ok_or(Refusal::Busy)?).await?.unwrap_or(Err(Refusal::Busy))
}

/// The news of a chat that was made.
fn announced(chat: ChatId, change: Change, reply: Reply) -> Settled {
    let event = Some(Arc::new(Event { chat, seq: 1, change }));
    let done = Done { answer: Answer::Done, event, quiet_marker: None };
    Settled { result: Ok(Arc::new(done)), was_submitted: false, reply }
}

impl Entry {
    /// Past the bound of the mailbox: what is under way is bounded by [`COMMANDS`], and an event must arrive.
    fn send(&self, message: impl Into<ChatMessage>) {
        self.pulse.queued.fetch_add(1, Ordering::Release);
        self.actor.do_send(message.into());
    }
}

fn lock(shard: &Mutex<HashMap<ChatId, Entry>>) -> MutexGuard<'_, HashMap<ChatId, Entry>> {
    // The map is sound after each single step, so a panic elsewhere does not spoil it.
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
