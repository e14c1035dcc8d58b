//! Replies: messages that quote another message of their chat.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Reply, Server, User};

async fn replies(user: &User, chat: i64, text: &str, to: &Value) -> Reply {
    user.post(&format!("chats/{chat}/messages/"), json!({"content": text, "reply_to": to["id"]})).await
}

fn quote(of: &Value) -> Value {
    json!({"id": of["id"], "sender": of["sender"], "excerpt": of["content"], "is_deleted": false})
}

fn no_such(id: &Value) -> Value {
    json!([format!("Invalid pk \"{id}\" - object does not exist.")])
}

#[actix_rt::test(system = "crate::System")]
async fn a_reply_quotes_its_message_wherever_it_is_shown() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let question = ann.posts(chat, "Where do we meet?").await;
    assert_eq!(question["reply_to"], Value::Null);
    let mut socket = ann.listens().await;
    let heads = ann.get("sync/").await.expect(200).json["heads"].clone();
    let answer = replies(&bob, chat, "At noon, at the lake", &question).await.expect(201).json;
    assert_eq!(answer["reply_to"], quote(&question));
    assert_eq!(socket.receives("new_message").await["message"], answer);
    assert_eq!(ann.get(&format!("messages/{}/", answer["id"])).await.expect(200).json, answer);
    assert_eq!(ann.sees(chat).await["last_message"], answer);
    let listed = ann.get("chats/").await.expect(200).json;
    assert_eq!(listed["results"][0]["last_message"], answer);
    let page = ann.get(&format!("chats/{chat}/messages/")).await.expect(200).json;
    assert_eq!(page["results"], json!([answer, question]));
    let found = ann.get("search/?q=lake").await.expect(200).json;
    assert_eq!(found["results"][0]["reply_to"], quote(&question));
    let missed = ann.post("sync/", json!({"chats": heads})).await.expect(200).json;
    assert_eq!(missed["events"][0]["message"], answer, "{missed}");
    // Over a socket.
    let command = json!({"type": "send_message", "id": 1, "chat_id": chat, "content": "Good", "reply_to": answer["id"]});
    socket.says(&command.to_string()).await;
    assert_eq!(socket.receives("ack").await["message"]["reply_to"], quote(&answer));
    assert_eq!(server.checks_database().await.differences, Vec::<String>::new());
}

#[actix_rt::test(system = "crate::System")]
async fn a_quote_shows_its_message_as_it_is_now() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let question = ann.posts(chat, "Where do we meat?").await;
    let answer = replies(&bob, chat, "At noon", &question).await.expect(201).json;
    let path = format!("messages/{}/", answer["id"]);
    let mut socket = bob.listens().await;
    let head = bob.sees(chat).await["seq"].clone();
    let question = ann.edits(&question, "Where do we meet?").await;
    assert_eq!(bob.get(&path).await.json["reply_to"], quote(&question));
    assert_eq!(bob.sees(chat).await["last_message"]["reply_to"], quote(&question));
    ann.patch("users/me/", json!({"first_name": "Anna"})).await.expect(200);
    assert_eq!(bob.get(&path).await.json["reply_to"]["sender"]["display_name"], "Anna");
    assert_eq!(bob.sees(chat).await["last_message"]["reply_to"]["sender"]["display_name"], "Anna");
    ann.deletes(&question).await;
    let quoted = bob.get(&path).await.json["reply_to"].clone();
    assert_eq!((&quoted["excerpt"], &quoted["is_deleted"]), (&json!(""), &json!(true)));
    assert_eq!(bob.sees(chat).await["last_message"]["reply_to"], quoted);
    // The event of the quoted message is the only one.
    assert_eq!(socket.receives("message_updated").await["message"]["id"], question["id"]);
    assert_eq!(socket.receives("message_deleted").await["message_id"], question["id"]);
    let missed = bob.post("sync/", json!({"chats": {chat.to_string(): head}})).await.expect(200).json;
    assert_eq!(missed["events"].as_array().unwrap().len(), 1, "{missed}");
    // An edit keeps the quote.
    let answer = bob.edits(&answer, "At one").await;
    assert_eq!(answer["reply_to"], quoted);
    assert_eq!(socket.receives("message_updated").await["message"], answer);
    // A tombstone has none.
    bob.deletes(&answer).await;
    let page = bob.get(&format!("chats/{chat}/messages/")).await.expect(200).json;
    assert_eq!(page["results"][0]["reply_to"], Value::Null);
}

