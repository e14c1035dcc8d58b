//! Mentions: by name, of everyone and of the connected members, counted exactly in chats and threads.

use serde_json::{Value, json};

use crate::support::{Listener, Reply, Server, User};

async fn says(user: &User, chat: i64, body: Value) -> Reply {
    user.post(&format!("chats/{chat}/messages/"), body).await
}

/// Posts a message that mentions users by name.
async fn names(user: &User, chat: i64, text: &str, others: &[&User]) -> Value {
    let users: Vec<Value> = others.iter().map(|other| json!({"id": other.id})).collect();
    says(user, chat, json!({"content": text, "mentions": {"users": users}})).await.expect(201).json
}

async fn unread_mentions(user: &User, chat: i64) -> i64 {
    user.sees(chat).await["unread_mentions"].as_i64().unwrap()
}

async fn mentions(user: &User, query: &str) -> Vec<i64> {
    let page = user.get(&format!("mentions/{query}")).await.expect(200).json;
    let ids: Vec<i64> =
        page["results"].as_array().unwrap().iter().map(|message| message["id"].as_i64().unwrap()).collect();
    assert_eq!(page["count"], ids.len());
    ids
}

/// Receives events up to one of a kind.
async fn until(socket: &mut Listener, kind: &str) -> Value {
    loop {
        let event = socket.next().await;
        if event["type"] == kind {
            return event;
        }
    }
}

fn id(message: &Value) -> i64 {
    message["id"].as_i64().unwrap()
}

async fn is_consistent(server: &Server) {
    assert_eq!(server.checks_database().await.differences, Vec::<String>::new());
}

#[actix_rt::test(system = "crate::System")]
async fn who_is_named_is_mentioned_until_it_is_read() {
    let server = Server::start().await;
    let [ann, bob, cy] = server.users(["ann", "bob", "cy"]).await;
    let chat = ann.group("Team", &[&bob, &cy]).await;
    let body = json!({"content": "@bob and @bob, look", "mentions": {"users": [{"id": bob.id, "at": [0, 4]}, {"id": bob.id, "at": [9, 13]}, {"id": ann.id}]}});
    let first = says(&ann, chat, body.clone()).await.expect(201).json;
    let shown = json!({"users": body["mentions"]["users"], "everyone": false, "here": false});
    assert_eq!((&first["mentions"], &first["mentions_ignored"]), (&shown, &Value::Null));
    let plain = ann.posts(chat, "nobody").await;
    assert_eq!(plain["mentions"], json!({"users": [], "everyone": false, "here": false}));
    let second = names(&cy, chat, "bob?", &[&bob]).await;
    assert_eq!(
        (
            unread_mentions(&bob, chat).await,
            unread_mentions(&ann, chat).await,
            unread_mentions(&cy, chat).await
        ),
        (2, 0, 0)
    );
    assert_eq!(mentions(&bob, "").await, [id(&second), id(&first)]);
    assert_eq!(mentions(&bob, "?unread=1").await, [id(&second), id(&first)]);
    let unread = bob.get("unread/").await.expect(200).json;
    assert_eq!((&unread["mentions"], &unread["chat_mentions"]), (&json!(2), &json!({chat.to_string(): 2})));
    let start = bob.get("sync/").await.expect(200).json;
    assert_eq!(start["chat_mentions"], json!({chat.to_string(): 2}));
    let mut socket = bob.listens().await;
    bob.marks_as_read_to(chat, &first).await;
    let read = socket.receives("read").await;
    assert_eq!((&read["unread_count"], &read["unread_mentions"]), (&json!(2), &json!(1)));
    assert_eq!(mentions(&bob, "?unread=1").await, [id(&second)]);
    // Marked as unread again.
    bob.patch(&format!("chats/{chat}/me/"), json!({"unread_from": first["id"]})).await.expect(200);
    assert_eq!(socket.receives("me_updated").await["unread_mentions"], 2);
    assert_eq!(unread_mentions(&bob, chat).await, 2);
    bob.marks_as_read(chat).await;
    assert_eq!((unread_mentions(&bob, chat).await, mentions(&bob, "?unread=1").await), (0, vec![]));
    assert_eq!(mentions(&bob, "").await.len(), 2);
    is_consistent(&server).await;
}

