//! What the users of a walk do, and what not all of them may see of it.

use std::collections::{BTreeMap, BTreeSet};

use rand::{RngExt, rngs::StdRng};
use serde_json::{Value, json};

use super::{User, oracle_threads::linked};

/// The changes that not every member may see.
#[derive(Default)]
pub(super) struct Private {
    /// By chat: the numbers of changes delivered to one member only, each with that member's id.
    own: BTreeMap<i64, BTreeMap<i64, i64>>,
    /// By chat: the numbers of edits of, and reactions to, replies that are only in threads. Only clients that know threads get these.
    in_threads: BTreeMap<i64, BTreeSet<i64>>,
    /// Each text with its chat and the number of the change that wrote it. All texts differ.
    texts: BTreeMap<String, (i64, i64)>,
    /// Absences by user and chat.
    absences: BTreeMap<(i64, i64), Vec<Absence>>,
    /// Texts of drafts by user, chat and thread; thread 0: the chat's timeline.
    drafts: BTreeMap<(i64, i64, i64), String>,
}

/// The number of a user's removal, and that of the user's return.
type Absence = (i64, Option<i64>);

impl Private {
    /// Returns an unused text.
    fn text(&self) -> String {
        format!("text {}", self.texts.len())
    }

    /// Records the number of the change that wrote a text.
    fn wrote(&mut self, text: String, chat: &Value, answer: &Value) {
        self.texts.insert(text, (chat.as_i64().unwrap(), answer["seq"].as_i64().unwrap_or(0)));
    }

    /// Records the number of an edit or a reaction, if it is of a reply that is only in a thread.
    fn changed(&mut self, chat: &Value, message: &Value, seq: &Value) {
        if message["thread"].is_i64() && message["also_in_chat"] == false {
            let changes = self.in_threads.entry(chat.as_i64().unwrap()).or_default();
            changes.extend(seq.as_i64());
        }
    }

    fn left(&mut self, user: &User, chat: &Value, seq: i64) {
        self.drafts.retain(|(writer, of, _), _| (*writer, json!(of)) != (user.id, chat.clone()));
        self.absences.entry((user.id, chat.as_i64().unwrap())).or_default().push((seq, None));
    }

    fn returned(&mut self, user: &User, chat: i64, seq: i64) {
        let absences = self.absences.get_mut(&(user.id, chat));
        if let Some((_, back)) = absences.and_then(|absences| absences.last_mut()) {
            back.get_or_insert(seq);
        }
    }

    /// Asserts that no event delivered to a removed user contains a text written after the removal.
    pub(super) fn check(&self, user: &User, event: &Value) {
        let (chat, Some(seq)) = (event["chat_id"].as_i64().unwrap(), event["seq"].as_i64()) else { return };
        let Some(absences) = self.absences.get(&(user.id, chat)) else { return };
        if event["type"] == "chat_deleted" {
            return;
        }
        for (left, back) in absences {
            let is_absent = *left < seq && back.is_none_or(|back| seq < back);
            assert!(!is_absent, "{} receives an event after the removal {left}: {event}", user.name);
        }
        let Some((left, None)) = absences.last() else { return };
        for text in texts_in(event) {
            let written = self.texts.get(text).filter(|(of, _)| *of == chat);
            let is_late = written.is_some_and(|(_, written)| written > left);
            assert!(!is_late, "{} was removed with {left} and reads {text:?}: {event}", user.name);
        }
    }

    /// Asserts that a user's drafts are those that were saved, and neither sent nor removed.
    pub(super) async fn check_drafts(&self, user: &User) {
        let drafts = user.get("drafts/").await.expect(200).json["results"].as_array().unwrap().clone();
        let place = |draft: &Value| {
            (user.id, draft["chat_id"].as_i64().unwrap(), draft["thread"].as_i64().unwrap_or(0))
        };
        let there: BTreeMap<(i64, i64, i64), String> = drafts
            .iter()
            .map(|draft| (place(draft), draft["content"].as_str().unwrap().to_owned()))
            .collect();
        let mut saved = self.drafts.clone();
        saved.retain(|(writer, ..), _| *writer == user.id);
        assert_eq!(saved, there, "drafts of {}", user.name);
    }

    /// Records a private change of a user, if it took a number. `before` and `after`: the chat as the user
    /// saw it.
    fn record_private(&mut self, user: &User, before: &Value, after: &Value) {
        let is_private = before["last_read_message_id"] == after["last_read_message_id"];
        if is_private && before["seq"] != after["seq"] {
            let numbers = self.own.entry(after["id"].as_i64().unwrap()).or_default();
            numbers.insert(after["seq"].as_i64().unwrap(), user.id);
        }
    }

    /// Returns the highest number up to the head that is delivered to a user.
    pub(super) fn visible_head(&self, user: &User, knows_threads: bool, chat: i64, mut head: i64) -> i64 {
        let (numbers, edits) = (self.own.get(&chat), self.in_threads.get(&chat).filter(|_| !knows_threads));
        while numbers.is_some_and(|numbers| numbers.get(&head).is_some_and(|other| *other != user.id))
            || edits.is_some_and(|edits| edits.contains(&head))
        {
            head -= 1;
        }
        head
    }
}

