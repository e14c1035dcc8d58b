//! Threads: replies to a root, the timeline without them, and the unread replies of their followers.

use serde_json::{Value, json};

use crate::support::{Reply, Server, User};

async fn replies(user: &User, chat: i64, text: &str, root: &Value) -> Reply {
    user.post(&format!("chats/{chat}/messages/"), json!({"content": text, "thread": root["id"]})).await
}

async fn reply(user: &User, chat: i64, text: &str, root: &Value) -> Value {
    replies(user, chat, text, root).await.expect(201).json
}

async fn also_in_chat(user: &User, chat: i64, text: &str, root: &Value) -> Value {
    let body = json!({"content": text, "thread": root["id"], "also_in_chat": true});
    user.post(&format!("chats/{chat}/messages/"), body).await.expect(201).json
}

async fn thread(user: &User, root: &Value) -> Value {
    user.get(&format!("threads/{}/", root["id"])).await.expect(200).json
}

async fn results(user: &User, path: &str) -> Vec<Value> {
    user.get(path).await.expect(200).json["results"].as_array().unwrap().clone()
}

fn ids(messages: &[Value]) -> Vec<i64> {
    messages.iter().map(|message| message["id"].as_i64().unwrap()).collect()
}

fn id(message: &Value) -> i64 {
    message["id"].as_i64().unwrap()
}

async fn is_consistent(server: &Server) {
    assert_eq!(server.checks_database().await.differences, Vec::<String>::new());
}

#[actix_rt::test(system = "crate::System")]
async fn a_reply_is_in_its_thread_and_the_timeline_stays_as_it_is() {
    let server = Server::start().await;
    let [ann, bob, cy] = server.users(["ann", "bob", "cy"]).await;
    let chat = ann.group("Team", &[&bob, &cy]).await;
    let root = ann.posts(chat, "Where do we meet?").await;
    assert_eq!(
        (&root["thread"], &root["also_in_chat"], &root["thread_info"]),
        (&Value::Null, &json!(false), &Value::Null)
    );
    let before = ann.sees(chat).await;
    let first = reply(&bob, chat, "At the lake", &root).await;
    let shown = reply(&cy, chat, "At the station", &root).await;
    let both = also_in_chat(&bob, chat, "The lake it is", &root).await;
    assert_eq!(
        (&first["thread"], &first["also_in_chat"], &first["read_by"]),
        (&root["id"], &json!(false), &json!([bob.id]))
    );
    assert_eq!((&both["thread"], &both["also_in_chat"]), (&root["id"], &json!(true)));
    let info = json!({"reply_count": 3, "last_reply_at": both["created_at"], "participants": [bob.id, cy.id], "participant_count": 2});
    assert_eq!(ann.get(&format!("messages/{}/", root["id"])).await.json["thread_info"], info);
    // The timeline has the root and the reply that is shown in both.
    let page = ann.get(&format!("chats/{chat}/messages/")).await.expect(200).json;
    assert_eq!(
        (page["count"].clone(), ids(page["results"].as_array().unwrap())),
        (json!(2), vec![id(&both), id(&root)])
    );
    assert_eq!(page["results"][1]["thread_info"], info);
    let after = ann.sees(chat).await;
    assert_eq!((&after["last_message"]["id"], &after["unread_count"]), (&both["id"], &json!(1)));
    assert!(after["updated_at"].as_str() > before["updated_at"].as_str());
    // All, and the thread alone.
    let all = ids(&results(&ann, &format!("chats/{chat}/messages/?include=replies")).await);
    assert_eq!(all, [id(&both), id(&shown), id(&first), id(&root)]);
    let in_thread = ann.get(&format!("messages/{}/replies/", root["id"])).await.expect(200).json;
    assert_eq!(ids(in_thread["results"].as_array().unwrap()), [id(&both), id(&shown), id(&first)]);
    assert_eq!(in_thread["count"], 3);
    let found = results(&ann, "search/?q=station").await;
    assert_eq!(ids(&found), [id(&shown)]);
    let found = results(&ann, &format!("chats/{chat}/messages/?search=lake")).await;
    assert_eq!(ids(&found), [id(&both), id(&first)]);
    is_consistent(&server).await;
}

