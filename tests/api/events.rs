//! `events/`: the feed as server-sent events, with cursors to resume from.

use std::{
    io::{Read, Write},
    sync::mpsc,
};

use diesel::{QueryableByName, RunQueryDsl, sql_query, sql_types::BigInt};
use futures_util::future::{join, join_all, join3};
use greenroom::storage::{Access, DatabaseUrl};
use serde_json::json;

use crate::{
    raw::{Raw, connect},
    support::Server,
};

#[actix_rt::test(system = "crate::System")]
async fn a_stream_has_what_a_socket_has() {
    let server = Server::start().await;
    let (ann, bob) = (server.user("ann").await, server.user("bob").await);
    let chat = ann.group("Team", &[&bob]).await;
    let (mut stream, mut socket) = (bob.streams().await, bob.listens().await);
    assert_eq!(stream.hello["chats"], socket.hello["chats"]);
    let message = ann.posts(chat, "hi").await;
    for kind in ["new_message", "message_updated", "message_deleted"] {
        assert_eq!(stream.receives(kind).await, socket.receives(kind).await);
        match kind {
            "new_message" => drop(ann.edits(&message, "hello").await),
            "message_updated" => ann.deletes(&message).await,
            _ => {}
        }
    }
    ann.post(&format!("chats/{chat}/typing/"), json!({"is_typing": true})).await.expect(200);
    assert_eq!(stream.receives("typing").await, socket.receives("typing").await);
    let new = ann.group("New", &[&bob]).await;
    assert_eq!(stream.receives("chat_created").await, socket.receives("chat_created").await);
    ann.removes(new, &bob).await;
    assert_eq!(stream.receives("chat_deleted").await, socket.receives("chat_deleted").await);
}

#[actix_rt::test(system = "crate::System")]
async fn a_stream_goes_on_from_its_cursor() {
    let server = Server::start().await;
    let (ann, bob) = (server.user("ann").await, server.user("bob").await);
    let (one, two) = (ann.group("One", &[&bob]).await, ann.group("Two", &[&bob]).await);
    let mut stream = bob.streams().await;
    ann.posts(one, "first").await;
    stream.receives("new_message").await;
    let cursor = stream.last_id.clone();
    ann.posts(two, "second").await;
    stream.receives("new_message").await;
    drop(stream);
    ann.posts(one, "third").await;
    ann.delete(&format!("chats/{two}/")).await.expect(204);
    let three = ann.group("Three", &[&bob]).await;
    // Resume from a cursor in the middle, after a restart of the server.
    let headers = (ann.headers.clone(), bob.headers.clone());
    let server = Server::start_on(server.stop(), |_| {}).await;
    let (mut ann, mut bob) = (server.anonymous(), server.anonymous());
    (ann.headers, bob.headers) = headers;
    let mut stream = bob.streams_from("", &cursor).await.unwrap();
    assert_eq!(stream.hello["chats"], json!({one.to_string(): 2, two.to_string(): 1}));
    assert_eq!(stream.receives("chat_deleted").await["chat_id"], two);
    assert_eq!(stream.receives("new_message").await["message"]["content"], "third");
    assert_eq!(stream.receives("chat_created").await["chat_id"], three);
    let cursor = stream.last_id.clone();
    let mut stream = bob.streams_from("", &cursor).await.unwrap();
    ann.posts(three, "live").await;
    assert_eq!(stream.receives("new_message").await["chat_id"], three);
}

