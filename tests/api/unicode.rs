//! Misleading texts: names and titles reject them, and message contents are kept unchanged.

use serde_json::json;

use crate::support::{Server, encoded};

/// Characters that are invisible, or that change the direction of a text.
const DISGUISES: [std::ops::RangeInclusive<char>; 6] = [
    '\u{202A}'..='\u{202E}',
    '\u{2066}'..='\u{2069}',
    '\u{200B}'..='\u{200F}',
    '\u{2060}'..='\u{2064}',
    '\u{061C}'..='\u{061C}',
    '\u{FEFF}'..='\u{FEFF}',
];

fn disguises() -> impl Iterator<Item = char> {
    DISGUISES.into_iter().flatten()
}

#[actix_rt::test(system = "crate::System")]
async fn no_title_and_no_name_has_anything_that_disguises_it() {
    let server = Server::start().await;
    let (ann, root) = (server.user("ann").await, server.staff("root").await);
    let (group, room) = (ann.group("Team", &[]).await, ann.room("Hall").await);
    let sentence = json!(["Invisible and text-direction characters are not allowed."]);
    for character in disguises() {
        let bad = format!("pay{character}pal");
        for chat in [group, room] {
            let reply = ann.patch(&format!("chats/{chat}/"), json!({"title": bad})).await;
            assert_eq!(reply.invalid("title"), sentence, "{bad:?}");
        }
        for kind in ["dm", "group", "room"] {
            let reply = ann.post("chats/", json!({"chat_type": kind, "title": bad})).await;
            assert_eq!(reply.invalid("title"), sentence, "{bad:?}");
        }
        for field in ["first_name", "last_name"] {
            assert_eq!(ann.patch("users/me/", json!({field: bad})).await.invalid(field), sentence, "{bad:?}");
            let reply = root.post("users/", json!({"username": "new", field: bad})).await;
            assert_eq!(reply.invalid(field), sentence, "{bad:?}");
        }
        assert!(
            root.post("users/", json!({"username": bad})).await.invalid("username").is_array(),
            "{bad:?}"
        );
    }
    assert_eq!(
        (&ann.sees(group).await["title"], &ann.sees(room).await["title"]),
        (&json!("Team"), &json!("Hall"))
    );
    assert!(root.get("users/search/?q=pal").await.expect(200).results().is_empty());
}

/// Composed and decomposed forms, letters of other scripts and digits for letters must not make a second
/// account.
#[actix_rt::test(system = "crate::System")]
async fn no_two_accounts_have_names_that_look_alike() {
    let server = Server::start().await;
    let root = server.staff("root").await;
    for (name, twins) in [
        ("paypal", &["PayPal", "PAYPAL", "paypa1", "PAYPA1"][..]),
        ("modern", &["rnodern", "MODERN", "Rnodern"]),
    ] {
        root.post("users/", json!({"username": name})).await.expect(201);
        for twin in twins {
            let reply = root.post("users/", json!({"username": twin})).await;
            let sentence = json!(["A user with that username already exists."]);
            assert_eq!(reply.invalid("username"), sentence, "{twin}");
        }
    }
    // A name consists of ASCII letters, so it has no other Unicode forms.
    for bad in
        ["p\u{430}ypal", "\u{440}aypal", "caf\u{e9}", "cafe\u{301}", "\u{ff50}aypal", "pay\u{ad}pal", "ﬁona"]
    {
        assert!(
            root.post("users/", json!({"username": bad})).await.invalid("username").is_array(),
            "{bad:?}"
        );
    }
}

#[actix_rt::test(system = "crate::System")]
async fn what_people_write_is_kept_character_by_character() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let mut bob_socket = bob.listens().await;
    let all: String = disguises().collect();
    let marks = format!("a{}", "\u{301}".repeat(4_999));
    for text in [
        format!("x{all}x"),
        "caf\u{e9} cafe\u{301}".to_owned(),
        "p\u{430}ypal is not paypal".to_owned(),
        marks,
        "\u{1F469}\u{200D}\u{1F680} \u{E0001} \u{10FFFF} \u{FFFD}".to_owned(),
    ] {
        let message = ann.posts(chat, &text).await;
        assert_eq!(message["content"], text);
        assert_eq!(bob_socket.receives("new_message").await["message"]["content"], text);
        assert_eq!(bob.get(&format!("messages/{}/", message["id"])).await.expect(200).json["content"], text);
    }
    // One grapheme with ten thousand marks counts as ten thousand characters.
    let body = json!({"content": format!("a{}", "\u{301}".repeat(9_999))});
    let reply = ann.post(&format!("chats/{chat}/messages/"), body).await;
    assert_eq!(reply.invalid("content"), json!(["Ensure this field has no more than 5000 characters."]));
}

/// Both forms of a title are kept unchanged, and a search for one finds the other.
#[actix_rt::test(system = "crate::System")]
async fn titles_are_found_in_either_form() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let (composed, decomposed) = ("Caf\u{e9}", "Cafe\u{301}");
    let chats = [ann.group(decomposed, &[]).await, ann.group(composed, &[]).await];
    assert_eq!(ann.sees(chats[0]).await["title"], decomposed);
    assert_eq!(ann.sees(chats[1]).await["title"], composed);
    for query in [composed, decomposed, "CAF\u{c9}"] {
        let mut found = ann.get(&format!("chats/?search={}", encoded(query))).await.expect(200).ids();
        found.sort_unstable();
        assert_eq!(found, chats, "{query:?}");
    }
}
