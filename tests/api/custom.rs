//! Custom data: what hosts store on users, chats and messages.

use greenroom::config::CustomKeys;
use serde_json::{Value, json};

use crate::support::{Listener, Reply, Server, User};

const FORBIDDEN: &str = "You do not have permission to perform this action.";

impl Listener {
    /// Returns the next event of a type, and skips those before it.
    async fn skips_to(&mut self, kind: &str) -> Value {
        loop {
            let event = self.next().await;
            if event["type"] == kind {
                return event;
            }
        }
    }
}

#[track_caller]
fn assert_refused(reply: &Reply, sentence: &str) {
    let details = json!({"custom": [sentence]});
    assert_eq!((reply.status, &reply.json["details"]), (400, &details), "{reply:?}");
}

#[track_caller]
fn assert_forbidden(reply: &Reply) {
    assert_eq!((reply.status, &reply.json["detail"]), (403, &json!(FORBIDDEN)), "{reply:?}");
}

/// Returns the custom data of what a path shows to a user.
async fn custom(user: &User, path: &str) -> Value {
    user.get(path).await.expect(200).json["custom"].clone()
}

async fn post_with(user: &User, chat: i64, custom: Value) -> Reply {
    user.post(&format!("chats/{chat}/messages/"), json!({"content": "hi", "custom": custom})).await
}

/// Has staff, a group's admin and a member talk in a group.
async fn team(server: &Server) -> (User, User, User, i64) {
    let (root, ann, bob) = (server.staff("root").await, server.user("ann").await, server.user("bob").await);
    let chat = ann.group("Team", &[&bob, &root]).await;
    (root, ann, bob, chat)
}

#[actix_rt::test(system = "crate::System")]
async fn a_message_has_what_its_sender_gave_and_changed() {
    let server = Server::start().await;
    let (_, ann, bob, chat) = team(&server).await;
    let mut socket = bob.listens().await;
    let sent = post_with(&ann, chat, json!({"order": 17, "tags": ["a", {"b": null}]})).await.expect(201).json;
    let order = json!({"order": 17, "tags": ["a", {"b": null}]});
    assert_eq!(sent["custom"], order);
    assert_eq!(socket.skips_to("new_message").await["message"], sent);
    let path = format!("messages/{}/", sent["id"]);
    assert_eq!(custom(&bob, &path).await, order);
    assert_eq!(bob.get(&format!("chats/{chat}/")).await.json["last_message"]["custom"], order);
    // The top level is merged, and a null removes a name.
    let changed = ann.patch(&path, json!({"custom": {"tags": {"c": 1}, "order": null, "x": true}})).await;
    let merged = json!({"tags": {"c": 1}, "x": true});
    assert_eq!(changed.expect(200).json["custom"], merged);
    let event = socket.skips_to("message_updated").await;
    assert_eq!(event["message"]["custom"], merged);
    // This is no edit.
    for field in ["is_edited", "updated_at", "content"] {
        assert_eq!(event["message"][field], sent[field], "{field}");
    }
    assert!(event["seq"].as_i64() > sent["seq"].as_i64());
    // Together with a text it is one change.
    let both = ann.patch(&path, json!({"content": "ho", "custom": {"x": 2}})).await.expect(200).json;
    assert_eq!((&both["custom"]["x"], &both["is_edited"]), (&json!(2), &json!(true)));
    assert_eq!(socket.skips_to("message_updated").await["message"], both);
    // A text alone leaves it.
    assert_eq!(ann.edits(&both, "hey").await["custom"], both["custom"]);
    // The same again changes nothing.
    let again = ann.patch(&path, json!({"custom": {"x": 2, "unknown": null}})).await.expect(200).json;
    assert_eq!(again["seq"], both["seq"].as_i64().unwrap() + 1);
    assert_eq!(ann.patch(&path, json!({"custom": null})).await.expect(200).json["custom"], json!({}));
    ann.delete(&path).await.expect(204);
    let page = bob.get(&format!("chats/{chat}/messages/")).await.json;
    assert_eq!(page["results"][0]["custom"], json!({}));
}

