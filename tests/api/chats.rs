use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Server, User, encoded};

/// Returns the ids of a user's chats, in the order of the list.
async fn listed(user: &User, query: &str) -> Vec<i64> {
    user.get(&format!("chats/?{query}")).await.expect(200).ids()
}

/// Returns the chats of a user that a search finds.
async fn found(user: &User, search: &str) -> Vec<i64> {
    listed(user, &format!("search={}", encoded(search))).await
}

// Creation.

#[actix_rt::test(system = "crate::System")]
async fn a_group_begins_with_its_creator_as_admin() {
    let server = Server::start().await;
    let (ann, bob) = (server.user("ann").await, server.user("bob").await);
    let body = json!({"chat_type": "group", "title": " Team ", "member_ids": [bob.id, bob.id, ann.id]});
    let chat = ann.post("chats/", body).await.expect(201).json;
    assert_eq!(chat["title"], "Team");
    assert_eq!(chat["chat_type"], "group");
    assert_eq!(chat["admins"], json!([ann.id]));
    assert_eq!(chat["member_count"], 2);
    assert_eq!(chat["my_role"], "admin");
    assert_eq!(chat["seq"], 1);
    assert_eq!(bob.sees(&chat["id"]).await["my_role"], "member");
}

#[actix_rt::test(system = "crate::System")]
async fn a_new_chat_is_empty_and_read() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = bob.sees(ann.group("Team", &[&bob]).await).await;
    assert_eq!(chat["last_message"], Value::Null);
    assert_eq!(chat["last_read_message_id"], Value::Null);
    assert_eq!(chat["unread_count"], 0);
    assert_eq!(chat["created_at"], chat["updated_at"]);
    assert!(chat["created_at"].as_str().unwrap().ends_with('Z'));
    assert_eq!(chat["members"][0]["username"], "ann");
    assert_eq!(chat["members"][1]["role"], "member");
}

#[actix_rt::test(system = "crate::System")]
async fn who_is_added_hears_of_the_chat_and_then_of_what_happens_there() {
    let server = Server::start().await;
    let (ann, bob) = (server.user("ann").await, server.user("bob").await);
    let mut bob_socket = bob.listens().await;
    assert_eq!(bob_socket.hello["user_id"], bob.id);
    let chat = ann.group("Team", &[&bob]).await;
    let created = bob_socket.receives("chat_created").await;
    assert_eq!(created["chat"], bob.sees(chat).await);
    let message = ann.posts(chat, "hi").await;
    let event = bob_socket.receives("new_message").await;
    assert_eq!(event["message"], message);
    assert_eq!(event["chat_id"], chat);
    assert_eq!(event["seq"], message["seq"]);
}

#[actix_rt::test(system = "crate::System")]
async fn two_people_have_one_dm_whoever_asks_for_it() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let first = ann.post("chats/", json!({"chat_type": "dm", "member_ids": [bob.id]})).await.expect(201);
    let again = ann.post("chats/", json!({"chat_type": "dm", "member_ids": [bob.id]})).await.expect(200);
    let back = bob.post("chats/", json!({"chat_type": "dm", "member_ids": [ann.id]})).await.expect(200);
    assert_eq!(first.json, again.json);
    assert_eq!(back.id(), first.id());
    assert_eq!(back.json["admins"], json!([ann.id]));
    assert_eq!(back.json["my_role"], "member");
}

#[actix_rt::test(system = "crate::System")]
async fn a_dm_may_name_the_caller_too() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let body = json!({"chat_type": "dm", "member_ids": [ann.id, bob.id]});
    let dm = ann.post("chats/", body).await.expect(201);
    assert_eq!(dm.json["member_count"], 2);
    assert_eq!(bob.dm(&ann).await, dm.id());
}