#[actix_rt::test(system = "crate::System")]
async fn a_thread_has_one_level_and_stays_in_its_chat() {
    let server = Server::start().await;
    let [ann, bob, eve] = server.users(["ann", "bob", "eve"]).await;
    let (chat, other) = (ann.group("Team", &[&bob]).await, ann.group("Other", &[&bob]).await);
    let (root, elsewhere) = (ann.posts(chat, "One").await, ann.posts(other, "Two").await);
    let answer = reply(&bob, chat, "Yes", &root).await;
    let refused = replies(&bob, chat, "No", &answer).await;
    assert_eq!(refused.invalid("thread"), json!(["A reply has no thread of its own."]));
    for unknown in [&elsewhere, &json!({"id": 999_999})] {
        let refused = replies(&bob, chat, "No", unknown).await.invalid("thread");
        assert_eq!(refused, json!([format!("Invalid pk \"{}\" - object does not exist.", unknown["id"])]));
    }
    let path = format!("chats/{chat}/messages/");
    let refused =
        bob.post(&path, json!({"content": "No", "also_in_chat": true})).await.invalid("also_in_chat");
    assert_eq!(refused, json!(["Only a reply in a thread can be shown in the chat too."]));
    for outsider in ["messages/{}/replies/", "threads/{}/"] {
        eve.get(&outsider.replace("{}", &root["id"].to_string())).await.expect(404);
        bob.get(&outsider.replace("{}", &answer["id"].to_string())).await.expect(404);
    }
    // A reply under a deleted root is allowed, and the thread stays readable.
    ann.deletes(&root).await;
    let late = reply(&bob, chat, "Still here", &root).await;
    assert_eq!(
        ids(&results(&bob, &format!("messages/{}/replies/", root["id"])).await),
        [id(&late), id(&answer)]
    );
    let tombstone = &results(&bob, &path).await[0];
    assert_eq!(
        (&tombstone["is_deleted"], &tombstone["thread_info"]["reply_count"]),
        (&json!(true), &json!(2))
    );
    // A reply quotes across threads.
    let quoting = json!({"content": "As said there", "reply_to": late["id"]});
    assert_eq!(bob.post(&path, quoting).await.expect(201).json["reply_to"]["id"], late["id"]);
    is_consistent(&server).await;
}

#[actix_rt::test(system = "crate::System")]
async fn a_retry_of_a_reply_is_the_same_reply() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let (root, other) = (ann.posts(chat, "One").await, ann.posts(chat, "Two").await);
    let path = format!("chats/{chat}/messages/");
    let body = |thread: &Value| json!({"content": "Yes", "client_id": "c-1", "thread": thread});
    let first = bob.post(&path, body(&root["id"])).await.expect(201).json;
    assert_eq!(bob.post(&path, body(&root["id"])).await.expect(200).json["id"], first["id"]);
    bob.post(&path, body(&other["id"])).await.expect(409);
    bob.post(&path, body(&Value::Null)).await.expect(409);
    assert_eq!(ann.get(&format!("messages/{}/replies/", root["id"])).await.json["count"], 1);
    is_consistent(&server).await;
}

