use futures_util::future::{join, join_all};
use serde_json::{Value, json};

use crate::support::{Server, User};

/// Returns a user's unread count of a chat. Asserts that the chat object and `unread/` agree.
async fn unread(user: &User, chat: i64) -> i64 {
    let count = user.sees(chat).await["unread_count"].as_i64().unwrap();
    let all = user.get("unread/").await.expect(200).json;
    let listed = all["chats"].get(chat.to_string()).map_or(0, |count| count.as_i64().unwrap());
    assert_eq!(count, listed, "{all}");
    assert_eq!(listed > 0, all["chats"].get(chat.to_string()).is_some());
    count
}

/// Returns the readers of a message.
async fn readers(user: &User, message: &Value) -> Value {
    let message = user.get(&format!("messages/{}/", message["id"])).await.expect(200).json;
    assert_eq!(message["read_count"], message["read_by"].as_array().unwrap().len());
    message["read_by"].clone()
}

/// Sends a typing state. Returns the status.
async fn types(user: &User, chat: i64, is_typing: bool) -> u16 {
    user.post(&format!("chats/{chat}/typing/"), json!({"is_typing": is_typing})).await.status
}

// Counting.

#[actix_rt::test(system = "crate::System")]
async fn messages_of_others_are_unread_until_they_are_read() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    for _ in 0..3 {
        ann.posts(chat, "hi").await;
    }
    assert_eq!((unread(&ann, chat).await, unread(&bob, chat).await), (0, 3));
    bob.posts(chat, "ho").await;
    assert_eq!((unread(&ann, chat).await, unread(&bob, chat).await), (1, 3));
    let reply = bob.post(&format!("chats/{chat}/mark-as-read/"), json!({})).await.expect(200);
    assert_eq!(reply.json, json!({"status": "success", "marked_count": 3}));
    assert_eq!((unread(&ann, chat).await, unread(&bob, chat).await), (1, 0));
    assert_eq!(bob.marks_as_read(chat).await, 0);
}

#[actix_rt::test(system = "crate::System")]
async fn sending_does_not_move_the_senders_marker() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    ann.posts(chat, "1").await;
    bob.posts(chat, "2").await;
    let seen = bob.sees(chat).await;
    assert_eq!((&seen["unread_count"], &seen["last_read_message_id"]), (&json!(1), &Value::Null));
}

#[actix_rt::test(system = "crate::System")]
async fn a_marker_may_stop_at_any_message_and_never_moves_back() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let mut messages = Vec::new();
    for (number, user) in [&ann, &bob, &ann, &ann, &bob].into_iter().enumerate() {
        messages.push(user.posts(chat, &number.to_string()).await);
    }
    for (place, marked, left, stands) in
        [(1, 1, 2, 1), (0, 0, 2, 1), (2, 1, 1, 2), (2, 0, 1, 2), (4, 1, 0, 4)]
    {
        assert_eq!(bob.marks_as_read_to(chat, &messages[place]).await, marked, "{place}");
        assert_eq!(unread(&bob, chat).await, left, "{place}");
        assert_eq!(bob.sees(chat).await["last_read_message_id"], messages[stands]["id"], "{place}");
    }
}

/// Posts three messages of ann and two of bob, and deletes `gone` before or after bob reads the first `read`.
/// Asserts the counts.
async fn counts_exactly([ann, bob]: [&User; 2], gone: &[usize], read: usize, deleted_first: bool) {
    let case = format!("{gone:?} deleted, {read} read, deleted first: {deleted_first}");
    let chat = ann.group("Team", &[bob]).await;
    let senders = [ann, bob, ann, bob, ann];
    let mut messages = Vec::new();
    for sender in senders {
        messages.push(sender.posts(chat, "hi").await);
    }
    let mut marked = 0;
    for deletes in [deleted_first, !deleted_first] {
        if deletes {
            for place in gone {
                senders[*place].deletes(&messages[*place]).await;
            }
        } else if read > 0 {
            marked = bob.marks_as_read_to(chat, &messages[read - 1]).await;
        }
    }
    let is_anns = |place: &usize| senders[*place].id == ann.id;
    let is_left = |place: &usize| is_anns(place) && !gone.contains(place);
    let newly = (0..read).filter(|place| if deleted_first { is_left(place) } else { is_anns(place) }).count();
    assert_eq!(marked, newly as i64, "{case}");
    assert_eq!(unread(bob, chat).await, (read..5).filter(is_left).count() as i64, "{case}");
}

