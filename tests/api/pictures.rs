//! Users' pictures on other hosts, which the server fetches.

use futures_util::future::{join, join_all};
use greenroom::{config::Config, core::model::PictureHost as Host};
use serde_json::{Value, json};

use crate::support::{
    DEADLINE, PASSWORD, Reply, Server, User,
    picture_host::{PNG, PictureHost},
};

/// Returns settings that fetch pictures from these hosts, which run on this machine.
fn fetching(hosts: &[&PictureHost]) -> impl Fn(&mut Config) + use<> {
    let hosts: Vec<Host> = hosts.iter().map(|host| Host::parse(&host.name()).unwrap()).collect();
    move |config| {
        config.picture_proxy = true;
        config.picture_hosts = hosts.clone();
        config.picture_proxy_allow = vec!["127.0.0.1/32".parse().unwrap()];
    }
}

/// Sets a user's picture. Returns the URL that is shown for it.
async fn chooses(user: &User, address: &str) -> String {
    let changed = user.patch("users/me/", json!({"avatar_url": address})).await.expect(200).json;
    assert_eq!(changed["avatar_source"], address);
    changed["avatar_url"].as_str().unwrap().to_owned()
}

async fn looks(user: &User, address: &str) -> Reply {
    user.send("GET", address, None).await
}

/// Returns one viewer for each node, as each node fetches separately.
async fn viewers(server: &Server) -> Vec<User> {
    (0..5).map(|_| server.anonymous().at(server)).collect()
}

#[actix_rt::test(system = "crate::System")]
async fn addresses_of_other_hosts_are_this_servers_in_answers_and_events() {
    let host = PictureHost::start().await;
    let server = Server::start_with(fetching(&[&host])).await;
    let (root, [ann, bob]) = (server.staff("root").await, server.users(["ann", "bob"]).await);
    let chat = ann.dm(&bob).await;
    let mut bob_socket = bob.listens().await;
    let source = host.draws("/a.png?secret=1");
    let shown = chooses(&ann, &source).await;
    assert!(shown.starts_with(&format!("/messages/pictures/{}/", ann.id)), "{shown}");
    let reported = bob_socket.receives("user_updated").await;
    ann.posts(chat, "hello").await;
    let received = bob_socket.receives("new_message").await;
    let user = format!("users/{}/", ann.id);
    let seen = [
        bob.get(&user).await.expect(200).json["avatar_url"].clone(),
        bob.get("users/search/?q=ann").await.expect(200).results()[0]["avatar_url"].clone(),
        bob.sees(chat).await["members"][0]["avatar_url"].clone(),
        bob.get(&format!("chats/{chat}/messages/")).await.results()[0]["sender"]["avatar_url"].clone(),
        bob.get("chats/").await.results()[0]["last_message"]["sender"]["avatar_url"].clone(),
        bob.get("sync/").await.expect(200).json["chats"][0]["members"][0]["avatar_url"].clone(),
        reported["user"]["avatar_url"].clone(),
        received["message"]["sender"]["avatar_url"].clone(),
        root.get(&user).await.expect(200).json["avatar_url"].clone(),
        ann.get("users/me/").await.expect(200).json["avatar_url"].clone(),
    ];
    assert_eq!(seen.to_vec(), vec![json!(shown); seen.len()]);
    // Only the user and staff see the source URL.
    for (who, path) in [(&ann, "users/me/"), (&ann, &*user), (&root, &*user)] {
        assert_eq!(who.get(path).await.expect(200).json["avatar_source"], source);
    }
    let name = host.name();
    for path in [&*user, "users/search/?q=ann", "chats/", "sync/", &format!("chats/{chat}/messages/")] {
        let text = String::from_utf8(bob.get(path).await.expect(200).body).unwrap();
        assert!(!text.contains(&name), "{path}: {text}");
    }
    assert!(!reported.to_string().contains(&name) && !received.to_string().contains(&name));
    // A generated picture has no source.
    assert_eq!(bob.get("users/me/").await.json["avatar_source"], Value::Null);
    assert_eq!(host.heads(), Vec::<String>::new(), "showing an address fetches nothing");
}