#[actix_rt::test(system = "crate::System")]
async fn deleted_replies_do_not_count() {
    let server = Server::start().await;
    let [ann, bob, cy] = server.users(["ann", "bob", "cy"]).await;
    let chat = ann.group("Team", &[&bob, &cy]).await;
    let root = ann.posts(chat, "Where?").await;
    let one = reply(&bob, chat, "1", &root).await;
    let two = reply(&cy, chat, "2", &root).await;
    let three = reply(&bob, chat, "3", &root).await;
    let info =
        async || ann.get(&format!("messages/{}/", root["id"])).await.expect(200).json["thread_info"].clone();
    bob.deletes(&one).await;
    // Bob's first reply is the third one now.
    let expected = json!({"reply_count": 2, "last_reply_at": three["created_at"], "participants": [cy.id, bob.id], "participant_count": 2});
    assert_eq!(info().await, expected);
    bob.deletes(&three).await;
    let expected = json!({"reply_count": 1, "last_reply_at": two["created_at"], "participants": [cy.id], "participant_count": 1});
    assert_eq!(info().await, expected);
    assert_eq!(thread(&ann, &root).await["last_reply"]["id"], two["id"]);
    is_consistent(&server).await;
    cy.deletes(&two).await;
    assert_eq!(info().await, Value::Null);
    assert_eq!(
        (&thread(&ann, &root).await["last_reply"], ann.sees(chat).await["unread_count"].clone()),
        (&Value::Null, json!(0))
    );
    let tombstones = results(&ann, &format!("messages/{}/replies/", root["id"])).await;
    assert!(tombstones.iter().all(|message| message["is_deleted"] == true) && tombstones.len() == 3);
    is_consistent(&server).await;
}

#[actix_rt::test(system = "crate::System")]
async fn who_writes_follows_and_the_author_from_the_first_reply() {
    let server = Server::start().await;
    let [ann, bob, cy] = server.users(["ann", "bob", "cy"]).await;
    let chat = ann.group("Team", &[&bob, &cy]).await;
    let root = ann.posts(chat, "Where?").await;
    assert_eq!(thread(&ann, &root).await["is_followed"], false);
    let one = reply(&bob, chat, "1", &root).await;
    let two = reply(&bob, chat, "2", &root).await;
    let row = thread(&ann, &root).await;
    assert_eq!(
        (&row["is_followed"], &row["unread"], &row["last_read_message_id"]),
        (&json!(true), &json!(2), &Value::Null)
    );
    let own = thread(&bob, &root).await;
    assert_eq!(
        (&own["is_followed"], &own["unread"], &own["last_read_message_id"]),
        (&json!(true), &json!(0), &one["id"])
    );
    assert_eq!(thread(&cy, &root).await["is_followed"], false);
    // The list, and the counts.
    let list = results(&ann, "threads/?unread=1").await;
    assert_eq!(
        (list.len(), &list[0]["root"]["id"], &list[0]["last_reply"]["id"]),
        (1, &root["id"], &two["id"])
    );
    assert_eq!(list[0]["chat"], json!({"id": chat, "title": "Team", "chat_type": "group"}));
    assert_eq!(results(&bob, "threads/?unread=1").await, Vec::<Value>::new());
    assert_eq!(results(&bob, "threads/").await.len(), 1);
    assert_eq!(results(&cy, "threads/").await, Vec::<Value>::new());
    let unread = ann.get("unread/").await.expect(200).json;
    let of_thread = json!({root["id"].to_string(): {"chat": chat, "unread": 2, "mentions": 0}});
    assert_eq!(
        (&unread["threads"], &unread["threads_total"], &unread["total"]),
        (&of_thread, &json!(2), &json!(0))
    );
    // Reading.
    let path = format!("messages/{}/mark-as-read/", root["id"]);
    assert_eq!(ann.post(&path, json!({"message_id": one["id"]})).await.expect(200).json["marked_count"], 1);
    assert_eq!(thread(&ann, &root).await["unread"], 1);
    assert_eq!(ann.post(&path, json!({})).await.expect(200).json["marked_count"], 1);
    assert_eq!(ann.post(&path, json!({"message_id": one["id"]})).await.expect(200).json["marked_count"], 0);
    ann.post(&path, json!({"message_id": root["id"]})).await.expect(400);
    assert_eq!(ann.get("unread/").await.json["threads"], json!({}));
    // The marker of the chat does not take replies that are only in threads.
    let refused = ann.post(&format!("chats/{chat}/mark-as-read/"), json!({"message_id": one["id"]})).await;
    assert_eq!(
        refused.invalid("message_id"),
        json!([format!("Invalid pk \"{}\" - object does not exist.", one["id"])])
    );
    is_consistent(&server).await;
}

