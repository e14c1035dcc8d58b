use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Reply, Server, User, encoded};

const TOO_MANY: &str = "A message takes no more than 20 different emoji.";
const NO_EMOJI: &str = "Enter exactly one emoji.";

/// Twenty different emoji.
const TWENTY: [&str; 20] = [
    "😀", "😁", "😂", "😃", "😄", "😅", "😆", "😇", "😈", "😉", "😊", "😋", "😌", "😍", "😎", "😏", "😐",
    "😑", "😒", "😓",
];

/// Adds an emoji to a message, or removes it.
async fn toggles(user: &User, message: &Value, emoji: &str) -> Reply {
    user.post(&format!("messages/{}/reactions/", message["id"]), json!({"emoji": emoji})).await
}

/// Returns the path of an emoji on a message.
fn path(message: &Value, emoji: &str) -> String {
    format!("messages/{}/reactions/{}/", message["id"], encoded(emoji))
}

/// Returns the reactions of a message.
async fn shown(user: &User, message: &Value) -> Value {
    user.get(&format!("messages/{}/", message["id"])).await.expect(200).json["reactions"].clone()
}

/// Returns the emoji of a message, in their order.
async fn order(user: &User, message: &Value) -> Vec<String> {
    let reactions = shown(user, message).await;
    reactions.as_array().unwrap().iter().map(|one| one["emoji"].as_str().unwrap().to_owned()).collect()
}

#[actix_rt::test(system = "crate::System")]
async fn the_same_emoji_again_takes_it_off() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let message = ann.posts(ann.group("Team", &[&bob]).await, "hi").await;
    for action in ["added", "removed", "added"] {
        let reply = toggles(&bob, &message, "👍").await.expect(200);
        assert_eq!(reply.json, json!({"action": action, "emoji": "👍", "message_id": message["id"]}));
    }
    toggles(&ann, &message, "👍").await.expect(200);
    let both = json!([{"emoji": "👍", "count": 2, "users": [bob.id, ann.id]}]);
    assert_eq!(shown(&ann, &message).await, both);
}

#[actix_rt::test(system = "crate::System")]
async fn a_reaction_is_told_to_all_with_the_whole_list() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let message = ann.posts(chat, "hi").await;
    let mut ann_socket = ann.listens().await;
    toggles(&bob, &message, "👍").await.expect(200);
    let event = ann_socket.receives("reaction_updated").await;
    let list = json!([{"emoji": "👍", "count": 1, "users": [bob.id]}]);
    let kind = "reaction_updated";
    let id = &message["id"];
    assert_eq!(event, json!({"type": kind, "chat_id": chat, "seq": 3, "message_id": id, "reactions": list}));
    toggles(&bob, &message, "👍").await.expect(200);
    let event = ann_socket.receives("reaction_updated").await;
    assert_eq!((&event["seq"], &event["reactions"]), (&json!(4), &json!([])));
}

#[actix_rt::test(system = "crate::System")]
async fn a_reaction_changes_the_messages_number_but_is_no_edit() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let chat = ann.group("Team", &[]).await;
    let message = ann.posts(chat, "hi").await;
    let before = ann.sees(chat).await;
    toggles(&ann, &message, "👍").await.expect(200);
    let after = ann.get(&format!("messages/{}/", message["id"])).await.expect(200).json;
    assert_eq!((&after["seq"], &after["is_edited"]), (&json!(3), &json!(false)));
    assert_eq!(after["updated_at"], message["updated_at"]);
    assert_eq!(ann.sees(chat).await["updated_at"], before["updated_at"]);
    assert_eq!(ann.sees(chat).await["last_message"], after);
}

#[actix_rt::test(system = "crate::System")]
async fn putting_and_taking_off_are_safe_to_repeat() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let message = ann.posts(chat, "hi").await;
    let mut ann_socket = ann.listens().await;
    let path = path(&message, "❤️");
    for _ in 0..2 {
        let reply = bob.call("PUT", &path, None).await.expect(200);
        assert_eq!(reply.json, json!({"action": "added", "emoji": "❤️", "message_id": message["id"]}));
    }
    for _ in 0..2 {
        assert!(bob.delete(&path).await.expect(204).body.is_empty());
    }
    assert_eq!(ann_socket.receives("reaction_updated").await["seq"], 3);
    assert_eq!(ann_socket.receives("reaction_updated").await["reactions"], json!([]));
    ann.posts(chat, "next").await;
    assert_eq!(ann_socket.receives("new_message").await["seq"], 5);
}

#[actix_rt::test(system = "crate::System")]
async fn many_puts_at_once_are_one_reaction() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let message = ann.posts(ann.group("Team", &[]).await, "hi").await;
    let path = path(&message, "👍");
    for reply in join_all((0..10).map(|_| ann.call("PUT", &path, None))).await {
        reply.expect(200);
    }
    assert_eq!(shown(&ann, &message).await, json!([{"emoji": "👍", "count": 1, "users": [ann.id]}]));
}