#[actix_rt::test(system = "crate::System")]
async fn unread_is_exact_whatever_is_deleted_before_or_after_the_marker() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let ways: [&[usize]; 6] = [&[0], &[1, 2], &[3, 4], &[0, 2, 4], &[1, 3], &[0, 1, 2, 3, 4]];
    for gone in ways {
        for read in 0..=5 {
            counts_exactly([&ann, &bob], gone, read, true).await;
            counts_exactly([&ann, &bob], gone, read, false).await;
        }
    }
}

#[actix_rt::test(system = "crate::System")]
async fn unread_is_exact_in_a_long_chat() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let mut left = Vec::new();
    for number in 1..=150 {
        let sender = if number % 5 == 0 { &bob } else { &ann };
        let message = sender.posts(chat, "hi").await;
        let is_gone = number % 3 == 0 || (60..=70).contains(&number);
        if is_gone {
            sender.deletes(&message).await;
        }
        left.push((message, sender.id == ann.id && !is_gone));
    }
    let mut before = left.iter().filter(|(_, counts)| *counts).count() as i64;
    for place in [1, 2, 63, 64, 65, 66, 71, 127, 128, 129, 148, 149, 150] {
        let expected = left[place..].iter().filter(|(_, counts)| *counts).count() as i64;
        assert_eq!(bob.marks_as_read_to(chat, &left[place - 1].0).await, before - expected, "{place}");
        assert_eq!(unread(&bob, chat).await, expected, "{place}");
        before = expected;
    }
}

#[actix_rt::test(system = "crate::System")]
async fn a_marker_may_stand_on_a_tombstone() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let (one, two) = (ann.posts(chat, "1").await, ann.posts(chat, "2").await);
    ann.posts(chat, "3").await;
    ann.deletes(&two).await;
    assert_eq!(bob.marks_as_read_to(chat, &two).await, 1);
    assert_eq!(unread(&bob, chat).await, 1);
    assert_eq!(readers(&bob, &one).await, json!([ann.id, bob.id]));
}

#[actix_rt::test(system = "crate::System")]
async fn a_message_of_another_chat_is_no_place_for_a_marker() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let (chat, other) = (ann.group("Team", &[&bob]).await, ann.group("Other", &[&bob]).await);
    ann.posts(chat, "hi").await;
    let foreign = ann.posts(other, "ho").await["id"].as_i64().unwrap();
    for id in [foreign, 999, 0, -1] {
        let reply = bob.post(&format!("chats/{chat}/mark-as-read/"), json!({"message_id": id})).await;
        let sentence = format!("Invalid pk \"{id}\" - object does not exist.");
        assert_eq!(reply.invalid("message_id"), json!([sentence]));
    }
    let reply = bob.post(&format!("chats/{chat}/mark-as-read/"), json!({"message_id": "x"})).await;
    assert_eq!(reply.invalid("message_id"), json!(["A valid integer is required."]));
    assert_eq!(unread(&bob, chat).await, 1);
    let all = bob.post(&format!("chats/{chat}/mark-as-read/"), json!({"message_id": null})).await;
    assert_eq!(all.expect(200).json["marked_count"], 1);
}

