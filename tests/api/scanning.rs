//! Attachments that are scanned by a real clamd.

use actix_web::rt::time::timeout;
use greenroom::{config::ScanFailure, files::scanner::ScannerUrl};
use serde_json::{Value, json};

use crate::{
    attachments::{PNG, Store},
    support::{
        DEADLINE, Listener, Server, User,
        attachments::{announces, completes, sends_bytes, shares, uploads},
        clamd::{Clamd, FOUND, MAX_MIB},
        pause,
    },
};

/// The text of a file that is blocked.
fn bad() -> Vec<u8> {
    format!("a text with the {FOUND} in it").into_bytes()
}

async fn store(clamd: &Clamd, failure: ScanFailure) -> Store {
    let scanner = ScannerUrl::parse(&clamd.url()).unwrap();
    let change = |config: &mut greenroom::config::Config| {
        config.files.scan = Some(scanner);
        config.files.scan_failure = failure;
    };
    Store::start_with(change).await
}

/// Receives the next change of a message.
async fn updated(socket: &mut Listener) -> Value {
    loop {
        let event = socket.next().await;
        if event["type"] == "message_updated" {
            return event["message"].clone();
        }
    }
}

/// Returns the states of the attachments of a message as a user sees it.
async fn states(user: &User, message: &Value) -> Vec<String> {
    let seen = user.get(&format!("messages/{}/", message["id"])).await.expect(200).json;
    let list = seen["attachments"].as_array().unwrap().clone();
    list.iter().map(|attachment| attachment["state"].as_str().unwrap().to_owned()).collect()
}

/// Waits until the attachments of a message have these states.
async fn come_to(user: &User, message: &Value, expected: &[&str]) {
    let waiting = async {
        while states(user, message).await != expected {
            pause().await;
        }
    };
    timeout(DEADLINE, waiting).await.expect("they become so in time");
}

fn address(attachment: &Value) -> String {
    format!("/messages/api/files/{}/x", attachment["id"])
}

#[actix_rt::test(system = "crate::System")]
async fn what_is_scanned_opens_when_it_is_clean_and_is_gone_when_it_is_blocked() {
    let Some(mut clamd) = Clamd::find() else { return };
    let store = store(&clamd, ScanFailure::Hold).await;
    let [ann, bob] = store.server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    // The scanner is away.
    let clean = uploads(&ann, chat, "clean.png", PNG).await;
    let blocked = uploads(&ann, chat, "bad.txt", &bad()).await;
    assert_eq!((&clean["state"], &clean["url"]), (&json!("scanning"), &Value::Null));
    let mut socket = bob.listens().await;
    let sent = shares(&ann, chat, "both", &[&clean, &blocked]).await;
    let seen = socket.receives("new_message").await["message"].clone();
    for attachment in seen["attachments"].as_array().unwrap() {
        assert_eq!((&attachment["state"], &attachment["url"]), (&json!("scanning"), &Value::Null));
        bob.send("GET", &address(attachment), None).await.expect(404);
        for user in [&ann, &bob] {
            user.get(&format!("files/{}/link/", attachment["id"])).await.expect(404);
        }
        ann.send("GET", &address(attachment), None).await.expect(200);
    }
    let copy = bob.post(&format!("chats/{chat}/messages/"), json!({"forward": sent["id"]})).await;
    let copy = copy.expect(201).json;
    assert_eq!(states(&ann, &copy).await, ["scanning", "scanning"]);
    clamd.starts().await;
    // Each change is an event, and both files are scanned by themselves.
    let mut changed = updated(&mut socket).await;
    while changed["id"] != sent["id"] || changed["attachments"].to_string().contains("scanning") {
        changed = updated(&mut socket).await;
    }
    assert_eq!((&changed["is_edited"], &changed["attachments"][1]["url"]), (&json!(false), &Value::Null));
    come_to(&bob, &copy, &["clean", "blocked"]).await;
    assert_eq!(states(&ann, &sent).await, ["clean", "blocked"]);
    for (attachment, status) in [(&clean, 200), (&blocked, 404)] {
        for user in [&ann, &bob] {
            user.send("GET", &address(attachment), None).await.expect(status);
        }
    }
    let listed = bob.get(&format!("chats/{chat}/files/")).await.expect(200).json;
    assert_eq!(listed["results"].to_string().matches("\"blocked\"").count(), 2, "{listed}");
    // The bytes of the blocked file are gone, and the others are there.
    store.has_files(1).await;
    store.is_consistent().await;
    ann.deletes(&sent).await;
    bob.deletes(&copy).await;
    store.has_files(0).await;
    store.is_consistent().await;
}

