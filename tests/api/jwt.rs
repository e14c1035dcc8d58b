//! JSON Web Tokens: users of an identity provider, their profiles, and the ends of their tokens.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{
    raw::Raw,
    support::{
        DEADLINE, Server, User,
        jwt::{SigningKey, now},
        nodes, pause,
    },
};

/// Starts a server that accepts tokens of this secret.
pub(crate) async fn server_of(key: &SigningKey) -> Server {
    server_with(key, |_| {}).await
}

pub(crate) async fn server_with(
    key: &SigningKey,
    change: impl FnOnce(&mut greenroom::config::Config),
) -> Server {
    let SigningKey::Secret(secret) = key else { panic!("give a secret") };
    let secret = secret.clone();
    Server::start_with(move |config| {
        config.jwt.jwt_secret = Some(secret);
        change(config);
    })
    .await
}

/// Returns a client that sends this token.
fn bearing(server: &Server, token: &str) -> User {
    server.anonymous().with("Authorization", &format!("Bearer {token}"))
}

/// Signs in with a token. Returns the client, with the user's id.
async fn signs_in(server: &Server, key: &SigningKey, claims: Value) -> User {
    let mut user = bearing(server, &key.token(claims));
    user.id = user.get("users/me/").await.expect(200).id();
    user
}

async fn me(user: &User) -> Value {
    user.get("users/me/").await.expect(200).json
}

#[actix_rt::test(system = "crate::System")]
async fn the_first_token_makes_the_user_with_the_profile_of_its_claims() {
    let key = SigningKey::secret();
    let server = server_with(&key, |config| {
        config.picture_hosts =
            vec![greenroom::core::model::PictureHost::parse("images.example.com").unwrap()];
    })
    .await;
    let ann = signs_in(
        &server,
        &key,
        json!({"sub": "auth0|7", "preferred_username": "ann", "given_name": "Ann", "family_name": "Lee",
               "picture": "https://images.example.com/a.png", "email": "ann@example.com", "email_verified": "true"}),
    )
    .await;
    let seen = me(&ann).await;
    assert_eq!(
        (&seen["username"], &seen["display_name"], &seen["external_id"], &seen["email"]),
        (&json!("ann"), &json!("Ann Lee"), &json!("auth0|7"), &json!("ann@example.com"))
    );
    assert_eq!(seen["avatar_url"], "https://images.example.com/a.png");
    assert_eq!((&seen["is_staff"], &seen["is_active"]), (&json!(false), &json!(true)));
    // A name as a whole, an e-mail that nobody verified, a picture of another host, claims of wrong types.
    let bob = signs_in(
        &server,
        &key,
        json!({"sub": "8", "name": "Bob van Berg", "picture": "https://evil.example/b.png", "given_name": 7,
               "email": "bob@example.com", "email_verified": false, "preferred_username": "not a name"}),
    )
    .await;
    let seen = me(&bob).await;
    assert_eq!((&seen["display_name"], &seen["email"]), (&json!("Bob van Berg"), &json!("")));
    assert_eq!(seen["username"], format!("u{}", bob.id));
    assert!(!seen["avatar_url"].as_str().unwrap().contains("evil"), "{seen}");
    // Names that are taken, or look like one, are not taken over. Nor is an account by its e-mail.
    for (sub, name) in [("9", "ann"), ("10", "ANN"), ("11", "")] {
        let other = signs_in(
            &server,
            &key,
            json!({"sub": sub, "preferred_username": name, "email": "ann@example.com", "email_verified": true}),
        )
        .await;
        assert_ne!(other.id, ann.id);
        assert_eq!(me(&other).await["username"], format!("u{}", other.id));
    }
    // They chat as all users do.
    let chat = ann.group("Team", &[&bob]).await;
    bob.posts(chat, "hello").await;
    assert_eq!(ann.reads(chat).await, ["hello"]);
    // Only staff and the user see the external id.
    let shown = ann.get(&format!("users/{}/", bob.id)).await.expect(200).json;
    assert!(shown.get("external_id").is_none() && shown.get("email").is_none(), "{shown}");
    let root = server.staff("root").await;
    let found = root.get("users/?external_id=auth0%7C7").await.expect(200);
    assert_eq!((found.json["count"].as_i64(), &found.results()[0]["id"]), (Some(1), &json!(ann.id)));
    for nobody in ["nobody", "%00", "", "auth0%7C7%20"] {
        assert_eq!(root.get(&format!("users/?external_id={nobody}")).await.expect(200).json["count"], 0);
    }
    let all = root.get("users/?page_size=2&page=2").await.expect(200);
    assert_eq!((all.json["count"].as_i64(), all.results().len()), (Some(6), 2));
    ann.get("users/").await.expect(403);
}

