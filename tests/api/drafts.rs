//! Drafts: messages that a member has begun to write.

use serde_json::{Value, json};

use crate::support::{Reply, Server, User};

/// Saves a draft of the chat's timeline.
async fn save(user: &User, chat: i64, body: Value) -> Reply {
    save_in(user, chat, "", body).await
}

/// Saves a draft. `query`: the thread.
async fn save_in(user: &User, chat: i64, query: &str, body: Value) -> Reply {
    user.call("PUT", &format!("chats/{chat}/draft/{query}"), Some(body)).await
}

async fn remove(user: &User, chat: i64, query: &str) -> Reply {
    user.delete(&format!("chats/{chat}/draft/{query}")).await
}

async fn drafts(user: &User) -> Vec<Value> {
    user.get("drafts/").await.expect(200).json["results"].as_array().unwrap().clone()
}

async fn texts(user: &User) -> Vec<String> {
    drafts(user).await.iter().map(|draft| draft["content"].as_str().unwrap().to_owned()).collect()
}

async fn is_sound(server: &Server) {
    assert_eq!(server.checks_database().await.differences, Vec::<String>::new());
}

fn changed(chat: i64, thread: &Value, draft: &Value) -> Value {
    json!({"type": "draft_changed", "chat_id": chat, "thread": thread, "draft": draft})
}

#[actix_rt::test(system = "crate::System")]
async fn a_draft_is_kept_as_it_was_typed_and_the_last_one_wins() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let (chat, other) = (ann.group("Team", &[&bob]).await, ann.dm(&bob).await);
    let message = bob.posts(chat, "hi").await;
    let seq = ann.sees(chat).await["seq"].clone();
    let body = json!({"content": " I will \n", "reply_to": message["id"]});
    let saved = save(&ann, chat, body.clone()).await.expect(200).json;
    let expected = json!({
        "chat_id": chat, "thread": null, "content": " I will \n", "reply_to": message["id"],
        "mentions": {"users": [], "everyone": false, "here": false},
        "updated_at": saved["updated_at"],
    });
    assert_eq!(saved, expected);
    // The same again changes nothing.
    assert_eq!(save(&ann, chat, body).await.expect(200).json, saved);
    save(&ann, other, json!({"content": "ho"})).await.expect(200);
    let thread = format!("?thread={}", message["id"]);
    save_in(&ann, chat, &thread, json!({"content": "in the thread"})).await.expect(200);
    assert_eq!(texts(&ann).await, ["in the thread", "ho", " I will \n"]);
    // The body may have the thread too.
    let body = json!({"content": "by the body", "thread": message["id"]});
    assert_eq!(save(&ann, chat, body).await.expect(200).json["thread"], message["id"]);
    save(&ann, chat, json!({"content": "x", "thread": "x"})).await.invalid("thread");
    save_in(&ann, chat, &thread, json!({"content": "in the thread"})).await.expect(200);
    let last = save(&ann, chat, json!({"content": "I will go"})).await.expect(200).json;
    assert_eq!(texts(&ann).await, ["I will go", "in the thread", "ho"]);
    assert_eq!(drafts(&ann).await[0], last);
    assert_eq!((&last["reply_to"], &drafts(&ann).await[1]["thread"]), (&Value::Null, &message["id"]));
    // Nobody else sees them, and they are no change of the chat.
    assert_eq!(drafts(&bob).await, Vec::<Value>::new());
    assert_eq!(ann.sees(chat).await["seq"], seq);
    // An empty one is none. A reply to something is one without a text.
    save(&ann, other, json!({"content": ""})).await.expect(204);
    save(&ann, other, json!({"content": ""})).await.expect(204);
    assert_eq!(texts(&ann).await, ["I will go", "in the thread"]);
    let reply = json!({"content": "", "reply_to": message["id"]});
    save(&ann, chat, reply).await.expect(200);
    assert_eq!(texts(&ann).await, ["", "in the thread"]);
    for _ in 0..2 {
        remove(&ann, chat, "").await.expect(204);
    }
    remove(&ann, chat, &thread).await.expect(204);
    assert_eq!(drafts(&ann).await, Vec::<Value>::new());
    is_sound(&server).await;
}

