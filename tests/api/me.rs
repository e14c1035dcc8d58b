//! A member's own settings in a chat: muting, pinning, marking as unread.

use serde_json::{Value, json};

use crate::support::{Reply, Server, User};

impl User {
    async fn sets(&self, chat: i64, me: Value) -> Reply {
        self.patch(&format!("chats/{chat}/me/"), me).await
    }
}

fn plain() -> Value {
    json!({"muted_until": null, "is_pinned": false, "unread_from": null, "notify": "all"})
}

async fn unread(user: &User, chat: i64) -> i64 {
    let count = user.sees(chat).await["unread_count"].as_i64().unwrap();
    let all = user.get("unread/").await.expect(200).json;
    assert_eq!(all["chats"].get(chat.to_string()).map_or(0, |count| count.as_i64().unwrap()), count, "{all}");
    count
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().unwrap()).collect()
}

async fn is_sound(server: &Server) {
    let report = server.checks_database().await;
    assert_eq!(report.differences, Vec::<String>::new());
}

#[actix_rt::test(system = "crate::System")]
async fn what_one_sets_is_shown_to_oneself_only() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let message = ann.posts(chat, "hi").await;
    bob.marks_as_read(chat).await;
    assert_eq!(bob.sees(chat).await["me"], plain());
    let until = "2031-05-01T12:00:00.25+02:00";
    let me = json!({"muted_until": until, "is_pinned": true, "unread_from": message["id"]});
    let reply = bob.sets(chat, me).await.expect(200);
    let shown = json!({"muted_until": "2031-05-01T10:00:00.250000Z", "is_pinned": true, "unread_from": message["id"], "notify": "all"});
    assert_eq!((&reply.json["me"], &reply.json["unread_count"]), (&shown, &json!(1)));
    assert_eq!(reply.json, bob.sees(chat).await);
    assert_eq!(bob.get("chats/").await.results()[0]["me"], shown);
    assert_eq!(bob.get("sync/").await.json["chats"][0]["me"], shown);
    assert_eq!(ann.sees(chat).await["me"], plain());
    // Omitted fields keep their values; null resets them.
    bob.sets(chat, json!({"muted_until": null})).await.expect(200);
    let left = json!({"muted_until": null, "is_pinned": true, "unread_from": message["id"], "notify": "all"});
    assert_eq!(bob.sees(chat).await["me"], left);
    bob.sets(chat, json!({"is_pinned": false, "unread_from": null})).await.expect(200);
    assert_eq!(bob.sees(chat).await["me"], plain());
    is_sound(&server).await;
}

#[actix_rt::test(system = "crate::System")]
async fn each_change_takes_a_number_and_none_where_nothing_changes() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    for (me, seq) in [
        (json!({}), 1),
        (json!({"is_pinned": false, "muted_until": null, "unread_from": null}), 1),
        (json!({"is_pinned": true, "muted_until": "2031-05-01T10:00:00Z"}), 2),
        (json!({"is_pinned": true, "muted_until": "2031-05-01T12:00:00+02:00"}), 2),
        (json!({"is_pinned": false}), 3),
    ] {
        let before = bob.sees(chat).await["updated_at"].clone();
        assert_eq!(bob.sets(chat, me).await.expect(200).json["seq"], seq);
        assert_eq!(
            (&bob.sees(chat).await["updated_at"], &ann.sees(chat).await["seq"]),
            (&before, &json!(seq))
        );
    }
}

