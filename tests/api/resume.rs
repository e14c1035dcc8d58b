//! Coming back after a break: what was missed comes first, once, and then what happens.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

use crate::support::{Listener, Server, User};

impl User {
    /// Opens a socket whose live events wait, says how far it has heard, and takes what it missed up to the `ack`.
    async fn resumes(&self, known: Value) -> (Listener, Vec<Value>, Value) {
        let mut listener = self.connects_with("?resume=1").await.unwrap();
        listener.hello = listener.receives("hello").await;
        let (missed, ack) = listener.catches_up(known).await;
        (listener, missed, ack)
    }
}

impl Listener {
    async fn catches_up(&mut self, known: Value) -> (Vec<Value>, Value) {
        self.says(&json!({"type": "resume", "id": "r", "chats": known}).to_string()).await;
        let mut missed = Vec::new();
        loop {
            let frame = self.next().await;
            match frame["type"].as_str().unwrap() {
                "ack" => return (missed, frame),
                _ => missed.push(frame),
            }
        }
    }
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().unwrap()).collect()
}

#[actix_web::test]
async fn what_changed_comes_once_in_its_latest_state() {
    let server = Server::start().await;
    let (ann, bob, eve) = (server.user("ann").await, server.user("bob").await, server.user("eve").await);
    let chat = ann.group("Team", &[&bob]).await;
    let old = ann.posts(chat, "old").await["id"].clone();
    let seq = bob.sees(chat).await["seq"].clone();
    ann.patch(&format!("messages/{old}/"), json!({"content": "newer"})).await.expect(200);
    ann.patch(&format!("messages/{old}/"), json!({"content": "newest"})).await.expect(200);
    let gone = ann.posts(chat, "gone").await["id"].clone();
    let kept = ann.posts(chat, "kept").await["id"].clone();
    ann.delete(&format!("messages/{gone}/")).await.expect(204);
    ann.post(&format!("chats/{chat}/members/add/"), json!({"user_ids": [eve.id]})).await.expect(200);
    ann.patch(&format!("chats/{chat}/"), json!({"title": "Crew"})).await.expect(200);
    bob.marks_as_read(chat).await;
    let (mut bobs, missed, ack) = bob.resumes(json!({chat.to_string(): seq})).await;
    let expected =
        ["message_updated", "new_message", "message_deleted", "members_changed", "chat_updated", "read"];
    assert_eq!(kinds(&missed), expected);
    assert_eq!(missed[0]["message"], bob.get(&format!("messages/{old}/")).await.json);
    assert_eq!(missed[1]["message"]["id"], kept);
    assert_eq!((&missed[2]["message_id"], &missed[2]["message"]["content"]), (&gone, &json!("")));
    assert_eq!(missed[3]["added"][0]["id"], eve.id);
    assert_eq!((&missed[4]["chat"]["title"], &missed[5]["unread_count"]), (&json!("Crew"), &json!(0)));
    assert_eq!(ack["heads"], json!({chat.to_string(): bob.sees(chat).await["seq"]}));
    assert_eq!((&ack["id"], &ack["unread"]), (&json!("r"), &json!({})));
    let next = ann.posts(chat, "live").await;
    assert_eq!(bobs.receives("new_message").await["message"], next);
}

#[actix_web::test]
async fn chats_that_came_and_went_are_told_of() {
    let server = Server::start().await;
    let (ann, bob) = (server.user("ann").await, server.user("bob").await);
    let (left, again, deleted) = (
        ann.group("Left", &[&bob]).await,
        ann.group("Again", &[&bob]).await,
        ann.group("Deleted", &[&bob]).await,
    );
    let known = json!({left.to_string(): 1, again.to_string(): 1, deleted.to_string(): 1, "999": 3});
    ann.delete(&format!("chats/{left}/members/{}/remove/", bob.id)).await.expect(204);
    ann.delete(&format!("chats/{again}/members/{}/remove/", bob.id)).await.expect(204);
    ann.post(&format!("chats/{again}/members/add/"), json!({"user_ids": [bob.id]})).await.expect(200);
    ann.delete(&format!("chats/{deleted}/")).await.expect(204);
    let new = ann.group("New", &[&bob]).await;
    let (_, missed, ack) = bob.resumes(known).await;
    for chat in [left, deleted, 999] {
        assert!(missed.contains(&json!({"type": "chat_deleted", "chat_id": chat})), "{missed:?}");
    }
    let created: Vec<&Value> = missed.iter().filter(|event| event["type"] == "chat_created").collect();
    assert_eq!(
        created.iter().map(|event| &event["chat_id"]).collect::<Vec<_>>(),
        [&json!(again), &json!(new)]
    );
    assert_eq!(created[0]["chat"], bob.sees(again).await);
    assert_eq!(ack["heads"], json!({again.to_string(): 3, new.to_string(): 1}));
}