#[actix_rt::test(system = "crate::System")]
async fn a_newer_token_brings_a_newer_profile_and_an_older_one_nothing() {
    let key = SigningKey::secret();
    let server = server_with(&key, |config| {
        config.jwt.jwt_staff_claim = Some(("roles".to_owned(), "chat-admin".to_owned()));
    })
    .await;
    let at = now() - 100;
    let claims = |iat: i64, name: &str, roles: Value| json!({"sub": "7", "iat": iat, "given_name": name, "family_name": "Lee", "roles": roles});
    let ann = signs_in(&server, &key, claims(at, "Ann", json!(["writer"]))).await;
    let bob = server.user("bob").await.at(&server);
    bob.dm(&ann).await;
    let mut listener = bob.listens().await;
    // Who signs in through a provider has its names.
    ann.patch("users/me/", json!({"first_name": "Eve"})).await.expect(403);
    ann.patch("users/me/", json!({"avatar_url": ""})).await.expect(200);
    let newer = signs_in(&server, &key, claims(at + 10, "Anna", json!(["writer", "chat-admin"]))).await;
    assert_eq!(newer.id, ann.id);
    let event = listener.receives("user_updated").await;
    assert_eq!(event["user"]["display_name"], "Anna Lee");
    for user in [&newer, &ann] {
        let seen = me(user).await;
        assert_eq!((&seen["display_name"], &seen["is_staff"]), (&json!("Anna Lee"), &json!(true)));
    }
    ann.get("users/").await.expect(200);
    // An older token, one of the same moment, and one without a time change nothing.
    for iat in [json!(at + 5), json!(at + 10)] {
        let mut old = claims(0, "Old", json!([]));
        old["iat"] = iat;
        assert_eq!(me(&signs_in(&server, &key, old).await).await["display_name"], "Anna Lee");
    }
    let timeless = json!({"alg": "HS256"});
    let mut old = claims(0, "Old", json!("chat-admin"));
    old.as_object_mut().unwrap().remove("iat");
    old["exp"] = (now() + 60).into();
    let old = bearing(&server, &key.sign(&timeless, &old));
    assert_eq!(me(&old).await["display_name"], "Anna Lee");
    // A missing name changes nothing; a missing role ends being staff.
    let newest = signs_in(&server, &key, json!({"sub": "7", "iat": at + 20, "family_name": "Berg"})).await;
    let seen = me(&newest).await;
    assert_eq!((&seen["display_name"], &seen["is_staff"]), (&json!("Anna Berg"), &json!(false)));
    // A token without a time can neither make the user staff again, nor end it.
    let mut again = json!({"sub": "7", "roles": ["chat-admin"], "exp": now() + 90});
    assert_eq!(me(&bearing(&server, &key.sign(&timeless, &again))).await["is_staff"], false);
    // But it makes a new user staff.
    again["sub"] = json!("12");
    assert_eq!(me(&bearing(&server, &key.sign(&timeless, &again))).await["is_staff"], true);
}

#[actix_rt::test(system = "crate::System")]
async fn where_tokens_are_off_bearer_is_for_others() {
    let server = Server::start().await;
    let token = SigningKey::secret().token(json!({"sub": "7"}));
    bearing(&server, &token).get("users/me/").await.expect(401);
    // A proxy's Bearer beside a cookie does no harm.
    server.user("ann").await;
    let session = server.signed_in("ann").await.with("Authorization", &format!("Bearer {token}"));
    session.get("users/me/").await.expect(200);
    let offer = server.anonymous().with("Sec-WebSocket-Protocol", &format!("greenroom.jwt.{token}"));
    assert_eq!(offer.connects().await.err().unwrap(), 401);
}

