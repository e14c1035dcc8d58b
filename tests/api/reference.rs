//! The API description, compared with the routes. Every answer in every test is validated against it.

use std::collections::{BTreeMap, BTreeSet};

use greenroom::{core::model::Guests, openapi};
use serde_json::{Value, json};

use crate::{
    jwt::server_with,
    support::{
        Server,
        jwt::{SigningKey, now},
        reference::{FROM_CLIENT, FROM_SERVER, check, described},
    },
};

#[actix_rt::test(system = "crate::System")]
async fn the_description_is_open_to_all() {
    let server = Server::start().await;
    let nobody = server.anonymous();
    let reply = nobody.get("schema/").await.expect(200);
    assert_eq!(reply.header("content-type"), "application/json");
    assert_eq!(reply.json["openapi"], "3.1.0");
    assert_eq!(&reply.json, openapi::openapi());
    assert_eq!(
        nobody.send("POST", "/messages/api/schema/", None).await.expect(405).header("allow"),
        "GET, HEAD"
    );
}

/// Returns the paths of `src/routes.rs` with their methods.
fn routes() -> BTreeMap<String, BTreeSet<String>> {
    let source = include_str!("../../src/routes.rs");
    let (outside, api) = source.split_once("fn api(").expect("there is a function for the API's addresses");
    let api = api.split("\n}").next().unwrap();
    let outside = outside
        .replace("at(BASE)", "at(\"/messages/api\")")
        .replace("at(&format!(\"{BASE}", "at(\"(/messages/api");
    let outside =
        outside.replace("at(\"(", "at(\"").replace("\"))", "\")").replace("{{", "{").replace("}}", "}");
    let mut found = BTreeMap::new();
    for (base, text) in [("", outside.as_str()), ("/messages/api", api)] {
        for route in text.split("at(\"").skip(1) {
            let (path, rest) = route.split_once('"').unwrap();
            let chain = rest.split(".done()").next().unwrap();
            let methods = ["get", "post", "put", "patch", "delete"];
            let methods = methods.into_iter().filter(|method| chain.contains(&format!(".{method}(")));
            let path = path.replace(":.*", "");
            let known = found.insert(format!("{base}{path}"), methods.map(str::to_owned).collect());
            assert_eq!(known, None, "{path} is there twice");
        }
    }
    assert_eq!(found.len(), source.matches("at(").count(), "each address is found: {found:?}");
    // The socket's route is registered without a method.
    found.insert("/messages/ws".to_owned(), BTreeSet::from(["get".to_owned()]));
    found
}

#[test]
fn every_address_is_described_with_all_its_methods() {
    let document = openapi::openapi();
    let paths = document["paths"].as_object().unwrap();
    let described: BTreeMap<String, BTreeSet<String>> = paths
        .iter()
        .map(|(path, item)| {
            let path = if path == "/" { path } else { path.trim_end_matches('/') };
            (path.to_owned(), item.as_object().unwrap().keys().cloned().collect())
        })
        .collect();
    assert_eq!(described, routes());
}

#[actix_rt::test(system = "crate::System")]
async fn the_server_has_the_methods_that_are_described() {
    let server = Server::start().await;
    let ann = server.staff("ann").await;
    for (path, item) in openapi::openapi()["paths"].as_object().unwrap() {
        let path = path.replace(['{', '}'], "");
        let reply = ann.send("OPTIONS", &path, None).await.expect(405);
        let allowed: BTreeSet<_> = reply
            .header("allow")
            .split(", ")
            .filter(|method| *method != "HEAD")
            .map(str::to_lowercase)
            .collect();
        let described: BTreeSet<_> = item.as_object().unwrap().keys().cloned().collect();
        assert_eq!(allowed, described, "{path}");
    }
}

/// Collects all values with this name, at any depth.
fn all<'a>(value: &'a Value, name: &str, found: &mut Vec<&'a Value>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get(name));
            fields.values().for_each(|value| all(value, name, found));
        }
        Value::Array(list) => list.iter().for_each(|value| all(value, name, found)),
        _ => {}
    }
}

#[test]
fn the_description_holds_together() {
    let document = openapi::openapi();
    let mut references = Vec::new();
    all(document, "$ref", &mut references);
    assert!(references.len() > 100);
    for reference in references {
        let pointer = reference.as_str().unwrap().trim_start_matches('#');
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    let mut ids = Vec::new();
    document["paths"].as_object().unwrap().values().for_each(|item| {
        ids.extend(
            item.as_object().unwrap().values().map(|operation| operation["operationId"].as_str().unwrap()),
        );
    });
    let count = ids.len();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), count, "{ids:?}");
    let mut links = Vec::new();
    all(document, "links", &mut links);
    for link in links.iter().flat_map(|links| links.as_object().unwrap().values()) {
        assert!(ids.contains(&link["operationId"].as_str().unwrap()), "{link}");
    }
}

#[test]
fn every_example_is_as_its_schema_says_and_every_json_body_has_one() {
    let document = openapi::openapi();
    let mut contents = Vec::new();
    all(document, "content", &mut contents);
    let mut examples = 0;
    // Messages also have a field `content`.
    let bodies = contents.iter().filter_map(|content| content.as_object()).flatten();
    for (kind, content) in bodies.filter(|(kind, _)| kind.contains('/')) {
        let Some(example) = content.get("example") else {
            let is_schema = content["schema"] == json!({ "type": "object" });
            assert!(kind != "application/json" || is_schema, "{content} has no example");
            continue;
        };
        assert_eq!(check(document, &content["schema"], example), Ok(()), "{example}");
        examples += 1;
    }
    assert!(examples > 60, "{examples}");
}