#[actix_rt::test(system = "crate::System")]
async fn outsiders_read_nothing() {
    let server = Server::start().await;
    let [ann, bob, cat] = server.users(["ann", "bob", "cat"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    ann.posts(chat, "hi").await;
    ann.removes(chat, &bob).await;
    for outsider in [&bob, &cat] {
        for body in [json!({}), json!({"message_id": "x"}), json!({"message_id": 999})] {
            outsider.post(&format!("chats/{chat}/mark-as-read/"), body).await.expect(404);
        }
        assert_eq!(outsider.get("unread/").await.expect(200).json, json!({"total": 0, "chats": {}}));
    }
}

#[actix_rt::test(system = "crate::System")]
async fn unread_lists_the_chats_that_have_any() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let (one, two) = (ann.group("1", &[&bob]).await, ann.group("2", &[&bob]).await);
    let (three, quiet) = (ann.dm(&bob).await, ann.group("quiet", &[&bob]).await);
    for (chat, count) in [(one, 2), (two, 1), (three, 3)] {
        for _ in 0..count {
            ann.posts(chat, "hi").await;
        }
    }
    bob.posts(quiet, "mine").await;
    let of = |counts: &[(i64, i64)]| {
        let chats: serde_json::Map<_, _> =
            counts.iter().map(|(chat, count)| (chat.to_string(), json!(count))).collect();
        json!({"total": counts.iter().map(|(_, count)| count).sum::<i64>(), "chats": chats})
    };
    assert_eq!(bob.get("unread/").await.json, of(&[(one, 2), (two, 1), (three, 3)]));
    bob.marks_as_read(two).await;
    assert_eq!(bob.get("unread/").await.json, of(&[(one, 2), (three, 3)]));
    ann.delete(&format!("chats/{three}/")).await.expect(204);
    assert_eq!(bob.get("unread/").await.json, of(&[(one, 2)]));
    assert_eq!(ann.get("unread/").await.json, of(&[(quiet, 1)]));
}

// Readers.

#[actix_rt::test(system = "crate::System")]
async fn readers_are_the_sender_and_then_the_others_by_joining() {
    let server = Server::start().await;
    let [ann, bob, cat, dan] = server.users(["ann", "bob", "cat", "dan"]).await;
    let chat = ann.group("Team", &[&bob, &cat, &dan]).await;
    let (one, two) = (cat.posts(chat, "1").await, ann.posts(chat, "2").await);
    dan.marks_as_read_to(chat, &one).await;
    bob.marks_as_read(chat).await;
    ann.marks_as_read(chat).await;
    assert_eq!(readers(&ann, &one).await, json!([cat.id, ann.id, bob.id, dan.id]));
    assert_eq!(readers(&ann, &two).await, json!([ann.id, bob.id]));
    cat.marks_as_read(chat).await;
    assert_eq!(readers(&dan, &one).await, json!([cat.id, ann.id, bob.id, dan.id]));
    assert_eq!(readers(&dan, &two).await, json!([ann.id, bob.id, cat.id]));
    let page = dan.get(&format!("chats/{chat}/messages/")).await;
    assert_eq!(page.results()[0]["read_by"], json!([ann.id, bob.id, cat.id]));
    assert_eq!(dan.sees(chat).await["last_message"], page.results()[0]);
}

#[actix_rt::test(system = "crate::System")]
async fn the_first_hundred_readers_are_named_and_all_counted() {
    let server = Server::start_with(|config| config.receipts_max_members = 200).await;
    let people = server.crowd(102).await;
    let others: Vec<&User> = people[..101].iter().collect();
    let sender = &people[101];
    let chat = sender.group("Hall", &others).await;
    let message = sender.posts(chat, "hi").await;
    for user in others.iter().rev() {
        assert_eq!(user.marks_as_read(chat).await, 1);
    }
    let shown = sender.get(&format!("messages/{}/", message["id"])).await.expect(200).json;
    let named: Vec<i64> = [sender].into_iter().chain(&people[..99]).map(|user| user.id).collect();
    assert_eq!((&shown["read_by"], &shown["read_count"]), (&json!(named), &json!(102)));
    assert_eq!(sender.sees(chat).await["last_message"], shown);
}

#[actix_rt::test(system = "crate::System")]
async fn who_joins_later_is_no_reader_of_what_was_before() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[]).await;
    let before = ann.posts(chat, "before").await;
    ann.adds(chat, &[&bob]).await;
    assert_eq!(unread(&bob, chat).await, 0);
    let after = ann.posts(chat, "after").await;
    assert_eq!(unread(&bob, chat).await, 1);
    assert_eq!(bob.marks_as_read_to(chat, &before).await, 0);
    assert_eq!(bob.marks_as_read(chat).await, 1);
    assert_eq!(readers(&bob, &before).await, json!([ann.id]));
    assert_eq!(readers(&bob, &after).await, json!([ann.id, bob.id]));
}