/// Lets a random user perform a random action in one of the user's chats.
pub(super) async fn act(random: &mut StdRng, users: &[User], private: &mut Private) {
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
    let before = &chats[random.random_range(0..chats.len())];
    let chat = &before["id"];
    let newest = user.get(&format!("chats/{chat}/messages/?include=replies&page_size=20")).await.expect(200);
    let newest = newest.results().clone();
    let message = (!newest.is_empty()).then(|| newest[random.random_range(0..newest.len())].clone());
    let in_timeline =
        newest.iter().filter(|message| message["thread"].is_null() || message["also_in_chat"] == true);
    let in_timeline: Vec<Value> = in_timeline.cloned().collect();
    let roots: Vec<Value> = newest.iter().filter(|message| message["thread"].is_null()).cloned().collect();
    let marked = (!in_timeline.is_empty())
        .then(|| in_timeline[random.random_range(0..in_timeline.len())]["id"].clone());
    let (text, head) = (private.text(), before["seq"].as_i64().unwrap());
    let id = message.as_ref().map(|message| message["id"].clone());
    let mut pick = |below: usize| random.random_range(0..below);
    match (pick(26), id) {
        (16, _) => {
            let rooms = user.get("rooms/?page_size=100").await.expect(200).ids();
            if let Some(room) = rooms.get(pick(5)) {
                let joined = user.joins(*room).await;
                private.returned(user, *room, joined["seq"].as_i64().unwrap());
            }
        }
        (17, _) => {
            user.post(&format!("chats/{chat}/leave/"), json!({})).await.expect(204);
            private.left(user, chat, head + 1);
        }
        (0..6, _) | (_, None) => {
            let mut body = linked(&mut pick, &roots, users);
            body["content"] = json!(text);
            let posted = user.post(&format!("chats/{chat}/messages/"), body).await.expect(201).json;
            private.wrote(text, chat, &posted);
            private.drafts.remove(&(user.id, chat.as_i64().unwrap(), posted["thread"].as_i64().unwrap_or(0)));
        }
        (23 | 24, Some(id)) => {
            // Not everyone may pin, and not every message.
            let path = format!("chats/{chat}/pins/{id}/");
            let reply = match pick(3) {
                0 => user.delete(&path).await,
                _ => user.put(&path, json!({})).await,
            };
            assert!(reply.status < 500, "{reply:?}");
        }
        (25, _) => {
            let root = roots.first().filter(|_| pick(2) == 0).map_or(0, |root| root["id"].as_i64().unwrap());
            let query = if root == 0 { String::new() } else { format!("?thread={root}") };
            let (path, place) =
                (format!("chats/{chat}/draft/{query}"), (user.id, chat.as_i64().unwrap(), root));
            if pick(4) == 0 {
                user.delete(&path).await.expect(204);
                private.drafts.remove(&place);
            } else {
                let text = format!("{text} begun by {}", user.name);
                user.put(&path, json!({"content": text})).await.expect(200);
                private.drafts.insert(place, text);
            }
        }
        (20, _) => {
            let Some(root) = roots.first() else { return };
            let path = format!("messages/{}/follow/", root["id"]);
            match pick(2) {
                0 => drop(user.put(&path, json!({})).await.expect(200)),
                _ => drop(user.delete(&path).await.expect(204)),
            }
            private.record_private(user, before, &user.sees(chat).await);
        }
        (21 | 22, Some(id)) => {
            let Some(message) = &message else { return };
            let root = if message["thread"].is_null() { &id } else { &message["thread"] };
            let up_to = if message["thread"].is_null() { json!({}) } else { json!({"message_id": id}) };
            user.post(&format!("messages/{root}/mark-as-read/"), up_to).await.expect(200);
            private.record_private(user, before, &user.sees(chat).await);
        }
        (6 | 7, Some(id)) => {
            let mut body = linked(&mut pick, &[], users);
            body["content"] = json!(text);
            let edited = user.patch(&format!("messages/{id}/"), body).await;
            private.changed(chat, &edited.json, &edited.json["seq"]);
            private.wrote(text, chat, &edited.json);
        }
        (8, Some(id)) => drop(user.delete(&format!("messages/{id}/")).await),
        (9 | 10, Some(id)) => {
            let emoji = ["👍", "🎉"][pick(2)];
            let reply = user.post(&format!("messages/{id}/reactions/"), json!({"emoji": emoji})).await;
            if let (Some(message), 200..300) = (&message, reply.status) {
                private.changed(chat, message, &user.sees(chat).await["seq"]);
            }
        }
        (11, Some(_)) => {
            let Some(id) = marked else { return };
            user.post(&format!("chats/{chat}/mark-as-read/"), json!({"message_id": id})).await.expect(200);
            private.record_private(user, before, &user.sees(chat).await);
        }
        (18, _) => {
            let me = [json!({"is_pinned": pick(2) == 0}), json!({"unread_from": marked})];
            let me = me[pick(2)].clone();
            let reply = user.patch(&format!("chats/{chat}/me/"), me).await.expect(200);
            private.record_private(user, before, &reply.json);
        }
        (12, _) => {
            let added =
                user.post(&format!("chats/{chat}/members/add/"), json!({"user_ids": [other.id]})).await;
            if added.json["added_count"] == 1 {
                private.returned(other, chat.as_i64().unwrap(), head + 1);
            }
        }
        (13, _) => {
            let removed = user.delete(&format!("chats/{chat}/members/{}/remove/", other.id)).await;
            if removed.status == 204 {
                private.left(other, chat, head + 1);
            }
        }
        (14, _) => {
            let role = ["admin", "member"][pick(2)];
            user.patch(&format!("chats/{chat}/members/{}/", other.id), json!({"role": role})).await;
        }
        _ => {
            let renamed = user.patch(&format!("chats/{chat}/"), json!({"title": text})).await;
            private.wrote(text, chat, &renamed.json);
        }
    }
}

/// Returns all strings in a JSON value, at any depth.
fn texts_in(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(values) => values.iter().flat_map(texts_in).collect(),
        Value::Object(fields) => fields.values().flat_map(texts_in).collect(),
        _ => Vec::new(),
    }
}