#[actix_rt::test(system = "crate::System")]
async fn a_cursor_stands_for_many_chats() {
    let server = Server::start().await;
    let [ann, bob, eve] = server.users(["ann", "bob", "eve"]).await;
    let mut chats = Vec::new();
    for number in 0..80 {
        chats.push(ann.group(&number.to_string(), &[&bob]).await);
    }
    let mut stream = bob.streams().await;
    for chat in &chats {
        ann.posts(chat, "seen").await;
        stream.receives("new_message").await;
    }
    let cursor = stream.last_id.clone();
    assert!(cursor.len() < 400, "{cursor}");
    drop(stream);
    for chat in &chats[..30] {
        ann.posts(chat, "missed").await;
    }
    let mut stream = bob.streams_from("", &cursor).await.unwrap();
    for chat in &chats[..30] {
        let event = stream.receives("new_message").await;
        assert_eq!((&event["chat_id"], &event["message"]["content"]), (&json!(chat), &json!("missed")));
    }
    // The cursor is bound to bob.
    let stream = eve.streams_from("", &cursor).await.unwrap();
    assert_eq!(stream.hello["chats"], json!({}));
}

#[actix_rt::test(system = "crate::System")]
async fn a_cursor_is_short_from_the_first_on_however_many_chats_there_are() {
    let server = Server::start().await;
    let (ann, bob) = (server.staff("ann").await, server.user("bob").await);
    let mut chats = Vec::new();
    for number in 0..150 {
        chats.push(ann.group(&number.to_string(), &[&bob]).await);
    }
    let stream = bob.streams().await;
    let cursor = stream.last_id.clone();
    assert!(cursor.len() < 400, "{cursor}");
    drop(stream);
    ann.posts(chats[0], "missed").await;
    ann.posts(chats[149], "missed").await;
    let mut stream = bob.streams_from("", &cursor).await.unwrap();
    for chat in [chats[0], chats[149]] {
        assert_eq!(stream.receives("new_message").await["chat_id"], chat);
        assert!(stream.last_id.len() < 400, "{}", stream.last_id);
    }
    // A cursor in the old, long format.
    let long: Vec<_> = chats.iter().map(|chat| format!("{chat}.1")).collect();
    let mut stream = bob.streams_from("", &format!(":{}", long.join(","))).await.unwrap();
    assert!(stream.last_id.len() < 400, "{}", stream.last_id);
    for chat in [chats[0], chats[149]] {
        assert_eq!(stream.receives("new_message").await["chat_id"], chat);
    }
}

fn kept_cursors(server: &Server) -> i64 {
    #[derive(QueryableByName)]
    struct Count {
        #[diesel(sql_type = BigInt)]
        count: i64,
    }
    let mut conn = DatabaseUrl::parse(&server.database_url()).unwrap().open(Access::Read).unwrap();
    sql_query("SELECT count(*) AS count FROM event_cursors").get_result::<Count>(&mut conn).unwrap().count
}

#[actix_rt::test(system = "crate::System")]
async fn however_many_streams_a_user_opens_little_is_kept() {
    let server = Server::start().await;
    let (ann, bob) = (server.user("ann").await, server.user("bob").await);
    let mut chats = Vec::new();
    for number in 0..60 {
        chats.push(ann.group(&number.to_string(), &[&bob]).await);
    }
    for number in 0..10 {
        ann.posts(chats[number], "missed").await;
        let stream = bob.streams().await;
        let mut stream = bob.streams_from("", &stream.last_id).await.unwrap();
        ann.posts(chats[59], "live").await;
        assert_eq!(stream.receives("new_message").await["chat_id"], chats[59]);
    }
    assert_eq!(kept_cursors(&server), 1);
    // A client far behind has its own stored cursor for each request; their number is bounded.
    let far =
        |round: usize| chats.iter().map(move |chat| format!("{chat}.{}", round % 2)).collect::<Vec<_>>();
    for round in 0..25 {
        bob.streams_from("", &format!(":{}", far(round).join(","))).await.unwrap();
    }
    let kept = kept_cursors(&server);
    assert!((1..=16).contains(&kept), "{kept} are kept");
}