#[actix_rt::test(system = "crate::System")]
async fn a_file_that_cannot_be_scanned_waits_and_others_do_not_wait_for_it() {
    let Some(mut clamd) = Clamd::find() else { return };
    clamd.starts().await;
    let store = store(&clamd, ScanFailure::Hold).await;
    let [ann, bob] = store.server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let large = uploads(&ann, chat, "large.bin", &vec![7; (MAX_MIB << 20) + 1]).await;
    let sent = shares(&ann, chat, "large", &[&large]).await;
    let small = uploads(&ann, chat, "small.txt", b"small").await;
    let other = shares(&ann, chat, "small", &[&small]).await;
    come_to(&bob, &other, &["clean"]).await;
    assert_eq!(states(&bob, &sent).await, ["scanning"]);
    // What is deleted while it waits leaves nothing.
    ann.deletes(&sent).await;
    store.has_files(1).await;
    store.is_consistent().await;
}

#[actix_rt::test(system = "crate::System")]
async fn files_are_taken_for_clean_while_the_scanner_is_away_if_the_settings_say_so() {
    let Some(clamd) = Clamd::find() else { return };
    let store = store(&clamd, ScanFailure::Allow).await;
    let [ann, bob] = store.server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let file = uploads(&ann, chat, "a.txt", &bad()).await;
    let sent = shares(&ann, chat, "file", &[&file]).await;
    come_to(&bob, &sent, &["clean"]).await;
    bob.send("GET", &address(&file), None).await.expect(200);
}

#[actix_rt::test(system = "crate::System")]
async fn an_upload_that_is_blocked_before_it_is_sent_is_shown_as_such_and_frees_its_bytes() {
    let Some(mut clamd) = Clamd::find() else { return };
    clamd.starts().await;
    let scanner = ScannerUrl::parse(&clamd.url()).unwrap();
    let change = |config: &mut greenroom::config::Config| {
        config.files.scan = Some(scanner);
        config.files.quota_user_bytes = Some(1000);
    };
    let store = Store::start_with(change).await;
    let [ann, bob] = store.server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let blocked = uploads(&ann, chat, "bad.txt", &bad()).await;
    assert_eq!(blocked["state"], "scanning");
    store.has_files(0).await;
    // Completing again tells the state.
    let again = completes(&ann, &blocked).await.expect(200).json;
    assert_eq!(
        (&again["state"], &again["url"], &again["id"]),
        (&json!("blocked"), &Value::Null, &blocked["id"])
    );
    let sent = shares(&ann, chat, "bad", &[&blocked]).await;
    assert_eq!(sent["attachments"][0]["state"], "blocked");
    let copy = bob.post(&format!("chats/{chat}/messages/"), json!({"forward": sent["id"]})).await;
    assert_eq!(copy.expect(201).json["attachments"][0]["state"], "blocked");
    bob.send("GET", &address(&blocked), None).await.expect(404);
    // All of the quota is left.
    let whole = announces(&ann, chat, "whole.bin", 1000).await.expect(201).json;
    sends_bytes(&ann, &whole, &[7; 1000]).await.expect(200);
    store.is_consistent().await;
}

#[actix_rt::test(system = "crate::System")]
async fn a_server_that_starts_again_scans_what_has_waited() {
    let Some(mut clamd) = Clamd::find() else { return };
    let Store { server, folder } = store(&clamd, ScanFailure::Hold).await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let (clean, blocked) =
        (uploads(&ann, chat, "a.txt", b"a").await, uploads(&ann, chat, "b.txt", &bad()).await);
    let sent = shares(&ann, chat, "both", &[&clean, &blocked]).await;
    let database = server.stop();
    clamd.starts().await;
    let (scanner, files) = (ScannerUrl::parse(&clamd.url()).unwrap(), folder.path().join("files"));
    let change = |config: &mut greenroom::config::Config| {
        config.files.scan = Some(scanner);
        config.files.files = Some(files);
    };
    let store = Store { server: Server::start_on(database, change).await, folder };
    let bob = bob.at(&store.server);
    come_to(&bob, &sent, &["clean", "blocked"]).await;
    store.has_files(1).await;
    store.is_consistent().await;
}