#[actix_rt::test(system = "crate::System")]
async fn a_dm_that_many_ask_for_at_once_is_made_once() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let ask = |n: usize| {
        let (one, other) = if n.is_multiple_of(2) { (ann.clone(), bob.id) } else { (bob.clone(), ann.id) };
        async move { one.post("chats/", json!({"chat_type": "dm", "member_ids": [other]})).await }
    };
    let replies = join_all((0..16).map(ask)).await;
    assert!(replies.iter().all(|reply| reply.id() == replies[0].id()));
    assert_eq!(replies.iter().filter(|reply| reply.status == 201).count(), 1);
    assert_eq!(replies.iter().filter(|reply| reply.status == 200).count(), 15);
    assert_eq!(listed(&ann, "").await, listed(&bob, "").await);
}

#[actix_rt::test(system = "crate::System")]
async fn a_dm_that_exists_is_announced_to_nobody_again() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let mut bob_socket = bob.listens().await;
    let dm = ann.dm(&bob).await;
    assert_eq!(bob_socket.receives("chat_created").await["chat"]["title"], "ann");
    ann.dm(&bob).await;
    ann.posts(dm, "hi").await;
    bob_socket.receives("new_message").await;
}

#[actix_rt::test(system = "crate::System")]
async fn a_dm_with_nobody_else_is_for_notes() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let notes = ann.post("chats/", json!({"chat_type": "dm"})).await.expect(201);
    assert_eq!(notes.json["title"], "ann");
    assert_eq!(notes.json["member_count"], 1);
    for members in [json!([]), json!([ann.id])] {
        let again = ann.post("chats/", json!({"chat_type": "dm", "member_ids": members})).await.expect(200);
        assert_eq!(again.id(), notes.id());
    }
    ann.posts(notes.id(), "milk").await;
    assert_eq!(ann.sees(notes.id()).await["unread_count"], 0);
}

#[actix_rt::test(system = "crate::System")]
async fn a_dm_is_not_for_three() {
    let server = Server::start().await;
    let [ann, bob, cat] = server.users(["ann", "bob", "cat"]).await;
    let body = json!({"chat_type": "dm", "member_ids": [bob.id, cat.id]});
    assert!(ann.post("chats/", body).await.invalid("member_ids").is_array());
    assert!(listed(&ann, "").await.is_empty());
}

#[actix_rt::test(system = "crate::System")]
async fn members_who_do_not_exist_are_named_and_nothing_is_made() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    for kind in ["group", "dm"] {
        let body = json!({"chat_type": kind, "member_ids": [999]});
        let sentences = ann.post("chats/", body).await.invalid("member_ids");
        assert_eq!(sentences, json!(["Invalid pk \"999\" - object does not exist."]));
    }
    let body = json!({"chat_type": "group", "member_ids": [bob.id, 0, "x"]});
    assert!(ann.post("chats/", body).await.invalid("member_ids").is_array());
    assert!(listed(&bob, "").await.is_empty());
}

#[actix_rt::test(system = "crate::System")]
async fn a_chat_needs_one_of_the_types() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let missing = ann.post("chats/", json!({"title": "Team"})).await;
    assert_eq!(missing.invalid("chat_type"), json!(["This field is required."]));
    let unknown = ann.post("chats/", json!({"chat_type": "party"})).await;
    assert_eq!(unknown.invalid("chat_type"), json!(["\"party\" is not a valid choice."]));
    let null = ann.post("chats/", json!({"chat_type": null})).await;
    assert_eq!(null.invalid("chat_type"), json!(["This field may not be null."]));
}

#[actix_rt::test(system = "crate::System")]
async fn all_wrong_fields_are_named_at_once() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let reply = ann.post("chats/", json!({"title": [], "member_ids": 5})).await;
    assert_eq!(reply.invalid("chat_type"), json!(["This field is required."]));
    assert_eq!(reply.invalid("title"), json!(["Not a valid string."]));
    let sentence = "Expected a list of items but got type \"int\".";
    assert_eq!(reply.invalid("member_ids"), json!([sentence]));
}