#[actix_rt::test(system = "crate::System")]
async fn a_retry_with_other_data_is_the_same_message() {
    let server = Server::start().await;
    let (_, ann, _, chat) = team(&server).await;
    let path = format!("chats/{chat}/messages/");
    let body = |custom: Value| json!({"content": "hi", "client_id": "key", "custom": custom});
    let first = ann.post(&path, body(json!({"a": 1}))).await.expect(201).json;
    let second = ann.post(&path, body(json!({"a": 2}))).await.expect(200).json;
    assert_eq!(first, second);
}

#[actix_rt::test(system = "crate::System")]
async fn whose_data_who_may_change() {
    let server = Server::start().await;
    let (root, ann, bob, chat) = team(&server).await;
    let nina = server.user("nina").await;
    let message = ann.posts(chat, "hi").await;
    let (message, chat_path) = (format!("messages/{}/", message["id"]), format!("chats/{chat}/"));
    let user = format!("users/{}/", ann.id);
    let change = || json!({"custom": {"a": 1}});
    // Path, and the status for the owner or admin, a member, staff, and a stranger.
    let rows = [(message.as_str(), [200, 403, 200, 404]), (chat_path.as_str(), [200, 403, 200, 404])];
    for (path, statuses) in rows {
        for (caller, status) in [&ann, &bob, &root, &nina].into_iter().zip(statuses) {
            assert_eq!(caller.patch(path, change()).await.status, status, "{} {path}", caller.name);
        }
    }
    for (caller, status) in [(&ann, 403), (&bob, 403), (&root, 200), (&nina, 403)] {
        assert_eq!(caller.patch(&user, change()).await.status, status, "{}", caller.name);
    }
    ann.patch("users/me/", change()).await.expect(200);
    // Staff change the data, but not the text.
    assert_forbidden(&root.patch(&message, json!({"content": "x", "custom": {"a": 1}})).await);
    // Staff who are not in the chat see nothing of it.
    let other = server.staff("other").await;
    other.patch(&message, change()).await.expect(404);
    other.patch(&chat_path, change()).await.expect(404);
    // Either member of a dm may rename it, but only its admin may change its data.
    let dm = format!("chats/{}/", ann.dm(&bob).await);
    ann.patch(&dm, change()).await.expect(200);
    assert_forbidden(&bob.patch(&dm, change()).await);
    bob.patch(&dm, json!({"title": "Us"})).await.expect(200);
    // Who is blocked changes nothing that the other one sees.
    let sent = bob.posts(dm.trim_start_matches("chats/").trim_end_matches('/'), "hi").await;
    ann.post(&format!("users/{}/block/", bob.id), json!({})).await.expect(200);
    assert_forbidden(&bob.patch(&format!("messages/{}/", sent["id"]), change()).await);
}

