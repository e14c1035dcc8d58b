//! Rules for passwords, in every request that sets one.

use greenroom::{auth::passwords, config::Registration, core::model::UserId, storage::tables::users};
use serde_json::{Value, json};

use crate::support::{PASSWORD, Reply, Server, User};

const WEAK: &str = "This password is too easy to guess.";

async fn login(server: &Server, name: &str, password: &str) -> Reply {
    let body = json!({"username": name, "password": password});
    server.anonymous().send("POST", "/login/", Some(body)).await
}

/// Sets a password with each request that can. Returns the replies.
async fn sets(server: &Server, staff: &User, ann: &User, password: &str) -> Vec<Reply> {
    let id = format!("users/{}/", ann.id);
    let made = |name: &str| {
        json!({"username": name, "password": password, "first_name": "Žana", "last_name": "Östberg",
            "email": "zana@post.example"})
    };
    vec![
        server.anonymous().send("POST", "/register/", Some(made("zana"))).await,
        staff.post("users/", made("zana2")).await,
        staff.patch(&id, json!({"password": password})).await,
        staff.patch(&id, json!({"password": password, "first_name": "Žana", "last_name": "Östberg"})).await,
        ann.patch("users/me/", json!({"password": password, "old_password": PASSWORD})).await,
    ]
}

async fn start() -> (Server, User, User) {
    let server = Server::start_with(|config| config.registration = Registration::Open).await;
    let (staff, ann) = (server.staff("root").await, server.user("zana_o").await);
    let names = json!({"first_name": "Žana", "last_name": "Östberg", "email": "zana@post.example"});
    staff.patch(&format!("users/{}/", ann.id), names).await.expect(200);
    (server, staff, ann)
}

#[actix_rt::test(system = "crate::System")]
async fn a_password_that_is_easily_guessed_is_refused_wherever_one_is_set() {
    let (server, staff, ann) = start().await;
    for weak in [
        "password",
        "12345678",
        "        ",
        "\u{3000}\u{3000}\u{3000}\u{3000}\u{3000}\u{3000}\u{3000}\u{3000}",
        "qwertyui",
        "aaaaaaaa",
        "P@ssw0rd",
        "greenroom",
        "ŽanaÖstberg",
        "žana östberg",
        "zana@post.example",
        "zana1234",
        "post.example",
    ] {
        for reply in sets(&server, &staff, &ann, weak).await {
            assert_eq!(reply.invalid("password"), json!([WEAK]), "{weak:?}");
        }
    }
    login(&server, "zana_o", PASSWORD).await.expect(200);
    login(&server, "zana", "password").await.expect(401);
}

#[actix_rt::test(system = "crate::System")]
async fn sixty_four_characters_of_any_script_are_a_password() {
    for letters in ["ž", "密", "🦊", "дом", "a b"] {
        let (server, staff, ann) = start().await;
        let long: String = letters.chars().cycle().take(64).collect();
        let longest: String = letters.chars().cycle().take(128).collect();
        let too_long: String = letters.chars().cycle().take(129).collect();
        for reply in sets(&server, &staff, &ann, &too_long).await {
            let said = reply.invalid("password");
            assert_eq!(said, json!(["This password is too long. It may have no more than 128 characters."]));
        }
        let statuses: Vec<u16> =
            sets(&server, &staff, &ann, &long).await.iter().map(|reply| reply.status).collect();
        // The last request gives an old password that no longer applies.
        assert_eq!(statuses, [201, 201, 200, 200, 400], "{letters}");
        for name in ["zana", "zana2", "zana_o"] {
            login(&server, name, &long).await.expect(200);
        }
        ann.patch("users/me/", json!({"password": longest, "old_password": long})).await.expect(200);
        login(&server, "zana_o", &longest).await.expect(200);
        let shorter: String = longest.chars().skip(1).collect();
        login(&server, "zana_o", &shorter).await.expect(401);
    }
}

#[actix_rt::test(system = "crate::System")]
async fn a_weak_password_that_somebody_has_goes_on_working() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let (id, hash) = (UserId(ann.id), passwords::hash("password"));
    let set = server.writer().run("change_user", move |conn, _| {
        let mut user = users::find(conn, id)?.unwrap();
        user.password.clone_from(&hash);
        users::update(conn, &user)
    });
    set.await.unwrap();
    login(&server, "ann", "password").await.expect(200);
    let change = json!({"old_password": "password", "password": "another horse"});
    ann.patch("users/me/", change).await.expect(200);
    login(&server, "ann", "another horse").await.expect(200);
}

#[actix_rt::test(system = "crate::System")]
async fn who_may_not_know_of_a_user_learns_nothing_of_a_weak_password() {
    let server = Server::start().await;
    let (staff, ann) = (server.staff("root").await, server.user("ann").await);
    let weak = || json!({"password": "password"});
    staff.patch("users/9999/", weak()).await.expect(404);
    ann.patch(&format!("users/{}/", staff.id), weak()).await.expect(403);
    let details: Value = staff.patch(&format!("users/{}/", ann.id), weak()).await.json["details"].clone();
    assert_eq!(details, json!({"password": [WEAK]}));
}