#[actix_rt::test(system = "crate::System")]
async fn bad_mentions_get_a_clear_error() {
    let server = Server::start().await;
    let [ann, bob, eve] = server.users(["ann", "bob", "eve"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let bad = [
        (json!([1]), "Expected an object with users, everyone and here."),
        (
            json!({"users": {}}),
            "users must be a list of objects with an id and, where the text names the user, at.",
        ),
        (
            json!({"users": [7]}),
            "users must be a list of objects with an id and, where the text names the user, at.",
        ),
        (
            json!({"users": [{"id": bob.id, "at": [0, 3]}]}),
            "at must be two numbers within the text, the start before the end.",
        ),
        (
            json!({"users": [{"id": bob.id, "at": [1, 1]}]}),
            "at must be two numbers within the text, the start before the end.",
        ),
        (
            json!({"users": [{"id": bob.id, "at": [-1, 1]}]}),
            "at must be two numbers within the text, the start before the end.",
        ),
        (json!({"everyone": "yes"}), "everyone must be a valid boolean."),
        (
            json!({"users": (1..=101).map(|id| json!({"id": id})).collect::<Vec<_>>()}),
            "A message mentions no more than 100 users by name.",
        ),
    ];
    for (mentions, sentence) in bad {
        let reply = says(&ann, chat, json!({"content": "👍!", "mentions": mentions})).await;
        assert_eq!(reply.invalid("mentions"), json!([sentence]), "{mentions}");
    }
    // Code points, not bytes or UTF-16 units.
    let body = json!({"content": "👍!", "mentions": {"users": [{"id": bob.id, "at": [0, 2]}]}});
    says(&ann, chat, body).await.expect(201);
    // Users that are not members are left out, and named in the answer.
    let body =
        json!({"content": "eve", "mentions": {"users": [{"id": eve.id}, {"id": 999_999}, {"id": bob.id}]}});
    let sent = says(&ann, chat, body).await.expect(201).json;
    assert_eq!(
        (&sent["mentions"]["users"], &sent["mentions_ignored"]),
        (&json!([{"id": bob.id}]), &json!([eve.id, 999_999]))
    );
    assert_eq!(mentions(&eve, "").await, Vec::<i64>::new());
    assert_eq!(unread_mentions(&bob, chat).await, 2);
    is_consistent(&server).await;
}

#[actix_rt::test(system = "crate::System")]
async fn everyone_is_all_but_the_sender_and_who_is_blocked() {
    let server = Server::start().await;
    let [ann, bob, cy, dan] = server.users(["ann", "bob", "cy", "dan"]).await;
    let chat = ann.group("Team", &[&bob, &cy, &dan]).await;
    cy.post(&format!("users/{}/block/", bob.id), json!({})).await.expect(200);
    let all = json!({"content": "all", "mentions": {"everyone": true, "users": [{"id": ann.id}]}});
    let sent = says(&bob, chat, all).await.expect(201).json;
    let counts = async || {
        let mut counts = Vec::new();
        for user in [&ann, &bob, &cy, &dan] {
            counts.push(unread_mentions(user, chat).await);
        }
        counts
    };
    assert_eq!(counts().await, [1, 0, 0, 1]);
    // In a dm with oneself and in a blocked one by name as well.
    names(&bob, chat, "cy", &[&cy, &bob]).await;
    assert_eq!(counts().await, [1, 0, 0, 1]);
    assert_eq!(mentions(&dan, "").await, [id(&sent)]);
    assert_eq!(mentions(&cy, "").await, Vec::<i64>::new());
    // A user that joins later is not mentioned by older messages.
    let late = server.user("late").await;
    ann.adds(chat, &[&late]).await;
    assert_eq!((unread_mentions(&late, chat).await, mentions(&late, "").await), (0, vec![]));
    let mut socket = dan.listens().await;
    bob.deletes(&sent).await;
    let changed = until(&mut socket, "mentions_changed").await;
    assert_eq!(
        (&changed["message_id"], &changed["is_mentioned"], &changed["unread_mentions"]),
        (&sent["id"], &json!(false), &json!(0))
    );
    assert_eq!(counts().await, [0, 0, 0, 0]);
    is_consistent(&server).await;
}

#[actix_rt::test(system = "crate::System")]
async fn everyone_and_here_are_for_admins_of_large_chats() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let crowd = server.crowd(24).await;
    let mut others: Vec<&User> = crowd.iter().collect();
    others.push(&bob);
    let large = ann.group("Large", &others).await;
    for all in ["everyone", "here"] {
        let body = json!({"content": "all", "mentions": {all: true}});
        says(&bob, large, body.clone()).await.expect(403);
        says(&ann, large, body).await.expect(201);
    }
    let own = bob.posts(large, "mine").await;
    let edit = json!({"content": "mine", "mentions": {"everyone": true}});
    bob.patch(&format!("messages/{}/", own["id"]), edit).await.expect(403);
    ann.removes(large, &crowd[0]).await;
    says(&bob, large, json!({"content": "all", "mentions": {"everyone": true}})).await.expect(201);
    is_consistent(&server).await;
}

#[actix_rt::test(system = "crate::System")]
async fn here_is_who_is_connected_when_it_is_stored() {
    let server = Server::start().await;
    let [ann, bob, cy] = server.users(["ann", "bob", "cy"]).await;
    let chat = ann.group("Team", &[&bob, &cy]).await;
    let _socket = bob.listens().await;
    let sent =
        says(&ann, chat, json!({"content": "here", "mentions": {"here": true}})).await.expect(201).json;
    assert_eq!((unread_mentions(&bob, chat).await, unread_mentions(&cy, chat).await), (1, 0));
    // It stays settled by an edit that keeps it.
    let _other = cy.listens().await;
    let edit = json!({"content": "here!", "mentions": {"here": true, "users": []}});
    ann.patch(&format!("messages/{}/", sent["id"]), edit).await.expect(200);
    assert_eq!((unread_mentions(&bob, chat).await, unread_mentions(&cy, chat).await), (1, 0));
    is_consistent(&server).await;
}

#[actix_rt::test(system = "crate::System")]
async fn edits_change_who_is_mentioned() {
    let server = Server::start().await;
    let [ann, bob, cy] = server.users(["ann", "bob", "cy"]).await;
    let chat = ann.group("Team", &[&bob, &cy]).await;
    let read = ann.posts(chat, "@cy was here").await;
    cy.marks_as_read(chat).await;
    let sent = says(
        &ann,
        chat,
        json!({"content": "@bob hello", "mentions": {"users": [{"id": bob.id, "at": [0, 4]}]}}),
    )
    .await
    .expect(201)
    .json;
    let path = format!("messages/{}/", sent["id"]);
    let (mut bobs, mut cys) = (bob.listens().await, cy.listens().await);
    // Without mentions they stay, without the places that do not fit.
    let edited = ann.put(&path, json!({"content": "@b"})).await.expect(200).json;
    assert_eq!(edited["mentions"]["users"], json!([{"id": bob.id}]));
    assert_eq!(unread_mentions(&bob, chat).await, 1);
    let edited = ann
        .patch(&path, json!({"mentions": {"users": [{"id": cy.id, "at": [0, 2]}]}}))
        .await
        .expect(200)
        .json;
    assert_eq!(
        (&edited["mentions"]["users"], &edited["content"]),
        (&json!([{"id": cy.id, "at": [0, 2]}]), &json!("@b"))
    );
    let gone = until(&mut bobs, "mentions_changed").await;
    assert_eq!(
        gone,
        json!({"type": "mentions_changed", "chat_id": chat, "seq": edited["seq"], "message_id": sent["id"], "is_mentioned": false, "unread_mentions": 0})
    );
    assert_eq!(until(&mut cys, "mentions_changed").await["unread_mentions"], 1);
    assert_eq!((unread_mentions(&bob, chat).await, unread_mentions(&cy, chat).await), (0, 1));
    ann.patch(&path, json!({"mentions": {"users": [{"id": cy.id, "at": [0, 3]}]}})).await.expect(400);
    // What was read adds nothing.
    ann.patch(&format!("messages/{}/", read["id"]), json!({"mentions": {"users": [{"id": cy.id}]}}))
        .await
        .expect(200);
    assert_eq!(until(&mut cys, "mentions_changed").await["unread_mentions"], 1);
    assert_eq!(mentions(&cy, "").await, [id(&sent), id(&read)]);
    assert_eq!(mentions(&cy, "?unread=1").await, [id(&sent)]);
    ann.deletes(&sent).await;
    assert_eq!(until(&mut cys, "mentions_changed").await["is_mentioned"], false);
    assert_eq!(mentions(&cy, "").await, [id(&read)]);
    is_consistent(&server).await;
}

#[actix_rt::test(system = "crate::System")]
async fn who_is_named_in_a_thread_follows_it_from_there() {
    let server = Server::start().await;
    let [ann, bob, cy] = server.users(["ann", "bob", "cy"]).await;
    let chat = ann.group("Team", &[&bob, &cy]).await;
    let root = ann.posts(chat, "Where?").await;
    let reply =
        |text: &str, mentions: Value| json!({"content": text, "thread": root["id"], "mentions": mentions});
    let first = says(&bob, chat, reply("1", Value::Null)).await.expect(201).json;
    let second = says(&bob, chat, reply("2", json!({"users": [{"id": cy.id}]}))).await.expect(201).json;
    says(&ann, chat, reply("3", Value::Null)).await.expect(201);
    let row = cy.get(&format!("threads/{}/", root["id"])).await.expect(200).json;
    assert_eq!(
        (&row["is_followed"], &row["last_read_message_id"], &row["unread"], &row["mentions"]),
        (&json!(true), &first["id"], &json!(2), &json!(1))
    );
    assert_eq!(unread_mentions(&cy, chat).await, 0);
    let unread = cy.get("unread/").await.expect(200).json;
    assert_eq!(
        (&unread["mentions"], &unread["threads"][root["id"].to_string()]),
        (&json!(1), &json!({"chat": chat, "unread": 2, "mentions": 1}))
    );
    assert_eq!(mentions(&cy, "?unread=1").await, [id(&second)]);
    // A reply that is in both places counts in both.
    let mut both = reply("4", json!({"everyone": true}));
    both["also_in_chat"] = json!(true);
    let both = says(&bob, chat, both).await.expect(201).json;
    let unread = cy.get("unread/").await.expect(200).json;
    assert_eq!((&unread["mentions"], &unread["chat_mentions"]), (&json!(3), &json!({chat.to_string(): 1})));
    assert_eq!(mentions(&cy, "?unread=1").await, [id(&both), id(&second)]);
    cy.post(&format!("messages/{}/mark-as-read/", root["id"]), json!({})).await.expect(200);
    assert_eq!(cy.get("unread/").await.json["mentions"], 1);
    // A mention that is taken back does not end the following.
    let edit = json!({"mentions": {"users": []}});
    bob.patch(&format!("messages/{}/", second["id"]), edit).await.expect(200);
    assert_eq!(cy.get(&format!("threads/{}/", root["id"])).await.json["is_followed"], true);
    // A user that joined later and is named by an edit follows from the joining.
    let late = server.user("late").await;
    ann.adds(chat, &[&late]).await;
    bob.patch(&format!("messages/{}/", first["id"]), json!({"mentions": {"users": [{"id": late.id}]}}))
        .await
        .expect(200);
    let row = late.get(&format!("threads/{}/", root["id"])).await.expect(200).json;
    assert_eq!(
        (&row["is_followed"], &row["unread"], &row["last_read_message_id"]),
        (&json!(true), &json!(0), &both["id"])
    );
    is_consistent(&server).await;
}

#[actix_rt::test(system = "crate::System")]
async fn many_mentions_are_counted_over_blocks() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let mut sent = Vec::new();
    for number in 0..600 {
        let mentions = match number % 3 {
            0 => json!({"everyone": true}),
            1 => json!({"users": [{"id": bob.id}]}),
            _ => Value::Null,
        };
        sent.push(says(&ann, chat, json!({"content": "x", "mentions": mentions})).await.expect(201).json);
    }
    assert_eq!(unread_mentions(&bob, chat).await, 400);
    for read in [1, 254, 255, 256, 257, 511, 512, 600] {
        bob.marks_as_read_to(chat, &sent[read - 1]).await;
        let left = (read..600).filter(|number| number % 3 < 2).count() as i64;
        assert_eq!(unread_mentions(&bob, chat).await, left, "{read}");
    }
    is_consistent(&server).await;
}

