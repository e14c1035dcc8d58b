//! Texts that databases reject or that mislead readers.

use serde_json::json;

use crate::support::{
    Server,
    awkward::{AWKWARD, places},
    encoded,
};

#[actix_rt::test(system = "crate::System")]
async fn an_awkward_text_is_stored_or_refused_by_the_name_of_its_field() {
    let server = Server::start().await;
    let (root, bob) = (server.staff("root").await, server.user("bob").await);
    let chat = root.group("Team", &[&bob]).await;
    let message = root.posts(chat, "hi").await["id"].as_i64().unwrap();
    for place in places(bob.id, chat, message) {
        for (awkward, is_control) in AWKWARD {
            let reply = place.takes(&root, &format!("a{awkward}b")).await;
            let what = format!("{} {} {} {awkward:?}", place.method, place.path, place.field);
            assert!([200, 201, 400].contains(&reply.status), "{what}: {reply:?}");
            assert!(!is_control || reply.status == 400, "{what}: {reply:?}");
            if reply.status == 400 {
                assert!(reply.json["details"][place.field].is_array(), "{what}: {reply:?}");
            }
        }
    }
}

#[actix_rt::test(system = "crate::System")]
async fn an_awkward_parameter_finds_nothing() {
    let server = Server::start().await;
    let (root, bob) = (server.staff("root").await, server.user("bob").await);
    let chat = root.group("Team", &[&bob]).await;
    root.posts(chat, "hi").await;
    let paths = [
        "chats/?search=".to_owned(),
        "chats/?chat_type=".to_owned(),
        "chats/?page=".to_owned(),
        "rooms/?search=".to_owned(),
        "rooms/?object_type=".to_owned(),
        "rooms/?object_type=page&object_id=".to_owned(),
        "search/?q=".to_owned(),
        "search/?q=hi&chat=".to_owned(),
        "search/?q=hi&before=".to_owned(),
        "users/search/?q=".to_owned(),
        "users/blocked/?page=".to_owned(),
        format!("chats/{chat}/members/?search="),
        format!("chats/{chat}/messages/?search="),
        format!("chats/{chat}/messages/?after="),
        "messages/1/reactions/".to_owned(),
    ];
    for path in paths {
        for (awkward, _) in AWKWARD {
            let reply = root.get(&format!("{path}{}", encoded(&format!("zz{awkward}b")))).await;
            assert!(reply.status < 500, "{path} {awkward:?}: {reply:?}");
        }
    }
}

#[actix_rt::test(system = "crate::System")]
async fn nothing_hides_in_a_name() {
    let server = Server::start().await;
    let (root, bob) = (server.staff("root").await, server.user("bob").await);
    let chat = root.group("Team", &[&bob]).await;
    let title = format!("chats/{chat}/");
    let hidden = [
        "Bob\u{ad}",
        "B\u{34f}ob",
        "Bob\u{115f}",
        "Bob\u{3164}",
        "Bob\u{ffa0}",
        "Bob\u{180b}",
        "Bob\u{17b4}",
        "Bob\u{200d}",
        "Bob\u{200c}x",
        "Bob\u{fe0f}",
        "Bob\u{e0041}",
        "Bob\u{1d173}",
        "Bob\u{2064}",
    ];
    for name in hidden {
        for field in ["first_name", "last_name"] {
            let reply = bob.patch("users/me/", json!({field: name})).await;
            assert_eq!(
                reply.invalid(field),
                json!(["Invisible and text-direction characters are not allowed."])
            );
        }
        root.patch(&title, json!({"title": name})).await.expect(400);
        root.patch(&format!("users/{}/", bob.id), json!({"email": format!("{name}@example.com")}))
            .await
            .expect(400);
    }
    for empty in ["\u{2800}", "\u{2800} \u{2800}", "\u{301}"] {
        let reply = bob.patch("users/me/", json!({"first_name": empty})).await;
        assert_eq!(reply.invalid("first_name"), json!(["Enter something that can be seen."]));
        root.patch(&title, json!({"title": empty})).await.expect(400);
    }
    for good in ["❤️ Team", "👩‍💻", "می\u{200C}خواهم", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "Zoë"]
    {
        assert_eq!(root.patch(&title, json!({"title": good})).await.expect(200).json["title"], good);
        bob.patch("users/me/", json!({"first_name": good})).await.expect(200);
    }
}