#[actix_rt::test(system = "crate::System")]
async fn every_frame_that_is_described_is_sent_by_and_by() {
    let key = SigningKey::secret();
    let server = server_with(&key, |config| config.guests = Guests::Open).await;
    let [ann, bob, cat] = server.users(["ann", "bob", "cat"]).await;
    let dm = ann.dm(&bob).await;
    let room = ann.room("Garden").await;
    let document = openapi::asyncapi();
    let all: BTreeSet<&str> =
        document["components"]["messages"].as_object().unwrap().keys().map(String::as_str).collect();
    let wanted: BTreeSet<&str> = all.into_iter().filter(|name| !name.ends_with("Command")).collect();
    let mut bob_socket = bob.listens().await;
    let mut seen = BTreeSet::from([described(document, FROM_SERVER, &bob_socket.hello).unwrap()]);

    let ending = key.token(json!({"sub": "dan", "iat": now() - 600, "exp": now()}));
    let dan = server.anonymous().with("Authorization", &format!("Bearer {ending}"));
    let warning = dan.listens().await.receives("token_expiring").await;
    seen.insert(described(document, FROM_SERVER, &warning).unwrap());
    let refresh = json!({"type": "refresh", "id": 1, "token": ending});
    assert!(described(document, FROM_CLIENT, &refresh).is_ok());
    let _ann_socket = ann.listens().await;
    let message = ann.posts(dm, "one").await;
    ann.edits(&message, "two").await;
    ann.post(&format!("messages/{}/reactions/", message["id"]), json!({"emoji": "👍"})).await.expect(200);
    ann.post(&format!("chats/{dm}/typing/"), json!({"is_typing": true})).await.expect(200);
    bob.marks_as_read(dm).await;
    bob.patch(&format!("chats/{dm}/me/"), json!({"is_pinned": true})).await.expect(200);
    bob.call("PUT", &format!("chats/{dm}/draft/"), Some(json!({"content": "I "}))).await.expect(200);
    ann.call("PUT", &format!("chats/{dm}/pins/{}/", message["id"]), None).await.expect(200);
    ann.deletes(&message).await;
    let root = bob.posts(dm, "a question").await;
    let named = json!({"users": [{"id": bob.id}]});
    let reply = json!({"content": "an answer", "thread": root["id"], "mentions": named});
    let reply = ann.post(&format!("chats/{dm}/messages/"), reply).await.expect(201).json;
    bob.post(&format!("messages/{}/mark-as-read/", root["id"]), json!({})).await.expect(200);
    ann.patch(&format!("messages/{}/", reply["id"]), json!({"mentions": {}})).await.expect(200);
    // Each change is seen before the next: a node that subscribes to a new chat reads its latest state only.
    let mut until = async |kind: &str| {
        loop {
            let frame = bob_socket.next_of_all().await.unwrap_or_else(|_| panic!("no {kind}"));
            seen.insert(described(document, FROM_SERVER, &frame).unwrap());
            if frame["type"] == kind {
                break;
            }
        }
    };
    let group = ann.group("Team", &[&bob]).await;
    until("chat_created").await;
    ann.adds(group, &[&cat]).await;
    until("members_changed").await;
    ann.patch(&format!("chats/{group}/"), json!({"title": "Crew"})).await.expect(200);
    until("chat_updated").await;
    ann.delete(&format!("chats/{group}/")).await.expect(204);
    until("chat_deleted").await;
    let guest = server.anonymous().send("POST", "/guests/", Some(json!({}))).await.expect(201).json;
    let team = bob.group("Helpers", &[]).await;
    bob.post(&format!("chats/{team}/members/add/"), json!({"user_ids": [guest["user"]["id"]]}))
        .await
        .expect(200);
    until("members_changed").await;
    cat.post("guests/claim/", json!({"key": guest["key"]})).await.expect(200);
    until("user_merged").await;
    ann.patch("users/me/", json!({"first_name": "Ann"})).await.expect(200);
    let said = [
        json!({"type": "send_message", "chat_id": dm, "content": "hi", "client_id": "c-1"}),
        json!({"type": "react", "message_id": message["id"], "emoji": "👍"}),
        json!({"type": "mark_as_read", "chat_id": dm}),
        json!({"type": "typing", "chat_id": dm, "is_typing": true}),
        json!({"type": "open_thread", "root": root["id"]}),
        json!({"type": "close_thread", "root": root["id"]}),
        json!({"type": "watch", "chat_id": room}),
        json!({"type": "react", "message_id": ann.posts(dm, "three").await["id"], "emoji": "👍"}),
        json!({"type": "resume", "chats": {dm.to_string(): 9_999}}),
        json!({"type": "ping"}),
    ];
    for command in said {
        assert!(described(document, FROM_CLIENT, &command).is_ok(), "{command}");
        bob_socket.says(&command.to_string()).await;
    }
    while seen != wanted {
        let frame = bob_socket.next_of_all().await.unwrap_or_else(|_| panic!("{seen:?} of {wanted:?}"));
        seen.insert(described(document, FROM_SERVER, &frame).unwrap());
    }
}