#[actix_rt::test(system = "crate::System")]
async fn what_is_not_the_callers_to_set_is_ignored() {
    let server = Server::start().await;
    let [ann, bob, cat] = server.users(["ann", "bob", "cat"]).await;
    let extra = json!({
        "chat_type": "group", "member_ids": [bob.id], "id": 77, "seq": 9, "admins": [bob.id], "members": [cat.id],
        "created_at": "2001-01-01T00:00:00Z", "my_role": "member", "unread_count": 5, "colour": {"deep": [1]}
    });
    let chat = ann.post("chats/", extra.clone()).await.expect(201).json;
    assert_ne!(chat["id"], 77);
    assert_eq!(chat["admins"], json!([ann.id]));
    assert_eq!(chat["member_count"], 2);
    let changed = ann.patch(&format!("chats/{}/", chat["id"]), extra).await.expect(200).json;
    assert_eq!(changed, chat);
}

#[actix_rt::test(system = "crate::System")]
async fn a_chat_whose_maker_hung_up_is_announced_all_the_same() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let mut bob_socket = bob.listens().await;
    for number in 0..40 {
        let body = json!({"chat_type": "group", "title": number.to_string(), "member_ids": [bob.id]});
        ann.hangs_up_on("POST", "/messages/api/chats/", &body, number * 100).await;
    }
    let chats = listed(&ann, "page_size=100").await;
    for chat in &chats {
        ann.posts(chat, "hi").await;
    }
    let (mut announced, mut reported) = (Vec::new(), 0);
    while reported < chats.len() {
        let event = bob_socket.next().await;
        if event["type"] == "chat_created" {
            announced.push(event["chat_id"].clone());
            // On two nodes the chat may be read from storage, with the message. No event of the message follows then.
            reported += usize::from(!event["chat"]["last_message"].is_null());
        } else {
            assert!(announced.contains(&event["chat_id"]), "{event}");
            reported += 1;
        }
    }
}

// Repeated reads.

#[actix_rt::test(system = "crate::System")]
async fn what_was_shown_before_is_shown_as_it_is_now() {
    let server = Server::start().await;
    let [ann, bob, cat] = server.users(["ann", "bob", "cat"]).await;
    let chat = ann.group("Team", &[&bob, &cat]).await;
    let message = bob.posts(chat, "hi").await["id"].clone();
    // Reads the list, the single chat and its messages; the second call may be served from a cache.
    let shown = async || {
        let alone = ann.sees(chat).await;
        let list = ann.get("chats/").await.expect(200).json["results"][0].clone();
        assert_eq!(list, alone);
        let newest = ann.get(&format!("chats/{chat}/messages/")).await.expect(200).json["results"][0].clone();
        (list, newest)
    };
    shown().await;
    let (list, newest) = shown().await;
    assert_eq!((&list["last_message"]["content"], &newest["content"]), (&json!("hi"), &json!("hi")));

    bob.patch("users/me/", json!({"first_name": "Robert"})).await.expect(200);
    let (list, newest) = shown().await;
    assert_eq!(list["members"][1]["display_name"], "Robert");
    assert_eq!(list["last_message"]["sender"]["display_name"], "Robert");
    assert_eq!(newest["sender"]["display_name"], "Robert");

    cat.post(&format!("chats/{chat}/mark-as-read/"), json!({})).await.expect(200);
    let (list, newest) = shown().await;
    assert_eq!(list["members"][2]["last_read_message_id"], message);
    assert_eq!(list["last_message"]["read_by"], json!([bob.id, cat.id]));
    assert_eq!(newest["read_by"], json!([bob.id, cat.id]));

    cat.post(&format!("messages/{message}/reactions/"), json!({"emoji": "👍"})).await.expect(200);
    bob.patch(&format!("messages/{message}/"), json!({"content": "hello"})).await.expect(200);
    let (list, newest) = shown().await;
    assert_eq!(list["last_message"]["content"], "hello");
    assert_eq!(newest["reactions"][0]["users"], json!([cat.id]));
    assert_eq!(list["last_message"], newest);

    ann.patch(&format!("chats/{chat}/members/{}/", cat.id), json!({"role": "admin"})).await.expect(200);
    assert_eq!(shown().await.0["admins"], json!([ann.id, cat.id]));
    bob.post(&format!("chats/{chat}/leave/"), json!({})).await.expect(204);
    bob.patch("users/me/", json!({"first_name": "Bob"})).await.expect(200);
    let (list, newest) = shown().await;
    assert_eq!(list["members"].as_array().map(Vec::len), Some(2));
    assert_eq!(newest["sender"]["display_name"], "Bob");
}