#[actix_rt::test(system = "crate::System")]
async fn following_is_stopped_and_begins_anew() {
    let server = Server::start().await;
    let [ann, bob, cy] = server.users(["ann", "bob", "cy"]).await;
    let chat = ann.group("Team", &[&bob, &cy]).await;
    let root = ann.posts(chat, "Where?").await;
    let follow = format!("messages/{}/follow/", root["id"]);
    // An author that stops before the first reply does not follow.
    ann.delete(&follow).await.expect(204);
    reply(&bob, chat, "1", &root).await;
    assert_eq!(thread(&ann, &root).await["is_followed"], false);
    let row = cy.put(&follow, json!({})).await.expect(200).json;
    assert_eq!((&row["is_followed"], &row["unread"]), (&json!(true), &json!(0)));
    let two = reply(&bob, chat, "2", &root).await;
    assert_eq!(thread(&cy, &root).await["unread"], 1);
    cy.delete(&follow).await.expect(204);
    assert_eq!(thread(&cy, &root).await["unread"], 0);
    // A new own reply begins it anew, at that reply.
    let three = reply(&cy, chat, "3", &root).await;
    let row = thread(&cy, &root).await;
    assert_eq!(
        (&row["is_followed"], &row["last_read_message_id"], &row["unread"]),
        (&json!(true), &three["id"], &json!(0))
    );
    assert_eq!(thread(&bob, &root).await["unread"], 1);
    // A member that leaves and returns follows nothing.
    cy.post(&format!("chats/{chat}/leave/"), json!({})).await.expect(204);
    cy.get(&format!("threads/{}/", root["id"])).await.expect(404);
    assert_eq!(results(&cy, "threads/").await, Vec::<Value>::new());
    ann.post(&format!("chats/{chat}/members/add/"), json!({"user_ids": [cy.id]})).await.expect(200);
    reply(&bob, chat, "4", &root).await;
    assert_eq!(thread(&cy, &root).await["is_followed"], false);
    assert_eq!(cy.get("unread/").await.json["threads"], json!({}));
    assert_eq!(two["thread"], root["id"]);
    is_consistent(&server).await;
}

#[actix_rt::test(system = "crate::System")]
async fn pages_of_a_thread_and_of_all_messages_are_walked_in_both_directions() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let (root, second) = (ann.posts(chat, "One").await, ann.posts(chat, "Two").await);
    let (mut in_thread, mut all) = (Vec::new(), vec![id(&root), id(&second)]);
    for number in 0..40 {
        let sent = match number % 4 {
            0 => ann.posts(chat, "plain").await,
            1 => also_in_chat(&bob, chat, "both", &root).await,
            2 => reply(&ann, chat, "reply", &root).await,
            _ => reply(&bob, chat, "other thread", &second).await,
        };
        all.push(id(&sent));
        if sent["thread"] == root["id"] {
            in_thread.push(id(&sent));
        }
    }
    for list in [&mut all, &mut in_thread] {
        list.reverse();
    }
    let lists = [
        (format!("chats/{chat}/messages/?include=replies&"), &all),
        (format!("messages/{}/replies/?", root["id"]), &in_thread),
    ];
    for (path, expected) in lists {
        let mut walked = Vec::new();
        for page in 1..=expected.len().div_ceil(7) {
            let page = bob.get(&format!("{path}page_size=7&page={page}")).await.expect(200).json;
            assert_eq!(page["count"], expected.len());
            walked.extend(ids(page["results"].as_array().unwrap()));
        }
        assert_eq!(&walked, expected, "{path}");
        let (mut next, mut walked) = (format!("{path}page_size=5&before={}", i64::MAX), Vec::new());
        loop {
            let page = bob.get(&next).await.expect(200).json;
            walked.extend(ids(page["results"].as_array().unwrap()));
            let Some(url) = page["next"].as_str() else { break };
            next = url.split("/messages/api/").last().unwrap().to_owned();
        }
        assert_eq!(&walked, expected, "{path}");
        let (mut previous, mut walked) = (format!("{path}page_size=5&after=0"), Vec::new());
        loop {
            let page = bob.get(&previous).await.expect(200).json;
            walked.extend(ids(page["results"].as_array().unwrap()).into_iter().rev());
            let Some(url) = page["previous"].as_str() else { break };
            previous = url.split("/messages/api/").last().unwrap().to_owned();
        }
        walked.reverse();
        assert_eq!(&walked, expected, "{path}");
        let (before, after) = (expected[3], expected[9]);
        let page = bob.get(&format!("{path}before={before}&after={after}")).await.expect(200).json;
        assert_eq!(ids(page["results"].as_array().unwrap()), expected[4..9]);
    }
    bob.get(&format!("chats/{chat}/messages/?include=other")).await.expect(400);
    is_consistent(&server).await;
}