#[actix_rt::test(system = "crate::System")]
async fn who_left_is_no_reader_any_more_but_stays_the_sender() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let (ann_message, bob_message) = (ann.posts(chat, "1").await, bob.posts(chat, "2").await);
    bob.marks_as_read(chat).await;
    ann.marks_as_read(chat).await;
    ann.removes(chat, &bob).await;
    assert_eq!(readers(&ann, &ann_message).await, json!([ann.id]));
    assert_eq!(readers(&ann, &bob_message).await, json!([bob.id, ann.id]));
    ann.adds(chat, &[&bob]).await;
    assert_eq!(readers(&ann, &ann_message).await, json!([ann.id]));
}

// Events.

#[actix_rt::test(system = "crate::System")]
async fn reading_is_told_to_others_and_with_what_is_left_to_ones_own_sockets() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let (one, _) = (ann.posts(chat, "1").await, ann.posts(chat, "2").await);
    let (mut ann_socket, mut bob_socket, mut phone) =
        (ann.listens().await, bob.listens().await, bob.listens().await);
    bob.marks_as_read_to(chat, &one).await;
    let kind = "read";
    let mut event = json!({"type": kind, "chat_id": chat, "seq": 4, "user_id": bob.id, "last_read_message_id": one["id"]});
    assert_eq!(ann_socket.receives("read").await, event);
    event["unread_count"] = json!(1);
    event["me"] = json!({"muted_until": null, "is_pinned": false, "unread_from": null, "notify": "all"});
    assert_eq!(bob_socket.receives("read").await, event);
    assert_eq!(phone.receives("read").await, event);
    assert_eq!(bob.sees(chat).await["seq"], 4);
}

#[actix_rt::test(system = "crate::System")]
async fn a_marker_that_does_not_move_tells_nobody() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    bob.marks_as_read(chat).await;
    let (one, _) = (ann.posts(chat, "1").await, ann.posts(chat, "2").await);
    bob.marks_as_read(chat).await;
    let (mut ann_socket, mut bob_socket) = (ann.listens().await, bob.listens().await);
    bob.marks_as_read(chat).await;
    bob.marks_as_read_to(chat, &one).await;
    ann.posts(chat, "3").await;
    for socket in [&mut ann_socket, &mut bob_socket] {
        assert_eq!(socket.receives("new_message").await["seq"], 5);
    }
}

#[actix_rt::test(system = "crate::System")]
async fn a_big_chat_has_no_receipts() {
    let server = Server::start_with(|config| config.receipts_max_members = 2).await;
    let [ann, bob, cat] = server.users(["ann", "bob", "cat"]).await;
    let chat = ann.group("Team", &[&bob, &cat]).await;
    let message = ann.posts(chat, "hi").await;
    let (mut ann_socket, mut bob_socket, mut phone) =
        (ann.listens().await, bob.listens().await, bob.listens().await);
    assert_eq!(unread(&bob, chat).await, 1);
    assert_eq!(bob.marks_as_read(chat).await, 1);
    assert_eq!(unread(&bob, chat).await, 0);
    for socket in [&mut bob_socket, &mut phone] {
        let event = json!({
            "type": "read", "chat_id": chat, "user_id": bob.id, "last_read_message_id": message["id"],
            "unread_count": 0, "me": {"muted_until": null, "is_pinned": false, "unread_from": null, "notify": "all"}
        });
        assert_eq!(socket.receives("read").await, event);
    }
    assert_eq!(readers(&bob, &message).await, json!([ann.id]));
    assert_eq!(bob.sees(chat).await["seq"], 2);
    assert_eq!(bob.sees(chat).await["last_read_message_id"], message["id"]);
    ann.posts(chat, "next").await;
    assert_eq!(ann_socket.receives("new_message").await["seq"], 3);
}

