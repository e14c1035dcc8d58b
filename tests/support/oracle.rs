//! The oracle of the feed: an observer's state, built from events alone, must equal a fresh fetch. This holds
//! for every transport and after every lost connection.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use actix_web::rt::time::timeout;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

use super::{
    Listener, Server, User,
    event_stream::EventStream,
    oracle_actions::{Private, act},
    oracle_threads::{Threads, check_timeline, check_totals, mentions},
};

/// A client's state, built from events alone. It fetches a chat only after `chat_created` or `resync`.
#[derive(Default)]
struct Observer {
    chats: BTreeMap<i64, Known>,
    transport: Transport,
    /// Whether it receives replies that are only in threads.
    knows_threads: bool,
    /// Whether the stream has sent the first of two events with one number, and not the second.
    is_between: bool,
    /// When the socket was last read.
    last_read: Option<Instant>,
}

/// A socket that was not read for this long may be closed: it did not answer the server's pings.
const READ_WITHIN: Duration = Duration::from_secs(5);

/// How an observer receives events; `None` while it is disconnected.
enum Transport {
    Socket(Option<Listener>),
    Stream {
        open: Option<EventStream>,
        /// Cursor of the last event.
        cursor: String,
    },
    /// Polls at random steps.
    Polls,
}

impl Default for Transport {
    fn default() -> Self {
        Self::Socket(None)
    }
}

#[derive(Default)]
struct Known {
    seq: i64,
    is_loaded: bool,
    title: Value,
    /// The observer's own settings and unread counts, as the server last sent them.
    me: Value,
    messages: BTreeMap<i64, Value>,
    threads: Threads,
    /// The ids of the pinned messages.
    pins: BTreeSet<i64>,
    /// The number of unread messages of the timeline that mention the observer.
    mentions: i64,
    /// The number of the chat when it was fetched: the threads include the changes up to it.
    fetched_seq: i64,
    /// Role and last read message by user id.
    members: BTreeMap<i64, (Value, Value)>,
}

impl Observer {
    fn new((transport, knows_threads): (Transport, bool)) -> Self {
        Self { transport, knows_threads, ..Self::default() }
    }

    fn known(&self) -> BTreeMap<String, i64> {
        self.chats.iter().map(|(chat, known)| (chat.to_string(), known.seq)).collect()
    }

    /// Returns whether events up to these heads are still missing.
    fn is_behind(&self, user: &User, heads: &Value, private: &Private) -> bool {
        let heads = heads.as_object().unwrap();
        let is_current = |(chat, head): (&String, &Value)| {
            let chat = chat.parse().unwrap();
            let visible = private.visible_head(user, self.knows_threads, chat, head.as_i64().unwrap());
            self.chats.get(&chat).is_some_and(|known| known.seq >= visible)
        };
        heads.len() != self.chats.len() || !heads.iter().all(is_current)
    }

    fn break_off(&mut self) {
        match &mut self.transport {
            Transport::Socket(open) => *open = None,
            Transport::Stream { open, .. } => *open = None,
            Transport::Polls => {}
        }
    }

    /// Reconnects and resumes if it is disconnected.
    async fn connect(&mut self, user: &User, private: &Private) {
        match &mut self.transport {
            Transport::Socket(Some(_)) | Transport::Stream { open: Some(_), .. } => {}
            Transport::Socket(None) => {
                let (listener, missed, ack) =
                    user.resumes_with(self.knows_threads, json!(self.known())).await;
                self.follow(user, missed, &ack, private).await;
                self.last_read = Some(Instant::now());
                self.transport = Transport::Socket(Some(listener));
            }
            Transport::Stream { open: None, cursor } => {
                // An empty position: every chat is new.
                let from = if cursor.is_empty() { ":" } else { cursor };
                let stream = user
                    .streams_from(if self.knows_threads { "?threads=1" } else { "" }, from)
                    .await
                    .unwrap();
                let cursor = stream.last_id.clone();
                self.go_on_from(&stream.hello["chats"]);
                self.transport = Transport::Stream { open: Some(stream), cursor };
            }
            Transport::Polls => self.poll(user, private).await,
        }
    }