#[actix_rt::test(system = "crate::System")]
async fn an_edit_lets_nobody_follow_again_who_was_named_before() {
    let server = Server::start().await;
    let [ann, bob, cy] = server.users(["ann", "bob", "cy"]).await;
    let chat = ann.group("Team", &[&bob, &cy]).await;
    let root = ann.posts(chat, "Where?").await;
    let body = json!({"content": "@bob", "thread": root["id"], "mentions": {"users": [{"id": bob.id, "at": [0, 4]}]}});
    let reply = says(&ann, chat, body).await.expect(201).json;
    let follow = format!("messages/{}/follow/", root["id"]);
    bob.delete(&follow).await.expect(204);
    // The place has moved, and cy is new.
    let edit =
        json!({"content": "and @bob", "mentions": {"users": [{"id": bob.id, "at": [4, 8]}, {"id": cy.id}]}});
    ann.patch(&format!("messages/{}/", reply["id"]), edit).await.expect(200);
    for (user, is_followed) in [(&bob, false), (&cy, true)] {
        let row = user.get(&format!("threads/{}/", root["id"])).await.expect(200).json;
        assert_eq!(row["is_followed"], is_followed, "{}", user.name);
    }
    // A mention in another reply begins it anew, just before that reply.
    let again = json!({"content": "bob!", "thread": root["id"], "mentions": {"users": [{"id": bob.id}]}});
    says(&ann, chat, again).await.expect(201);
    let row = bob.get(&format!("threads/{}/", root["id"])).await.expect(200).json;
    assert_eq!(
        (&row["is_followed"], &row["unread"], &row["last_read_message_id"]),
        (&json!(true), &json!(1), &reply["id"])
    );
    is_consistent(&server).await;
}