#[actix_rt::test(system = "crate::System")]
async fn all_of_ones_own_sockets_learn_of_it_and_nobody_elses() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    // On another node, if there are two.
    let ann_elsewhere = server.anonymous().with("Authorization", &ann.headers[0].1);
    let (chat, other) = (ann.group("Team", &[&bob]).await, ann.group("Other", &[]).await);
    let (mut one, mut two) = (ann.listens().await, ann_elsewhere.listens().await);
    let (mut stream, mut bobs) = (ann.streams().await, bob.listens().await);
    let mut elsewhere = ann.connects_with(&format!("?chats={other}")).await.unwrap();
    elsewhere.receives("hello").await;
    let draft = save(&ann, chat, json!({"content": "I"})).await.expect(200).json;
    remove(&ann, chat, "").await.expect(204);
    save(&ann, other, json!({"content": "for later"})).await.expect(200);
    for socket in [&mut one, &mut two] {
        assert_eq!(socket.next().await, changed(chat, &Value::Null, &draft));
        assert_eq!(socket.next().await, changed(chat, &Value::Null, &Value::Null));
        assert_eq!(socket.receives("draft_changed").await["draft"]["content"], "for later");
    }
    assert_eq!(stream.next().await, changed(chat, &Value::Null, &draft));
    assert_eq!(stream.next().await, changed(chat, &Value::Null, &Value::Null));
    // A socket of some chats gets those of its chats.
    assert_eq!(elsewhere.receives("draft_changed").await["chat_id"], other);
    // What changes nothing is no event.
    save(&ann, other, json!({"content": "for later"})).await.expect(200);
    remove(&ann, chat, "").await.expect(204);
    let message = ann.posts(chat, "hi").await;
    for socket in [&mut one, &mut two, &mut bobs] {
        assert_eq!(socket.receives("new_message").await["message"], message);
    }
}

#[actix_rt::test(system = "crate::System")]
async fn a_poll_that_waits_brings_it() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let chat = ann.group("Team", &[]).await;
    let known = json!({chat.to_string(): 1});
    let waiting = async { ann.post("sync/", json!({"chats": known, "wait": 20})).await.expect(200).json };
    let saving = async {
        while server.listeners_of(&ann) == 0 {
            crate::support::pause().await;
        }
        save(&ann, chat, json!({"content": "I"})).await.expect(200).json
    };
    let (told, draft) = futures_util::future::join(waiting, saving).await;
    assert_eq!(told["events"], json!([changed(chat, &Value::Null, &draft)]));
    assert_eq!(told["heads"], known);
}

#[actix_rt::test(system = "crate::System")]
async fn sending_a_message_removes_the_draft_that_it_was() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let (chat, other) = (ann.group("Team", &[&bob]).await, ann.dm(&bob).await);
    let root = ann.posts(chat, "root").await;
    let thread = format!("?thread={}", root["id"]);
    let mut socket = ann.listens().await;
    for _ in 0..2 {
        save(&ann, chat, json!({"content": "mine"})).await.expect(200);
        socket.receives("draft_changed").await;
        save_in(&ann, chat, &thread, json!({"content": "in the thread"})).await.expect(200);
        save(&ann, other, json!({"content": "elsewhere"})).await.expect(200);
        save(&bob, chat, json!({"content": "bob's"})).await.expect(200);
        let sent = ann.posts(chat, "mine, and more").await;
        assert_eq!(texts(&ann).await, ["elsewhere", "in the thread"]);
        assert_eq!(texts(&bob).await, ["bob's"]);
        let mut seen = Vec::new();
        while seen.len() < 2 {
            let event = socket.next().await;
            if event["type"] == "new_message" || event["draft"].is_null() {
                seen.push(event);
            }
        }
        assert!(seen.contains(&changed(chat, &Value::Null, &Value::Null)), "{seen:?}");
        assert!(seen.iter().any(|event| event["message"] == sent), "{seen:?}");
    }
    // A retry sends nothing.
    let body = json!({"content": "once", "client_id": "c-1"});
    let path = format!("chats/{chat}/messages/");
    ann.post(&path, body.clone()).await.expect(201);
    save(&ann, chat, json!({"content": "next"})).await.expect(200);
    ann.post(&path, body).await.expect(200);
    ann.post(&path, json!({"content": " "})).await.expect(400);
    assert_eq!(texts(&ann).await[0], "next");
    // So does a command of a socket.
    socket
        .says(&json!({"type": "send_message", "chat_id": chat, "content": "go", "id": 1}).to_string())
        .await;
    while socket.next().await["type"] != "ack" {}
    assert_eq!(texts(&ann).await, ["elsewhere", "in the thread"]);
    is_sound(&server).await;
}

#[actix_rt::test(system = "crate::System")]
async fn many_send_at_once_and_each_removes_ones_own() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let crowd = server.crowd(12).await;
    let others: Vec<&User> = crowd.iter().collect();
    let chats = [ann.group("One", &others).await, ann.group("Two", &others).await];
    for user in &crowd {
        for chat in chats {
            save(user, chat, json!({"content": "mine"})).await.expect(200);
        }
    }
    let sending = crowd.iter().enumerate().flat_map(|(number, user)| {
        // Some send twice, and some not at all.
        let chats = [chats[0], chats[0], chats[1]];
        chats.into_iter().take(number % 4).map(|chat| user.posts(chat, "hi"))
    });
    futures_util::future::join_all(sending).await;
    for (number, user) in crowd.iter().enumerate() {
        assert_eq!(texts(user).await.len(), [2, 1, 1, 0][number % 4], "{number}");
    }
    is_sound(&server).await;
}