#[actix_rt::test(system = "crate::System")]
async fn private_names_are_for_staff() {
    let server = Server::start_with(|config| {
        config.custom_keys = CustomKeys::parse("chat._x,user._x").unwrap();
    })
    .await;
    let (root, ann, bob, chat) = team(&server).await;
    let mut socket = bob.listens().await;
    let private = || json!({"_x": 1, "a": {"_b": 2}});
    let public = json!({"a": {"_b": 2}});
    assert_forbidden(&post_with(&ann, chat, private()).await);
    let sent = post_with(&root, chat, private()).await.expect(201).json;
    assert_eq!(sent["custom"], private());
    assert_eq!(socket.skips_to("new_message").await["message"]["custom"], public);
    let group = json!({"chat_type": "group", "member_ids": [ann.id, bob.id], "custom": private()});
    assert_forbidden(&ann.post("chats/", group.clone()).await);
    let made = root.post("chats/", group).await.expect(201).json;
    assert_eq!(made["custom"], private());
    assert_eq!(socket.skips_to("chat_created").await["chat"]["custom"], public);
    let user = format!("users/{}/", ann.id);
    assert_eq!(root.patch(&user, json!({"custom": private()})).await.expect(200).json["custom"], private());
    let (message, group) = (format!("messages/{}/", sent["id"]), format!("chats/{}/", made["id"]));
    for path in [&message, &group, &user] {
        assert_eq!(custom(&root, path).await, private(), "{path}");
        assert_eq!(custom(&bob, path).await, public, "{path}");
    }
    assert_eq!(custom(&ann, "users/me/").await, public);
    for (path, list) in [("chats/", "results"), ("users/search/?q=ann", "results"), ("sync/", "chats")] {
        let of = |reply: &Reply| {
            let found = reply.json[list].as_array().unwrap().iter();
            found.map(|one| one["custom"].clone()).find(|custom| *custom != json!({}))
        };
        assert_eq!(of(&root.get(path).await.expect(200)), Some(private()), "{path}");
        assert_eq!(of(&bob.get(path).await.expect(200)), Some(public.clone()), "{path}");
    }
    let messages = format!("chats/{chat}/messages/");
    for path in [&messages, &format!("{messages}?search=hi"), "search/?q=hi"] {
        assert_eq!(root.get(path).await.expect(200).json["results"][0]["custom"], private(), "{path}");
        assert_eq!(bob.get(path).await.expect(200).json["results"][0]["custom"], public, "{path}");
    }
    // Staff see them in each answer of their own.
    for body in [json!({"content": "ho"}), json!({})] {
        assert_eq!(root.patch(&message, body).await.expect(200).json["custom"], private());
    }
    // Others can neither change nor clear them.
    assert_forbidden(&ann.patch("users/me/", json!({"custom": {"_x": null}})).await);
    ann.patch("users/me/", json!({"custom": null})).await.expect(200);
    assert_eq!(custom(&root, &user).await, json!({"_x": 1}));
    assert_eq!(root.patch(&user, json!({"custom": null})).await.expect(200).json["custom"], json!({}));
    // Nor find by them.
    assert_eq!(root.get("chats/?custom._x=1").await.expect(200).json["count"], 1);
    bob.get("chats/?custom._x=1").await.expect(400);
    // A stranger does not learn from the error that there is a chat.
    server.user("nina").await.patch(&group, json!({"custom": {"_x": 1}})).await.expect(404);
}

#[actix_rt::test(system = "crate::System")]
async fn chats_have_data_from_the_start_and_tell_of_changes() {
    let server = Server::start().await;
    let (root, ann, bob, _) = team(&server).await;
    let object = json!({"chat_type": "room", "title": "Order 17", "object_type": "order", "object_id": "17",
        "custom": {"order": 17}});
    let room = root.post("chats/", object).await.expect(201).json;
    assert_eq!(room["custom"], json!({"order": 17}));
    let id = room["id"].as_i64().unwrap();
    assert_eq!(bob.get("rooms/").await.json["results"][0]["custom"], json!({"order": 17}));
    bob.post(&format!("chats/{id}/join/"), json!({})).await.expect(200);
    let mut socket = bob.listens().await;
    let seen = socket.hello["chats"][&id.to_string()].clone();
    let path = format!("chats/{id}/");
    let changed =
        root.patch(&path, json!({"title": "Done", "custom": {"paid": true}})).await.expect(200).json;
    assert_eq!(changed["custom"], json!({"order": 17, "paid": true}));
    let first = socket.skips_to("chat_updated").await;
    assert_eq!(first["chat"]["custom"], changed["custom"]);
    assert_eq!(socket.skips_to("chat_updated").await["chat"]["title"], "Done");
    assert_eq!(changed["updated_at"], socket_time(&bob, &path).await);
    // A client that was away gets it too.
    let missed = bob.post("sync/", json!({"chats": {id.to_string(): seen}})).await.expect(200).json;
    let mut updates =
        missed["events"].as_array().unwrap().iter().filter(|event| event["type"] == "chat_updated");
    assert_eq!(updates.next_back().unwrap()["chat"]["custom"], changed["custom"]);
    // Only staff decide on that in rooms that nobody owns.
    let fields = |id: &str| json!({"chat_type": "room", "title": "x", "object_type": "order", "object_id": id, "custom": {"a": 1}});
    assert_eq!(ann.post("chats/", fields("18")).await.status, 403);
    root.post("chats/", fields("18")).await.expect(201);
    // If a part is refused, no part is stored.
    let refused = json!({"title": "", "custom": {"a": 1}, "guest_access": "read"});
    root.patch(&path, refused).await.expect(400);
    let refused = json!({"title": "New", "custom": {"a": "x".repeat(4_096)}, "guest_access": "read"});
    root.patch(&path, refused).await.expect(400);
    let now = root.get(&path).await.json;
    assert_eq!((&now["seq"], &now["guest_access"]), (&changed["seq"], &json!("none")));
    // Neither the same again nor an unknown name is a change.
    let same = root.patch(&path, json!({"custom": {"paid": true, "no": null}})).await.expect(200).json;
    assert_eq!(same["seq"], changed["seq"]);
    // A whole replacement without data leaves it.
    let renamed = root.put(&path, json!({"title": "Paid"})).await.expect(200).json;
    assert_eq!(renamed["custom"], changed["custom"]);
    assert!(ann.get("chats/").await.json["results"][0]["custom"].is_object());
}

