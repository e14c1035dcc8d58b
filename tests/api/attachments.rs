//! Attachments: uploaded, sent, fetched, forwarded and deleted.

use std::time::Instant;

use greenroom::config::{Config, FileTypes};
use serde_json::{Value, json};

use crate::support::{
    DEADLINE, Listener, Reply, Server, User,
    attachments::{announces, completes, fetches, sends_bytes, shares, uploads},
    pause,
};

/// A picture of one pixel.
pub(crate) const PNG: &[u8] =
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\0\0\0\
    \rIDATx\x9cc\xf8\xff\xff?\0\x05\xfe\x02\xfe\xa75\x81\x84\0\0\0\0IEND\xaeB`\x82";

/// A server with a folder of its own for attachments, which ends with the test.
pub(crate) struct Store {
    pub server: Server,
    pub folder: tempfile::TempDir,
}

impl Store {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let files = folder.path().join("files");
        let server = Server::start_with(|config| {
            config.files.files = Some(files);
            change(config);
        });
        Self { server: server.await, folder }
    }

    /// Returns the number of files in the folder, without its mark.
    pub(crate) fn files(&self) -> usize {
        fn count(folder: &std::path::Path) -> usize {
            let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
            let size =
                |entry: std::fs::DirEntry| if entry.path().is_dir() { count(&entry.path()) } else { 1 };
            entries.filter(|entry| entry.file_name() != "database").map(size).sum()
        }
        count(&self.folder.path().join("files"))
    }

    /// Waits until the folder has so many files.
    pub(crate) async fn has_files(&self, expected: usize) {
        let deadline = Instant::now() + DEADLINE;
        while self.files() != expected {
            assert!(Instant::now() < deadline, "{} files, not {expected}", self.files());
            pause().await;
        }
    }

    /// Checks the database, and that the folder has what it says.
    pub(crate) async fn is_consistent(&self) {
        assert_eq!(self.server.checks_database().await.differences, Vec::<String>::new());
    }
}

/// Sends a command over a socket. Returns the answer.
async fn asks(socket: &mut Listener, command: &Value) -> Value {
    socket.says(&command.to_string()).await;
    loop {
        let frame = socket.next().await;
        if frame["id"] == command["id"] {
            return frame;
        }
    }
}

#[actix_rt::test(system = "crate::System")]
async fn a_file_is_uploaded_sent_and_fetched() {
    let store = Store::start().await;
    let [ann, bob] = store.server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let mut socket = bob.listens().await;
    let body =
        json!({"name": "C:\\plans\\a b?.txt", "size": 5, "chat": chat, "alt": " A plan ", "sha256": null});
    let upload = ann.post("uploads/", body).await.expect(201).json;
    assert_eq!(upload["headers"], json!({}));
    assert_eq!(sends_bytes(&ann, &upload, b"hello").await.expect(200).json, json!({"received": 5}));
    let attachment = completes(&ann, &upload).await.expect(200).json;
    let expected = json!({
        "id": upload["id"], "name": "a b?.txt", "size": 5, "content_type": "text/plain",
        "sha256": "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
        "width": null, "height": null, "blurhash": null, "alt": "A plan", "state": "clean",
        "url": format!("/messages/api/files/{}/a%20b%3F.txt", upload["id"]), "thumbnails": [],
    });
    assert_eq!(attachment, expected);
    assert_eq!(completes(&ann, &upload).await.expect(200).json, expected, "again: the same");
    sends_bytes(&ann, &upload, b"other").await.expect(409);

    let message = shares(&ann, chat, "", &[&attachment]).await;
    assert_eq!((&message["content"], &message["attachments"]), (&json!(""), &json!([expected])));
    assert_eq!(socket.receives("new_message").await["message"], message);
    let page = bob.get(&format!("chats/{chat}/messages/")).await.expect(200);
    assert_eq!(page.results()[0]["attachments"], message["attachments"]);
    assert_eq!(
        bob.get(&format!("messages/{}/", message["id"])).await.expect(200).json["attachments"],
        json!([expected])
    );
    assert_eq!(bob.sees(chat).await["last_message"]["attachments"], json!([expected]));
    let missed = bob.post("sync/", json!({"chats": {chat.to_string(): 1}})).await.expect(200).json;
    assert_eq!(missed["events"][0]["message"]["attachments"], json!([expected]));

    let file = fetches(&bob, &attachment).await.expect(200);
    assert_eq!(file.body, b"hello");
    for (name, value) in [
        ("content-type", "text/plain; charset=utf-8"),
        ("content-length", "5"),
        ("content-disposition", "attachment; filename=\"a b?.txt\""),
        ("content-security-policy", "sandbox; default-src 'none'"),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "private, no-cache"),
        ("accept-ranges", "bytes"),
        ("cross-origin-resource-policy", "same-site"),
    ] {
        assert_eq!(file.header(name), value, "{name}");
    }
    store.is_consistent().await;
}

#[actix_rt::test(system = "crate::System")]
async fn announcements_are_checked() {
    let store = Store::start_with(|config| {
        config.files.file_max_bytes = 1_000;
        config.files.uploads_pending_max = 2;
    });
    let store = store.await;
    let [ann, bob] = store.server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[]).await;
    let good = json!({"name": "a.txt", "size": 5, "chat": chat});
    let with = |field: &str, value: Value| {
        let mut body = good.clone();
        body[field] = value;
        body
    };
    for (field, bad) in [
        ("name", json!("")),
        ("name", json!("a/")),
        ("name", json!("..")),
        ("name", json!("a\u{202e}gpj.exe")),
        ("name", json!("a\u{0}b")),
        ("name", json!("x".repeat(256))),
        ("name", Value::Null),
        ("size", json!(0)),
        ("size", json!(-1)),
        ("size", json!("many")),
        ("size", Value::Null),
        ("chat", json!("x")),
        ("chat", json!(0)),
        ("sha256", json!("abc")),
        ("alt", json!("x".repeat(1_001))),
    ] {
        let reply = ann.post("uploads/", with(field, bad.clone())).await;
        assert!(reply.invalid(field)[0].is_string(), "{field}: {bad}");
    }
    ann.post("uploads/", with("size", json!(1_001))).await.expect(413);
    ann.post("uploads/", with("chat", json!(99_999))).await.expect(404);
    bob.post("uploads/", good.clone()).await.expect(404);
    bob.post("uploads/", with("name", json!(""))).await.expect(404);
    store.server.anonymous().post("uploads/", good.clone()).await.expect(401);

    let first = ann.post("uploads/", good.clone()).await.expect(201).json;
    ann.post("uploads/", good.clone()).await.expect(201);
    let full = ann.post("uploads/", good.clone()).await.expect(429);
    assert!(full.header("retry-after").parse::<u64>().unwrap() > 0);
    // A complete upload is not pending, nor is one that is cancelled.
    sends_bytes(&ann, &first, b"hello").await.expect(200);
    completes(&ann, &first).await.expect(200);
    let third = ann.post("uploads/", good.clone()).await.expect(201).json;
    ann.post("uploads/", good.clone()).await.expect(429);
    ann.delete(&format!("uploads/{}/", third["id"])).await.expect(204);
    ann.post("uploads/", good).await.expect(201);
    store.is_consistent().await;
}

#[actix_rt::test(system = "crate::System")]
async fn bytes_are_those_that_were_announced() {
    let store = Store::start_with(|config| {
        config.files.file_types = FileTypes::parse("text/plain,image/*").unwrap();
        config.files.file_max_bytes = 100;
    });
    let store = store.await;
    let ann = store.server.user("ann").await;
    let chat = ann.group("Team", &[]).await;
    let upload = announces(&ann, chat, "a.txt", 5).await.expect(201).json;
    completes(&ann, &upload).await.expect(409);
    // A part of the bytes, and more than all of them, may still be replaced.
    sends_bytes(&ann, &upload, b"hel").await.expect(200);
    sends_bytes(&ann, &upload, b"hello, world").await.expect(200);
    sends_bytes(&ann, &upload, &[b'x'; 101]).await.expect(413);
    sends_bytes(&ann, &upload, b"hello").await.expect(200);
    completes(&ann, &upload).await.expect(200);

    for (bytes, field) in
        [(&b"hell"[..], "size"), (b"hello!", "size"), (b"HELLO", "sha256"), (b"\0\0\0\0\0", "name")]
    {
        let sha256 = match field {
            "name" => Value::Null,
            _ => json!("2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"),
        };
        let body = json!({"name": "a.txt", "size": 5, "chat": chat, "sha256": sha256});
        let upload = ann.post("uploads/", body).await.expect(201).json;
        sends_bytes(&ann, &upload, bytes).await.expect(200);
        assert!(completes(&ann, &upload).await.invalid(field)[0].is_string(), "{field}");
        // It is gone.
        completes(&ann, &upload).await.expect(404);
        sends_bytes(&ann, &upload, b"hello").await.expect(404);
    }
    store.has_files(1).await;
    store.is_consistent().await;
}

#[actix_rt::test(system = "crate::System")]
async fn the_key_of_an_upload_is_in_its_address_alone() {
    let store = Store::start().await;
    let ann = store.server.user("ann").await;
    let chat = ann.group("Team", &[]).await;
    let (one, two) = (
        announces(&ann, chat, "1", 5).await.expect(201).json,
        announces(&ann, chat, "2", 5).await.expect(201).json,
    );
    let key = |upload: &Value| upload["put_url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    for path in [
        format!("/messages/uploads/{}/{}", two["id"], key(&one)),
        format!("/messages/uploads/{}/x", one["id"]),
        format!("/messages/uploads/x/{}", key(&one)),
        format!("/messages/uploads/99999/{}", key(&one)),
    ] {
        ann.send_raw("PUT", &path, None, b"hello".to_vec()).await.expect(404);
    }
    completes(&ann, &one).await.expect(409);
    // A page of another site may not have the browser do it without CORS, but the key alone is the right.
    let elsewhere = ann.clone().with("Origin", "https://other.example");
    let path = one["put_url"].as_str().unwrap();
    elsewhere.send_raw("PUT", path, None, b"hello".to_vec()).await.expect(200);
    completes(&ann, &one).await.expect(200);
}

#[actix_rt::test(system = "crate::System")]
async fn only_own_complete_uploads_of_the_chat_are_sent_and_each_once() {
    let store = Store::start_with(|config| config.files.attachments_max = 2).await;
    let [ann, bob] = store.server.users(["ann", "bob"]).await;
    let (chat, other) = (ann.group("Team", &[&bob]).await, ann.group("Other", &[&bob]).await);
    let (one, two, three) = (
        uploads(&ann, chat, "1.txt", b"one").await,
        uploads(&ann, chat, "2.txt", b"two").await,
        uploads(&ann, chat, "3.txt", b"three").await,
    );
    let (elsewhere, bobs) =
        (uploads(&ann, other, "4.txt", b"four").await, uploads(&bob, chat, "5.txt", b"five").await);
    let pending = announces(&ann, chat, "6.txt", 3).await.expect(201).json;
    let post = async |body: Value| ann.post(&format!("chats/{chat}/messages/"), body).await;
    for ids in [
        json!([elsewhere["id"]]),
        json!([bobs["id"]]),
        json!([pending["id"]]),
        json!([99_999]),
        json!([one["id"], one["id"]]),
        json!([one["id"], two["id"], three["id"]]),
        json!(["x"]),
        json!(one["id"]),
        json!({}),
        json!([0]),
    ] {
        let reply = post(json!({"content": "x", "attachments": ids})).await;
        assert!(reply.invalid("attachments")[0].is_string(), "{ids}");
    }
    assert_eq!(ann.reads(chat).await, Vec::<String>::new());
    let sent = json!({"content": "", "attachments": [two["id"], one["id"]], "client_id": "c"});
    let message = post(sent.clone()).await.expect(201).json;
    assert_eq!(message["attachments"], json!([two, one]), "in the order that was given");
    // A retry gets the same message; other attachments or none are another message.
    assert_eq!(post(sent.clone()).await.expect(200).json, message);
    for others in [json!([two["id"]]), json!([one["id"], two["id"]]), json!([]), json!([three["id"]])] {
        let body = json!({"content": "", "attachments": others, "client_id": "c"});
        let status = post(body).await.status;
        assert!(status == 409 || (others == json!([]) && status == 400), "{others}: {status}");
    }
    post(json!({"content": "x", "client_id": "c"})).await.expect(409);
    let again = post(json!({"content": "x", "attachments": [one["id"]]})).await;
    assert_eq!(again.invalid("attachments")[0], format!("Upload {} was sent already.", one["id"]));
    ann.delete(&format!("uploads/{}/", one["id"])).await.expect(404);
    completes(&ann, &one).await.expect(200);
    // A socket sends them as well.
    let mut socket = ann.listens().await;
    let send = json!({"type": "send_message", "id": "1", "chat_id": chat, "attachments": [three["id"]]});
    let ack = asks(&mut socket, &send).await;
    assert_eq!(ack["message"]["attachments"], json!([three]), "{ack}");
    let refused = asks(&mut socket, &send).await;
    assert_eq!((&refused["type"], &refused["status"]), (&json!("error"), &json!(400)), "{refused}");
    store.is_consistent().await;
}

#[actix_rt::test(system = "crate::System")]
async fn an_edit_may_leave_attachments_alone() {
    let store = Store::start().await;
    let ann = store.server.user("ann").await;
    let chat = ann.group("Team", &[]).await;
    let file = uploads(&ann, chat, "a.txt", b"hello").await;
    let message = shares(&ann, chat, "Look", &[&file]).await;
    let edited = ann.edits(&message, "").await;
    assert_eq!((&edited["content"], &edited["attachments"]), (&json!(""), &json!([file])));
    let plain = ann.posts(chat, "plain").await;
    let reply = ann.patch(&format!("messages/{}/", plain["id"]), json!({"content": ""})).await;
    assert!(reply.invalid("content")[0].is_string());
    store.is_consistent().await;
}

#[actix_rt::test(system = "crate::System")]
async fn membership_is_looked_up_at_every_fetch() {
    let store = Store::start().await;
    let [ann, bob, eve] = store.server.users(["ann", "bob", "eve"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let file = uploads(&ann, chat, "a.png", PNG).await;
    let link = async |user: &User| user.get(&format!("files/{}/link/", file["id"])).await;
    // Before it is sent, it is its user's alone.
    fetches(&ann, &file).await.expect(200);
    fetches(&bob, &file).await.expect(404);
    link(&bob).await.expect(404);
    shares(&ann, chat, "", &[&file]).await;
    let nobody = store.server.anonymous();
    fetches(&nobody, &file).await.expect(401);
    link(&nobody).await.expect(401);
    fetches(&eve, &file).await.expect(404);
    link(&eve).await.expect(404);
    let shown = fetches(&bob, &file).await.expect(200);
    assert_eq!((shown.body.as_slice(), shown.header("content-type")), (PNG, "image/png"));
    assert_eq!(shown.header("content-disposition"), "inline; filename=\"a.png\"");
    // Any name will do.
    bob.get(&format!("files/{}/x", file["id"])).await.expect(200);
    bob.get("files/99999/x").await.expect(404);
    bob.get("files/x/x").await.expect(404);
    // A link opens for whoever has it, as long as its user is a member.
    let saved = link(&bob).await.expect(200).json;
    let url = saved["url"].as_str().unwrap();
    let linked = nobody.send("GET", url, None).await.expect(200);
    assert_eq!(
        (linked.body.as_slice(), linked.header("cross-origin-resource-policy")),
        (PNG, "cross-origin")
    );
    assert_eq!(eve.send("GET", url, None).await.expect(200).body, PNG);
    for bad in
        [url.replace("?v=", "?v=1"), format!("{url}x"), url.split("?v=").next().unwrap().to_owned() + "?v="]
    {
        nobody.send("GET", &bad, None).await.expect(404);
    }
    ann.removes(chat, &bob).await;
    fetches(&bob, &file).await.expect(404);
    nobody.send("GET", url, None).await.expect(404);
    link(&bob).await.expect(404);
    fetches(&ann, &file).await.expect(200);
}

#[actix_rt::test(system = "crate::System")]
async fn a_download_has_the_name_of_the_file_in_any_script() {
    let store = Store::start().await;
    let ann = store.server.user("ann").await;
    let chat = ann.group("Team", &[]).await;
    for (name, expected) in [
        ("a \"b\".txt", r#"attachment; filename="a \"b\".txt""#),
        ("Müll.txt", "attachment; filename=\"M_ll.txt\"; filename*=UTF-8''M%C3%BCll.txt"),
    ] {
        let file = uploads(&ann, chat, name, b"hello").await;
        assert_eq!(fetches(&ann, &file).await.expect(200).header("content-disposition"), expected);
    }
}

#[actix_rt::test(system = "crate::System")]
async fn parts_and_known_files_are_answered() {
    let store = Store::start().await;
    let ann = store.server.user("ann").await;
    let chat = ann.group("Team", &[]).await;
    let bytes: Vec<u8> = (0..700_000_u32).map(|number| (number % 251) as u8).collect();
    let file = uploads(&ann, chat, "long.bin", &bytes).await;
    shares(&ann, chat, "", &[&file]).await;
    let whole = fetches(&ann, &file).await.expect(200);
    assert!(whole.body == bytes);
    let etag = whole.header("etag").to_owned();
    assert_eq!(etag, format!("\"{}\"", file["sha256"].as_str().unwrap()));
    for (range, from, to) in
        [("bytes=0-0", 0, 1), ("bytes=300000-", 300_000, 700_000), ("bytes=-5", 699_995, 700_000)]
    {
        let part = fetches(&ann.clone().with("Range", range), &file).await.expect(206);
        assert!(part.body == bytes[from..to], "{range}");
        assert_eq!(part.header("content-range"), format!("bytes {from}-{}/700000", to - 1));
    }
    let several = ann.clone().with("Range", "bytes=0-1,5-6");
    assert!(fetches(&several, &file).await.expect(200).body == bytes);
    let beyond = fetches(&ann.clone().with("Range", "bytes=700000-"), &file).await.expect(416);
    assert_eq!(beyond.header("content-range"), "bytes */700000");
    let known = fetches(&ann.clone().with("If-None-Match", &etag), &file).await.expect(304);
    assert_eq!((known.body.len(), known.header("etag")), (0, etag.as_str()));
    let head = ann.send("HEAD", file["url"].as_str().unwrap(), None).await.expect(200);
    assert_eq!((head.body.len(), head.header("content-length")), (0, "700000"));
    let resumed = ann.clone().with("Range", "bytes=5-9").with("If-Range", &etag);
    assert!(fetches(&resumed, &file).await.expect(206).body == bytes[5..10]);
    let changed = ann.clone().with("Range", "bytes=5-9").with("If-Range", "\"other\"");
    assert!(fetches(&changed, &file).await.expect(200).body == bytes);
}

#[actix_rt::test(system = "crate::System")]
async fn what_is_deleted_is_gone() {
    let store = Store::start().await;
    let [ann, bob] = store.server.users(["ann", "bob"]).await;
    let (chat, other) = (ann.group("Team", &[&bob]).await, ann.group("Other", &[&bob]).await);
    let (one, two, unsent) = (
        uploads(&ann, chat, "1.txt", b"one").await,
        uploads(&ann, chat, "2.txt", b"two").await,
        uploads(&ann, chat, "3.txt", b"three").await,
    );
    let message = shares(&ann, chat, "Both", &[&one, &two]).await;
    store.has_files(3).await;
    // A copy shares the bytes, and keeps them.
    let copy = json!({"content": "", "forward": message["id"]});
    let copy = bob.post(&format!("chats/{other}/messages/"), copy).await.expect(201).json;
    let copied = copy["attachments"].as_array().unwrap().clone();
    assert_eq!(copied.len(), 2);
    assert!(copied[0]["id"] != one["id"] && copied[0]["name"] == "1.txt");
    store.has_files(3).await;
    let mut socket = bob.listens().await;
    ann.deletes(&message).await;
    assert_eq!(socket.receives("message_deleted").await["message"]["attachments"], json!([]));
    fetches(&bob, &one).await.expect(404);
    assert_eq!(fetches(&bob, &copied[0]).await.expect(200).body, b"one");
    ann.delete(&format!("uploads/{}/", unsent["id"])).await.expect(204);
    ann.delete(&format!("uploads/{}/", unsent["id"])).await.expect(404);
    store.has_files(2).await;
    store.is_consistent().await;
    // A copy of the copy, then all go.
    let second = json!({"content": "see", "forward": copy["id"]});
    let second = ann.post(&format!("chats/{chat}/messages/"), second).await.expect(201).json;
    assert_eq!(second["attachments"].as_array().unwrap().len(), 2);
    ann.delete(&format!("chats/{other}/")).await.expect(204);
    fetches(&bob, &copied[0]).await.expect(404);
    assert_eq!(fetches(&bob, &second["attachments"][1]).await.expect(200).body, b"two");
    store.has_files(2).await;
    ann.deletes(&second).await;
    store.has_files(0).await;
    store.is_consistent().await;
}

#[actix_rt::test(system = "crate::System")]
async fn uploads_that_are_not_sent_go() {
    let store = Store::start_with(|config| config.files.upload_unlinked_seconds = 1).await;
    let ann = store.server.user("ann").await;
    let chat = ann.group("Team", &[]).await;
    let (unsent, sent) =
        (uploads(&ann, chat, "1.txt", b"one").await, uploads(&ann, chat, "2.txt", b"two").await);
    let message = shares(&ann, chat, "", &[&sent]).await;
    store.has_files(1).await;
    fetches(&ann, &unsent).await.expect(404);
    assert_eq!(fetches(&ann, &message["attachments"][0]).await.expect(200).body, b"two");
    let late = ann
        .post(&format!("chats/{chat}/messages/"), json!({"content": "x", "attachments": [unsent["id"]]}))
        .await;
    assert!(late.invalid("attachments")[0].is_string());
}

#[actix_rt::test(system = "crate::System")]
async fn quotas_count_what_is_reserved() {
    let store = Store::start_with(|config| {
        config.files.quota_user_bytes = Some(10);
        config.files.quota_site_bytes = Some(15);
    });
    let store = store.await;
    let [ann, bob] = store.server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let first = announces(&ann, chat, "a", 6).await.expect(201).json;
    let over = announces(&ann, chat, "b", 5).await.expect(413).json;
    assert_eq!((&over["left"], over["detail"].is_string()), (&json!(4), true));
    announces(&bob, chat, "c", 9).await.expect(201);
    assert_eq!(announces(&ann, chat, "d", 1).await.expect(413).json["left"], 0);
    // What is refused or cancelled frees its place at once.
    sends_bytes(&ann, &first, b"other").await.expect(200);
    completes(&ann, &first).await.invalid("size");
    let file = uploads(&ann, chat, "e", b"sixsix").await;
    let message = shares(&ann, chat, "", &[&file]).await;
    announces(&ann, chat, "f", 1).await.expect(413);
    ann.deletes(&message).await;
    announces(&ann, chat, "f", 6).await.expect(201);
    store.is_consistent().await;
}

#[actix_rt::test(system = "crate::System")]
async fn a_chat_lists_its_attachments() {
    let store = Store::start().await;
    let [ann, bob, eve] = store.server.users(["ann", "bob", "eve"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let root = bob.posts(chat, "root").await;
    let mut files = Vec::new();
    for number in 0..4 {
        let file = uploads(&ann, chat, &format!("{number}.txt"), format!("text {number}").as_bytes()).await;
        let mut body = json!({"content": "", "attachments": [file["id"]]});
        if number == 2 {
            body["thread"] = root["id"].clone();
        }
        let message = ann.post(&format!("chats/{chat}/messages/"), body).await.expect(201).json;
        files.push((file, message));
    }
    uploads(&ann, chat, "unsent.txt", b"unsent").await;
    let list = async |user: &User, query: &str| user.get(&format!("chats/{chat}/files/?{query}")).await;
    let page = list(&bob, "page_size=3").await.expect(200);
    let names = |page: &Reply| page.results().iter().map(|file| file["name"].clone()).collect::<Vec<_>>();
    assert_eq!(names(&page), ["3.txt", "2.txt", "1.txt"]);
    let newest = &page.results()[0];
    assert_eq!(
        (&newest["message"], &newest["sender"], &newest["created_at"], &newest["url"]),
        (&files[3].1["id"], &files[3].1["sender"], &files[3].1["created_at"], &files[3].0["url"])
    );
    let rest = bob.follows(&page.json["next"]).await;
    assert_eq!((names(&rest), &rest.json["next"]), (vec![json!("0.txt")], &Value::Null));
    list(&eve, "").await.expect(404);
    list(&bob, "before=x").await.invalid("before");
    list(&bob, "before=99999").await.expect(404);
}

#[actix_rt::test(system = "crate::System")]
async fn settings_say_what_is_taken() {
    let store =
        Store::start_with(|config| config.files.file_types = FileTypes::parse("image/*").unwrap()).await;
    let ann = store.server.user("ann").await;
    let settings = ann.get("settings/").await.expect(200).json;
    assert_eq!((&settings["uploads"], &settings["file_types"]), (&json!(true), &json!(["image/*"])));
    assert_eq!((&settings["file_max_bytes"], &settings["attachments_max"]), (&json!(26_214_400), &json!(10)));
    if std::env::var("GREENROOM_TEST_DATABASE").as_deref() == Ok("postgres") {
        let server = Server::start().await;
        let bob = server.user("bob").await;
        let chat = bob.group("Team", &[]).await;
        assert_eq!(bob.get("settings/").await.expect(200).json["uploads"], false);
        announces(&bob, chat, "a.txt", 5).await.expect(403);
    }
}

#[actix_rt::test(system = "crate::System")]
async fn foreign_uploads_are_like_none() {
    let store = Store::start().await;
    let [ann, bob] = store.server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let (pending, complete) =
        (announces(&ann, chat, "a", 5).await.expect(201).json, uploads(&ann, chat, "b", b"hello").await);
    for upload in [&pending, &complete] {
        for (method, path) in [("DELETE", ""), ("POST", "complete/")] {
            let of = async |id: String| bob.call(method, &format!("uploads/{id}/{path}"), None).await;
            let (foreign, unknown) = (of(upload["id"].to_string()).await, of("99999".to_owned()).await);
            assert_eq!((foreign.status, foreign.body), (404, unknown.expect(404).body));
        }
    }
    completes(&ann, &complete).await.expect(200);
}

#[actix_rt::test(system = "crate::System")]
async fn messages_with_attachments_are_found() {
    let store = Store::start().await;
    let [ann, bob] = store.server.users(["ann", "bob"]).await;
    let (chat, other) = (ann.group("Team", &[&bob]).await, ann.group("Other", &[]).await);
    let mut sent = Vec::new();
    for (place, text) in
        [(chat, "the plan"), (other, "the other plan"), (chat, ""), (chat, "a photo"), (chat, "gone")]
    {
        ann.posts(place, "without").await;
        let (one, two) = (uploads(&ann, place, "1", b"one").await, uploads(&ann, place, "2", b"two").await);
        sent.push(shares(&ann, place, text, &[&one, &two]).await);
    }
    ann.deletes(&sent[4]).await;
    let id = |number: usize| sent[number]["id"].as_i64().unwrap();
    let search = async |user: &User, query: &str| user.get(&format!("search/?{query}")).await.expect(200);
    assert_eq!(search(&ann, "has=file").await.ids(), [id(3), id(2), id(1), id(0)]);
    assert_eq!(search(&bob, "has=file").await.ids(), [id(3), id(2), id(0)]);
    assert_eq!(search(&ann, "has=file&q=plan").await.ids(), [id(1), id(0)]);
    assert_eq!(search(&ann, &format!("has=file&chat={chat}&q=plan")).await.ids(), [id(0)]);
    let page = search(&ann, "has=file&page_size=3").await;
    assert_eq!((page.ids(), &page.json["count"]), (vec![id(3), id(2), id(1)], &json!(4)));
    assert_eq!(ann.follows(&page.json["next"]).await.ids(), [id(0)]);
    let list = async |query: &str| bob.get(&format!("chats/{chat}/messages/?{query}")).await;
    assert_eq!(list("has=file").await.expect(200).ids(), [id(3), id(2), id(0)]);
    assert_eq!(list("has=file&search=photo").await.expect(200).ids(), [id(3)]);
    list("has=link").await.invalid("has");
    list("has=file&at=2026-01-01").await.invalid("has");
    bob.get("search/?has=x").await.invalid("has");
    bob.get(&format!("search/?has=file&chat={other}")).await.expect(404);
    bob.get(&format!("chats/{other}/messages/?has=file")).await.expect(404);
}

#[actix_rt::test(system = "crate::System")]
async fn an_upload_is_described_until_it_is_sent() {
    let store = Store::start().await;
    let [ann, bob] = store.server.users(["ann", "bob"]).await;
    let chat = ann.group("Team", &[&bob]).await;
    let upload = announces(&ann, chat, "a.txt", 5).await.expect(201).json;
    let path = format!("uploads/{}/", upload["id"]);
    let described = json!({"alt": "  A green meadow "});
    ann.patch(&path, described.clone()).await.expect(409);
    sends_bytes(&ann, &upload, b"hello").await.expect(200);
    completes(&ann, &upload).await.expect(200);
    bob.patch(&path, described.clone()).await.expect(404);
    for (alt, sentence) in [(json!("x".repeat(1001)), "1000"), (Value::Null, "null"), (json!({}), "string")] {
        let errors = ann.patch(&path, json!({"alt": alt})).await.invalid("alt");
        assert!(errors[0].as_str().unwrap().contains(sentence), "{errors}");
    }
    ann.patch(&path, json!({})).await.expect(400);
    assert_eq!(ann.patch(&path, described.clone()).await.expect(200).json["alt"], "A green meadow");
    let message = shares(&ann, chat, "", &[&upload]).await;
    assert_eq!(message["attachments"][0]["alt"], "A green meadow");
    ann.patch(&path, described).await.expect(404);
    store.is_consistent().await;
}
