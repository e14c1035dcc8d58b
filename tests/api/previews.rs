//! Previews of links: fetched from other hosts, shown with messages, and removed.

use greenroom::config::Config;
use serde_json::{Value, json};

use crate::support::{
    Listener, Server, User,
    picture_host::{PNG, PictureHost},
};

fn on(config: &mut Config) {
    config.link_previews = true;
    config.preview_allow = vec!["127.0.0.1/32".parse().unwrap()];
}

/// A page with a title, and what else is given.
fn page(title: &str, more: &str) -> Vec<u8> {
    format!("<!doctype html><head><title>{title}</title>{more}</head><p>text").into_bytes()
}

/// Receives events up to the next change of a message. Returns the message.
async fn updated(socket: &mut Listener, message: &Value) -> Value {
    loop {
        let event = socket.next().await;
        if event["type"] == "message_updated" && event["message"]["id"] == message["id"] {
            return event["message"].clone();
        }
    }
}

fn urls(message: &Value) -> Vec<&str> {
    message["previews"].as_array().unwrap().iter().map(|one| one["url"].as_str().unwrap()).collect()
}

async fn seen(user: &User, message: &Value) -> Value {
    user.get(&format!("messages/{}/", message["id"])).await.expect(200).json
}

/// Waits until messages that were sent before have their previews, by the preview of one sent later by the same user.
async fn passes(user: &User, chat: i64, host: &PictureHost, socket: &mut Listener) {
    let link = host.has("/last", "text/html", &page("last", ""));
    let last = user.posts(chat, &link).await;
    updated(socket, &last).await;
}

#[actix_rt::test(system = "crate::System")]
async fn a_link_gets_a_preview_with_a_picture_through_the_server() {
    let server = Server::start_with(on).await;
    let host = PictureHost::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.dm(&bob).await;
    let mut socket = bob.listens().await;
    host.draws("/p.png?secret=1");
    let more = "<meta property=og:description content='What it says'><meta property=og:site_name content=Site>\
                <meta property=og:image content='/p.png?secret=1'><meta property=og:image:width content=120>\
                <meta property=og:image:height content=63>";
    let link = host.has("/page", "text/html; charset=utf-8", &page("A &lt;b&gt; page", more));
    let sent = ann.posts(chat, &format!("See {link}.")).await;
    assert_eq!(sent["previews"], json!([]));
    let shown = updated(&mut socket, &sent).await;
    let preview = &shown["previews"][0];
    let image = preview["image_url"].as_str().unwrap();
    assert_eq!(
        *preview,
        json!({"url": link, "title": "A <b> page", "description": "What it says", "site": "Site", "image_url": image, "width": 120, "height": 63})
    );
    assert_eq!((&shown["is_edited"], &shown["content"]), (&json!(false), &sent["content"]));
    assert_eq!(seen(&ann, &sent).await["previews"], shown["previews"]);
    assert_eq!(bob.sees(chat).await["last_message"]["previews"], shown["previews"]);
    // The picture comes from this server, for its own addresses only.
    assert!(image.starts_with("/messages/previews/"), "{image}");
    let picture = server.anonymous().send("GET", image, None).await.expect(200);
    assert_eq!((picture.header("content-type"), picture.body.as_ref()), ("image/png", PNG));
    for wrong in [image.replace("secret%3D1", "secret%3D2"), "/messages/previews/x?url=http".to_owned()] {
        server.anonymous().send("GET", &wrong, None).await.expect(404);
    }
    // The request says nothing of who has sent the link.
    let head = host.heads()[0].to_ascii_lowercase();
    assert!(!head.contains("cookie") && !head.contains("referer") && !head.contains("ann"), "{head}");
    // It is kept: another message does not fetch the page again on this node.
    let again = ann.posts(chat, &link).await;
    assert_eq!(updated(&mut socket, &again).await["previews"], shown["previews"]);
    assert_eq!(host.count("/page"), 1);
}

#[actix_rt::test(system = "crate::System")]
async fn previews_follow_edits_and_are_removed_by_their_senders_for_good() {
    let server = Server::start_with(on).await;
    let host = PictureHost::start().await;
    let [ann, bob, eve] = server.users(["ann", "bob", "eve"]).await;
    let chat = ann.dm(&bob).await;
    let mut socket = bob.listens().await;
    let links: Vec<String> =
        (0..5).map(|n| host.has(&format!("/{n}"), "text/html", &page(&format!("Page {n}"), ""))).collect();
    let sent = ann.posts(chat, &links[..4].join(" ")).await;
    let shown = updated(&mut socket, &sent).await;
    assert_eq!(urls(&shown), links[..3]);
    let path = |index: &str| format!("messages/{}/previews/{index}/", sent["id"]);
    bob.delete(&path("0")).await.expect(403);
    eve.delete(&path("0")).await.expect(404);
    for wrong in ["3", "-1", "x", "99999999999999999999"] {
        ann.delete(&path(wrong)).await.expect(404);
    }
    ann.delete(&path("1")).await.expect(204);
    let shown = updated(&mut socket, &sent).await;
    assert_eq!(urls(&shown), [links[0].as_str(), &links[2]]);
    // The removed one does not come back, others come and go with their links.
    let text = format!("{} {} {}", links[1], links[4], links[0]);
    ann.edits(&sent, &text).await;
    let mut shown = updated(&mut socket, &sent).await;
    assert_eq!(urls(&shown), [&links[0]], "the edit");
    shown = updated(&mut socket, &sent).await;
    assert_eq!(urls(&shown), [links[4].as_str(), &links[0]]);
    ann.edits(&sent, "no link").await;
    assert_eq!(urls(&updated(&mut socket, &sent).await), Vec::<&str>::new());
    ann.deletes(&sent).await;
    ann.delete(&path("0")).await.expect(404);
    let tombstone = ann.get(&format!("chats/{chat}/messages/")).await.expect(200).results()[0].clone();
    assert_eq!(tombstone["previews"], json!([]));
    assert_eq!(server.checks_database().await.differences, Vec::<String>::new());
}

