//! Posts that race with removals, roles and blocks, on different nodes and past the chat's actor. The order of the
//! events says what may have been stored.

use std::{cell::Cell, collections::BTreeSet};

use futures_util::future::{join, join_all};
use greenroom::{
    core::model::{ChatId, Command, Role, UserId, command::Action},
    storage::commands::apply,
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

use crate::support::{Listener, Server, User, pause};

/// Changes of the membership in a race.
const CHANGES: usize = 60;

/// Runs a command in the database, past all actors, as the command line does.
async fn past_the_actors(server: &Server, chat: i64, by: i64, action: Action) {
    let command = Command { chat: ChatId(chat), by: UserId(by), action };
    let run = move |conn: &mut _, policy: &_| apply(conn, policy, &command).map(drop);
    server.writer().run("test", run).await.unwrap();
}

/// Posts until the race is over. Returns the ids of the accepted messages, and the other statuses.
async fn posts(user: &User, chat: i64, is_over: &Cell<bool>) -> (Vec<i64>, BTreeSet<u16>) {
    let (mut ids, mut refused) = (Vec::new(), BTreeSet::new());
    let path = format!("chats/{chat}/messages/");
    while !is_over.get() {
        let reply = user.post(&path, json!({"content": "x"})).await;
        match reply.status {
            201 => ids.push(reply.id()),
            status => {
                refused.insert(status);
                // Lets the others go on.
                pause().await;
            }
        }
    }
    (ids, refused)
}

/// Receives the events of a chat up to the message with this content, in their order.
async fn events_until(listener: &mut Listener, chat: i64, last: &str) -> Vec<Value> {
    let mut events = Vec::new();
    loop {
        let event = listener.next().await;
        if event["chat_id"] != chat {
            continue;
        }
        let is_last = event["message"]["content"] == last;
        events.push(event);
        if is_last {
            return events;
        }
    }
}

fn contains(list: &Value, id: i64) -> bool {
    list.as_array()
        .unwrap()
        .iter()
        .any(|entry| entry["user"]["id"] == id || entry["id"] == id || *entry == id)
}

#[actix_rt::test(system = "crate::System")]
async fn no_message_of_a_user_is_stored_while_they_are_no_member() {
    let seed = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let server = Server::start().await;
    let [ann, bob, cat] = server.users(["ann", "bob", "cat"]).await;
    let chat = ann.group("Team", &[&bob, &cat]).await;
    let mut listener = ann.listens().await;
    let is_over = Cell::new(false);
    // Each user is on another node than the next one, where there are several.
    let writers = [&bob, &cat, &bob].map(|user| posts(user, chat, &is_over));
    let changes = async {
        for change in 0..CHANGES {
            let user = if random.random() { &bob } else { &cat };
            let members = ann.sees(chat).await["members"].clone();
            let is_member = contains(&members, user.id);
            let is_past_actors = change % 3 == 0;
            match (is_member, is_past_actors) {
                (true, _) if random.random_bool(0.2) => {
                    let role = if random.random() { Role::Admin } else { Role::Member };
                    let action = Action::ChangeRole { user: UserId(user.id), role };
                    past_the_actors(&server, chat, ann.id, action).await;
                }
                (true, true) => {
                    let action = Action::RemoveMember { user: UserId(user.id) };
                    past_the_actors(&server, chat, ann.id, action).await;
                }
                (true, false) => ann.removes(chat, user).await,
                (false, true) => {
                    let action = Action::AddMembers { users: vec![UserId(user.id)] };
                    past_the_actors(&server, chat, ann.id, action).await;
                }
                (false, false) => {
                    ann.adds(chat, &[user]).await;
                }
            }
            ann.posts(chat, "between").await;
        }
        is_over.set(true);
    };
    let (written, ()) = join(join_all(writers), changes).await;
    ann.posts(chat, "the end").await;

    let events = events_until(&mut listener, chat, "the end").await;
    let mut members = BTreeSet::from([ann.id, bob.id, cat.id]);
    let mut seen = BTreeSet::new();
    for event in &events {
        if event["type"] == "members_changed" {
            for user in [&bob, &cat] {
                if contains(&event["removed"], user.id) {
                    members.remove(&user.id);
                } else if contains(&event["added"], user.id) {
                    members.insert(user.id);
                }
            }
        } else if event["type"] == "new_message" {
            let sender = event["message"]["sender"]["id"].as_i64().unwrap();
            assert!(members.contains(&sender), "{event} of a user who is no member, of {members:?}");
            seen.insert(event["message"]["id"].as_i64().unwrap());
        }
    }
    let seqs: Vec<i64> = events.iter().filter_map(|event| event["seq"].as_i64()).collect();
    assert!(seqs.windows(2).all(|pair| pair[0] < pair[1]), "{seqs:?}");
    for (ids, refused) in &written {
        assert!(ids.iter().all(|id| seen.contains(id)), "an accepted message has no event");
        assert!(refused.iter().all(|status| [404, 429].contains(status)), "{refused:?}");
    }
    assert!(written.iter().any(|(ids, _)| ids.len() > CHANGES), "the race had posts");
    assert_eq!(server.checks_database().await.differences, Vec::<String>::new());
}

#[actix_rt::test(system = "crate::System")]
async fn nothing_is_written_after_a_block_until_it_ends() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let dm = ann.dm(&bob).await;
    let is_over = Cell::new(false);
    let block = format!("users/{}/block/", bob.id);
    let blocks = async {
        for _ in 0..20 {
            ann.post(&block, json!({})).await.expect(200);
            // All posts that were under way have ended: what was accepted was accepted before the block.
            let before = ann.sees(dm).await["last_message"]["id"].clone();
            for _ in 0..3 {
                let reply = bob.post(&format!("chats/{dm}/messages/"), json!({"content": "blocked"})).await;
                reply.expect(403);
            }
            assert_eq!(ann.sees(dm).await["last_message"]["id"], before);
            ann.delete(&block).await.expect(204);
            bob.posts(dm, "free").await;
        }
        is_over.set(true);
    };
    let (written, ()) = join(join_all([posts(&bob, dm, &is_over), posts(&bob, dm, &is_over)]), blocks).await;
    assert!(written.iter().all(|(_, refused)| refused.iter().all(|status| [403, 429].contains(status))));
    let texts = ann.reads(dm).await;
    assert!(!texts.iter().any(|text| text == "blocked"), "{texts:?}");
}