#[actix_rt::test(system = "crate::System")]
async fn who_may_not_write_saves_none() {
    let server = Server::start().await;
    let [ann, bob, eve] = server.users(["ann", "bob", "eve"]).await;
    let dm = ann.dm(&bob).await;
    save(&bob, dm, json!({"content": "hi"})).await.expect(200);
    ann.post(&format!("users/{}/block/", bob.id), json!({})).await.expect(200);
    save(&bob, dm, json!({"content": "hi!"})).await.expect(403);
    save(&bob, dm, json!({"content": ""})).await.expect(403);
    assert_eq!(texts(&bob).await, ["hi"]);
    remove(&bob, dm, "").await.expect(204);
    // Outsiders learn nothing of the fields.
    let room = ann.room("Lobby").await;
    for chat in [dm, room, 999_999] {
        save(&eve, chat, json!({"content": "hi"})).await.expect(404);
        save(&eve, chat, json!({})).await.expect(404);
        save_in(&eve, chat, "?thread=x", json!({"content": "hi"})).await.expect(404);
        remove(&eve, chat, "?thread=x").await.expect(404);
    }
    server.anonymous().get("drafts/").await.expect(401);
    server.anonymous().call("PUT", &format!("chats/{dm}/draft/"), Some(json!({}))).await.expect(401);
}

#[actix_rt::test(system = "crate::System")]
async fn a_draft_that_another_user_typed_is_refused() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.dm(&bob).await;
    save(&bob, chat, json!({"content": "by bob"})).await.expect(200);
    // The page that ann typed in has bob's cookie by now.
    let anns = format!("?user={}", ann.id);
    let refused = save_in(&bob, chat, &anns, json!({"content": "by ann"})).await.expect(403);
    assert_eq!(refused.json, json!({"detail": "Another user has signed in."}));
    remove(&bob, chat, &anns).await.expect(403);
    save_in(&bob, chat, "?user=none", json!({"content": "x"})).await.invalid("user");
    assert_eq!(texts(&bob).await, ["by bob"]);
    let bobs = format!("?user={}", bob.id);
    save_in(&bob, chat, &bobs, json!({"content": "by bob again"})).await.expect(200);
    remove(&bob, chat, &bobs).await.expect(204);
}

#[actix_rt::test(system = "crate::System")]
async fn fields_follow_the_rules_of_messages() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let (chat, other) = (ann.group("Team", &[]).await, ann.group("Other", &[]).await);
    let (here, there) = (ann.posts(chat, "here").await, ann.posts(other, "there").await);
    let gone = ann.posts(chat, "gone").await;
    ann.deletes(&gone).await;
    save(&ann, chat, json!({"content": "😀".repeat(5_000)})).await.expect(200);
    for content in [json!(null), json!("a\0b"), json!("a".repeat(5_001)), json!([])] {
        save(&ann, chat, json!({"content": content})).await.invalid("content");
    }
    save(&ann, chat, json!({})).await.invalid("content");
    for id in [&there["id"], &gone["id"], &json!(0), &json!(999_999), &json!("x")] {
        save(&ann, chat, json!({"content": "a", "reply_to": id})).await.invalid("reply_to");
    }
    for thread in
        [there["id"].to_string(), "0".to_owned(), "-1".to_owned(), "9999999".to_owned(), "x".to_owned()]
    {
        let query = format!("?thread={thread}");
        save_in(&ann, chat, &query, json!({"content": "a"})).await.invalid("thread");
        remove(&ann, chat, &query).await.invalid("thread");
    }
    save_in(&ann, chat, &format!("?thread={}", here["id"]), json!({"content": "a"})).await.expect(200);
    // The thread of a deleted message, and none.
    save_in(&ann, chat, &format!("?thread={}", gone["id"]), json!({"content": "b"})).await.expect(200);
    save_in(&ann, chat, "?thread=", json!({"content": "c"})).await.expect(200);
    assert_eq!(texts(&ann).await, ["c", "b", "a"]);
}