#[actix_rt::test(system = "crate::System")]
async fn emoji_stand_in_the_order_of_first_use() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let message = ann.posts(ann.group("Team", &[&bob]).await, "hi").await;
    for emoji in ["🎉", "👍", "🇱🇹"] {
        toggles(&ann, &message, emoji).await.expect(200);
    }
    toggles(&bob, &message, "👍").await.expect(200);
    assert_eq!(order(&ann, &message).await, ["🎉", "👍", "🇱🇹"]);
    // An emoji keeps its position while any user has it, and is last when it is added again.
    toggles(&ann, &message, "👍").await.expect(200);
    assert_eq!(order(&ann, &message).await, ["🎉", "👍", "🇱🇹"]);
    toggles(&ann, &message, "🎉").await.expect(200);
    toggles(&ann, &message, "🎉").await.expect(200);
    assert_eq!(order(&ann, &message).await, ["👍", "🇱🇹", "🎉"]);
}

#[actix_rt::test(system = "crate::System")]
async fn a_message_takes_twenty_different_emoji() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let message = ann.posts(ann.group("Team", &[&bob]).await, "hi").await;
    for emoji in TWENTY {
        toggles(&ann, &message, emoji).await.expect(200);
    }
    assert_eq!(toggles(&bob, &message, "👍").await.invalid("emoji"), json!([TOO_MANY]));
    let put = bob.call("PUT", &path(&message, "👍"), None).await;
    assert_eq!(put.invalid("emoji"), json!([TOO_MANY]));
    toggles(&bob, &message, "😀").await.expect(200);
    assert_eq!(order(&ann, &message).await, TWENTY);
    toggles(&ann, &message, "😁").await.expect(200);
    toggles(&bob, &message, "👍").await.expect(200);
    assert_eq!(order(&ann, &message).await.last().unwrap(), "👍");
}

#[actix_rt::test(system = "crate::System")]
async fn the_first_hundred_who_use_an_emoji_are_named_and_all_counted() {
    let server = Server::start().await;
    let people = server.crowd(102).await;
    let others: Vec<&User> = people[1..].iter().collect();
    let message = people[0].posts(people[0].group("Hall", &others).await, "hi").await;
    for user in people.iter().rev() {
        toggles(user, &message, "👍").await.expect(200);
    }
    let ids: Vec<i64> = people.iter().rev().map(|user| user.id).collect();
    let list = json!([{"emoji": "👍", "count": 102, "users": ids[..100]}]);
    assert_eq!(shown(&people[0], &message).await, list);
    toggles(&people[101], &message, "👍").await.expect(200);
    let list = json!([{"emoji": "👍", "count": 101, "users": ids[1..101]}]);
    assert_eq!(shown(&people[0], &message).await, list);
    toggles(&people[0], &message, "👍").await.expect(200);
    let list = json!([{"emoji": "👍", "count": 100, "users": ids[1..101]}]);
    assert_eq!(shown(&people[0], &message).await, list);
}

#[actix_rt::test(system = "crate::System")]
async fn emoji_of_every_kind_are_taken_also_in_the_path() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let message = ann.posts(ann.group("Team", &[]).await, "hi").await;
    for emoji in ["👍🏽", "👩🏽‍🚀", "👨‍👩‍👧‍👦", "🇱🇹", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "#️⃣", "1️⃣", "❤️", "☺️"]
    {
        assert_eq!(toggles(&ann, &message, emoji).await.expect(200).json["emoji"], emoji);
        ann.call("PUT", &path(&message, emoji), None).await.expect(200);
        assert_eq!(order(&ann, &message).await, [emoji]);
        ann.delete(&path(&message, emoji)).await.expect(204);
        ann.delete(path(&message, emoji).trim_end_matches('/')).await.expect(204);
    }
    assert_eq!(shown(&ann, &message).await, json!([]));
}

/// Returns all emoji of Unicode's list for general interchange.
fn all_emoji() -> Vec<&'static str> {
    let with_skin_tones = emojis::iter().flat_map(|emoji| match emoji.skin_tones() {
        Some(tones) => tones.map(emojis::Emoji::as_str).collect::<Vec<_>>(),
        None => vec![emoji.as_str()],
    });
    with_skin_tones.collect()
}

#[actix_rt::test(system = "crate::System")]
async fn every_emoji_of_the_list_is_taken_and_shown_as_it_is() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let chat = ann.group("Team", &[]).await;
    let all = all_emoji();
    assert!(all.len() > 3_700, "{}", all.len());
    for twenty in all.chunks(20) {
        let message = ann.posts(chat, "hi").await;
        let replies = join_all(twenty.iter().map(|emoji| toggles(&ann, &message, emoji))).await;
        for (emoji, reply) in twenty.iter().zip(replies) {
            assert_eq!(reply.expect(200).json["emoji"], **emoji);
        }
        let mut shown = order(&ann, &message).await;
        shown.sort();
        let mut expected = twenty.to_vec();
        expected.sort_unstable();
        assert_eq!(shown, expected);
    }
}