#[actix_rt::test(system = "crate::System")]
async fn a_bad_token_is_401_also_beside_a_good_cookie() {
    let key = SigningKey::secret();
    let server = server_of(&key).await;
    server.user("ann").await;
    let cookie = server.signed_in("ann").await;
    cookie.get("users/me/").await.expect(200);
    let bad = cookie.clone().with("Authorization", "Bearer x.y.z");
    let reply = bad.get("users/me/").await.expect(401);
    assert_eq!(reply.headers.get("www-authenticate").unwrap(), "Bearer");
    assert_eq!(reply.json, json!({"detail": "The token is invalid or has expired."}));
    // Also one of any bytes, or none at all.
    let (name, value) = &cookie.headers[0];
    for authorization in [&b"Bearer \xe9"[..], b"Bearer\tx.y.z", b"Bearer", b"BEARER "] {
        let head = format!(
            "GET /messages/api/users/me/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{name}: {value}\r\nAuthorization: "
        );
        let reply = Raw::send(&server, &[head.as_bytes(), authorization, b"\r\n\r\n"].concat());
        assert_eq!((reply.status, reply.header("www-authenticate")), (401, "Bearer"), "{authorization:?}");
    }
    // A good one wins over the cookie, and is no matter of other sites.
    let token = key.token(json!({"sub": "7"}));
    let good =
        cookie.with("Authorization", &format!("bearer  {token}")).with("Origin", "https://other.example");
    good.post("chats/", json!({"chat_type": "group", "title": "x", "member_ids": []})).await.expect(201);
    assert_eq!(me(&good).await["external_id"], "7");
}

/// Tokens that must not be accepted, each with the reason.
fn hostile(key: &SigningKey, other: &SigningKey) -> Vec<(String, String)> {
    let mut all = Vec::new();
    let mut add = |why: &str, token: String| all.push((why.to_owned(), token));
    let good =
        json!({"sub": "7", "iat": now(), "exp": now() + 600, "iss": "https://login.example", "aud": "chat"});
    let header = json!({"alg": key.algorithm(), "typ": "JWT"});
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        key.sign(&header, &claims)
    };
    let without = |name: &str| {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().remove(name);
        key.sign(&header, &claims)
    };
    for (name, value) in [
        ("exp", json!(now() - 31)),
        ("exp", json!(now() + 86_400 + 60)),
        ("exp", json!(1e300)),
        ("exp", json!(-1)),
        ("exp", json!("9999999999")),
        ("exp", json!(null)),
        ("exp", json!([now() + 60])),
        ("nbf", json!(now() + 60)),
        ("nbf", json!("now")),
        ("iat", json!(now() + 60)),
        ("iat", json!({})),
        ("iss", json!("https://login.example/")),
        ("iss", json!("https://evil.example")),
        ("iss", json!(["https://login.example"])),
        ("aud", json!("Chat")),
        ("aud", json!(["a", "b"])),
        ("aud", json!([])),
        ("aud", json!({"chat": true})),
        ("sub", json!("")),
        ("sub", json!(7)),
        ("sub", json!("a\u{0}b")),
        ("sub", json!("x".repeat(256))),
    ] {
        add(&format!("{name} is {value}"), with(name, value));
    }
    for name in ["exp", "iss", "aud", "sub"] {
        add(&format!("no {name}"), without(name));
    }
    for (why, header) in [
        ("alg none", json!({"alg": "none"})),
        ("alg NONE", json!({"alg": "NONE"})),
        ("no alg", json!({"typ": "JWT"})),
        ("alg HS512", json!({"alg": "HS512"})),
        ("alg PS256", json!({"alg": "PS256"})),
        ("alg hs256", json!({"alg": "hs256"})),
        ("alg is a list", json!({"alg": [key.algorithm()]})),
        ("crit", json!({"alg": key.algorithm(), "crit": ["exp"]})),
        ("b64", json!({"alg": key.algorithm(), "b64": false})),
        ("nested", json!({"alg": key.algorithm(), "cty": "JWT"})),
        ("encrypted", json!({"alg": key.algorithm(), "enc": "A256GCM"})),
        ("compressed", json!({"alg": key.algorithm(), "zip": "DEF"})),
        ("kid is a number", json!({"alg": key.algorithm(), "kid": 1})),
    ] {
        add(why, key.sign(&header, &good));
    }
    add("another key", other.sign(&header, &good));
    for algorithm in ["HS256", "RS256", "ES256", "EdDSA"].into_iter().filter(|name| *name != key.algorithm())
    {
        add(&format!("alg {algorithm} for another kind of key"), key.sign(&json!({"alg": algorithm}), &good));
    }
    let token = key.sign(&header, &good);
    let parts: Vec<&str> = token.split('.').collect();
    add("no signature", format!("{}.{}.", parts[0], parts[1]));
    add("two parts", format!("{}.{}", parts[0], parts[1]));
    add("four parts", format!("{token}.{}", parts[2]));
    add("five parts", format!("{token}.x.y"));
    add("padded", format!("{token}="));
    add("a space", format!("{} .{}.{}", parts[0], parts[1], parts[2]));
    add("other claims", {
        let other: Vec<String> = key.token(json!({"sub": "8"})).split('.').map(str::to_owned).collect();
        format!("{}.{}.{}", parts[0], other[1], parts[2])
    });
    add("a shorter signature", token[..token.len() - 4].to_owned());
    add("not JSON", key.sign_text("{\"alg\":", "{}"));
    add("claims are a list", key.sign_text(&header.to_string(), "[]"));
    add("claims are text", key.sign_text(&header.to_string(), "\"7\""));
    add("empty", String::new());
    add("dots", "..".to_owned());
    all
}