async fn socket_time(user: &User, path: &str) -> Value {
    user.get(path).await.json["updated_at"].clone()
}

#[actix_rt::test(system = "crate::System")]
async fn data_is_changed_where_renaming_and_editing_are_off() {
    let server = Server::start_with(|config| {
        config.allow_editing = false;
        config.allow_renaming_dms = false;
    })
    .await;
    let (ann, bob) = (server.user("ann").await, server.user("bob").await);
    let dm = ann.dm(&bob).await;
    let path = format!("chats/{dm}/");
    assert_eq!(ann.patch(&path, json!({"custom": {"a": 1}})).await.expect(200).json["custom"]["a"], 1);
    assert_forbidden(&ann.patch(&path, json!({"custom": {"a": 2}, "title": "x"})).await);
    assert_eq!(custom(&ann, &path).await, json!({"a": 1}));
    let message = format!("messages/{}/", ann.posts(dm, "hi").await["id"]);
    assert_eq!(ann.patch(&message, json!({"custom": {"a": 1}})).await.expect(200).json["custom"]["a"], 1);
    assert_forbidden(&ann.patch(&message, json!({"custom": {"a": 2}, "content": "x"})).await);
    for path in [&path, &message] {
        ann.patch(path, json!({"custom": []})).await.expect(400);
        assert_forbidden(&ann.patch(path, json!({})).await);
    }
    assert_eq!(custom(&bob, &message).await, json!({"a": 1}));
}

#[actix_rt::test(system = "crate::System")]
async fn a_profile_has_data_and_partners_are_told() {
    let server = Server::start().await;
    let (root, ann, bob, _) = team(&server).await;
    ann.dm(&bob).await;
    let mut socket = bob.listens().await;
    let own = ann.patch("users/me/", json!({"custom": {"tenant": "acme"}})).await.expect(200).json;
    assert_eq!(own["custom"], json!({"tenant": "acme"}));
    let event = socket.skips_to("user_updated").await;
    assert_eq!((&event["user"]["id"], &event["user"]["custom"]), (&json!(ann.id), &own["custom"]));
    assert_eq!(custom(&bob, &format!("users/{}/", ann.id)).await, own["custom"]);
    // A name is published with the data.
    ann.patch("users/me/", json!({"first_name": "Ann"})).await.expect(200);
    assert_eq!(socket.skips_to("user_updated").await["user"]["custom"], own["custom"]);
    let made = root.post("users/", json!({"username": "dave", "custom": {"_crm": 4, "plan": "pro"}})).await;
    assert_eq!(made.expect(201).json["custom"], json!({"_crm": 4, "plan": "pro"}));
    // An existing user stays as they are.
    let made = root.post("users/", json!({"username": "dave", "custom": {"plan": "free"}})).await;
    assert_eq!(made.expect(200).json["custom"]["plan"], "pro");
}