// Titles.

#[actix_rt::test(system = "crate::System")]
async fn each_sees_a_dm_under_the_others_name() {
    let server = Server::start().await;
    let root = server.staff("root").await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let full = json!({"first_name": "Robert", "last_name": "Žukas"});
    root.patch(&format!("users/{}/", bob.id), full).await.expect(200);
    let dm = ann.dm(&bob).await;
    assert_eq!(ann.sees(dm).await["title"], "Robert Žukas");
    assert_eq!(bob.sees(dm).await["title"], "ann");
}

#[actix_rt::test(system = "crate::System")]
async fn an_untitled_group_is_called_by_its_first_others() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let [cat, dan, eve] = server.users(["cat", "dan", "eve"]).await;
    let group = ann.post("chats/", json!({"chat_type": "group"})).await.expect(201);
    assert_eq!(group.json["title"], "ann");
    let titles = ["bob", "bob, cat", "bob, cat, dan", "bob, cat, dan, +1"];
    for (person, title) in [&bob, &cat, &dan, &eve].into_iter().zip(titles) {
        ann.adds(group.id(), &[person]).await;
        assert_eq!(ann.sees(group.id()).await["title"], title);
    }
    assert_eq!(cat.sees(group.id()).await["title"], "ann, bob, dan, +1");
}

#[actix_rt::test(system = "crate::System")]
async fn a_new_title_is_told_to_all_without_what_differs_by_caller() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let before = ann.sees(chat).await;
    let mut bob_socket = bob.listens().await;
    let renamed = ann.put(&format!("chats/{chat}/"), json!({"title": " Crew "})).await.expect(200).json;
    assert_eq!(renamed["title"], "Crew");
    assert_eq!(renamed["seq"], 2);
    assert!(renamed["updated_at"].as_str() > before["updated_at"].as_str());
    let mut shared = renamed.as_object().unwrap().clone();
    let own = ["unread_count", "unread_mentions", "last_read_message_id", "my_role", "me"];
    shared.retain(|name, _| !own.contains(&name.as_str()));
    let event = bob_socket.receives("chat_updated").await;
    assert_eq!(event, json!({"type": "chat_updated", "chat_id": chat, "seq": 2, "chat": shared}));
}

#[actix_rt::test(system = "crate::System")]
async fn a_blank_title_returns_a_chat_to_its_automatic_one() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chats = [(ann.group("Team", &[&bob]).await, "bob"), (ann.dm(&bob).await, "bob")];
    let mut bob_socket = bob.listens().await;
    for (chat, automatic) in chats {
        for blank in [json!(""), json!(" \t"), Value::Null] {
            ann.patch(&format!("chats/{chat}/"), json!({"title": "Crew"})).await.expect(200);
            bob_socket.receives("chat_updated").await;
            let reply = ann.patch(&format!("chats/{chat}/"), json!({"title": blank})).await.expect(200);
            assert_eq!(reply.json["title"], automatic);
            assert_eq!(bob_socket.receives("chat_updated").await["chat"]["title"], Value::Null);
        }
    }
}

#[actix_rt::test(system = "crate::System")]
async fn a_renamed_dm_has_one_title_for_both_and_either_may_give_it() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let dm = ann.dm(&bob).await;
    bob.patch(&format!("chats/{dm}/"), json!({"title": "Us"})).await.expect(200);
    assert_eq!(ann.sees(dm).await["title"], "Us");
    assert_eq!(bob.sees(dm).await["title"], "Us");
}