#[actix_rt::test(system = "crate::System")]
async fn hostile_tokens_are_refused_over_rest_sockets_and_refresh() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.pem");
    let (rsa, p256, ed25519) = (SigningKey::rsa(), SigningKey::p256(), SigningKey::ed25519());
    std::fs::write(&path, [rsa.pem(), p256.pem(), ed25519.pem()].concat()).unwrap();
    let secret = SigningKey::secret();
    let server = server_with(&secret, |config| {
        config.jwt.jwt_keys = Some(path);
        config.jwt.jwt_issuer = vec!["https://login.example".to_owned()];
        config.jwt.jwt_audience = vec!["other".to_owned(), "chat".to_owned()];
    })
    .await;
    let claims = json!({"sub": "7", "iss": "https://login.example", "aud": ["x", "chat"]});
    let others = [SigningKey::secret(), SigningKey::p256(), SigningKey::p256(), SigningKey::ed25519()];
    let mut count = 0;
    for (key, other) in [&secret, &rsa, &p256, &ed25519].into_iter().zip(&others) {
        // Good ones, also at the edges.
        let good = key.token(claims.clone());
        bearing(&server, &good).get("users/me/").await.expect(200);
        for (name, value) in
            [("exp", now() - 20), ("exp", now() + 86_400), ("nbf", now() + 20), ("iat", now() + 20)]
        {
            let mut edge = claims.clone();
            edge[name] = value.into();
            bearing(&server, &key.token(edge)).get("users/me/").await.expect(200);
        }
        let mut offer = server
            .anonymous()
            .with("Sec-WebSocket-Protocol", &format!("greenroom.jwt.{good}"))
            .listens()
            .await;
        for (why, token) in hostile(key, other) {
            let reply = bearing(&server, &token).get("users/me/").await;
            assert_eq!(reply.status, 401, "{} {why}: {token}", key.algorithm());
            assert_eq!(reply.json, json!({"detail": "The token is invalid or has expired."}), "{why}");
            assert_eq!(reply.headers.get("www-authenticate").unwrap(), "Bearer", "{why}");
            if !token.contains([' ', '=']) {
                let offer =
                    server.anonymous().with("Sec-WebSocket-Protocol", &format!("greenroom.jwt.{token}"));
                assert_eq!(offer.connects().await.err().unwrap(), 401, "{why}");
            }
            offer.says(&json!({"type": "refresh", "id": count, "token": token}).to_string()).await;
            let answer = offer.receives("error").await;
            assert_eq!((&answer["status"], &answer["id"]), (&json!(401), &json!(count)), "{why}: {answer}");
            count += 1;
        }
        offer.says(r#"{"type": "ping", "id": 1}"#).await;
        offer.receives("pong").await;
    }
    assert!(count > 4 * 50, "{count}");
}