#[actix_rt::test(system = "crate::System")]
async fn only_messages_of_the_chat_that_are_there_are_quoted() {
    let server = Server::start().await;
    let [ann, bob, eve] = server.users(["ann", "bob", "eve"]).await;
    let (chat, other) = (ann.group("Team", &[&bob]).await, ann.group("Other", &[]).await);
    let (gone, elsewhere) = (ann.posts(chat, "oops").await, ann.posts(other, "secret").await);
    ann.deletes(&gone).await;
    for id in [&gone["id"], &elsewhere["id"], &json!(999_999), &json!(0), &json!(-1)] {
        let reply = replies(&ann, chat, "what?", &json!({"id": id})).await.expect(400);
        assert_eq!(reply.json["details"], json!({"reply_to": no_such(id)}), "{id}");
    }
    for (id, sentence) in
        [(json!("x"), "A valid integer is required."), (json!([1]), "A valid integer is required.")]
    {
        let reply = replies(&ann, chat, "what?", &json!({"id": id})).await.expect(400);
        assert_eq!(reply.json["details"], json!({"reply_to": [sentence]}));
    }
    // Others learn nothing.
    replies(&eve, chat, "what?", &gone).await.expect(404);
    let plain =
        ann.post(&format!("chats/{chat}/messages/"), json!({"content": "hi", "reply_to": null})).await;
    assert_eq!(plain.expect(201).json["reply_to"], Value::Null);
    assert_eq!(ann.reads(chat).await.len(), 2);
}

#[actix_rt::test(system = "crate::System")]
async fn a_retry_is_the_same_reply() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let chat = ann.group("Team", &[]).await;
    let (one, other) = (ann.posts(chat, "one").await, ann.posts(chat, "other").await);
    let path = format!("chats/{chat}/messages/");
    let body = |reply_to: &Value| json!({"content": "yes", "client_id": "c", "reply_to": reply_to});
    let sent = ann.post(&path, body(&one["id"])).await.expect(201).json;
    assert_eq!(ann.post(&path, body(&one["id"])).await.expect(200).json, sent);
    ann.post(&path, body(&other["id"])).await.expect(409);
    ann.post(&path, body(&Value::Null)).await.expect(409);
    // Also after the quoted message was deleted.
    ann.deletes(&one).await;
    let again = ann.post(&path, body(&one["id"])).await.expect(200).json;
    assert_eq!((&again["id"], &again["reply_to"]["is_deleted"]), (&sent["id"], &json!(true)));
}

#[actix_rt::test(system = "crate::System")]
async fn an_excerpt_has_two_hundred_characters() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let chat = ann.group("Team", &[]).await;
    for (text, excerpt) in [("é😀".repeat(150), "é😀".repeat(100)), ("a\nb".repeat(66), "a\nb".repeat(66))]
    {
        let long = ann.posts(chat, &text).await;
        let reply = replies(&ann, chat, "long", &long).await.expect(201).json;
        assert_eq!(reply["reply_to"]["excerpt"], excerpt);
        let shown = ann.get(&format!("messages/{}/", reply["id"])).await.json;
        assert_eq!(shown["reply_to"]["excerpt"], excerpt);
    }
}