#[actix_rt::test(system = "crate::System")]
async fn drafts_go_with_their_writer_and_their_chat() {
    let server = Server::start().await;
    let [ann, bob, cat] = server.users(["ann", "bob", "cat"]).await;
    let team = ann.group("Team", &[&bob, &cat]).await;
    for user in [&ann, &bob, &cat] {
        save(user, team, json!({"content": user.name})).await.expect(200);
    }
    bob.removes(team, &bob).await;
    ann.removes(team, &cat).await;
    for user in [&bob, &cat] {
        assert_eq!(drafts(user).await, Vec::<Value>::new());
    }
    is_sound(&server).await;
    // They come back without one.
    ann.adds(team, &[&bob, &cat]).await;
    assert_eq!((drafts(&bob).await.len(), texts(&ann).await), (0, vec!["ann".to_owned()]));
    save(&bob, team, json!({"content": "again"})).await.expect(200);
    ann.delete(&format!("chats/{team}/")).await.expect(204);
    for user in [&ann, &bob] {
        assert_eq!(drafts(user).await, Vec::<Value>::new());
    }
    save(&ann, team, json!({"content": "late"})).await.expect(404);
}

#[actix_rt::test(system = "crate::System")]
async fn a_user_gets_the_drafts_of_the_guest_that_the_user_was() {
    let server = Server::start_with(|config| config.guests = greenroom::core::model::Guests::Open).await;
    let (ann, bob) = (server.user("ann").await, server.user("bob").await);
    let made = server.anonymous().send("POST", "/guests/", Some(json!({}))).await.expect(201).json;
    let key = made["key"].as_str().unwrap();
    let mut vera = server.anonymous().with("Authorization", &format!("Token {key}"));
    vera.id = made["user"]["id"].as_i64().unwrap();
    let (both, hers) = (ann.group("Both", &[&bob, &vera]).await, ann.group("Hers", &[&vera]).await);
    let root = ann.posts(both, "root").await;
    let thread = format!("?thread={}", root["id"]);
    save(&bob, both, json!({"content": "bob's"})).await.expect(200);
    save(&vera, both, json!({"content": "vera's"})).await.expect(200);
    save_in(&vera, both, &thread, json!({"content": "vera's, in the thread"})).await.expect(200);
    save(&vera, hers, json!({"content": "vera's, elsewhere"})).await.expect(200);
    bob.post("guests/claim/", json!({"key": key})).await.expect(200);
    let mut left = texts(&bob).await;
    left.sort_unstable();
    assert_eq!(left, ["bob's", "vera's, elsewhere", "vera's, in the thread"]);
    is_sound(&server).await;
}

#[actix_rt::test(system = "crate::System")]
async fn a_user_has_five_hundred_drafts_at_most() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let chat = ann.group("Team", &[]).await;
    let mut last = Value::Null;
    for number in 0..501 {
        last = ann.posts(chat, &number.to_string()).await["id"].clone();
        let reply = save_in(&ann, chat, &format!("?thread={last}"), json!({"content": "a"})).await;
        if number < 500 {
            reply.expect(200);
        } else {
            let details = json!({"non_field_errors": ["A user has no more than 500 drafts."]});
            assert_eq!(reply.expect(400).json["details"], details);
        }
    }
    let known = last.as_i64().unwrap() - 1;
    save_in(&ann, chat, &format!("?thread={known}"), json!({"content": "b"})).await.expect(200);
    remove(&ann, chat, &format!("?thread={known}")).await.expect(204);
    save(&ann, chat, json!({"content": "c"})).await.expect(200);
    assert_eq!(drafts(&ann).await.len(), 500);
}

#[actix_rt::test(system = "crate::System")]
async fn a_thread_has_a_draft_of_its_own_with_mentions() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let root = ann.posts(chat, "Where?").await;
    let path = format!("chats/{chat}/messages/");
    let body = json!({"content": "@bob the lake", "thread": root["id"]});
    let reply = bob.post(&path, body.clone()).await.expect(201).json;
    save(&ann, chat, json!({"content": "in the timeline"})).await.expect(200);
    let mentions = json!({"users": [{"id": bob.id, "at": [0, 4]}, {"id": bob.id, "at": [90, 94]}]});
    let draft = json!({"content": "@bob yes", "mentions": mentions});
    let in_thread = format!("chats/{chat}/draft/?thread={}", root["id"]);
    let saved = ann.put(&in_thread, draft).await.expect(200).json;
    assert_eq!(saved["mentions"]["users"], json!([{"id": bob.id, "at": [0, 4]}, {"id": bob.id}]));
    ann.put(&format!("chats/{chat}/draft/?thread={}", reply["id"]), json!({"content": "x"}))
        .await
        .invalid("thread");
    // Sending from the thread clears the draft of the thread only.
    ann.post(&path, body).await.expect(201);
    assert_eq!(texts(&ann).await, ["in the timeline"]);
    is_sound(&server).await;
}