#[actix_rt::test(system = "crate::System")]
async fn a_chat_as_big_as_the_limit_has_receipts() {
    let server = Server::start_with(|config| config.receipts_max_members = 2).await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let message = ann.posts(chat, "hi").await;
    let mut ann_socket = ann.listens().await;
    bob.marks_as_read(chat).await;
    assert_eq!(ann_socket.receives("read").await["seq"], 3);
    assert_eq!(readers(&ann, &message).await, json!([ann.id, bob.id]));
}

// Typing.

#[actix_rt::test(system = "crate::System")]
async fn typing_is_told_to_others_and_not_to_ones_own_sockets() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let (mut ann_socket, mut bob_socket, mut phone) =
        (ann.listens().await, bob.listens().await, bob.listens().await);
    for is_typing in [true, false] {
        let body = json!({"is_typing": is_typing});
        let reply = bob.post(&format!("chats/{chat}/typing/"), body).await.expect(200);
        assert_eq!(reply.json, json!({"status": "success"}));
        let expected = json!({"type": "typing", "chat_id": chat, "user_id": bob.id, "is_typing": is_typing});
        assert_eq!(ann_socket.receives("typing").await, expected);
    }
    ann.posts(chat, "hi").await;
    for socket in [&mut ann_socket, &mut bob_socket, &mut phone] {
        assert_eq!(socket.receives("new_message").await["seq"], 2);
    }
}

#[actix_rt::test(system = "crate::System")]
async fn only_members_type() {
    let server = Server::start().await;
    let [ann, bob, cat] = server.users(["ann", "bob", "cat"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let mut ann_socket = ann.listens().await;
    assert_eq!(types(&cat, chat, true).await, 404);
    assert_eq!(types(&bob, chat, true).await, 200);
    ann.removes(chat, &bob).await;
    assert_eq!(types(&bob, chat, true).await, 404);
    ann.adds(chat, &[&cat]).await;
    assert_eq!(types(&cat, chat, true).await, 200);
    assert_eq!(ann_socket.receives("typing").await["user_id"], bob.id);
    ann_socket.receives("members_changed").await;
    ann_socket.receives("members_changed").await;
    assert_eq!(ann_socket.receives("typing").await["user_id"], cat.id);
}

#[actix_rt::test(system = "crate::System")]
async fn nobody_types_in_a_chat_that_was_deleted() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    assert_eq!(types(&bob, chat, true).await, 200);
    ann.delete(&format!("chats/{chat}/")).await.expect(204);
    for user in [&ann, &bob] {
        assert_eq!(types(user, chat, true).await, 404);
    }
}

#[actix_rt::test(system = "crate::System")]
async fn nobody_types_in_a_chat_that_all_have_left() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let chat = ann.group("Team", &[]).await;
    assert_eq!(types(&ann, chat, true).await, 200);
    ann.removes(chat, &ann).await;
    assert_eq!(types(&ann, chat, true).await, 404);
}

#[actix_rt::test(system = "crate::System")]
async fn who_types_while_being_removed_types_no_more_after_it() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    for _ in 0..20 {
        let chat = ann.group("Team", &[&bob]).await;
        join(ann.removes(chat, &bob), join_all((0..5).map(|_| types(&bob, chat, true)))).await;
        assert_eq!(types(&bob, chat, true).await, 404);
    }
}

#[actix_rt::test(system = "crate::System")]
async fn typing_is_true_or_false() {
    let server = Server::start().await;
    let [ann, cat] = server.users(["ann", "cat"]).await;
    let path = format!("chats/{}/typing/", ann.group("Team", &[]).await);
    let cases = [
        (json!({}), "This field is required."),
        (json!({"is_typing": null}), "This field may not be null."),
        (json!({"is_typing": "perhaps"}), "Must be a valid boolean."),
    ];
    for (body, sentence) in cases {
        assert_eq!(ann.post(&path, body.clone()).await.invalid("is_typing"), json!([sentence]));
        cat.post(&path, body).await.expect(404);
    }
}