#[actix_rt::test(system = "crate::System")]
async fn a_picture_is_fetched_once_for_all_who_look_and_without_anything_of_theirs() {
    let host = PictureHost::start().await;
    let server = Server::start_with(|config| {
        fetching(&[&host])(config);
        config.metrics_bind = Some(([127, 0, 0, 1], 0).into());
    })
    .await;
    let ann = server.user("ann").await.at(&server);
    let shown = chooses(&ann, &host.draws("/a.png")).await;
    host.close();
    let viewers: Vec<User> = viewers(&server)
        .await
        .into_iter()
        .map(|viewer| viewer.with("Cookie", "theirs=1").with("Referer", "http://theirs.example/"))
        .collect();
    let look = join_all(viewers.iter().map(|viewer| looks(viewer, &shown)));
    let all_wait = async {
        while server.series(r#"greenroom_picture_requests_total{cache="miss"}"#).await != Some(5.0) {}
        host.open();
    };
    let (replies, ()) = join(look, all_wait).await;
    for reply in replies {
        assert_eq!(reply.expect(200).body, PNG);
    }
    let reply = looks(&viewers[0], &shown).await.expect(200);
    assert_eq!(host.count("/a.png"), 1);
    for (name, value) in [
        ("content-type", "image/png"),
        ("cache-control", "public, max-age=86400"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "default-src 'none'; sandbox"),
        ("content-disposition", "inline"),
        ("cross-origin-resource-policy", "cross-origin"),
        ("set-cookie", ""),
    ] {
        assert_eq!(reply.header(name), value, "{name}");
    }
    let etag = reply.header("etag").to_owned();
    let again = viewers[0].clone().with("If-None-Match", &etag);
    assert_eq!(looks(&again, &shown).await.expect(304).header("etag"), etag);
    looks(&viewers[0].clone().with("If-None-Match", "\"other\""), &shown).await.expect(200);
    // The host sees the server's request, and nothing of a viewer.
    let mut lines: Vec<String> =
        host.heads()[0].trim_end().split("\r\n").map(str::to_ascii_lowercase).collect();
    assert_eq!(lines.remove(0), "get /a.png http/1.1");
    lines.retain(|line| !line.starts_with("date: "));
    lines.sort();
    let expected = [
        "accept-encoding: identity".to_owned(),
        "accept: image/avif,image/webp,image/png,image/jpeg,image/gif".to_owned(),
        "connection: close".to_owned(),
        format!("host: {}", host.name()),
        format!("user-agent: greenroom/{}", env!("CARGO_PKG_VERSION")),
    ];
    assert_eq!(lines, expected);
    let series = async |labels: &str| server.series(&format!("greenroom_picture_{labels}")).await;
    assert_eq!(series(r#"requests_total{cache="hit"}"#).await, Some(3.0));
    assert_eq!(series(r#"fetches_total{outcome="fetched"}"#).await, Some(1.0));
    assert_eq!(series("fetch_seconds_count").await, Some(1.0));
    assert!(series("cache_bytes").await.unwrap() > PNG.len() as f64);
}

#[actix_rt::test(system = "crate::System")]
async fn a_host_is_asked_for_two_pictures_at_a_time_while_others_are_asked() {
    let (slow, quick) = (PictureHost::start().await, PictureHost::start_at([127, 0, 0, 2].into()).await);
    let server = Server::start_with(|config| {
        fetching(&[&slow, &quick])(config);
        config.picture_proxy_allow.push("127.0.0.2/32".parse().unwrap());
        config.metrics_bind = Some(([127, 0, 0, 1], 0).into());
    })
    .await;
    let mut shown = Vec::new();
    for user in server.crowd(3).await {
        shown.push(chooses(&user, &slow.draws(&format!("/{}.png", user.id))).await);
    }
    let other = chooses(&server.user("ann").await, &quick.draws("/a.png")).await;
    let viewers = viewers(&server).await;
    slow.close();
    let look = join_all(shown.iter().map(|address| looks(&viewers[0], address)));
    let meanwhile = async {
        while server.series(r#"greenroom_picture_requests_total{cache="miss"}"#).await != Some(3.0) {}
        assert_eq!(looks(&viewers[1], &other).await.expect(200).body, PNG);
        while slow.heads().len() < 2 {
            crate::support::pause().await;
        }
        assert_eq!(slow.heads().len(), 2);
        slow.open();
    };
    let (replies, ()) = join(look, meanwhile).await;
    replies.into_iter().for_each(|reply| drop(reply.expect(200)));
    assert_eq!(slow.heads().len(), 3);
}

#[actix_rt::test(system = "crate::System")]
async fn a_picture_that_leads_to_a_host_with_much_to_do_is_to_be_tried_again() {
    let (host, busy) = (PictureHost::start().await, PictureHost::start_at([127, 0, 0, 2].into()).await);
    let server = Server::start_with(|config| {
        fetching(&[&host, &busy])(config);
        config.picture_proxy_allow.push("127.0.0.2/32".parse().unwrap());
    })
    .await;
    let mut shown = Vec::new();
    for user in server.crowd(2).await {
        shown.push(chooses(&user, &busy.draws(&format!("/{}.png", user.id))).await);
    }
    let ann = server.user("ann").await;
    let leads = chooses(&ann, &host.leads("/a", &busy.draws("/a.png"))).await;
    let viewer = server.anonymous().at(&server);
    busy.close();
    let look = join_all(shown.iter().map(|address| looks(&viewer, address)));
    let meanwhile = async {
        while busy.heads().len() < 2 {
            crate::support::pause().await;
        }
        assert_eq!(looks(&viewer, &leads).await.expect(503).header("retry-after"), "1");
        assert_eq!(busy.count("/a.png"), 0);
        busy.open();
    };
    let (replies, ()) = join(look, meanwhile).await;
    replies.into_iter().for_each(|reply| drop(reply.expect(200)));
    // This is not cached as a failure.
    assert_eq!(looks(&viewer, &leads).await.expect(200).body, PNG);
}

#[actix_rt::test(system = "crate::System")]
async fn what_is_shown_may_be_sent_back_and_changes_nothing() {
    for public_url in [None, Some("https://chat.example.com".to_owned())] {
        let (host, other) = (PictureHost::start().await, "https://img.example.com/a.png");
        let server = Server::start_with(|config| {
            fetching(&[&host])(config);
            config.public_url = public_url.clone();
        })
        .await;
        let (root, [ann, bob]) = (server.staff("root").await, server.users(["ann", "bob"]).await);
        let source = host.draws("/a.png");
        let shown = chooses(&ann, &source).await;
        assert!(shown.starts_with(public_url.as_deref().unwrap_or("/messages/pictures/")), "{shown}");
        let before = ann.get("users/me/").await.expect(200).json;
        for (who, path) in [(&ann, "users/me/".to_owned()), (&root, format!("users/{}/", ann.id))] {
            for same in [&shown, &source, &format!(" {shown} ")] {
                let after = who.patch(&path, json!({"avatar_url": same})).await.expect(200).json;
                assert_eq!(after, before, "{path} {same}");
            }
            let named = who.patch(&path, json!({"avatar_url": shown, "first_name": "Ann"})).await.expect(200);
            assert_eq!(
                (&named.json["avatar_source"], &named.json["first_name"]),
                (&json!(source), &json!("Ann"))
            );
            who.patch(&path, json!({"first_name": ""})).await.expect(200);
        }
        // A URL set by staff remains when its user sends it back.
        let set =
            root.patch(&format!("users/{}/", bob.id), json!({"avatar_url": other})).await.expect(200).json;
        assert_eq!(set["avatar_source"], other);
        for same in [json!(other), set["avatar_url"].clone()] {
            assert_eq!(bob.patch("users/me/", json!({"avatar_url": same})).await.expect(200).json, set);
        }
        // The proxied URL of another user's picture is rejected.
        let new = json!({"username": "zoe", "password": PASSWORD, "avatar_url": shown});
        bob.patch("users/me/", json!({"avatar_url": shown})).await.invalid("avatar_url");
        root.patch(&format!("users/{}/", bob.id), json!({"avatar_url": shown})).await.invalid("avatar_url");
        root.post("users/", new).await.invalid("avatar_url");
        // A user without a picture may send the generated URL back.
        bob.patch("users/me/", json!({"avatar_url": ""})).await.expect(200);
        let drawn = bob.get("users/me/").await.expect(200).json;
        assert_eq!(drawn["avatar_source"], Value::Null);
        let same = json!({"avatar_url": drawn["avatar_url"]});
        assert_eq!(bob.patch("users/me/", same).await.expect(200).json, drawn);
    }
}

#[actix_rt::test(system = "crate::System")]
async fn only_addresses_that_were_shown_of_pictures_that_are_still_there_are_fetched() {
    let host = PictureHost::start().await;
    let server = Server::start_with(fetching(&[&host])).await;
    let [ann, bob, cat] = server.users(["ann", "bob", "cat"]).await;
    let nobody = server.anonymous();
    let shown = chooses(&ann, &host.draws("/a.png")).await;
    let bob_picture = chooses(&bob, &host.draws("/b.png")).await;
    let cat_picture = chooses(&cat, &host.url("/a.png")).await;
    let key = |shown: &str| shown.rsplit('/').next().unwrap().to_owned();
    let altered = |shown: &str| {
        let flipped = if shown.ends_with('A') { "E" } else { "A" };
        format!("{}{flipped}", &shown[..shown.len() - 1])
    };
    let forged = [
        altered(&shown),
        shown[..shown.len() - 1].to_owned(),
        format!("/messages/pictures/{}/{}", bob.id, key(&shown)),
        format!("/messages/pictures/{}/{}", ann.id, key(&bob_picture)),
        format!("/messages/pictures/{}/{}", ann.id, key(&cat_picture)),
        format!("/messages/pictures/{}/AAAA", ann.id),
        format!("/messages/pictures/9999/{}", key(&shown)),
        format!("/messages/pictures/{}/AAAA?url={}", ann.id, host.url("/a.png")),
    ];
    for address in &forged {
        looks(&nobody, address).await.expect(404);
    }
    assert_eq!(host.heads(), Vec::<String>::new());
    looks(&nobody, &shown).await.expect(200);
    // After a change the previous URL answers 404, although its picture is still cached.
    let second = chooses(&ann, &host.draws("/second.png")).await;
    looks(&nobody, &shown).await.expect(404);
    looks(&nobody, &second).await.expect(200);
    ann.patch("users/me/", json!({"avatar_url": ""})).await.expect(200);
    looks(&nobody, &second).await.expect(404);
    assert_eq!(chooses(&ann, &host.url("/a.png")).await, shown, "the same picture has the same address");
    // The key survives a restart. A picture whose host is no longer configured is not shown.
    let server = Server::start_on(server.stop(), fetching(&[&host])).await;
    looks(&server.anonymous(), &shown).await.expect(200);
    let server = Server::start_on(server.stop(), fetching(&[])).await;
    looks(&server.anonymous(), &shown).await.expect(404);
    let drawn = format!("/messages/avatars/{}.svg", ann.id);
    assert_eq!(bob.at(&server).get(&format!("users/{}/", ann.id)).await.json["avatar_url"], drawn);
    // With the picture proxy off, browsers get the source URL.
    let count = host.heads().len();
    let direct = |config: &mut Config| {
        fetching(&[&host])(config);
        config.picture_proxy = false;
    };
    let server = Server::start_on(server.stop(), direct).await;
    looks(&server.anonymous(), &shown).await.expect(404);
    let me = ann.at(&server).get("users/me/").await.json;
    assert_eq!((&me["avatar_url"], &me["avatar_source"]), (&json!(host.url("/a.png")), &Value::Null));
    assert_eq!(host.heads().len(), count);
}

#[actix_rt::test(system = "crate::System")]
async fn what_is_no_picture_is_not_passed_on_nor_asked_for_by_each_viewer() {
    let host = PictureHost::start().await;
    let server = Server::start_with(fetching(&[&host])).await;
    let ann = server.user("ann").await;
    let viewer = server.anonymous().at(&server);
    let svg = b"<svg xmlns=\"http://www.w3.org/2000/svg\"><script>1</script></svg>";
    host.has("/svg", "image/svg+xml", svg);
    host.has("/svg-as-png", "image/png", svg);
    host.has("/html", "image/png", b"<!doctype html><script>1</script>");
    host.has("/large", "image/png", &[PNG, &vec![0; 1 << 20]].concat());
    host.has("/empty", "image/png", b"");
    let fault = format!("HTTP/1.1 500 Fault\r\nContent-Length: {}\r\n\r\n", PNG.len());
    host.sends("/fault", [fault.as_bytes(), PNG].concat());
    host.leads("/loop", "/loop");
    host.leads("/nowhere", "http://[");
    for path in
        ["/svg", "/svg-as-png", "/html", "/large", "/empty", "/fault", "/missing", "/loop", "/nowhere"]
    {
        let shown = chooses(&ann, &host.url(path)).await;
        for _ in 0..2 {
            let reply = looks(&viewer, &shown).await.expect(404);
            assert_eq!(reply.header("cache-control"), "public, max-age=60", "{path}");
            assert_eq!(reply.json, json!({"detail": "Not found."}), "{path}");
        }
        assert_eq!(host.count(path), if path == "/loop" { 4 } else { 1 }, "{path}");
    }
    // The content type is detected from the bytes; the host's header is ignored.
    let kinds: [(&str, &[u8]); 4] = [
        ("image/jpeg", b"\xff\xd8\xff\xe0"),
        ("image/gif", b"GIF89a"),
        ("image/webp", b"RIFF\0\0\0\0WEBP"),
        ("image/avif", b"\0\0\0\x14ftypavif\0\0\0\0avif"),
    ];
    for (kind, bytes) in kinds {
        let shown = chooses(&ann, &host.has(&format!("/{kind}"), "text/html", bytes)).await;
        let reply = looks(&viewer, &shown).await.expect(200);
        assert_eq!((reply.header("content-type"), &*reply.body), (kind, bytes));
    }
}

#[actix_rt::test(system = "crate::System")]
async fn each_hop_of_a_redirect_is_held_to_the_same_rules() {
    let (host, other) = (PictureHost::start().await, PictureHost::start().await);
    let hidden = PictureHost::start_at([127, 0, 0, 2].into()).await;
    let public_url = "https://chat.example.com";
    let server = Server::start_with(|config| {
        fetching(&[&host, &hidden])(config);
        config.public_url = Some(public_url.to_owned());
    })
    .await;
    let (root, ann) = (server.staff("root").await, server.user("ann").await);
    let nobody = server.anonymous();
    let path = |shown: &str| shown.strip_prefix(public_url).unwrap().to_owned();
    host.draws("/a.png");
    for (number, path) in ["/3", "/2", "/1"].into_iter().enumerate() {
        host.leads(path, ["/a.png", "/3", &host.url("/2")][number]);
    }
    let shown = path(&chooses(&ann, &host.url("/1")).await);
    assert_eq!(looks(&nobody, &shown).await.expect(200).body, PNG);
    host.leads("/0", "/1");
    let own = format!("{public_url}{shown}");
    let refused = [
        host.url("/0"),
        host.leads("/other", &other.draws("/a.png")),
        host.leads("/hidden", &hidden.draws("/a.png")),
        host.leads("/mapped", &format!("http://[::ffff:7f00:2]:{}/a.png", hidden.address.port())),
        host.leads("/login", &format!("http://u:p@{}/a.png", host.name())),
        host.leads("/file", "file:///etc/hostname"),
        host.leads("/data", "data:image/png;base64,iVBORw0KGgo="),
        host.leads("/self", &own),
        hidden.url("/a.png"),
    ];
    for address in refused {
        let shown = path(&chooses(&ann, &address).await);
        looks(&nobody, &shown).await.expect(404);
    }
    // URLs set by staff may name any host, but no other port and no private network that is not allowed.
    for address in [host.url("/other"), host.url("/hidden"), other.url("/a.png"), hidden.url("/a.png")] {
        let set = json!({"avatar_url": address});
        let user = root.patch(&format!("users/{}/", ann.id), set).await.expect(200).json;
        looks(&nobody, &path(user["avatar_url"].as_str().unwrap())).await.expect(404);
    }
    assert_eq!((other.heads().len(), hidden.heads().len()), (0, 0));
}

#[actix_rt::test(system = "crate::System")]
async fn private_networks_are_reached_where_they_are_named() {
    let host = PictureHost::start().await;
    let port = host.address.port();
    host.draws("/a.png");
    // A name to resolve, and other notations of the loopback address.
    let ways = ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]"];
    let hosts: Vec<Host> = ways.iter().map(|way| Host::parse(&format!("{way}:{port}")).unwrap()).collect();
    let private = |config: &mut Config| {
        fetching(&[])(config);
        config.picture_hosts = hosts.clone();
        config.picture_proxy_allow = vec!["10.0.0.0/8".parse().unwrap()];
        config.metrics_bind = Some(([127, 0, 0, 1], 0).into());
    };
    let server = Server::start_with(private).await;
    let ann = server.user("ann").await;
    let shown = async |ann: &User, way: &str| {
        let address = format!("http://{way}:{port}/a.png");
        let change = ann.patch("users/me/", json!({"avatar_url": address})).await.expect(200);
        change.json["avatar_url"].as_str().unwrap().to_owned()
    };
    let viewer = server.anonymous().at(&server);
    for way in ways {
        looks(&viewer, &shown(&ann, way).await).await.expect(404);
    }
    assert_eq!(host.heads(), Vec::<String>::new());
    let refused = r#"greenroom_picture_fetches_total{outcome="private_network"}"#;
    assert_eq!(server.series(refused).await, Some(ways.len() as f64));
    let allowed = |config: &mut Config| {
        private(config);
        config.picture_proxy_allow.push("127.0.0.0/8".parse().unwrap());
    };
    let server = Server::start_on(server.stop(), allowed).await;
    let (ann, viewer) = (ann.at(&server), server.anonymous().at(&server));
    for way in &ways[..4] {
        looks(&viewer, &shown(&ann, way).await).await.expect(200);
    }
}

#[actix_rt::test(system = "crate::System")]
async fn pages_ask_no_other_host_where_the_server_fetches_pictures() {
    for is_on in [true, false] {
        let server = Server::start_with(|config| config.picture_proxy = is_on).await;
        let page = server.anonymous().send("GET", "/login/", None).await.expect(200);
        let policy = page.header("content-security-policy");
        let images = policy.split(';').map(str::trim).find(|part| part.starts_with("img-src")).unwrap();
        assert_eq!(images.split(' ').any(|source| source == "https:"), !is_on, "{policy}");
    }
}

#[actix_rt::test(system = "crate::System")]
async fn a_host_that_never_answers_is_given_up_for_all_who_wait() {
    let host = PictureHost::start().await;
    let server = Server::start_with(fetching(&[&host])).await;
    let ann = server.user("ann").await;
    let shown = chooses(&ann, &host.draws("/a.png")).await;
    host.close();
    let viewers = viewers(&server).await;
    let begun = std::time::Instant::now();
    for reply in join_all(viewers.iter().map(|viewer| looks(viewer, &shown))).await {
        reply.expect(404);
    }
    assert!(begun.elapsed() < DEADLINE / 2, "{:?}", begun.elapsed());
    // The failure is cached.
    looks(&viewers[0], &shown).await.expect(404);
    assert_eq!(host.count("/a.png"), 1);
}
