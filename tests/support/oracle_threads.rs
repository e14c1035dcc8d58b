//! What an observer of the feed knows of threads, and what of it must equal a fresh look.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::User;

/// The threads that an observer follows, by root: unread replies, those that mention the observer, and the marker.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Threads(BTreeMap<i64, Followed>);

#[derive(Debug, Default, Clone, PartialEq)]
struct Followed {
    unread: i64,
    mentions: i64,
    marker: Value,
}

impl Threads {
    /// Fetches the followed threads of a chat.
    pub(super) async fn fetch(user: &User, chat: i64) -> Self {
        let rows = user.get("threads/?page_size=100").await.expect(200).results().clone();
        let rows = rows.iter().filter(|row| row["chat"]["id"] == chat);
        Self(rows.map(|row| (row["root"]["id"].as_i64().unwrap(), Followed::of(row))).collect())
    }

    /// Applies an event of the user's own.
    pub(super) fn keep(&mut self, event: &Value) {
        let root = event["root"].as_i64().unwrap();
        if event["is_followed"] == true {
            self.0.insert(root, Followed::of(event));
        } else {
            self.0.remove(&root);
        }
    }

    /// Counts a reply that is new, or that was deleted. `step`: 1 or -1.
    pub(super) fn count(&mut self, user: &User, reply: &Value, step: i64) {
        let Some(followed) = reply["thread"].as_i64().and_then(|root| self.0.get_mut(&root)) else { return };
        let is_unread = reply["id"].as_i64() > followed.marker.as_i64() && reply["sender"]["id"] != user.id;
        if is_unread {
            followed.unread += step;
            followed.mentions += step * i64::from(mentions(reply, user));
        }
    }

    /// Counts the mention that an edit of a reply has added or taken away.
    pub(super) fn edit(&mut self, user: &User, before: &Value, after: &Value) {
        let Some(followed) = after["thread"].as_i64().and_then(|root| self.0.get_mut(&root)) else { return };
        if is_unread(user, after, followed.marker.as_i64().unwrap_or(0)) {
            followed.mentions += i64::from(mentions(after, user)) - i64::from(mentions(before, user));
        }
    }

    /// Takes the counts of an answer that has those of all chats.
    pub(super) fn take(&mut self, unread: &Value) {
        for (root, followed) in &mut self.0 {
            let counts = &unread[root.to_string()];
            followed.unread = counts["unread"].as_i64().unwrap_or(0);
            followed.mentions = counts["mentions"].as_i64().unwrap_or(0);
        }
    }

    /// Asserts that the server's counts equal counting one by one. `messages`: all of the chat.
    pub(super) fn check(&self, user: &User, messages: &BTreeMap<i64, Value>) {
        for (root, followed) in &self.0 {
            let unread: Vec<&Value> = messages
                .values()
                .filter(|message| {
                    message["thread"] == *root
                        && is_unread(user, message, followed.marker.as_i64().unwrap_or(0))
                })
                .collect();
            let counted =
                (unread.len() as i64, unread.iter().filter(|reply| mentions(reply, user)).count() as i64);
            assert_eq!((followed.unread, followed.mentions), counted, "thread {root} of {}", user.name);
        }
    }
}

impl Followed {
    fn of(row: &Value) -> Self {
        let count = |name: &str| row[name].as_i64().unwrap();
        Self {
            unread: count("unread"),
            mentions: count("mentions"),
            marker: row["last_read_message_id"].clone(),
        }
    }
}

fn is_unread(user: &User, message: &Value, marker: i64) -> bool {
    message["id"].as_i64().unwrap() > marker
        && message["sender"]["id"] != user.id
        && message["is_deleted"] == false
}

/// Returns whether a message mentions a user, if another user sent it.
pub(super) fn mentions(message: &Value, user: &User) -> bool {
    let mentions = &message["mentions"];
    let named = mentions["users"].as_array().unwrap().iter().any(|mention| mention["id"] == user.id);
    mentions["everyone"] == true || named
}

/// Asserts that the counts of a chat's timeline equal counting one by one. `messages`: all of the chat.
pub(super) fn check_timeline(user: &User, chat: &Value, messages: &BTreeMap<i64, Value>) {
    let marker = chat["last_read_message_id"].as_i64().unwrap_or(0);
    let marker = chat["me"]["unread_from"].as_i64().map_or(marker, |from| marker.min(from - 1));
    let in_timeline = |message: &&Value| message["thread"].is_null() || message["also_in_chat"] == true;
    let unread: Vec<&Value> =
        messages.values().filter(in_timeline).filter(|message| is_unread(user, message, marker)).collect();
    let mentioned = unread.iter().filter(|message| mentions(message, user)).count();
    assert_eq!(chat["unread_count"], unread.len(), "chat {} of {}", chat["id"], user.name);
    assert_eq!(chat["unread_mentions"], mentioned, "chat {} of {}", chat["id"], user.name);
}

/// Asserts that the totals are the sums of the counts.
pub(super) async fn check_totals(user: &User) {
    let unread = user.get("unread/").await.expect(200).json;
    let sum = |counts: &Value| {
        counts.as_object().unwrap().values().map(|count| count.as_i64().unwrap()).sum::<i64>()
    };
    let of_threads = |name: &str| {
        unread["threads"]
            .as_object()
            .unwrap()
            .values()
            .map(|thread| thread[name].as_i64().unwrap())
            .sum::<i64>()
    };
    assert_eq!(unread["total"], sum(&unread["chats"]));
    assert_eq!(unread["threads_total"], of_threads("unread"));
    assert_eq!(unread["mentions"], sum(&unread["chat_mentions"]) + of_threads("mentions"));
    let page = user.get("threads/?unread=1&page_size=100").await.expect(200).results().clone();
    assert_eq!(page.len(), unread["threads"].as_object().unwrap().len(), "{page:?} {unread}");
}

/// Returns random fields of a message: a thread to reply in, and users to mention.
pub(super) fn linked(pick: &mut impl FnMut(usize) -> usize, roots: &[Value], users: &[User]) -> Value {
    let mut fields = json!({});
    if !roots.is_empty() && pick(2) == 0 {
        fields["thread"] = roots[pick(roots.len())]["id"].clone();
        fields["also_in_chat"] = json!(pick(4) == 0);
    }
    match pick(6) {
        0 => fields["mentions"] = json!({"everyone": true}),
        1 | 2 => fields["mentions"] = json!({"users": [{"id": users[pick(users.len())].id}]}),
        _ => {}
    }
    fields
}