#[actix_web::test]
async fn too_much_and_too_far_are_to_be_loaded_again() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let (busy, quiet) = (ann.group("Busy", &[]).await, ann.group("Quiet", &[]).await);
    for number in 0..501 {
        ann.posts(busy, &number.to_string()).await;
    }
    let known = json!({busy.to_string(): 1, quiet.to_string(): 77});
    let (mut anns, missed, ack) = ann.resumes(known).await;
    let resync = |chat, seq| json!({"type": "resync", "chat_id": chat, "seq": seq});
    assert_eq!(missed, [resync(busy, 502), resync(quiet, 1)]);
    assert_eq!(ack["heads"], json!({busy.to_string(): 502, quiet.to_string(): 1}));
    let (missed, _) = anns.catches_up(json!({busy.to_string(): 2, quiet.to_string(): 1})).await;
    assert_eq!(missed.len(), 500);
}

#[actix_web::test]
async fn a_resume_may_come_in_parts_and_on_a_live_socket() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let (one, two) = (ann.group("One", &[]).await, ann.group("Two", &[]).await);
    let mut anns = ann.listens().await;
    let part = json!({"type": "resume", "id": 1, "more": true, "chats": {one.to_string(): 1}});
    anns.says(&part.to_string()).await;
    let (missed, ack) = anns.catches_up(json!({two.to_string(): 1})).await;
    assert_eq!((missed.len(), &ack["id"]), (0, &json!("r")));
    anns.says(r#"{"type": "resume", "id": 2}"#).await;
    assert_eq!(anns.receives("error").await["details"], json!({"chats": ["This field is required."]}));
    ann.posts(two, "live").await;
    assert_eq!(anns.receives("new_message").await["chat_id"], two);
}

#[actix_web::test]
async fn a_socket_may_be_narrowed_to_some_chats() {
    let server = Server::start().await;
    let (ann, eve) = (server.user("ann").await, server.user("eve").await);
    let (one, two, foreign) =
        (ann.group("One", &[]).await, ann.group("Two", &[]).await, eve.group("Eve's", &[]).await);
    let mut anns = ann.connects_with(&format!("?chats={one},{foreign},x")).await.unwrap();
    let hello = anns.receives("hello").await;
    assert_eq!(hello["chats"], json!({one.to_string(): 1}));
    ann.posts(two, "elsewhere").await;
    ann.group("Three", &[]).await;
    eve.posts(foreign, "secret").await;
    ann.posts(one, "here").await;
    assert_eq!(anns.receives("new_message").await["message"]["content"], "here");
}

#[actix_web::test]
async fn a_socket_that_wants_to_resume_and_does_not_is_closed() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let mut anns = ann.connects_with("?resume=1").await.unwrap();
    assert_eq!(anns.is_closed().await, 1008);
}

/// What a client knows, from events alone; whole chats are loaded only where the server says that they are new or to
/// be loaded again.
#[derive(Default)]
struct Observer {
    chats: BTreeMap<i64, Known>,
    listener: Option<Listener>,
}

#[derive(Default)]
struct Known {
    seq: i64,
    is_loaded: bool,
    title: Value,
    messages: BTreeMap<i64, Value>,
    /// By id: role and last read message.
    members: BTreeMap<i64, (Value, Value)>,
}

impl Observer {
    async fn connect(&mut self, user: &User) {
        let known: BTreeMap<String, i64> =
            self.chats.iter().map(|(chat, known)| (chat.to_string(), known.seq)).collect();
        let (listener, missed, ack) = user.resumes(json!(known)).await;
        for event in missed {
            self.apply(user, &event).await;
        }
        let heads: BTreeMap<String, i64> =
            self.chats.iter().map(|(chat, known)| (chat.to_string(), known.seq)).collect();
        for (chat, head) in ack["heads"].as_object().unwrap() {
            assert!(heads[chat] <= head.as_i64().unwrap(), "chat {chat}: {heads:?} {ack}");
            self.chats.get_mut(&chat.parse().unwrap()).unwrap().seq = head.as_i64().unwrap();
        }
        self.listener = Some(listener);
    }