#[actix_rt::test(system = "crate::System")]
async fn the_title_that_a_chat_has_already_changes_nothing() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let before = ann.sees(chat).await;
    let mut bob_socket = bob.listens().await;
    for body in [json!({}), json!({"title": " Team"})] {
        assert_eq!(ann.patch(&format!("chats/{chat}/"), body).await.expect(200).json, before);
    }
    ann.posts(chat, "hi").await;
    bob_socket.receives("new_message").await;
}

#[actix_rt::test(system = "crate::System")]
async fn put_needs_a_title_and_patch_does_not() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let chat = ann.group("Team", &[]).await;
    let reply = ann.put(&format!("chats/{chat}/"), json!({})).await;
    assert_eq!(reply.invalid("title"), json!(["This field is required."]));
    ann.patch(&format!("chats/{chat}/"), json!({})).await.expect(200);
    ann.put(&format!("chats/{chat}/"), json!({"title": null})).await.expect(200);
}

#[actix_rt::test(system = "crate::System")]
async fn titles_have_a_length_and_no_disguises() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let chat = ann.group("Team", &[]).await;
    let path = format!("chats/{chat}/");
    let longest = "😀".repeat(255);
    assert_eq!(ann.patch(&path, json!({"title": longest})).await.expect(200).json["title"], longest);
    let reply = ann.patch(&path, json!({"title": "ž".repeat(256)})).await;
    assert_eq!(reply.invalid("title"), json!(["Ensure this field has no more than 255 characters."]));
    for bad in ["a\u{0}b", "a\nb", "a\u{7f}b", "a\u{9b}b", "a\u{202e}b", "a\u{2067}b", "a\u{200b}b"] {
        let new = json!({"chat_type": "group", "title": bad});
        assert!(ann.patch(&path, json!({"title": bad})).await.invalid("title").is_array(), "{bad:?}");
        assert!(ann.post("chats/", new).await.invalid("title").is_array(), "{bad:?}");
    }
    assert_eq!(ann.sees(chat).await["title"], longest);
}

#[actix_rt::test(system = "crate::System")]
async fn renaming_dms_may_be_switched_off() {
    let server = Server::start_with(|config| config.allow_renaming_dms = false).await;
    let [ann, bob, cat] = server.users(["ann", "bob", "cat"]).await;
    let (dm, group) = (ann.dm(&bob).await, ann.group("Team", &[]).await);
    for (user, status) in [(&ann, 403), (&bob, 403), (&cat, 404)] {
        user.patch(&format!("chats/{dm}/"), json!({"title": "Us"})).await.expect(status);
    }
    ann.patch(&format!("chats/{group}/"), json!({"title": "Crew"})).await.expect(200);
    assert_eq!(ann.sees(dm).await["title"], "bob");
}

// Listing.

#[actix_rt::test(system = "crate::System")]
async fn chats_are_listed_by_latest_activity() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let (one, two, three) = (ann.group("1", &[]).await, ann.group("2", &[]).await, ann.group("3", &[]).await);
    assert_eq!(listed(&ann, "").await, [three, two, one]);
    let message = ann.posts(one, "hi").await;
    assert_eq!(listed(&ann, "").await, [one, three, two]);
    ann.patch(&format!("chats/{two}/"), json!({"title": "II"})).await.expect(200);
    assert_eq!(listed(&ann, "").await, [two, one, three]);
    ann.posts(three, "ho").await;
    ann.edits(&message, "hi!").await;
    ann.deletes(&message).await;
    assert_eq!(listed(&ann, "").await, [three, two, one]);
}

#[actix_rt::test(system = "crate::System")]
async fn the_list_shows_chats_as_they_are_shown_alone_and_only_ones_own() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let shared = ann.group("Team", &[&bob]).await;
    ann.group("Private", &[]).await;
    ann.posts(shared, "hi").await;
    let page = bob.get("chats/").await.expect(200);
    assert_eq!(*page.results(), [bob.sees(shared).await]);
    assert_eq!(page.json["count"], 1);
}