#[actix_rt::test(system = "crate::System")]
async fn connections_get_the_form_that_they_know() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let root = ann.posts(chat, "Where?").await;
    let heads = ann.get("sync/").await.expect(200).json["heads"].clone();
    let mut old = ann.listens().await;
    let mut new = ann.connects_with("?threads=1").await.unwrap();
    new.receives("hello").await;
    let first = reply(&bob, chat, "1", &root).await;
    let event = new.receives("new_message").await;
    assert_eq!((&event["message"], &event["thread_info"]["reply_count"]), (&first, &json!(1)));
    // The author follows from now on.
    let followed = new.receives("thread_followed").await;
    let expected = json!({"type": "thread_followed", "chat_id": chat, "seq": event["seq"], "root": root["id"],
        "is_followed": true, "unread": 1, "mentions": 0, "last_read_message_id": null});
    assert_eq!(followed, expected);
    // An old client gets the root.
    let event = old.receives("message_updated").await;
    assert_eq!(
        (&event["message"]["id"], &event["message"]["thread_info"]["reply_count"]),
        (&root["id"], &json!(1))
    );
    assert_eq!((&event["seq"], &event["message"]["seq"]), (&followed["seq"], &followed["seq"]));
    assert_eq!(old.receives("thread_followed").await["seq"], event["seq"]);
    let both = also_in_chat(&bob, chat, "2", &root).await;
    for socket in [&mut old, &mut new] {
        let event = socket.receives("new_message").await;
        assert_eq!((&event["message"], &event["thread_info"]["reply_count"]), (&both, &json!(2)));
    }
    let edited = bob.edits(&first, "1!").await;
    let event = new.receives("message_updated").await;
    assert_eq!((&event["message"], &event["thread_info"]["reply_count"]), (&edited, &json!(2)));
    bob.deletes(&first).await;
    let event = new.receives("message_deleted").await;
    assert_eq!((&event["message_id"], &event["thread_info"]["reply_count"]), (&first["id"], &json!(1)));
    let event = old.receives("message_updated").await;
    assert_eq!(
        (&event["message"]["id"], &event["message"]["thread_info"]["reply_count"]),
        (&root["id"], &json!(1))
    );
    let path = format!("messages/{}/mark-as-read/", root["id"]);
    ann.post(&path, json!({})).await.expect(200);
    let read = new.receives("thread_read").await;
    assert_eq!((&read["unread"], &read["last_read_message_id"]), (&json!(0), &both["id"]));
    // Catching up, in both forms.
    for knows_threads in [true, false] {
        let missed =
            ann.post("sync/", json!({"chats": heads, "threads": knows_threads})).await.expect(200).json;
        let kinds: Vec<(String, i64)> = missed["events"]
            .as_array()
            .unwrap()
            .iter()
            .map(|event| {
                (event["type"].as_str().unwrap().to_owned(), event["message"]["id"].as_i64().unwrap_or(0))
            })
            .collect();
        let kind = |kind: &str, message: &Value| (kind.to_owned(), message["id"].as_i64().unwrap_or(0));
        let mut expected = vec![kind("new_message", &both), kind("message_updated", &root)];
        if knows_threads {
            expected.push(kind("message_deleted", &first));
        }
        expected.push(kind("thread_followed", &Value::Null));
        assert_eq!(kinds, expected, "{missed}");
        assert_eq!(missed["threads"], json!({}));
    }
    is_consistent(&server).await;
}