#[actix_rt::test(system = "crate::System")]
async fn who_is_blocked_learns_that_a_mention_does_not_count() {
    let server = Server::start().await;
    let [ann, bob, cy] = server.users(["ann", "bob", "cy"]).await;
    let chat = ann.group("Team", &[&bob, &cy]).await;
    let root = cy.posts(chat, "root").await;
    says(&ann, chat, json!({"content": "first", "thread": root["id"]})).await.expect(201);
    cy.post(&format!("users/{}/block/", bob.id), json!({})).await.expect(200);
    let mut socket = cy.connects_with("?threads=1").await.unwrap();
    for (mentioned, thread) in [
        (json!({"everyone": true}), Value::Null),
        (json!({"users": [{"id": cy.id}]}), Value::Null),
        (json!({"here": true}), Value::Null),
        (json!({"users": [{"id": cy.id}]}), root["id"].clone()),
    ] {
        let body = json!({"content": "x", "mentions": mentioned, "thread": thread});
        let sent = says(&bob, chat, body).await.expect(201).json;
        let changed = until(&mut socket, "mentions_changed").await;
        assert_eq!(
            changed,
            json!({"type": "mentions_changed", "chat_id": chat, "seq": sent["seq"], "message_id": sent["id"], "is_mentioned": false, "unread_mentions": 0})
        );
    }
    let own = until(&mut socket, "thread_read").await;
    assert_eq!((&own["unread"], &own["mentions"]), (&json!(2), &json!(0)));
    is_consistent(&server).await;
}

#[actix_rt::test(system = "crate::System")]
async fn staff_get_the_ignored_mentions_too() {
    let server = Server::start().await;
    let staff = server.staff("staff").await;
    let stranger = server.user("stranger").await;
    let chat = staff.group("Team", &[]).await;
    let sent = staff.posts(chat, "hello").await;
    let edit = json!({"content": "hello!", "mentions": {"users": [{"id": stranger.id}]}});
    let edited = staff.patch(&format!("messages/{}/", sent["id"]), edit).await.expect(200).json;
    assert_eq!(edited["mentions_ignored"], json!([stranger.id]));
}