#[actix_rt::test(system = "crate::System")]
async fn replies_sent_at_the_same_time_have_their_own_quotes() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let mut asked = Vec::new();
    for number in 0..6 {
        let chat = ann.group("Team", &[&bob]).await;
        asked.push((chat, ann.posts(chat, &format!("question {number}")).await));
    }
    let gone = asked[5].1.clone();
    ann.deletes(&gone).await;
    for _ in 0..3 {
        let sent = asked.iter().flat_map(|(chat, question)| {
            [replies(&bob, *chat, "mine", question), replies(&ann, *chat, "too", question)]
        });
        for (reply, (_, question)) in
            join_all(sent).await.into_iter().zip(asked.iter().flat_map(|asked| [asked, asked]))
        {
            if question["id"] == gone["id"] {
                reply.expect(400);
            } else {
                assert_eq!(reply.expect(201).json["reply_to"], quote(question));
            }
        }
    }
}

// Pages from a moment.

#[actix_rt::test(system = "crate::System")]
async fn a_page_begins_at_a_moment() {
    let server = Server::start().await;
    let [ann, eve] = server.users(["ann", "eve"]).await;
    let chat = ann.group("Team", &[]).await;
    let mut sent = Vec::new();
    for number in 0..7 {
        sent.push(ann.posts(chat, &number.to_string()).await);
    }
    let page = async |at: &str| {
        let path = format!("chats/{chat}/messages/?page_size=3&at={}", at.replace('+', "%2B"));
        ann.get(&path).await.expect(200)
    };
    let texts = |reply: &Reply| {
        let results = reply.json["results"].as_array().unwrap();
        results.iter().map(|message| message["content"].as_str().unwrap().to_owned()).collect::<String>()
    };
    // Each message's own time begins with it.
    for (number, newest_first) in ["210", "321", "432", "543", "654", "65", "6"].into_iter().enumerate() {
        let found = page(sent[number]["created_at"].as_str().unwrap()).await;
        assert_eq!(texts(&found), newest_first, "{}", sent[number]["created_at"]);
        assert_eq!(found.json["count"], 7);
    }
    // The links lead on, to both sides.
    let middle = page(sent[2]["created_at"].as_str().unwrap()).await;
    assert_eq!(texts(&ann.follows(&middle.json["next"]).await), "10");
    assert_eq!(texts(&ann.follows(&middle.json["previous"]).await), "65");
    assert_eq!(page(sent[0]["created_at"].as_str().unwrap()).await.json["next"], Value::Null);
    // A day in UTC, and a time at any offset.
    assert_eq!(texts(&page("2020-02-29").await), "210");
    assert_eq!(texts(&page("0001-01-01").await), "210");
    assert_eq!(texts(&page("2020-02-29T12:00:00+05:30").await), "210");
    // After the newest message: the newest page.
    let newest = page("9999-12-31").await;
    assert_eq!((texts(&newest).as_str(), &newest.json["previous"]), ("654", &Value::Null));
    assert_eq!(texts(&ann.follows(&newest.json["next"]).await), "321");
    // A plus sign that arrives as a space.
    let path = format!("chats/{chat}/messages/?page_size=3&at=2020-02-29T12:00:00+05:30");
    assert_eq!(texts(&ann.get(&path).await.expect(200)), "210");
    for wrong in [
        "yesterday",
        "2026-02-30",
        "2026-2-03",
        "20260203",
        "2026-02-03T12:00:00",
        "12026-02-03",
        "+026-02-03",
    ] {
        let path = format!("chats/{chat}/messages/?at={wrong}");
        let reply = ann.get(&path).await.expect(400);
        assert!(
            reply.json["details"]["at"][0].as_str().unwrap().starts_with("Use a day"),
            "{wrong}: {}",
            reply.json
        );
    }
    for other in ["before", "after", "page", "search"] {
        let reply = ann.get(&format!("chats/{chat}/messages/?at=2026-01-01&{other}=1")).await.expect(400);
        assert_eq!(reply.json["details"], json!({other: ["This does not go with at."]}));
    }
    eve.get(&format!("chats/{chat}/messages/?at=x")).await.expect(404);
    let empty = ann.group("Empty", &[]).await;
    let nothing = ann.get(&format!("chats/{empty}/messages/?at=2026-01-01")).await.expect(200);
    assert_eq!(nothing.json, json!({"count": 0, "next": null, "previous": null, "results": []}));
}
