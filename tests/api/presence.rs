//! Presence and names of users: published to users who share a dm.

use std::time::Instant;

use serde_json::json;

use crate::support::{Server, nodes};

#[actix_rt::test(system = "crate::System")]
async fn people_hear_when_the_other_of_a_dm_comes_and_goes() {
    let server = Server::start().await;
    let (ann, bob) = (server.user("ann").await, server.user("bob").await);
    ann.dm(&bob).await;
    let mut ann_socket = ann.listens().await;
    assert_eq!(ann_socket.hello["users_online"], json!([]));
    let mut bob_socket = bob.listens().await;
    if bob_socket.hello["users_online"] != json!([ann.id]) {
        assert!(nodes() > 1, "{}", bob_socket.hello);
        // Another node may know a moment later.
        assert_eq!(bob_socket.receives_presence_of(&ann).await["is_online"], true);
    }
    assert_eq!(ann_socket.receives_presence_of(&bob).await["is_online"], true);
    assert_eq!(ann.get("sync/").await.json["users_online"], json!([bob.id]));
    drop(bob_socket);
    let gone = ann_socket.receives_presence_of(&bob).await;
    assert_eq!(gone["is_online"], false);
    let last_seen = gone["last_seen"].as_str().unwrap();
    assert!(
        chrono::DateTime::parse_from_rfc3339(last_seen).is_ok() && last_seen.ends_with('Z'),
        "{last_seen}"
    );
    let start = ann.get("sync/").await.json;
    assert_eq!(start["users_online"], json!([]));
    assert!(start["last_seen"][bob.id.to_string()].is_string(), "{start}");
}

#[actix_rt::test(system = "crate::System")]
async fn who_is_back_within_moments_was_not_away() {
    let server = Server::start().await;
    let (ann, bob) = (server.user("ann").await, server.user("bob").await);
    ann.dm(&bob).await;
    let mut ann_socket = ann.listens().await;
    let bob_socket = bob.listens().await;
    ann_socket.receives_presence_of(&bob).await;
    drop(bob_socket);
    let bob_socket = bob.listens().await;
    let other = bob.listens().await;
    drop(bob_socket);
    drop(other);
    // One event for all of these sockets.
    assert_eq!(ann_socket.receives_presence_of(&bob).await["is_online"], false);
    let _bob_socket = bob.listens().await;
    assert_eq!(ann_socket.receives_presence_of(&bob).await["is_online"], true);
}

#[actix_rt::test(system = "crate::System")]
async fn strangers_and_fellow_members_hear_nothing() {
    let server = Server::start().await;
    let [ann, bob, eve] = server.users(["ann", "bob", "eve"]).await;
    ann.dm(&bob).await;
    ann.group("Team", &[&eve]).await;
    let mut eve_socket = eve.listens().await;
    let mut ann_socket = ann.listens().await;
    assert_eq!(ann_socket.hello["users_online"], json!([]));
    let _bob_socket = bob.listens().await;
    ann_socket.receives_presence_of(&bob).await;
    // Eve opens a dm with Ann, and receives her presence next.
    eve.dm(&ann).await;
    assert_eq!(eve_socket.next_of_all().await.unwrap()["type"], "chat_created");
    assert_eq!(eve_socket.receives_presence_of(&ann).await["is_online"], true);
    assert_eq!(ann_socket.receives_presence_of(&eve).await["is_online"], true);
}

#[actix_rt::test(system = "crate::System")]
async fn last_seen_is_kept_over_a_restart() {
    let server = Server::start().await;
    let (ann, bob) = (server.user("ann").await, server.user("bob").await);
    ann.dm(&bob).await;
    let mut ann_socket = ann.listens().await;
    let _bob_socket = bob.listens().await;
    let came = ann_socket.receives_presence_of(&bob).await["last_seen"].as_str().unwrap().to_owned();
    let headers = ann.headers.clone();
    let server = Server::start_on(server.stop(), |_| {}).await;
    let mut ann = server.anonymous();
    ann.headers = headers;
    let kept = ann.get("sync/").await.expect(200).json["last_seen"][bob.id.to_string()].clone();
    assert!(kept.as_str().unwrap() > came.as_str(), "{kept} after {came}");
}

#[actix_rt::test(system = "crate::System")]
async fn a_new_name_or_picture_is_told_to_those_who_share_a_dm() {
    let server = Server::start().await;
    let root = server.staff("root").await;
    let [ann, bob, eve] = server.users(["ann", "bob", "eve"]).await;
    ann.dm(&bob).await;
    let team = ann.group("Team", &[&eve]).await;
    let (mut ann_socket, mut bob_socket, mut eve_socket) =
        (ann.listens().await, bob.listens().await, eve.listens().await);
    let path = format!("users/{}/", ann.id);
    // No visible field has changed.
    root.patch(&path, json!({"email": "new@example.com"})).await.expect(200);
    root.patch(&path, json!({"first_name": "Ann", "last_name": "Ohm"})).await.expect(200);
    for listener in [&mut ann_socket, &mut bob_socket] {
        let event = listener.receives("user_updated").await;
        assert_eq!(event["user"]["id"], ann.id);
        assert_eq!(event["user"]["display_name"], "Ann Ohm");
    }
    ann.posts(team, "hi").await;
    assert_eq!(eve_socket.receives("new_message").await["message"]["sender"]["display_name"], "Ann Ohm");
}

#[actix_rt::test(system = "crate::System")]
async fn who_changes_their_name_without_end_is_told_of_now_and_then() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    ann.dm(&bob).await;
    let ann = ann.at(&server);
    let mut bob_socket = bob.listens().await;
    let begun = Instant::now();
    for number in 1..=50 {
        ann.patch("users/me/", json!({"first_name": format!("Ann {number}")})).await.expect(200);
    }
    let most = 2 + begun.elapsed().as_secs();
    let mut reported = 0;
    while bob_socket.receives("user_updated").await["user"]["display_name"] != "Ann 50" {
        reported += 1;
    }
    assert!(reported <= most, "{reported}");
}