    /// Asserts that a stream goes on from the known numbers. After the first of two events with one number, it goes on
    /// from the event before, and sends both.
    fn go_on_from(&mut self, heads: &Value) {
        if std::mem::take(&mut self.is_between) {
            self.chats.retain(|chat, _| heads.get(chat.to_string()).is_some());
            for (chat, known) in &mut self.chats {
                let head = heads[chat.to_string()].as_i64().unwrap();
                assert!(head <= known.seq, "{chat}: {heads}, known {}", known.seq);
                known.seq = head;
            }
        }
        assert_eq!(*heads, json!(self.known()));
    }

    /// Receives and applies the available events.
    async fn drain(&mut self, user: &User, private: &Private) {
        if matches!(self.transport, Transport::Socket(Some(_)))
            && self.last_read.is_some_and(|read| read.elapsed() > READ_WITHIN)
        {
            self.break_off();
            self.connect(user, private).await;
        }
        match std::mem::take(&mut self.transport) {
            Transport::Socket(Some(mut listener)) => {
                listener.says(r#"{"type": "ping"}"#).await;
                loop {
                    let event = listener.next().await;
                    if event["type"] == "pong" {
                        break;
                    }
                    self.apply(user, &event, private).await;
                }
                self.last_read = Some(Instant::now());
                self.transport = Transport::Socket(Some(listener));
            }
            Transport::Stream { open: Some(mut stream), .. } => {
                let heads = user.get("sync/").await.expect(200).json["heads"].clone();
                while self.is_between || self.is_behind(user, &heads, private) {
                    self.take_from(&mut stream, user, private).await;
                }
                let cursor = stream.last_id.clone();
                self.transport = Transport::Stream { open: Some(stream), cursor };
            }
            Transport::Polls => {
                self.poll(user, private).await;
                self.transport = Transport::Polls;
            }
            cut_off => self.transport = cut_off,
        }
    }

    /// Receives one event of a stream, so that a later disconnect falls in the middle of a series.
    async fn take_one(&mut self, user: &User, private: &Private) {
        let heads = user.get("sync/").await.expect(200).json["heads"].clone();
        if !self.is_behind(user, &heads, private) {
            return;
        }
        self.transport = match std::mem::take(&mut self.transport) {
            Transport::Stream { open: Some(mut stream), .. } => {
                self.take_from(&mut stream, user, private).await;
                let cursor = stream.last_id.clone();
                Transport::Stream { open: Some(stream), cursor }
            }
            other => other,
        };
    }

    async fn take_from(&mut self, stream: &mut EventStream, user: &User, private: &Private) {
        let before = stream.last_id.clone();
        let event = stream.next().await;
        // The first of two events with one number does not move the stream's place.
        self.is_between = event["seq"].is_i64() && stream.last_id == before;
        self.apply(user, &event, private).await;
    }

    /// Receives events until none is missing.
    async fn catch_up(&mut self, user: &User, private: &Private) {
        let heads = user.get("sync/").await.expect(200).json["heads"].clone();
        let catching_up = async {
            while self.is_behind(user, &heads, private) {
                self.drain(user, private).await;
            }
        };
        let caught_up = timeout(EVENTS_WITHIN, catching_up).await;
        assert!(caught_up.is_ok(), "{} knows {:?} of {heads}", user.name, self.known());
    }

    /// Asserts that the observer's state equals a fresh fetch.
    async fn compare(&self, user: &User, private: &Private) {
        let page = user.get("chats/?page_size=100").await.expect(200);
        let there: Vec<i64> = page.results().iter().map(|chat| chat["id"].as_i64().unwrap()).collect();
        let mut known: Vec<i64> = self.chats.keys().copied().collect();
        known.sort_by_key(|id| there.iter().position(|other| other == id));
        assert_eq!(known, there);
        for chat in page.results() {
            let id = chat["id"].as_i64().unwrap();
            let known = &self.chats[&id];
            let head = chat["seq"].as_i64().unwrap();
            let visible = private.visible_head(user, self.knows_threads, id, head);
            assert!((visible..=head).contains(&known.seq), "chat {id}");
            assert_eq!(known.members, members(chat), "chat {id}");
            assert_eq!(known.me, chat["me"], "chat {id}");
            assert_eq!(known.messages, messages(user, id, self.knows_threads).await, "chat {id}");
            let all = messages(user, id, true).await;
            check_timeline(user, chat, &all);
            let threads = Threads::fetch(user, id).await;
            threads.check(user, &all);
            if self.knows_threads {
                assert_eq!(known.threads, threads, "chat {id} of {}", user.name);
            }
            assert_eq!(known.pins, pins(user, id).await, "chat {id}");
            // The end of a stream's catch-up has no counts.
            if !matches!(self.transport, Transport::Stream { .. }) {
                assert_eq!(known.mentions, chat["unread_mentions"], "chat {id} of {}", user.name);
            }
            if !known.title.is_null() && chat["chat_type"] != "dm" {
                assert_eq!(known.title, chat["title"], "chat {id}");
            }
        }
    }

    async fn poll(&mut self, user: &User, private: &Private) {
        let body = json!({"chats": self.known(), "threads": self.knows_threads});
        let reply = user.post("sync/", body).await.expect(200).json;
        let events = reply["events"].as_array().unwrap().clone();
        self.follow(user, events, &reply, private).await;
        for chat in reply["removed"].as_array().unwrap() {
            assert!(!self.chats.contains_key(&chat.as_i64().unwrap()));
        }
    }

    /// Applies missed events. `answer` has the heads of the chats after them.
    async fn follow(&mut self, user: &User, missed: Vec<Value>, answer: &Value, private: &Private) {
        for event in missed {
            self.apply(user, &event, private).await;
        }
        let known = self.known();
        for (chat, head) in answer["heads"].as_object().unwrap() {
            assert!(known[chat] <= head.as_i64().unwrap(), "chat {chat}: {known:?} {answer}");
            let known = self.chats.get_mut(&chat.parse().unwrap()).unwrap();
            known.seq = head.as_i64().unwrap();
            known.threads.take(&answer["threads"]);
            known.mentions = answer["chat_mentions"][chat].as_i64().unwrap_or(0);
        }
    }

    async fn apply(&mut self, user: &User, event: &Value, private: &Private) {
        private.check(user, event);
        let id = event["chat_id"].as_i64().unwrap();
        let seq = event["seq"].as_i64();
        match event["type"].as_str().unwrap() {
            "chat_created" | "resync" => {
                let known = Known { seq: seq.unwrap(), ..Known::default() };
                self.chats.insert(id, known);
                return self.load(user, id).await;
            }
            "chat_deleted" => return drop(self.chats.remove(&id)),
            "typing" => return,
            "draft_changed" => {
                let text = event["draft"]["content"].as_str().unwrap_or_default();
                assert!(text.is_empty() || text.ends_with(&user.name), "{} reads {event}", user.name);
                return;
            }
            _ => {}
        }
        let known = self.chats.get_mut(&id).unwrap_or_else(|| panic!("not known: {event}"));
        // Several events of one change have the same number.
        let is_same = matches!(
            event["type"].as_str().unwrap(),
            "new_message"
                | "message_updated"
                | "message_deleted"
                | "thread_followed"
                | "thread_read"
                | "mentions_changed"
                | "pins_changed"
        );
        assert!(seq.unwrap() + i64::from(is_same) > known.seq, "{event} after {}", known.seq);
        known.seq = seq.unwrap();
        if known.is_loaded {
            known.apply(user, event);
        }
    }

    /// Fetches a chat as a client does. Of two copies of a message, the one with the higher number wins.
    async fn load(&mut self, user: &User, id: i64) {
        let (chat, page) =
            (user.get(&format!("chats/{id}/")).await, messages(user, id, self.knows_threads).await);
        let threads = Threads::fetch(user, id).await;
        let pins = if chat.status == 200 { pins(user, id).await } else { BTreeSet::new() };
        let known = self.chats.get_mut(&id).unwrap();
        // The user may have been removed by now; the event follows, and until then the state is not updated.
        // A public room is visible to non-members too.
        known.is_loaded = chat.status == 200 && !chat.json["my_role"].is_null();
        if !known.is_loaded {
            return;
        }
        known.fetched_seq = chat.json["seq"].as_i64().unwrap();
        known.title = chat.json["title"].clone();
        known.me = chat.json["me"].clone();
        known.members = members(&chat.json);
        known.messages = page;
        known.threads = threads;
        known.pins = pins;
        known.mentions = chat.json["unread_mentions"].as_i64().unwrap();
    }
}

impl Known {
    fn apply(&mut self, user: &User, event: &Value) {
        if let Some(mentions) = event["unread_mentions"].as_i64()
            && event["seq"].as_i64().is_none_or(|seq| seq > self.fetched_seq)
        {
            self.mentions = mentions;
        }
        match event["type"].as_str().unwrap() {
            "new_message" | "message_updated" | "message_deleted" => self.keep(user, event),
            "thread_followed" | "thread_read" if event["seq"].as_i64().unwrap() <= self.fetched_seq => {}
            "thread_followed" | "thread_read" => self.threads.keep(event),
            "mentions_changed" => {}
            "pins_changed" => {
                self.pins.extend(
                    event["added"].as_array().unwrap().iter().map(|message| message["id"].as_i64().unwrap()),
                );
                for id in event["removed"].as_array().unwrap() {
                    self.pins.remove(&id.as_i64().unwrap());
                }
            }
            "reaction_updated" => {
                // A client that does not know threads does not know the reply.
                let Some(message) = self.messages.get_mut(&event["message_id"].as_i64().unwrap()) else {
                    return;
                };
                if event["seq"].as_i64() > message["seq"].as_i64() {
                    message["reactions"] = event["reactions"].clone();
                    message["seq"] = event["seq"].clone();
                }
            }
            "chat_updated" => self.title = event["chat"]["title"].clone(),
            "members_changed" => {
                for member in
                    event["added"].as_array().unwrap().iter().chain(event["changed"].as_array().unwrap())
                {
                    self.members.insert(member["id"].as_i64().unwrap(), role(member));
                }
                for user in event["removed"].as_array().unwrap() {
                    self.members.remove(&user.as_i64().unwrap());
                }
            }
            "me_updated" => self.me = event["me"].clone(),
            "read" => {
                if let Some(me) = event.get("me") {
                    self.me = me.clone();
                }
                let member = self.members.get_mut(&event["user_id"].as_i64().unwrap());
                member.into_iter().for_each(|member| member.1 = event["last_read_message_id"].clone());
            }
            other => panic!("unknown: {other}"),
        }
    }