#[actix_rt::test(system = "crate::System")]
async fn chats_and_users_are_found_by_their_data() {
    let server = Server::start_with(|config| {
        config.custom_keys = CustomKeys::parse("chat.order,chat.open,user.tenant,user.plan").unwrap();
    })
    .await;
    let (root, ann, bob, _) = team(&server).await;
    let make = |custom: Value| json!({"chat_type": "group", "member_ids": [bob.id], "custom": custom});
    let mut chats = Vec::new();
    for custom in
        [json!({"order": 17, "open": true}), json!({"order": "17"}), json!({"order": 1.5}), json!({})]
    {
        chats.push(ann.post("chats/", make(custom)).await.expect(201).id());
    }
    // A chat of others.
    root.post("chats/", json!({"chat_type": "group", "custom": {"order": 17}})).await.expect(201);
    let found = async |query: &str| {
        let reply = ann.get(&format!("chats/?{query}")).await.expect(200);
        let mut ids: Vec<i64> = reply.results().iter().map(|chat| chat["id"].as_i64().unwrap()).collect();
        ids.sort_unstable();
        assert_eq!(reply.json["count"], ids.len());
        ids
    };
    assert_eq!(found("custom.order=17").await, [chats[0], chats[1]]);
    assert_eq!(found("custom.order=17&custom.open=true").await, [chats[0]]);
    assert_eq!(found("custom.order=1.5").await, [chats[2]]);
    assert!(found("custom.order=18").await.is_empty());
    assert!(found("custom.order=17&custom.order=18").await.is_empty());
    ann.patch(&format!("chats/{}/", chats[0]), json!({"custom": {"order": 18}})).await.expect(200);
    assert_eq!(found("custom.order=18").await, [chats[0]]);
    assert_eq!(found("custom.order=17").await, [chats[1]]);
    ann.patch(&format!("chats/{}/", chats[0]), json!({"custom": {"order": [18]}})).await.expect(200);
    assert!(found("custom.order=18").await.is_empty());
    for query in ["custom.title=x", "custom.=x", "custom.tenant=acme"] {
        let refused = ann.get(&format!("chats/?{query}")).await.expect(400).json;
        let name = query.split_once('=').unwrap().0;
        assert_eq!(refused["details"][name], json!(["GREENROOM_CUSTOM_KEYS does not list this name."]));
    }
    for (name, tenant, plan) in [("a1", "acme", "pro"), ("a2", "acme", "free"), ("b1", "other", "pro")] {
        let custom = json!({"tenant": tenant, "plan": plan});
        let body = json!({"username": name, "custom": custom, "external_id": name});
        root.post("users/", body).await.expect(201);
    }
    let names = async |query: &str| {
        let reply = root.get(&format!("users/?{query}")).await.expect(200);
        let name = |user: &Value| user["username"].as_str().unwrap().to_owned();
        (reply.json["count"].as_i64().unwrap(), reply.results().iter().map(name).collect::<Vec<_>>())
    };
    assert_eq!(names("custom.tenant=acme").await, (2, vec!["a1".to_owned(), "a2".to_owned()]));
    assert_eq!(names("custom.tenant=acme&page_size=1&page=2").await, (2, vec!["a2".to_owned()]));
    assert_eq!(names("custom.tenant=acme&custom.plan=pro").await, (1, vec!["a1".to_owned()]));
    assert_eq!(names("custom.plan=pro&custom.tenant=other").await, (1, vec!["b1".to_owned()]));
    assert_eq!(names("custom.plan=pro&external_id=a2").await.0, 0);
    assert_eq!(names("custom.plan=free&external_id=a2").await, (1, vec!["a2".to_owned()]));
    ann.get("users/?custom.tenant=acme").await.expect(403);
    root.get("users/?custom.order=17").await.expect(400);
    assert_eq!(ann.get("users/search/?q=a1").await.json["results"][0]["custom"]["plan"], "pro");
    // Deleted chats take their data along.
    ann.delete(&format!("chats/{}/", chats[1])).await.expect(204);
    assert!(found("custom.order=17").await.is_empty());
}