#[actix_rt::test(system = "crate::System")]
async fn chats_come_in_pages() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    assert_eq!(
        ann.get("chats/").await.expect(200).json,
        json!({"count": 0, "next": null, "previous": null, "results": []})
    );
    for number in 0..12 {
        ann.group(&number.to_string(), &[]).await;
    }
    let first = ann.get("chats/").await.expect(200);
    assert_eq!((first.results().len(), &first.json["count"]), (10, &json!(12)));
    assert_eq!(first.json["next"], server.url("/messages/api/chats/?page=2"));
    assert_eq!(first.json["previous"], Value::Null);
    let second = ann.follows(&first.json["next"]).await;
    assert_eq!((second.results().len(), &second.json["next"]), (2, &Value::Null));
    assert_eq!(second.json["previous"], server.url("/messages/api/chats/"));
    assert_eq!(ann.follows(&second.json["previous"]).await.json, first.json);
}

#[actix_rt::test(system = "crate::System")]
async fn pages_of_chats_have_the_size_that_is_asked_for_up_to_a_hundred() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    for number in 0..12 {
        ann.group(&number.to_string(), &[]).await;
    }
    for (query, size) in
        [("page_size=5", 5), ("page_size=1000", 12), ("page_size=x", 10), ("page_size=0", 10)]
    {
        assert_eq!(listed(&ann, query).await.len(), size, "{query}");
    }
    let third = ann.get("chats/?page=3&page_size=5&chat_type=group").await.expect(200);
    assert_eq!(third.results().len(), 2);
    let second = ann.follows(&third.json["previous"]).await;
    assert_eq!(second.results().len(), 5);
    assert!(second.json["next"].as_str().unwrap().contains("chat_type=group"));
}

#[actix_rt::test(system = "crate::System")]
async fn a_page_that_is_none_is_not_found() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    ann.group("Team", &[]).await;
    for page in ["2", "0", "-1", "x", "1.5", "99999999999999999999"] {
        let reply = ann.get(&format!("chats/?page={page}")).await.expect(404);
        assert_eq!(reply.json, json!({"detail": "Invalid page."}), "{page:?}");
    }
}

#[actix_rt::test(system = "crate::System")]
async fn a_type_filters_the_list() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let (dm, group) = (ann.dm(&bob).await, ann.group("Team", &[&bob]).await);
    assert_eq!(listed(&ann, "chat_type=dm").await, [dm]);
    assert_eq!(listed(&ann, "chat_type=group").await, [group]);
    assert_eq!(listed(&ann, "chat_type=").await, [group, dm]);
    let reply = ann.get("chats/?chat_type=party").await;
    assert_eq!(reply.invalid("chat_type"), json!(["\"party\" is not a valid choice."]));
}

#[actix_rt::test(system = "crate::System")]
async fn a_search_finds_titles_and_members_in_any_case() {
    let server = Server::start().await;
    let root = server.staff("root").await;
    let [ann, bob, cat] = server.users(["ann", "bob", "cat"]).await;
    let name = json!({"first_name": "Οδυσσέας", "last_name": "Žąsis"});
    root.patch(&format!("users/{}/", bob.id), name).await.expect(200);
    let (dm, street) = (ann.dm(&bob).await, ann.group("Große Straße", &[&cat]).await);
    for search in ["ΟΔΥΣΣΈΑΣ", "žĄs", "BOB", "žąsis οδυσ"] {
        assert_eq!(found(&ann, search).await, [dm], "{search}");
    }
    for search in ["straße", "STRASSE", "GROSSE strasse", "CAT", "cat große"] {
        assert_eq!(found(&ann, search).await, [street], "{search}");
    }
    assert_eq!(found(&ann, " ").await, [street, dm]);
    assert!(found(&ann, "cat bob").await.is_empty());
    assert!(found(&root, "bob").await.is_empty());
}

#[actix_rt::test(system = "crate::System")]
async fn a_search_takes_wildcards_as_they_are() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let plain = ann.group("100 things", &[]).await;
    let odd = ann.group("100% of_it \\o/ 'quoted'", &[]).await;
    for search in ["%", "_", "\\", "'", "0%", "f_i"] {
        assert_eq!(found(&ann, search).await, [odd], "{search}");
    }
    assert_eq!(found(&ann, "100").await, [odd, plain]);
}