#[actix_rt::test(system = "crate::System")]
async fn all_of_ones_own_sockets_hear_of_it_and_nobody_elses() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    // On another node, if there are two.
    let bob_elsewhere = server.anonymous().with("Authorization", &bob.headers[0].1);
    let chat = ann.group("Team", &[&bob]).await;
    let message = ann.posts(chat, "hi").await;
    let (mut ann_socket, mut bob_socket, mut others) =
        (ann.listens().await, bob.listens().await, bob_elsewhere.listens().await);
    let mut stream = bob.streams().await;
    bob.sets(chat, json!({"is_pinned": true})).await.expect(200);
    let me = json!({"muted_until": null, "is_pinned": true, "unread_from": null, "notify": "all"});
    let reported = json!({"type": "me_updated", "chat_id": chat, "seq": 3, "me": me, "unread_count": 1});
    assert_eq!(bob_socket.next().await, reported);
    assert_eq!(others.next().await, reported);
    assert_eq!(stream.next().await, reported);
    bob.marks_as_read(chat).await;
    bob.sets(chat, json!({"unread_from": message["id"]})).await.expect(200);
    for socket in [&mut bob_socket, &mut others] {
        let read = socket.receives("read").await;
        assert_eq!((&read["me"], &read["unread_count"]), (&me, &json!(0)));
        let reported = socket.receives("me_updated").await;
        assert_eq!((&reported["seq"], &reported["unread_count"]), (&json!(5), &json!(1)));
        assert_eq!(reported["me"]["unread_from"], message["id"]);
    }
    // Other members receive their events without a gap.
    let read = ann_socket.receives("read").await;
    assert_eq!((&read["seq"], read.get("me")), (&json!(4), None));
    let next = bob.posts(chat, "ho").await;
    assert_eq!(ann_socket.receives("new_message").await["message"], next);
    assert_eq!(next["seq"], 6);
}

#[actix_rt::test(system = "crate::System")]
async fn a_reader_who_asks_or_waits_is_told_of_ones_own_only() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let known = json!({chat.to_string(): 1});
    let waiting = async { bob.post("sync/", json!({"chats": known, "wait": 20})).await.expect(200).json };
    let setting = async {
        while server.listeners_of(&bob) == 0 {
            crate::support::pause().await;
        }
        bob.sets(chat, json!({"is_pinned": true})).await.expect(200);
    };
    let (reported, ()) = futures_util::future::join(waiting, setting).await;
    let events = reported["events"].as_array().unwrap();
    let events: Vec<Value> = events.iter().filter(|event| event["type"] != "presence").cloned().collect();
    assert_eq!(kinds(&events), ["me_updated"]);
    assert_eq!(reported["heads"], json!({chat.to_string(): 2}));
    // Another member's settings appear only as a skipped number.
    let reported = ann.post("sync/", json!({"chats": known})).await.expect(200).json;
    assert_eq!((&reported["events"], &reported["heads"]), (&json!([]), &json!({chat.to_string(): 2})));
    let (mut ann_socket, missed, ack) = ann.resumes(known.clone()).await;
    assert_eq!((missed.len(), &ack["heads"]), (0, &json!({chat.to_string(): 2})));
    let mut stream = ann.streams_from("", &format!(":{chat}.1")).await.unwrap();
    let message = bob.posts(chat, "next").await;
    assert_eq!(ann_socket.receives("new_message").await["message"], message);
    assert_eq!(stream.receives("new_message").await["message"], message);
}

#[actix_rt::test(system = "crate::System")]
async fn who_comes_back_is_told_once_how_it_is_now() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let known = json!({chat.to_string(): 1});
    let message = ann.posts(chat, "hi").await;
    bob.sets(chat, json!({"is_pinned": true})).await.expect(200);
    bob.sets(chat, json!({"unread_from": message["id"]})).await.expect(200);
    bob.sets(chat, json!({"is_pinned": false})).await.expect(200);
    let (_, missed, ack) = bob.resumes(known.clone()).await;
    assert_eq!(kinds(&missed), ["new_message", "me_updated"]);
    assert_eq!((&missed[1]["seq"], &missed[1]["unread_count"]), (&json!(5), &json!(1)));
    assert_eq!(missed[1]["me"], bob.sees(chat).await["me"]);
    assert_eq!(ack["unread"], json!({chat.to_string(): 1}));
    // Reading resets the mark: one change, one event.
    bob.marks_as_read(chat).await;
    let (_, missed, ack) = bob.resumes(json!({chat.to_string(): 5})).await;
    assert_eq!(kinds(&missed), ["read"]);
    assert_eq!((&missed[0]["seq"], &missed[0]["me"]), (&json!(6), &plain()));
    assert_eq!((&ack["heads"], &ack["unread"]), (&json!({chat.to_string(): 6}), &json!({})));
    let (_, missed, _) = ann.resumes(json!({chat.to_string(): 2})).await;
    assert_eq!(kinds(&missed), ["read"]);
    assert_eq!(missed[0].get("me"), None);
}