    /// Takes everything that has been sent so far.
    async fn drain(&mut self, user: &User) {
        let Some(mut listener) = self.listener.take() else { return };
        listener.says(r#"{"type": "ping"}"#).await;
        loop {
            let event = listener.next().await;
            if event["type"] == "pong" {
                break;
            }
            self.apply(user, &event).await;
        }
        self.listener = Some(listener);
    }

    async fn apply(&mut self, user: &User, event: &Value) {
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
            _ => {}
        }
        let known = self.chats.get_mut(&id).unwrap_or_else(|| panic!("not known: {event}"));
        assert!(seq.unwrap() > known.seq, "{event} after {}", known.seq);
        known.seq = seq.unwrap();
        if known.is_loaded {
            known.apply(event);
        }
    }

    /// Loads a chat as a client would; copies with a higher number win whatever comes later.
    async fn load(&mut self, user: &User, id: i64) {
        let (chat, page) = (user.get(&format!("chats/{id}/")).await, messages(user, id).await);
        let known = self.chats.get_mut(&id).unwrap();
        // They may have been removed by now, of which they hear next; until then there is nothing to keep up to date.
        // A public room is seen from outside too.
        known.is_loaded = chat.status == 200 && !chat.json["my_role"].is_null();
        if !known.is_loaded {
            return;
        }
        known.title = chat.json["title"].clone();
        known.members = members(&chat.json);
        known.messages = page;
    }
}