#[actix_rt::test(system = "crate::System")]
async fn a_client_of_http_1_0_gets_a_stream_that_ends_with_its_connection() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    for lines in ["", "Connection: keep-alive\r\n"] {
        let mut stream = connect(&server);
        let token = &ann.headers[0].1;
        let request = format!("GET /messages/api/events/ HTTP/1.0\r\nAuthorization: {token}\r\n{lines}\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let head = Raw::read_head(&mut stream);
        assert_eq!(head.status, 200);
        let length = (head.header("transfer-encoding"), head.header("content-length"));
        assert_eq!(length, ("", ""), "{}", head.head);
        assert!(!head.header("connection").contains("keep-alive"), "{}", head.head);
        let mut first = [0; 7];
        stream.read_exact(&mut first).unwrap();
        assert_eq!(&first, b"retry: ");
    }
}

#[actix_rt::test(system = "crate::System")]
async fn an_unknown_cursor_is_told_to_load_every_chat() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let (one, two) = (ann.group("One", &[]).await, ann.group("Two", &[]).await);
    for cursor in ["0123456789abcdef0123456789abcdef:", "nonsense", ":x"] {
        let mut stream = ann.streams_from("", cursor).await.unwrap();
        for chat in [one, two] {
            assert_eq!(stream.receives("resync").await["chat_id"], chat);
        }
        ann.posts(two, "live").await;
        stream.receives("new_message").await;
    }
}

#[actix_rt::test(system = "crate::System")]
async fn a_stream_may_be_narrowed_and_is_the_callers_own() {
    let server = Server::start().await;
    let (ann, bob) = (server.user("ann").await, server.user("bob").await);
    let (one, two) = (ann.group("One", &[]).await, ann.group("Two", &[]).await);
    let mut stream = ann.streams_from(&format!("?chats={one}"), "").await.unwrap();
    assert_eq!(stream.hello["chats"], json!({one.to_string(): 1}));
    let mut bob_stream = bob.streams_from(&format!("?chats={one}"), &format!(":{one}.1")).await.unwrap();
    // A narrower stream may resume from a wider one's cursor; it reports nothing of other chats.
    let mut narrower =
        ann.streams_from(&format!("?chats={one}"), &format!(":{one}.1,{two}.1")).await.unwrap();
    let head = ann.call("HEAD", "events/", None).await.expect(200);
    assert_eq!((head.header("content-type"), head.body.len()), ("text/event-stream", 0));
    ann.posts(two, "elsewhere").await;
    ann.posts(one, "here").await;
    assert_eq!(stream.receives("new_message").await["message"]["content"], "here");
    assert_eq!(narrower.receives("new_message").await["message"]["content"], "here");
    assert_eq!(bob_stream.receives("chat_deleted").await["chat_id"], one);
    assert_eq!(server.anonymous().streams_from("", "").await.err(), Some(401));
}

#[actix_rt::test(system = "crate::System")]
async fn streams_do_not_count_as_sockets_and_end_with_the_session() {
    let server = Server::start_with(|config| config.max_sockets_per_user = 1).await;
    server.user("ann").await;
    let ann = server.signed_in("ann").await;
    let (mut one, mut two) = (ann.streams().await, ann.streams().await);
    let _socket = ann.listens().await;
    ann.send("POST", "/logout/", None).await.expect(204);
    assert!(one.next_or_end().await.is_none());
    assert!(two.next_or_end().await.is_none());
    assert_eq!(ann.streams_from("", "").await.err(), Some(401));
}

#[actix_rt::test(system = "crate::System")]
async fn a_stream_ends_when_its_token_does_however_busy_it_is() {
    let server = Server::start().await;
    let (staff, ann) = (server.staff("root").await, server.user("ann").await);
    let bob = server.user("bob").await;
    let chat = bob.group("Team", &[&ann]).await;
    let made =
        staff.post(&format!("users/{}/tokens/", ann.id), json!({"expires_in": 2})).await.expect(201).json;
    let header = format!("Token {}", made["key"].as_str().unwrap());
    let program = server.anonymous().with("Authorization", &header);
    let mut stream = program.streams().await;
    let listening = async { while stream.next_or_end().await.is_some() {} };
    let posting = async {
        let mut posted = 0;
        while program.get("users/me/").await.status == 200 {
            bob.posts(chat, "hi").await;
        }
        // The token has ended: later messages must not reach the stream.
        while server.listeners_of(&ann) > 0 {
            join_all((0..8).map(|_| bob.posts(chat, "not for ann"))).await;
            posted += 8;
            assert!(posted < 800, "the stream is still open");
        }
    };
    join(listening, posting).await;
}