#[actix_rt::test(system = "crate::System")]
async fn unread_by_hand_changes_the_count_and_nothing_that_others_see() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let mut messages = Vec::new();
    for (number, user) in [&ann, &ann, &bob, &ann, &ann].into_iter().enumerate() {
        messages.push(user.posts(chat, &number.to_string()).await);
    }
    bob.marks_as_read_to(chat, &messages[3]).await;
    let readers = ann.get(&format!("messages/{}/", messages[0]["id"])).await.json["read_by"].clone();
    for (place, count) in [(0, 4), (1, 3), (2, 2), (3, 2), (4, 1)] {
        bob.sets(chat, json!({"unread_from": messages[place]["id"]})).await.expect(200);
        assert_eq!(unread(&bob, chat).await, count, "from {place}");
        let seen = bob.sees(chat).await;
        assert_eq!(seen["last_read_message_id"], messages[3]["id"]);
        assert_eq!(ann.get(&format!("messages/{}/", messages[0]["id"])).await.json["read_by"], readers);
        is_sound(&server).await;
    }
    bob.sets(chat, json!({"unread_from": messages[1]["id"]})).await.expect(200);
    ann.deletes(&messages[1]).await;
    assert_eq!(unread(&bob, chat).await, 2);
    let more = ann.posts(chat, "more").await;
    assert_eq!(unread(&bob, chat).await, 3);
    is_sound(&server).await;
    // Reading up to any message resets the mark. For a message that was read before, the marker does not
    // move.
    let mut ann_socket = ann.listens().await;
    let seq = bob.sees(chat).await["seq"].as_i64().unwrap();
    assert_eq!(bob.marks_as_read_to(chat, &messages[0]).await, 0);
    let seen = bob.sees(chat).await;
    assert_eq!((&seen["me"], &seen["seq"]), (&plain(), &json!(seq + 1)));
    assert_eq!(unread(&bob, chat).await, 2);
    assert_eq!(bob.marks_as_read_to(chat, &more).await, 2);
    assert_eq!(ann_socket.receives("read").await["seq"], seq + 2);
    is_sound(&server).await;
}

#[actix_rt::test(system = "crate::System")]
async fn where_there_are_no_receipts_reading_ends_it_as_well() {
    let server = Server::start_with(|config| config.receipts_max_members = 1).await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let messages = [ann.posts(chat, "1").await, ann.posts(chat, "2").await];
    bob.marks_as_read_to(chat, &messages[0]).await;
    bob.sets(chat, json!({"unread_from": messages[0]["id"]})).await.expect(200);
    assert_eq!(unread(&bob, chat).await, 2);
    let (mut ann_socket, mut bob_socket) = (ann.listens().await, bob.listens().await);
    assert_eq!(bob.marks_as_read(chat).await, 1);
    let reported = bob_socket.receives("me_updated").await;
    assert_eq!(
        (&reported["me"], &reported["unread_count"], &reported["seq"]),
        (&plain(), &json!(0), &json!(5))
    );
    let read = bob_socket.receives("read").await;
    assert_eq!((read.get("seq"), &read["unread_count"]), (None, &json!(0)));
    assert_eq!(unread(&bob, chat).await, 0);
    let (_, missed, _) = bob.resumes(json!({chat.to_string(): 4})).await;
    assert_eq!(kinds(&missed), ["me_updated"]);
    ann.posts(chat, "next").await;
    ann_socket.receives("new_message").await;
    is_sound(&server).await;
}