#[actix_rt::test(system = "crate::System")]
async fn an_emoji_without_its_variation_selector_is_the_full_one() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let message = ann.posts(ann.group("Team", &[&bob]).await, "hi").await;
    assert_eq!(toggles(&ann, &message, "\u{2764}").await.expect(200).json["emoji"], "\u{2764}\u{fe0f}");
    bob.call("PUT", &path(&message, "\u{2764}\u{fe0f}"), None).await.expect(200);
    let one = json!([{"emoji": "\u{2764}\u{fe0f}", "count": 2, "users": [ann.id, bob.id]}]);
    assert_eq!(shown(&ann, &message).await, one);
    bob.delete(&path(&message, "\u{2764}")).await.expect(204);
    assert_eq!(toggles(&ann, &message, "\u{2764}").await.expect(200).json["action"], "removed");
    assert_eq!(shown(&ann, &message).await, json!([]));
}

#[actix_rt::test(system = "crate::System")]
async fn what_is_not_exactly_one_emoji_is_refused_everywhere() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let message = ann.posts(ann.group("Team", &[]).await, "hi").await;
    let parts = "👩\u{200d}".repeat(5) + "👩";
    let tones = "👍🏽🏽🏽🏽🏽🏽🏽🏽🏽🏽";
    for bad in [
        "a",
        "1",
        "#",
        "👍👍",
        "👍 ",
        " 👍",
        "<b>",
        "\u{200d}",
        "\u{fe0f}",
        "🏽",
        "🇱",
        "🇱🇱🇱",
        "👍\0",
        ":+1:",
        "+1",
        "a/b",
        "👍a",
        "1\u{20e3}\u{20e3}",
        "👩\u{200d}",
        "\u{200d}👩",
        "👩\u{200d}👍",
        &parts,
        tones,
    ] {
        assert_eq!(toggles(&ann, &message, bad).await.invalid("emoji"), json!([NO_EMOJI]), "{bad:?}");
        let put = ann.call("PUT", &path(&message, bad), None).await;
        assert_eq!(put.invalid("emoji"), json!([NO_EMOJI]), "{bad:?}");
        assert_eq!(ann.delete(&path(&message, bad)).await.invalid("emoji"), json!([NO_EMOJI]), "{bad:?}");
    }
    assert!(toggles(&ann, &message, "").await.invalid("emoji").is_array());
    assert_eq!(shown(&ann, &message).await, json!([]));
}

#[actix_rt::test(system = "crate::System")]
async fn bytes_that_are_no_text_are_no_emoji() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let message = ann.posts(ann.group("Team", &[]).await, "hi").await;
    for bad in ["%FF", "%F0%9F%91", "%ED%A0%BD"] {
        let put = ann.call("PUT", &format!("messages/{}/reactions/{bad}/", message["id"]), None).await;
        assert_eq!(put.invalid("emoji"), json!([NO_EMOJI]), "{bad}");
    }
}

#[actix_rt::test(system = "crate::System")]
async fn the_field_must_be_there() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let message = ann.posts(ann.group("Team", &[]).await, "hi").await;
    let path = format!("messages/{}/reactions/", message["id"]);
    assert_eq!(ann.post(&path, json!({})).await.invalid("emoji"), json!(["This field is required."]));
    let null = ann.post(&path, json!({"emoji": null})).await;
    assert_eq!(null.invalid("emoji"), json!(["This field may not be null."]));
}

#[actix_rt::test(system = "crate::System")]
async fn a_deleted_message_takes_no_reactions() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let message = ann.posts(ann.group("Team", &[]).await, "hi").await;
    toggles(&ann, &message, "👍").await.expect(200);
    ann.deletes(&message).await;
    for emoji in ["👍", "x"] {
        toggles(&ann, &message, emoji).await.expect(404);
        ann.call("PUT", &path(&message, emoji), None).await.expect(404);
        ann.delete(&path(&message, emoji)).await.expect(404);
    }
}

#[actix_rt::test(system = "crate::System")]
async fn outsiders_learn_nothing_from_reacting() {
    let server = Server::start().await;
    let [ann, bob, cat] = server.users(["ann", "bob", "cat"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let message = ann.posts(chat, "hi").await;
    toggles(&bob, &message, "👍").await.expect(200);
    ann.removes(chat, &bob).await;
    for outsider in [&bob, &cat] {
        for emoji in ["👍", "x"] {
            toggles(outsider, &message, emoji).await.expect(404);
            outsider.call("PUT", &path(&message, emoji), None).await.expect(404);
            outsider.delete(&path(&message, emoji)).await.expect(404);
        }
    }
    assert_eq!(shown(&ann, &message).await, json!([{"emoji": "👍", "count": 1, "users": [bob.id]}]));
}

#[actix_rt::test(system = "crate::System")]
async fn reactions_may_be_switched_off() {
    let server = Server::start_with(|config| config.allow_reactions = false).await;
    let [ann, cat] = server.users(["ann", "cat"]).await;
    let message = ann.posts(ann.group("Team", &[]).await, "hi").await;
    for (user, status) in [(&ann, 403), (&cat, 404)] {
        toggles(user, &message, "👍").await.expect(status);
        user.call("PUT", &path(&message, "👍"), None).await.expect(status);
        user.delete(&path(&message, "👍")).await.expect(status);
    }
}