#[actix_rt::test(system = "crate::System")]
async fn replies_and_forwarded_texts_have_previews() {
    let server = Server::start_with(on).await;
    let host = PictureHost::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.dm(&bob).await;
    let root = ann.posts(chat, "root").await;
    let mut socket = bob.connects_with("?threads=1").await.unwrap();
    let link = host.has("/page", "text/html", &page("Page", ""));
    let path = format!("chats/{chat}/messages/");
    let reply = json!({"content": link, "thread": root["id"]});
    let reply = ann.post(&path, reply).await.expect(201).json;
    let shown = updated(&mut socket, &reply).await;
    assert_eq!((urls(&shown), &shown["thread"]), (vec![link.as_str()], &root["id"]));
    let copy = bob.post(&path, json!({"forward": reply["id"]})).await.expect(201).json;
    assert_eq!(urls(&updated(&mut socket, &copy).await), [&link]);
}

#[actix_rt::test(system = "crate::System")]
async fn private_addresses_are_refused_at_every_hop() {
    let server = Server::start_with(on).await;
    let host = PictureHost::start().await;
    // On an address of this machine that is not allowed.
    let other = PictureHost::start_at([127, 0, 0, 2].into()).await;
    let hidden = other.has("/", "text/html", &page("Hidden", ""));
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.dm(&bob).await;
    let mut socket = bob.listens().await;
    let port = other.address.port();
    let mut links = vec![
        hidden.clone(),
        format!("http://2130706434:{port}/"),
        format!("http://0x7f000002:{port}/"),
        format!("http://127.2:{port}/"),
        format!("http://[::ffff:127.0.0.2]:{port}/"),
        format!("http://localhost:{port}/"),
        host.leads("/redirect", &hidden),
    ];
    links.push(host.leads("/twice", "/redirect"));
    let mut sent = Vec::new();
    for link in &links {
        sent.push(ann.posts(chat, link).await);
    }
    passes(&ann, chat, &host, &mut socket).await;
    for (link, sent) in links.iter().zip(&sent) {
        assert_eq!(seen(&bob, sent).await["previews"], json!([]), "{link}");
    }
    assert_eq!(other.heads(), Vec::<String>::new(), "nothing was asked of it");
    // A picture there is not fetched either.
    let more = format!("<meta property=og:image content='http://127.0.0.2:{port}/p.png'>");
    let sent = ann.posts(chat, &host.has("/with-picture", "text/html", &page("Page", &more))).await;
    let shown = updated(&mut socket, &sent).await;
    let image = shown["previews"][0]["image_url"].as_str().unwrap();
    server.anonymous().send("GET", image, None).await.expect(404);
    assert_eq!(other.heads(), Vec::<String>::new());
}

#[actix_rt::test(system = "crate::System")]
async fn what_is_no_page_or_too_slow_has_no_preview_and_a_large_page_is_cut() {
    let server = Server::start_with(on).await;
    let host = PictureHost::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.dm(&bob).await;
    let mut socket = bob.listens().await;
    host.sends("/broken", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n");
    // It never ends its page.
    host.sends("/slow", "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 99\r\n\r\n<title>t");
    let none = [
        host.url("/missing"),
        host.url("/broken"),
        host.url("/slow"),
        host.has("/text", "text/plain", &page("Page", "")),
        host.has("/json", "application/json", b"{}"),
        host.has("/untitled", "text/html", b"<p>text"),
        host.leads("/loop", "/loop"),
        host.leads("/away", "file:///etc/hostname"),
        host.draws("/picture.png"),
    ];
    let mut sent = Vec::new();
    for link in &none {
        sent.push(ann.posts(chat, link).await);
    }
    let mut large = page("Large", "");
    large.resize(2 << 20, b' ');
    let sent_large = bob.posts(chat, &host.has("/large", "text/html", &large)).await;
    assert_eq!(updated(&mut socket, &sent_large).await["previews"][0]["title"], "Large");
    passes(&ann, chat, &host, &mut socket).await;
    for (link, sent) in none.iter().zip(&sent) {
        assert_eq!(seen(&bob, sent).await["previews"], json!([]), "{link}");
    }
}

#[actix_rt::test(system = "crate::System")]
async fn without_the_setting_nothing_is_fetched() {
    let server = Server::start().await;
    let host = PictureHost::start().await;
    let ann = server.user("ann").await;
    let chat = ann.group("Notes", &[]).await;
    let sent = ann.posts(chat, &host.has("/page", "text/html", &page("Page", ""))).await;
    assert_eq!((sent["previews"].clone(), host.heads().len()), (json!([]), 0));
    ann.delete(&format!("messages/{}/previews/0/", sent["id"])).await.expect(404);
    server.anonymous().send("GET", "/messages/previews/x?url=http://x/", None).await.expect(404);
}