#[actix_rt::test(system = "crate::System")]
async fn pinned_chats_come_first_on_exact_pages() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let mut chats = Vec::new();
    for number in 0..12 {
        chats.push(ann.group(&format!("Chat {number}"), &[&bob]).await);
    }
    for place in [1, 7, 4] {
        ann.sets(chats[place], json!({"is_pinned": true})).await.expect(200);
    }
    bob.posts(chats[4], "news").await;
    bob.posts(chats[9], "news").await;
    let expected: Vec<i64> = [4, 7, 1, 9, 11, 10, 8, 6, 5, 3, 2, 0].map(|place| chats[place]).to_vec();
    for size in [1, 4, 5, 100] {
        let mut listed = Vec::new();
        let mut page = ann.get(&format!("chats/?page_size={size}")).await.expect(200);
        loop {
            assert_eq!(page.json["count"], 12);
            listed.extend(page.ids());
            if page.json["next"].is_null() {
                break;
            }
            page = ann.follows(&page.json["next"]).await;
        }
        assert_eq!(listed, expected);
    }
    let found = ann.get("chats/?search=chat&chat_type=group&page_size=3").await.expect(200);
    assert_eq!((found.ids(), &found.json["count"]), (expected[..3].to_vec(), &json!(12)));
    let start = ann.get("sync/").await.json["chats"].clone();
    assert_eq!(start, ann.get("chats/").await.json["results"]);
    // The order of other users' lists is unchanged.
    assert_eq!(bob.get("chats/?page_size=2").await.ids(), [chats[9], chats[4]]);
}

#[actix_rt::test(system = "crate::System")]
async fn who_comes_back_into_a_chat_begins_anew() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let message = ann.posts(chat, "hi").await;
    let me = json!({"is_pinned": true, "muted_until": "2031-05-01T10:00:00Z", "unread_from": message["id"]});
    bob.sets(chat, me).await.expect(200);
    ann.removes(chat, &bob).await;
    let mut bob_socket = bob.listens().await;
    ann.adds(chat, &[&bob]).await;
    let created = bob_socket.receives("chat_created").await;
    assert_eq!((&created["chat"]["me"], &created["chat"]["unread_count"]), (&plain(), &json!(0)));
    assert_eq!(bob.sees(chat).await["me"], plain());
    assert_eq!(unread(&bob, chat).await, 0);
    is_sound(&server).await;
}

#[actix_rt::test(system = "crate::System")]
async fn what_is_not_valid_is_refused_and_nothing_changes() {
    let server = Server::start().await;
    let [ann, bob, cat] = server.users(["ann", "bob", "cat"]).await;
    let (chat, other) = (ann.group("Team", &[&bob]).await, ann.group("Other", &[&bob]).await);
    let elsewhere = ann.posts(other, "elsewhere").await["id"].as_i64().unwrap();
    let before = bob.sees(chat).await;
    let format = "Datetime has wrong format. Use one of these formats instead: \
                  YYYY-MM-DDThh:mm:ss[.uuuuuu][+HH:MM|-HH:MM|Z].";
    let no_such = |id: i64| format!("Invalid pk \"{id}\" - object does not exist.");
    for (field, value, sentence) in [
        ("is_pinned", json!(null), "This field may not be null.".to_owned()),
        ("is_pinned", json!("perhaps"), "Must be a valid boolean.".to_owned()),
        ("muted_until", json!("tomorrow"), format.to_owned()),
        ("muted_until", json!(5), format.to_owned()),
        ("muted_until", json!("9999-12-31T23:59:59-01:00"), format.to_owned()),
        ("muted_until", json!([]), "Not a valid string.".to_owned()),
        ("unread_from", json!("x"), "A valid integer is required.".to_owned()),
        ("unread_from", json!(0), no_such(0)),
        ("unread_from", json!(elsewhere), no_such(elsewhere)),
        ("unread_from", json!(elsewhere + 1), no_such(elsewhere + 1)),
    ] {
        // With one invalid field the valid ones are not applied either.
        let mut body = json!({"is_pinned": true});
        body[field] = value;
        assert_eq!(bob.sets(chat, body.clone()).await.invalid(field), json!([sentence]), "{body}");
        cat.sets(chat, body).await.expect(404);
    }
    assert_eq!(bob.sees(chat).await, before);
    bob.call("PUT", &format!("chats/{chat}/me/"), Some(json!({}))).await.expect(405);
}

#[actix_rt::test(system = "crate::System")]
async fn it_is_for_members_only() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let (group, room) = (ann.group("Team", &[]).await, ann.room("Hall").await);
    for chat in [group, room, 999] {
        bob.sets(chat, json!({"is_pinned": true})).await.expect(404);
    }
    server.anonymous().patch(&format!("chats/{group}/me/"), json!({})).await.expect(401);
    assert_eq!(bob.sees(room).await["me"], Value::Null);
    let mut me = plain();
    me["notify"] = json!("mentions");
    assert_eq!(bob.joins(room).await["me"], me);
}