impl Known {
    fn apply(&mut self, event: &Value) {
        match event["type"].as_str().unwrap() {
            "new_message" | "message_updated" | "message_deleted" => self.keep(&event["message"]),
            "reaction_updated" => {
                let message = self.messages.get_mut(&event["message_id"].as_i64().unwrap()).unwrap();
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
            "read" => {
                let member = self.members.get_mut(&event["user_id"].as_i64().unwrap());
                member.into_iter().for_each(|member| member.1 = event["last_read_message_id"].clone());
            }
            other => panic!("unknown: {other}"),
        }
    }

    fn keep(&mut self, message: &Value) {
        let known = self.messages.get(&message["id"].as_i64().unwrap());
        if known.is_none_or(|known| known["seq"].as_i64() < message["seq"].as_i64()) {
            self.messages.insert(message["id"].as_i64().unwrap(), without_readers(message));
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

/// Who has read a message follows from the members' markers.
fn without_readers(message: &Value) -> Value {
    let mut message = message.clone();
    message.as_object_mut().unwrap().retain(|name, _| !name.starts_with("read_"));
    message
}

async fn messages(user: &User, chat: i64) -> BTreeMap<i64, Value> {
    let mut found = BTreeMap::new();
    let mut path = format!("chats/{chat}/messages/?page_size=100&before={}", i64::MAX);
    loop {
        let page = user.get(&path).await;
        if page.status == 404 {
            return found;
        }
        for message in page.results() {
            found.insert(message["id"].as_i64().unwrap(), without_readers(message));
        }
        let Some(oldest) = page.results().last() else { return found };
        path = format!("chats/{chat}/messages/?page_size=100&before={}", oldest["id"]);
    }
}

#[actix_web::test]
async fn observers_who_break_off_and_resume_know_what_a_fresh_look_tells() {
    let given = std::env::var("GREENROOM_ORACLE_SEED").ok().and_then(|seed| seed.parse().ok());
    let seeds: Vec<u64> = given.map_or_else(|| (0..3).map(|_| rand::random()).collect(), |seed| vec![seed]);
    for seed in seeds {
        println!("walk with GREENROOM_ORACLE_SEED={seed}");
        oracle(seed).await;
    }
}

async fn oracle(seed: u64) {
    let server = Server::start_with(|config| config.socket_commands_per_second = 10_000).await;
    let mut random = StdRng::seed_from_u64(seed);
    let mut users = Vec::new();
    for number in 0..4 {
        users.push(server.user(&format!("user{number}")).await);
    }
    let mut observers: Vec<Observer> = users.iter().map(|_| Observer::default()).collect();
    for step in 0..800 {
        act(&mut random, &users).await;
        let one = random.random_range(0..users.len());
        match random.random_range(0..20) {
            0 => observers[one].listener = None,
            1 | 2 if observers[one].listener.is_none() => observers[one].connect(&users[one]).await,
            3 => observers[one].drain(&users[one]).await,
            _ => {}
        }
        assert!(step < 800);
    }
    for (observer, user) in observers.iter_mut().zip(&users) {
        if observer.listener.is_none() {
            observer.connect(user).await;
        }
        observer.drain(user).await;
        let page = user.get("chats/?page_size=100").await.expect(200);
        let there: Vec<i64> = page.results().iter().map(|chat| chat["id"].as_i64().unwrap()).collect();
        let mut known: Vec<i64> = observer.chats.keys().copied().collect();
        known.sort_by_key(|id| there.iter().position(|other| other == id));
        assert_eq!(known, there);
        for chat in page.results() {
            let id = chat["id"].as_i64().unwrap();
            let known = &observer.chats[&id];
            assert_eq!(json!(known.seq), chat["seq"], "chat {id}");
            assert_eq!(known.members, members(chat), "chat {id}");
            assert_eq!(known.messages, messages(user, id).await, "chat {id}");
            if !known.title.is_null() && chat["chat_type"] != "dm" {
                assert_eq!(known.title, chat["title"], "chat {id}");
            }
        }
    }
}

/// Somebody does something, wherever they may.
async fn act(random: &mut StdRng, users: &[User]) {
    let user = &users[random.random_range(0..users.len())];
    let other = &users[random.random_range(0..users.len())];
    let chats = user.get("chats/?page_size=100").await.expect(200).results().clone();
    if chats.is_empty() || random.random_range(0..40) == 0 {
        match random.random_range(0..2) {
            0 => user.group("a group", &[other]).await,
            _ => user.room("a room").await,
        };
        return;
    }
    let chat = &chats[random.random_range(0..chats.len())]["id"];
    let newest =
        user.get(&format!("chats/{chat}/messages/?page_size=20")).await.expect(200).results().clone();
    let message = (!newest.is_empty()).then(|| newest[random.random_range(0..newest.len())]["id"].clone());
    let text = format!("text {}", random.random_range(0..1_000));
    match (random.random_range(0..18), message) {
        (16, _) => {
            let rooms = user.get("rooms/?page_size=100").await.expect(200).ids();
            if let Some(room) = rooms.get(random.random_range(0..5)) {
                user.joins(*room).await;
            }
        }
        (17, _) => drop(user.post(&format!("chats/{chat}/leave/"), json!({})).await),
        (0..6, _) | (_, None) => drop(user.posts(chat, &text).await),
        (6 | 7, Some(id)) => drop(user.patch(&format!("messages/{id}/"), json!({"content": text})).await),
        (8, Some(id)) => drop(user.delete(&format!("messages/{id}/")).await),
        (9 | 10, Some(id)) => {
            let emoji = ["👍", "🎉"][random.random_range(0..2)];
            user.post(&format!("messages/{id}/reactions/"), json!({"emoji": emoji})).await;
        }
        (11, Some(id)) => {
            user.post(&format!("chats/{chat}/mark-as-read/"), json!({"message_id": id})).await.expect(200);
        }
        (12, _) => {
            user.post(&format!("chats/{chat}/members/add/"), json!({"user_ids": [other.id]})).await;
        }
        (13, _) => drop(user.delete(&format!("chats/{chat}/members/{}/remove/", other.id)).await),
        (14, _) => {
            let role = ["admin", "member"][random.random_range(0..2)];
            user.patch(&format!("chats/{chat}/members/{}/", other.id), json!({"role": role})).await;
        }
        _ => drop(user.patch(&format!("chats/{chat}/"), json!({"title": text})).await),
    }
}

#[actix_web::test]
async fn unread_counts_are_as_of_the_heads_that_they_come_with() {
    let server = Server::start().await;
    let (ann, bob) = (server.user("ann").await, server.user("bob").await);
    let chat = ann.group("Team", &[&bob]).await;
    let posting = async {
        for number in 0..300 {
            ann.posts(chat, &number.to_string()).await;
        }
    };
    let mut bobs = bob.listens().await;
    let resuming = async {
        for _ in 0..30 {
            let (_, ack) = bobs.catches_up(json!({chat.to_string(): 1})).await;
            // The chat's first number is its making; each other one is a message that bob has not read.
            let head = ack["heads"][chat.to_string()].as_i64().unwrap();
            assert_eq!(ack["unread"][chat.to_string()].as_i64().unwrap_or_default(), head - 1);
        }
    };
    futures_util::future::join(posting, resuming).await;
}