#[actix_rt::test(system = "crate::System")]
async fn a_stream_ends_when_the_server_does() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let mut stream = ann.streams().await;
    let stopping = actix_web::rt::task::spawn_blocking(move || drop(server.stop()));
    assert!(stream.next_or_end().await.is_none());
    stopping.await.unwrap();
}

#[actix_rt::test(system = "crate::System")]
async fn a_stream_that_is_not_read_for_a_while_misses_nothing() {
    let server = Server::start().await;
    let (ann, bob) = (server.user("ann").await, server.user("bob").await);
    let chat = ann.group("Team", &[&bob]).await;
    let mut stream = bob.streams().await;
    for number in 0..400 {
        ann.posts(chat, &format!("{number} {}", "x".repeat(4_000))).await;
    }
    let mut seq = 1;
    while seq < 401 {
        let event = stream.next().await;
        assert_eq!(event["seq"], seq + 1);
        seq += 1;
    }
}

#[actix_rt::test(system = "crate::System")]
async fn a_stream_outlives_a_storage_that_is_busy_for_some_seconds() {
    let server = Server::start().await;
    let (ann, bob) = (server.user("ann").await.at(&server), server.user("bob").await.at(&server));
    let chat = ann.group("Team", &[&bob]).await;
    let mut stream = bob.streams().await;
    ann.posts(chat, "before").await;
    stream.receives("new_message").await;
    // All read connections are busy; writes continue.
    let (_, connections) = server.readers().busy();
    let (done, waiting): (Vec<_>, Vec<_>) = (0..connections).map(|_| mpsc::channel::<()>()).unzip();
    let busy = waiting.into_iter().map(|done| server.readers().query_one(move |_| Ok(done.recv().is_err())));
    let meanwhile = async {
        while server.readers().busy().0 < connections {
            actix_web::rt::task::yield_now().await;
        }
        ann.posts(chat, "meanwhile").await;
        // The read failed and is retried a little later.
        stream.gets_a_sign_of_life().await;
        drop(done);
    };
    join(join_all(busy), meanwhile).await;
    assert_eq!(stream.receives("new_message").await["message"]["content"], "meanwhile");
    ann.posts(chat, "after").await;
    assert_eq!(stream.receives("new_message").await["message"]["content"], "after");
}

#[actix_rt::test(system = "crate::System")]
async fn who_is_removed_in_mid_burst_gets_nothing_after() {
    let server = Server::start().await;
    let (ann, bob) = (server.user("ann").await, server.user("bob").await);
    let chat = ann.group("Team", &[&bob]).await;
    let mut stream = bob.streams().await;
    let posting = async {
        for number in 0..1_000 {
            ann.posts(chat, &number.to_string()).await;
        }
    };
    let removing = async {
        for number in 0..100 {
            ann.posts(chat, &format!("before {number}")).await;
        }
        ann.removes(chat, &bob).await;
    };
    let reading = async {
        let mut seq = 1;
        loop {
            let event = stream.next().await;
            if event["type"] == "chat_deleted" {
                assert!(event["seq"].as_i64().unwrap() > seq, "{event} after {seq}");
                return seq;
            }
            assert!(event["type"] == "new_message" && event["seq"].as_i64().unwrap() > seq, "{event}");
            seq = event["seq"].as_i64().unwrap();
        }
    };
    let (seq, (), ()) = join3(reading, removing, posting).await;
    assert!(seq > 1);
    // No further event of the chat: the next one belongs to another chat.
    let (event, other) = join(stream.next(), ann.group("Other", &[&bob])).await;
    assert_eq!((&event["type"], &event["chat_id"]), (&json!("chat_created"), &json!(other)));
}