    fn keep(&mut self, user: &User, event: &Value) {
        self.count_in_root(event);
        let (message, id) = (&event["message"], event["message"]["id"].as_i64().unwrap());
        let known = self.messages.get(&id);
        if known.is_some_and(|known| known["seq"].as_i64() >= message["seq"].as_i64()) {
            return;
        }
        match known {
            None if event["type"] == "new_message" => {
                let is_in_timeline = message["thread"].is_null() || message["also_in_chat"] == true;
                let is_by_other = message["sender"]["id"] != user.id;
                self.mentions += i64::from(is_in_timeline && is_by_other && mentions(message, user));
                self.threads.count(user, message, 1);
            }
            Some(known) if message["is_deleted"] == true && known["is_deleted"] == false => {
                let known = known.clone();
                self.threads.count(user, &known, -1);
            }
            Some(known) if message["is_deleted"] == false => {
                let known = known.clone();
                self.threads.edit(user, &known, message);
            }
            _ => {}
        }
        self.messages.insert(id, without_readers(message));
    }

    /// Puts the `thread_info` that comes with a reply on the copy of its root. A new or deleted reply changes the root.
    fn count_in_root(&mut self, event: &Value) {
        let Some(info) = event.get("thread_info") else { return };
        let root = self.messages.get_mut(&event["message"]["thread"].as_i64().unwrap());
        let Some(root) = root.filter(|root| root["seq"].as_i64() < event["seq"].as_i64()) else { return };
        // After a disconnect the root came by itself, and a reply may have a later number than its root.
        if root["thread_info"] == *info {
            return;
        }
        root["thread_info"] = info.clone();
        if event["type"] != "message_updated" {
            root["seq"] = event["seq"].clone();
        }
    }
}

fn role(member: &Value) -> (Value, Value) {
    (member["role"].clone(), member["last_read_message_id"].clone())
}

fn members(chat: &Value) -> BTreeMap<i64, (Value, Value)> {
    let members = chat["members"].as_array().unwrap();
    members.iter().map(|member| (member["id"].as_i64().unwrap(), role(member))).collect()
}

/// Removes the `read_*` fields, which follow from the members' read markers.
fn without_readers(message: &Value) -> Value {
    let mut message = message.clone();
    message.as_object_mut().unwrap().retain(|name, _| !name.starts_with("read_"));
    message
}

async fn pins(user: &User, chat: i64) -> BTreeSet<i64> {
    let reply = user.get(&format!("chats/{chat}/pins/")).await;
    let pinned = reply.json["results"].as_array().cloned().unwrap_or_default();
    pinned.iter().map(|message| message["id"].as_i64().unwrap()).collect()
}

async fn messages(user: &User, chat: i64, has_replies: bool) -> BTreeMap<i64, Value> {
    let mut found = BTreeMap::new();
    let include = if has_replies { "include=replies&" } else { "" };
    let mut path = format!("chats/{chat}/messages/?{include}page_size=100&before={}", i64::MAX);
    loop {
        let page = user.get(&path).await;
        if page.status == 404 {
            return found;
        }
        for message in page.results() {
            found.insert(message["id"].as_i64().unwrap(), without_readers(message));
        }
        let Some(oldest) = page.results().last() else { return found };
        path = format!("chats/{chat}/messages/?{include}page_size=100&before={}", oldest["id"]);
    }
}

/// Returns `count` random seeds, or as many as `GREENROOM_ORACLE_WALKS` says, or the one in `GREENROOM_ORACLE_SEED`.
/// Prints each when its walk begins.
pub(crate) fn seeds(count: usize) -> impl Iterator<Item = u64> {
    let number = |name| std::env::var(name).ok().and_then(|number| number.parse::<u64>().ok());
    let given = number("GREENROOM_ORACLE_SEED");
    let count = number("GREENROOM_ORACLE_WALKS").map_or(count, |count| count as usize);
    let seeds = given.map_or_else(|| (0..count).map(|_| rand::random()).collect(), |seed| vec![seed]);
    seeds.into_iter().inspect(|seed: &u64| println!("walk with GREENROOM_ORACLE_SEED={seed}"))
}

/// Lets five users perform [`STEPS`] random actions while each observes over one transport. At the end
/// compares each observer's state with a fresh fetch. Calls `disturb` before each step, and once more with
/// `None` after the last.
pub(crate) async fn walk(server: &Server, seed: u64, mut disturb: impl AsyncFnMut(Option<usize>)) {
    let mut random = StdRng::seed_from_u64(seed);
    let users = server.crowd(5).await;
    let cut_off = || Transport::Stream { open: None, cursor: String::new() };
    let transports =
        [Transport::Socket(None), cut_off(), Transport::Polls, Transport::Socket(None), cut_off()];
    let know_threads = [true, true, seed.is_multiple_of(2), false, false];
    let observers = transports.into_iter().zip(know_threads).map(Observer::new);
    let mut observers: Vec<Observer> = observers.collect();
    let mut private = Private::default();
    for step in 0..STEPS {
        disturb(Some(step)).await;
        act(&mut random, &users, &mut private).await;
        let one = random.random_range(0..users.len());
        match random.random_range(0..20) {
            0 => observers[one].break_off(),
            1 | 2 => observers[one].connect(&users[one], &private).await,
            3 => observers[one].drain(&users[one], &private).await,
            4 => observers[one].take_one(&users[one], &private).await,
            _ => {}
        }
    }
    disturb(None).await;
    for (observer, user) in observers.iter_mut().zip(&users) {
        observer.connect(user, &private).await;
        observer.catch_up(user, &private).await;
        observer.compare(user, &private).await;
        check_totals(user).await;
        private.check_drafts(user).await;
    }
    assert_eq!(server.checks_database().await.differences, Vec::<String>::new());
}

/// Actions of a walk.
const STEPS: usize = 800;

/// Longest delay of events from another node, including a backfill from the database.
const EVENTS_WITHIN: Duration = Duration::from_secs(30);