#[actix_rt::test(system = "crate::System")]
async fn what_is_no_valid_data_is_refused_everywhere() {
    let server = Server::start().await;
    let (root, ann, _, chat) = team(&server).await;
    let message = ann.posts(chat, "hi").await;
    let names: Value = (0..51).map(|number| (format!("name{number}"), json!(1))).collect();
    let long = json!({"a": "x".repeat(4_089)});
    let bad = [
        (json!([]), "Expected a dictionary of items but got type \"list\"."),
        (json!("x"), "Expected a dictionary of items but got type \"str\"."),
        (json!({"a".repeat(41): 1}), "Ensure each name has 1 to 40 characters."),
        (json!({"a": "\0"}), "Null characters are not allowed."),
        (json!({"a": [[[[[1]]]]]}), "Ensure this object is nested no more than 5 levels deep."),
        (names, "Ensure this object has no more than 50 names."),
        (long, "Ensure this object has no more than 4096 bytes as compact JSON."),
    ];
    let (message, path) = (format!("messages/{}/", message["id"]), format!("chats/{chat}/"));
    for (custom, sentence) in bad {
        let body = json!({"custom": custom});
        for path in [&message, &path, "users/me/"] {
            assert_refused(&ann.patch(path, body.clone()).await, sentence);
        }
        assert_refused(&root.patch(&format!("users/{}/", ann.id), body.clone()).await, sentence);
        assert_refused(&post_with(&ann, chat, custom.clone()).await, sentence);
        let group = json!({"chat_type": "group", "custom": custom});
        assert_refused(&ann.post("chats/", group).await, sentence);
        let room = json!({"chat_type": "room", "title": "x", "custom": custom});
        assert_refused(&ann.post("chats/", room).await, sentence);
        assert_refused(&root.post("users/", json!({"username": "new", "custom": custom})).await, sentence);
    }
    // The limits are those of the whole, and what is there stays.
    let full = json!({"a": "x".repeat(4_088)});
    assert_eq!(ann.patch(&message, json!({"custom": full})).await.expect(200).json["custom"], full);
    let more = ann.patch(&message, json!({"custom": {"b": 1}})).await;
    assert_refused(&more, "Ensure this object has no more than 4096 bytes as compact JSON.");
    assert_eq!(custom(&ann, &message).await, full);
    let other = json!({"a": null, "b": "Zoë 👍 \u{1f469}\u{200d}\u{1f680} \"\\/\n"});
    let kept = ann.patch(&message, json!({"custom": other})).await.expect(200).json["custom"].clone();
    assert_eq!(kept, json!({"b": other["b"]}));
}

#[actix_rt::test(system = "crate::System")]
async fn sockets_send_and_change_it_too() {
    let server = Server::start().await;
    let (_, ann, bob, chat) = team(&server).await;
    let mut socket = ann.listens().await;
    let mut other = bob.listens().await;
    let ack = socket
        .asks(json!({"type": "send_message", "chat_id": chat, "content": "hi", "custom": {"a": 1}}))
        .await;
    assert_eq!(ack["message"]["custom"], json!({"a": 1}), "{ack}");
    let id = ack["message"]["id"].clone();
    let ack = socket.asks(json!({"type": "edit_message", "message_id": id, "custom": {"b": 2}})).await;
    assert_eq!(ack["message"]["custom"], json!({"a": 1, "b": 2}), "{ack}");
    assert_eq!(ack["message"]["is_edited"], false);
    assert_eq!(other.skips_to("message_updated").await["message"]["custom"], json!({"a": 1, "b": 2}));
    let error = socket.asks(json!({"type": "edit_message", "message_id": id, "custom": {"_b": 2}})).await;
    assert_eq!((&error["type"], &error["status"]), (&json!("error"), &json!(403)), "{error}");
    // An edit without either is none.
    let error = socket.asks(json!({"type": "edit_message", "message_id": id})).await;
    assert_eq!(error["status"], 400, "{error}");
}