#[actix_rt::test(system = "crate::System")]
async fn typing_in_a_thread_is_for_those_who_show_it() {
    let server = Server::start().await;
    let [ann, bob, eve] = server.users(["ann", "bob", "eve"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let root = ann.posts(chat, "Where?").await;
    let mut others = Vec::new();
    for _ in 0..6 {
        others.push(ann.posts(chat, "Another").await);
    }
    let (mut shows, mut other) = (ann.listens().await, ann.listens().await);
    let command = |kind: &str, root: &Value| json!({"type": kind, "id": 1, "root": root}).to_string();
    shows.says(&command("open_thread", &root["id"])).await;
    shows.receives("ack").await;
    let typing = json!({"is_typing": true, "thread": root["id"]});
    bob.post(&format!("chats/{chat}/typing/"), typing).await.expect(200);
    let expected = json!({"type": "typing", "chat_id": chat, "user_id": bob.id, "is_typing": true, "thread": root["id"]});
    assert_eq!(shows.receives("typing").await, expected);
    // The other socket gets what is typed in the timeline only.
    bob.post(&format!("chats/{chat}/typing/"), json!({"is_typing": true})).await.expect(200);
    let in_timeline = json!({"type": "typing", "chat_id": chat, "user_id": bob.id, "is_typing": true});
    for socket in [&mut shows, &mut other] {
        assert_eq!(socket.receives("typing").await, in_timeline);
    }
    shows.says(&command("close_thread", &root["id"])).await;
    shows.receives("ack").await;
    let stops = json!({"type": "typing", "id": 2, "chat_id": chat, "is_typing": false, "thread": root["id"]});
    let mut bobs = bob.listens().await;
    bobs.says(&stops.to_string()).await;
    bobs.receives("ack").await;
    bob.post(&format!("chats/{chat}/typing/"), json!({"is_typing": false})).await.expect(200);
    assert_eq!(shows.receives("typing").await["thread"], Value::Null);
    // Five at once, and only where one may read.
    let mut eves = eve.listens().await;
    eves.says(&command("open_thread", &root["id"])).await;
    assert_eq!(eves.receives("error").await["status"], 404);
    for (number, root) in others.iter().enumerate() {
        shows.says(&command("open_thread", &root["id"])).await;
        let kind = if number < 5 { "ack" } else { "error" };
        let answer = shows.receives(kind).await;
        assert_eq!(number == 5, answer["status"] == 400, "{answer}");
    }
}

#[actix_rt::test(system = "crate::System")]
async fn a_stream_that_breaks_off_before_the_follows_sends_them_again() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let root = ann.posts(chat, "root").await;
    let stream = bob.streams_from("?threads=1", ":").await.unwrap();
    let mut place = stream.last_id.clone();
    let mut stream = Some(stream);
    // Loads the chat, as a new client.
    while let Some(open) = &mut stream {
        if open.next().await["type"] == "chat_created" {
            place = open.last_id.clone();
            stream = None;
        }
    }
    bob.put(&format!("messages/{}/follow/", root["id"]), json!({})).await.expect(200);
    for text in ["one", "two"] {
        ann.posts(chat, text).await;
    }
    let mut stream = bob.streams_from("?threads=1", &place).await.unwrap();
    assert_eq!(stream.next().await["message"]["content"], "one");
    let place = stream.last_id.clone();
    drop(stream);
    let mut stream = bob.streams_from("?threads=1", &place).await.unwrap();
    let mut types = Vec::new();
    for _ in 0..3 {
        let event = stream.next().await;
        types.push(event["type"].as_str().unwrap().to_owned());
        if event["type"] == "thread_followed" {
            assert_eq!((&event["root"], &event["is_followed"]), (&root["id"], &json!(true)));
        }
    }
    assert_eq!(types, ["new_message", "new_message", "thread_followed"]);
}
