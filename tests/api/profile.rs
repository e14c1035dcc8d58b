//! A user's own profile, and the settings that the server shows to clients.

use greenroom::{config::Registration, core::model::PictureHost};
use serde_json::json;

use crate::support::{PASSWORD, Server, User};

async fn with_pictures_of(hosts: &[&str]) -> Server {
    let hosts: Vec<PictureHost> = hosts.iter().map(|host| PictureHost::parse(host).unwrap()).collect();
    Server::start_with(|config| {
        config.picture_hosts = hosts.clone();
        config.registration = Registration::Open;
    })
    .await
}

#[actix_rt::test(system = "crate::System")]
async fn users_choose_pictures_of_the_hosts_that_are_set_and_staff_of_any() {
    let (theirs, good) = ("https://evil.example/pixel.png", "https://img.example.com/a.png");
    let server = with_pictures_of(&["*.example.com"]).await;
    let (root, [ann, bob]) = (server.staff("root").await, server.users(["ann", "bob"]).await);
    let chat = ann.dm(&bob).await;
    let drawn = ann.get("users/me/").await.json["avatar_url"].clone();
    let seen =
        async |by: &User, of: &User| by.get(&format!("users/{}/", of.id)).await.json["avatar_url"].clone();
    for bad in [
        theirs,
        "http://[::1]/",
        "https://img.example.com@evil.example/",
        "https://img.example.com:8080/",
        "https://img.example.com/messages/api/events/",
    ] {
        let reply = ann.patch("users/me/", json!({"avatar_url": bad})).await;
        assert_eq!(reply.invalid("avatar_url"), json!(["Pictures may not come from this host."]), "{bad}");
        let new = json!({"username": "zoe", "password": PASSWORD, "avatar_url": bad});
        server.anonymous().send("POST", "/register/", Some(new)).await.expect(400);
    }
    assert_eq!(seen(&bob, &ann).await, drawn);
    ann.patch("users/me/", json!({"avatar_url": good})).await.expect(200);
    assert_eq!(seen(&bob, &ann).await, good);
    let new = json!({"username": "zoe", "password": PASSWORD, "avatar_url": good});
    let zoe = server.anonymous().send("POST", "/register/", Some(new)).await.expect(201).json;
    assert_eq!(zoe["avatar_url"], good);
    // A URL set by staff is shown, and a form may send it back.
    root.patch(&format!("users/{}/", ann.id), json!({"avatar_url": theirs})).await.expect(200);
    ann.patch("users/me/", json!({"avatar_url": theirs, "first_name": "Ann"})).await.expect(200);
    assert_eq!(seen(&bob, &ann).await, theirs);
    assert_eq!(bob.sees(chat).await["members"][0]["avatar_url"], theirs);
    bob.patch("users/me/", json!({"avatar_url": good})).await.expect(200);
    ann.patch("users/me/", json!({"avatar_url": ""})).await.expect(200);
    assert_eq!(seen(&bob, &ann).await, drawn);
    // With another setting the URLs that users chose are not shown.
    let server = Server::start_on(server.stop(), |_| {}).await;
    let (ann, bob) = (ann.at(&server), bob.at(&server));
    assert_eq!(seen(&ann, &bob).await, json!(format!("/messages/avatars/{}.svg", bob.id)));
    assert_eq!(seen(&bob, &bob).await, json!(format!("/messages/avatars/{}.svg", bob.id)));
    ann.patch("users/me/", json!({"avatar_url": good})).await.invalid("avatar_url");
}

#[actix_rt::test(system = "crate::System")]
async fn names_and_picture_are_ones_own_to_change() {
    let server = with_pictures_of(&["example.com"]).await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.dm(&bob).await;
    let mut bob_socket = bob.listens().await;
    let change = json!({"first_name": "Ann", "last_name": "Lee", "avatar_url": "https://example.com/a.png"});
    let changed = ann.patch("users/me/", change).await.expect(200).json;
    assert_eq!(changed["display_name"], "Ann Lee");
    assert_eq!(changed["avatar_url"], "https://example.com/a.png");
    assert_eq!(ann.get("users/me/").await.expect(200).json, changed);
    let reported = loop {
        let event = bob_socket.next().await;
        if event["type"] == "user_updated" {
            break event;
        }
    };
    assert_eq!(reported["user"]["display_name"], "Ann Lee");
    assert_eq!(bob.sees(chat).await["title"], "Ann Lee");
}

#[actix_rt::test(system = "crate::System")]
async fn what_is_the_hosts_to_decide_stays() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let before = ann.get("users/me/").await.expect(200).json;
    let wishes = json!({"username": "root", "email": "x@example.com", "is_active": false, "is_staff": true});
    assert_eq!(ann.patch("users/me/", wishes).await.expect(200).json, before);
    ann.patch("users/me/", json!({"first_name": "a\u{202e}b"})).await.invalid("first_name");
    ann.patch("users/me/", json!({"avatar_url": "javascript:x"})).await.invalid("avatar_url");
    server.anonymous().patch("users/me/", json!({})).await.expect(401);
    assert_eq!(ann.delete("users/me/").await.expect(405).header("allow"), "GET, HEAD, PATCH");
}

#[actix_rt::test(system = "crate::System")]
async fn a_new_password_takes_the_old_one_and_ends_the_other_sessions() {
    let server = Server::start().await;
    server.user("ann").await;
    let (here, elsewhere) = (server.signed_in("ann").await, server.signed_in("ann").await);
    let new = "battery staple";
    here.patch("users/me/", json!({"password": new})).await.invalid("old_password");
    here.patch("users/me/", json!({"password": "x", "old_password": PASSWORD})).await.invalid("password");
    let wrong = json!({"password": new, "old_password": "guess"});
    assert_eq!(
        here.patch("users/me/", wrong.clone()).await.invalid("old_password"),
        json!(["This is not your password."])
    );
    elsewhere.get("users/me/").await.expect(200);
    here.patch("users/me/", json!({"password": new, "old_password": PASSWORD})).await.expect(200);
    here.get("users/me/").await.expect(200);
    // Another node is notified a moment later.
    while elsewhere.get("users/me/").await.status == 200 {}
    let login = |password: &str| json!({"username": "ann", "password": password});
    let nobody = server.anonymous();
    nobody.send("POST", "/login/", Some(login(PASSWORD))).await.expect(401);
    nobody.send("POST", "/login/", Some(login(new))).await.expect(200);
}

#[actix_rt::test(system = "crate::System")]
async fn guesses_at_ones_password_are_limited_like_those_at_the_door() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let wrong = json!({"password": "battery staple", "old_password": "guess"});
    for _ in 0..5 {
        ann.patch("users/me/", wrong.clone()).await.invalid("old_password");
    }
    ann.patch("users/me/", wrong).await.expect(429);
}

#[actix_rt::test(system = "crate::System")]
async fn a_client_learns_which_buttons_to_draw() {
    let server = Server::start_with(|config| config.allow_editing = false).await;
    let settings = server.user("ann").await.get("settings/").await.expect(200).json;
    assert_eq!((&settings["allow_editing"], &settings["allow_deleting"]), (&json!(false), &json!(true)));
    assert_eq!(
        (&settings["max_message_length"], &settings["receipts_max_members"]),
        (&json!(5_000), &json!(100))
    );
    assert_eq!(settings["show_deleted"], true);
    server.anonymous().get("settings/").await.expect(401);
}