#[actix_rt::test(system = "crate::System")]
async fn a_socket_is_warned_refreshed_and_ends_with_its_token() {
    let key = SigningKey::secret();
    let server = server_of(&key).await;
    let ending = |seconds: i64| json!({"sub": "7", "iat": now() - 600, "exp": now() + seconds - 30});
    let token = key.token(ending(20));
    let ann = signs_in(&server, &key, json!({"sub": "7"})).await;
    let chat = ann.group("Team", &[]).await;
    // Opened with less than a minute left: the warning comes at once, after hello.
    let offer = server.anonymous().with("Sec-WebSocket-Protocol", &format!("greenroom.jwt.{token}"));
    let mut socket = offer.listens().await;
    let warning = socket.receives("token_expiring").await;
    assert!((1..=20).contains(&warning["seconds"].as_i64().unwrap()), "{warning}");
    // Streams and polls are warned too.
    let short = bearing(&server, &token);
    let mut stream = short.streams().await;
    stream.receives("token_expiring").await;
    let heads = short.get("sync/").await.expect(200).json["heads"].clone();
    // A poll does not end earlier because of it.
    for wait in [0, 1] {
        let began = Instant::now();
        let events = short.post("sync/", json!({"chats": heads, "wait": wait})).await.expect(200).json;
        assert_eq!(events["events"][0]["type"], "token_expiring", "{events}");
        assert!(began.elapsed() >= Duration::from_secs(wait));
    }
    // A token of another user, and one that has ended.
    socket.says(&json!({"type": "refresh", "token": key.token(ending(0))}).to_string()).await;
    assert_eq!(socket.receives("error").await["status"], 401);
    socket.says(r#"{"type": "refresh"}"#).await;
    assert_eq!(socket.receives("error").await["status"], 400);
    // The same one again is no news, and causes no other warning.
    socket.says(&json!({"type": "refresh", "id": 4, "token": token}).to_string()).await;
    assert_eq!(socket.receives("ack").await["id"], 4);
    socket.says(r#"{"type": "ping"}"#).await;
    socket.receives("pong").await;
    // A new one: the socket outlives the first.
    let fresh = key.token(json!({"sub": "7", "exp": now() + 3_600}));
    socket.says(&json!({"type": "refresh", "id": 5, "token": fresh}).to_string()).await;
    assert_eq!(socket.receives("ack").await["id"], 5);
    let ended = key.token(ending(2));
    let mut last =
        server.anonymous().with("Sec-WebSocket-Protocol", &format!("greenroom.jwt.{ended}")).listens().await;
    let mut poll = bearing(&server, &ended).streams().await;
    assert_eq!(last.is_closed().await, 4401);
    while poll.next_or_end().await.is_some() {}
    bearing(&server, &ended).get("users/me/").await.expect(401);
    // A long poll answers when its token ends, whatever it waits for.
    let short = bearing(&server, &key.token(ending(2)));
    let heads = short.get("sync/").await.expect(200).json["heads"].clone();
    short.post("sync/", json!({"chats": heads, "wait": 25})).await.expect(401);
    ann.posts(chat, "still here").await;
    assert_eq!(socket.receives("new_message").await["message"]["content"], "still here");
    // Another subject ends the socket. A socket with a key has nothing to refresh.
    socket.says(&json!({"type": "refresh", "token": key.token(json!({"sub": "8"}))}).to_string()).await;
    assert_eq!(socket.is_closed().await, 4401);
    let mut other = server.user("bob").await.listens().await;
    other.says(&json!({"type": "refresh", "token": fresh}).to_string()).await;
    assert_eq!(other.receives("error").await["status"], 400);
}

#[actix_rt::test(system = "crate::System")]
async fn revoked_tokens_are_dead_on_every_node_with_their_sockets() {
    let key = SigningKey::secret();
    let server = server_of(&key).await;
    let root = server.staff("root").await;
    let old = signs_in(&server, &key, json!({"sub": "7", "iat": now() - 100})).await;
    let new = signs_in(&server, &key, json!({"sub": "7", "iat": now() - 10})).await;
    let path = format!("users/{}/revoke/", old.id);
    let time = |seconds: i64| chrono::DateTime::from_timestamp(now() + seconds, 0).unwrap().to_rfc3339();
    for bad in [json!({"before": time(60)}), json!({"before": "yesterday"}), json!({"before": 7})] {
        root.post(&path, bad).await.expect(400);
    }
    new.post(&path, json!({})).await.expect(403);
    root.post("users/999999/revoke/", json!({})).await.expect(404);
    // Offers do not name the node: each goes to the next one.
    let mut sockets = Vec::new();
    for _ in 0..nodes() {
        let client = server.anonymous();
        let token = old.headers[0].1.strip_prefix("Bearer ").unwrap();
        sockets
            .push(client.with("Sec-WebSocket-Protocol", &format!("greenroom.jwt.{token}")).listens().await);
    }
    let key_of_user = root.post(&format!("users/{}/tokens/", old.id), json!({})).await.expect(201).json;
    let with_key =
        server.anonymous().with("Authorization", &format!("Token {}", key_of_user["key"].as_str().unwrap()));
    root.post(&path, json!({"before": time(-50)})).await.expect(204);
    for socket in &mut sockets {
        assert_eq!(socket.is_closed().await, 4401);
    }
    is_shut_out(&old).await;
    new.get("users/me/").await.expect(200);
    with_key.get("users/me/").await.expect(200);
    // Of everything: keys too. A token issued later works.
    root.post(&path, json!({})).await.expect(204);
    is_shut_out(&new).await;
    is_shut_out(&with_key).await;
    is_shut_out(&bearing(
        &server,
        &key.sign(&json!({"alg": "HS256"}), &json!({"sub": "7", "exp": now() + 60})),
    ))
    .await;
    signs_in(&server, &key, json!({"sub": "7", "iat": now() + 20})).await;
    // A deactivated user's tokens are dead too, and their next token brings nothing back.
    root.patch(&format!("users/{}/", old.id), json!({"is_active": false})).await.expect(200);
    bearing(&server, &key.token(json!({"sub": "7", "iat": now() + 25}))).get("users/me/").await.expect(401);
}

/// Asserts that a credential is dead, within moments on nodes that did not end it.
async fn is_shut_out(user: &User) {
    let refused = async {
        while user.get("users/me/").await.status == 200 {
            assert!(nodes() > 1, "the only node knows at once");
            pause().await;
        }
    };
    tokio::time::timeout(DEADLINE, refused).await.expect("every node knows in time");
    user.get("users/me/").await.expect(401);
}

#[actix_rt::test(system = "crate::System")]
async fn many_first_tokens_at_once_make_each_user_once() {
    let users =
        std::env::var("GREENROOM_TEST_FIRST_TOKENS").ok().and_then(|count| count.parse().ok()).unwrap_or(500);
    let key = SigningKey::secret();
    let server = server_of(&key).await;
    let sign_in = |number: usize, age: i64| {
        let name = format!("user-{}", number % 50);
        let claims = json!({"sub": format!("s-{number}"), "preferred_username": name, "iat": now() - age});
        let token = key.token(claims);
        let user = bearing(&server, &token);
        async move { user.get("users/me/").await.expect(200).id() }
    };
    // Two different tokens of each user, which meet on different nodes.
    let twice = (0..2 * users).map(|number| sign_in(number % users, (number / users) as i64));
    let ids: Vec<i64> = join_all(twice).await;
    let (first, second) = ids.split_at(users);
    assert_eq!(first, second);
    let distinct: std::collections::BTreeSet<_> = first.iter().collect();
    assert_eq!(distinct.len(), users);
    let root = server.staff("root").await;
    assert_eq!(root.get("users/").await.expect(200).json["count"], users as i64 + 1);
}

#[actix_rt::test(system = "crate::System")]
async fn staff_create_users_with_an_external_id() {
    let key = SigningKey::secret();
    let server = server_of(&key).await;
    let root = server.staff("root").await;
    let new = json!({"username": "ann", "external_id": "host-7"});
    let ann = root.post("users/", new.clone()).await.expect(201).json;
    assert_eq!(ann["external_id"], "host-7");
    assert_eq!(root.post("users/", new).await.expect(200).json["id"], ann["id"]);
    // The external id finds the user, whatever the name.
    let same = root.post("users/", json!({"username": "anna", "external_id": "host-7"})).await.expect(200);
    assert_eq!((&same.json["id"], &same.json["username"]), (&ann["id"], &json!("ann")));
    // A token of that subject is hers.
    assert_eq!(signs_in(&server, &key, json!({"sub": "host-7"})).await.id, ann["id"].as_i64().unwrap());
    // An existing user gets the id once.
    root.post("users/", json!({"username": "bob"})).await.expect(201);
    let bob = root.post("users/", json!({"username": "bob", "external_id": "host-8"})).await.expect(200).json;
    assert_eq!(bob["external_id"], "host-8");
    let taken = root.post("users/", json!({"username": "bob", "external_id": "host-9"})).await.expect(400);
    assert!(taken.json["details"]["external_id"].is_array(), "{}", taken.json);
    for bad in [json!(""), json!("x".repeat(256)), json!("a\u{7}b")] {
        root.post("users/", json!({"username": "eve", "external_id": bad})).await.expect(400);
    }
}
