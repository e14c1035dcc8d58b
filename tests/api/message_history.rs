//! The texts of messages before their edits.

use greenroom::core::model::history::MessageHistory;
use serde_json::{Value, json};

use crate::support::{Server, User};

async fn server_with(history: MessageHistory) -> Server {
    Server::start_with(|config| config.message_history = history).await
}

async fn texts(user: &User, message: &Value) -> Vec<String> {
    let found = user.get(&format!("messages/{}/history/", message["id"])).await.expect(200).json;
    let results = found["results"].as_array().unwrap();
    results.iter().map(|earlier| earlier["content"].as_str().unwrap().to_owned()).collect()
}

#[actix_rt::test(system = "crate::System")]
async fn earlier_texts_are_listed_newest_first() {
    let server = server_with(MessageHistory::Members).await;
    let [ann, bob, eve] = server.users(["ann", "bob", "eve"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let message = ann.posts(chat, "one").await;
    let path = format!("messages/{}/history/", message["id"]);
    assert_eq!(bob.get(&path).await.expect(200).json, json!({"results": []}));
    let edited = ann.edits(&message, "two").await;
    // The same text and custom data are no edits.
    ann.edits(&message, "two").await;
    ann.patch(&format!("messages/{}/", message["id"]), json!({"custom": {"a": 1}})).await.expect(200);
    ann.edits(&message, "three").await;
    let expected = json!({"results": [
        {"content": "two", "at": edited["updated_at"]},
        {"content": "one", "at": message["created_at"]},
    ]});
    assert_eq!(bob.get(&path).await.expect(200).json, expected);
    eve.get(&path).await.expect(404);
    assert_eq!(ann.get("settings/").await.json["message_history"], "members");
    // Gone with the message.
    let other = ann.posts(chat, "stays").await;
    ann.edits(&other, "here").await;
    ann.deletes(&message).await;
    bob.get(&path).await.expect(404);
    assert_eq!(texts(&bob, &other).await, ["stays"]);
    let left = server.readers().query(move |conn| {
        greenroom::storage::tables::message_versions::of(
            conn,
            greenroom::core::model::ChatId(chat),
            greenroom::core::model::MessageId(message["id"].as_i64().unwrap()),
        )
    });
    assert!(left.await.unwrap().is_empty());
}

#[actix_rt::test(system = "crate::System")]
async fn fifty_earlier_texts_are_kept() {
    let server = server_with(MessageHistory::Members).await;
    let ann = server.user("ann").await;
    let chat = ann.group("Team", &[]).await;
    let message = ann.posts(chat, "0").await;
    for number in 1..=53 {
        ann.edits(&message, &number.to_string()).await;
    }
    let expected: Vec<String> = (3..53).rev().map(|number| number.to_string()).collect();
    assert_eq!(texts(&ann, &message).await, expected);
}

#[actix_rt::test(system = "crate::System")]
async fn the_history_is_for_whom_it_is_set() {
    for (history, by_staff, by_member) in [
        (MessageHistory::Off, 404, 404),
        (MessageHistory::Staff, 200, 404),
        (MessageHistory::Members, 200, 200),
    ] {
        let server = server_with(history).await;
        let staff = server.staff("boss").await;
        let (ann, other) = (server.user("ann").await, server.staff("other").await);
        let chat = staff.group("Team", &[&ann]).await;
        let message = staff.posts(chat, "one").await;
        staff.edits(&message, "two").await;
        let path = format!("messages/{}/history/", message["id"]);
        staff.get(&path).await.expect(by_staff);
        ann.get(&path).await.expect(by_member);
        // Staff who are not in the chat see nothing of it.
        other.get(&path).await.expect(404);
    }
}

#[actix_rt::test(system = "crate::System")]
async fn nothing_is_kept_while_the_history_is_off() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let chat = ann.group("Team", &[]).await;
    let message = ann.posts(chat, "secret").await;
    ann.edits(&message, "public").await;
    ann.get(&format!("messages/{}/history/", message["id"])).await.expect(404);
    let (server, headers) = (
        Server::start_on(server.stop(), |config| config.message_history = MessageHistory::Members).await,
        ann.headers.clone(),
    );
    let mut ann = server.anonymous();
    ann.headers = headers;
    assert_eq!(texts(&ann, &message).await, Vec::<String>::new());
}