#[actix_rt::test(system = "crate::System")]
async fn a_search_finds_ones_notes_by_their_title() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let notes = ann.dm(&ann).await;
    ann.dm(&bob).await;
    assert_eq!(ann.sees(notes).await["title"], "ann");
    assert_eq!(found(&ann, "ann").await, [notes]);
}

#[actix_rt::test(system = "crate::System")]
async fn pages_of_a_search_keep_the_search() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    for number in 0..5 {
        ann.group(&format!("Zoë & co {number}"), &[]).await;
    }
    ann.group("other", &[]).await;
    let first = ann.get(&format!("chats/?page_size=3&search={}", encoded("zoë & co"))).await.expect(200);
    assert_eq!((first.results().len(), &first.json["count"]), (3, &json!(5)));
    let second = ann.follows(&first.json["next"]).await;
    assert_eq!((second.results().len(), &second.json["count"]), (2, &json!(5)));
}

#[actix_rt::test(system = "crate::System")]
async fn paths_without_the_slash_are_served_the_same() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let made = ann.post("chats", json!({"chat_type": "group", "title": "Team"})).await.expect(201);
    let chat = made.id();
    let message = ann.post(&format!("chats/{chat}/messages"), json!({"content": "hi"})).await.expect(201);
    for path in [format!("chats/{chat}"), format!("messages/{}", message.id()), "unread".to_owned()] {
        let (bare, full) = (ann.get(&path).await.expect(200), ann.get(&format!("{path}/")).await.expect(200));
        assert_eq!(bare.json, full.json, "{path}");
    }
    assert_eq!(ann.get("chats").await.expect(200).ids(), [chat]);
    ann.post(&format!("chats/{chat}/mark-as-read"), json!({})).await.expect(200);
    ann.delete(&format!("messages/{}", message.id())).await.expect(204);
    ann.delete(&format!("chats/{chat}")).await.expect(204);
}

// Deleting.

#[actix_rt::test(system = "crate::System")]
async fn a_deleted_group_is_gone_for_all() {
    let server = Server::start().await;
    let [ann, bob, cat] = server.users(["ann", "bob", "cat"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let message = ann.posts(chat, "hi").await;
    let (mut ann_socket, mut bob_socket) = (ann.listens().await, bob.listens().await);
    bob.delete(&format!("chats/{chat}/")).await.expect(403);
    cat.delete(&format!("chats/{chat}/")).await.expect(404);
    ann.delete(&format!("chats/{chat}/")).await.expect(204);
    for socket in [&mut ann_socket, &mut bob_socket] {
        let event = socket.receives("chat_deleted").await;
        assert_eq!(event, json!({"type": "chat_deleted", "chat_id": chat, "seq": 3}));
    }
    for path in
        [format!("chats/{chat}/"), format!("chats/{chat}/messages/"), format!("messages/{}/", message["id"])]
    {
        assert_eq!(ann.get(&path).await.expect(404).json, json!({"detail": "Not found."}));
    }
    ann.delete(&format!("chats/{chat}/")).await.expect(404);
    assert!(listed(&bob, "").await.is_empty());
}

#[actix_rt::test(system = "crate::System")]
async fn a_dm_is_deleted_by_who_began_it_and_may_be_opened_anew() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let dm = ann.dm(&bob).await;
    ann.posts(dm, "hi").await;
    let mut bob_socket = bob.listens().await;
    bob.delete(&format!("chats/{dm}/")).await.expect(403);
    ann.delete(&format!("chats/{dm}/")).await.expect(204);
    assert_eq!(bob_socket.receives("chat_deleted").await["chat_id"], dm);
    bob.get(&format!("chats/{dm}/")).await.expect(404);
    let anew = bob.dm(&ann).await;
    assert!(anew > dm);
    assert_eq!(bob_socket.receives("chat_created").await["chat_id"], anew);
    assert!(ann.reads(anew).await.is_empty());
    bob.delete(&format!("chats/{anew}/")).await.expect(204);
}
