//! Host applications with their own users: the programs of docs/INTEGRATION.md, run unchanged, and their use
//! by a browser.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use serde_json::json;
use tempfile::TempDir;

use crate::support::{Listener, Reply, Server, User};

const DOCUMENT: &str = include_str!("../../docs/INTEGRATION.md");

/// The shop's public origin, that of its proxy.
const SHOP: &str = "https://shop.example.com";

/// Returns a program of the document by its first line.
fn program(language: &str, first: &str) -> &'static str {
    let begins = format!("```{language}\n");
    let blocks = DOCUMENT.split(&begins[..]).skip(1);
    let mut blocks = blocks.filter_map(|rest| rest.split("```\n").next());
    blocks
        .find(|block| block.lines().next().unwrap().contains(first))
        .expect("the program is in the document")
}

/// A running shop, killed on drop.
struct Shop {
    child: Child,
    client: User,
    _folder: TempDir,
}

impl Drop for Shop {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Shop {
    /// Starts the shop with access tokens. Returns `None` if the interpreter is not installed, and fails in CI.
    async fn open(server: &Server, interpreter: &str, file: &str, token_seconds: u32) -> Option<Self> {
        let staff = server.staff("shop").await;
        let key = staff.headers.iter().find(|(name, _)| name == "Authorization").unwrap().1.clone();
        let settings = [
            ("GREENROOM_STAFF_KEY", key.trim_start_matches("Token ").to_owned()),
            ("TOKEN_SECONDS", token_seconds.to_string()),
        ];
        Self::open_with(server, interpreter, file, &settings).await
    }

    /// Starts a program of the document. Returns `None` if the interpreter is not installed, and fails in CI.
    async fn open_with(
        server: &Server,
        interpreter: &str,
        file: &str,
        settings: &[(&str, String)],
    ) -> Option<Self> {
        let is_there = Command::new(interpreter).arg("--version").stdout(Stdio::null()).status().is_ok();
        if !is_there {
            assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "there is no {interpreter}");
            eprintln!("left out: there is no {interpreter}");
            return None;
        }
        let language = if file.ends_with(".py") { "python" } else { "js" };
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(file), program(language, file)).unwrap();
        let mut command = Command::new(interpreter);
        command.arg(file).current_dir(folder.path()).stdout(Stdio::piped()).stderr(Stdio::null());
        command.env("GREENROOM_URL", server.url("")).env("PORT", "0").envs(settings.iter().cloned());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("Listening on http://").expect(&line).parse().unwrap();
        Some(Self { child, client: server.anonymous().asking(address), _folder: folder })
    }

    /// Signs a browser in at the shop.
    async fn sign_in(&self, username: &str) -> Reply {
        self.submit(&self.client, "/sign-in", &format!("username={username}&password=shop")).await
    }

    async fn browser(&self, username: &str) -> User {
        let reply = self.sign_in(username).await.expect(204);
        let cookie = reply.header("set-cookie");
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
        self.client.clone().with("Cookie", cookie.split(';').next().unwrap())
    }

    async fn submit(&self, browser: &User, path: &str, form: &str) -> Reply {
        let kind = Some("application/x-www-form-urlencoded");
        browser.send_raw("POST", path, kind, form.as_bytes().to_vec()).await
    }
}

/// Acts as the shop's page in a browser: gets a key from the shop and uses it with Greenroom, from the shop's
/// origin.
async fn page(server: &Server, browser: &User) -> (User, String) {
    let reply = browser.send("GET", "/chat-token", None).await.expect(200);
    assert_eq!(reply.header("cache-control"), "no-store");
    let key = reply.json["key"].as_str().unwrap().to_owned();
    let page = server.anonymous().at(server).with("Origin", SHOP).with("Sec-Fetch-Site", "cross-site");
    let mut page = page.with("Authorization", &format!("Token {key}"));
    let me = page.get("users/me/").await.expect(200);
    assert_eq!(me.header("access-control-allow-origin"), SHOP);
    page.id = me.id();
    (page, key)
}

/// Opens a socket as a browser does, with the token as a subprotocol.
async fn socket(page: &User, key: &str) -> Listener {
    let mut page = page.clone().with("Sec-WebSocket-Protocol", &format!("greenroom.token.{key}"));
    page.headers.retain(|(name, _)| name != "Authorization");
    page.listens().await
}

async fn shop_server() -> Server {
    Server::start_with(|config| config.allowed_origins = vec![SHOP.to_owned()]).await
}

async fn a_shops_users_chat(interpreter: &str, file: &str) {
    let server = shop_server().await;
    let Some(shop) = Shop::open(&server, interpreter, file, 600).await else { return };
    shop.client.send("GET", "/chat-token", None).await.expect(401);
    let html = shop.client.send("GET", "/", None).await.expect(200);
    let html = String::from_utf8(html.body).unwrap();
    assert!(html.contains(&format!("src=\"{}\"", server.url("/messages/widgets.js"))), "{html}");
    assert!(html.contains(r#"token-url="/chat-token""#), "{html}");

    // The CORS preflight that a browser sends first.
    let visitor = server.anonymous().with("Origin", SHOP);
    let script = visitor.send("GET", "/messages/widgets.js", None).await.expect(200);
    assert_eq!(script.header("cross-origin-resource-policy"), "cross-origin");
    let asks = visitor.clone().with("Access-Control-Request-Method", "POST");
    let preflight = asks.with("Access-Control-Request-Headers", "authorization,content-type");
    let preflight = preflight.send("OPTIONS", "/messages/api/chats/", None).await.expect(204);
    assert!(preflight.header("access-control-allow-headers").contains("Authorization"));
    let stranger = server.anonymous().with("Origin", "https://evil.example");
    let reply = stranger.send("GET", "/messages/api/users/me/", None).await;
    assert_eq!(reply.header("access-control-allow-origin"), "");

    // Two users of the shop write to each other.
    let (alice_browser, bob_browser) = (shop.browser("alice").await, shop.browser("bob").await);
    let (alice, alice_key) = page(&server, &alice_browser).await;
    let (bob, bob_key) = page(&server, &bob_browser).await;
    let mut bob_socket = socket(&bob, &bob_key).await;
    let chat = alice.dm(&bob).await;
    assert_eq!(bob_socket.receives("chat_created").await["chat"]["title"], "Alice");
    alice.posts(chat, "Is the lamp there still?").await;
    assert_eq!(bob_socket.receives("new_message").await["message"]["sender"]["username"], "alice");
    let room =
        json!({"chat_type": "room", "title": "Questions", "object_type": "product", "object_id": "42"});
    let room = bob.post("chats/", room).await.expect(201).id();
    alice.joins(room).await;

    // A second request returns the same user with another key.
    let (again, other_key) = page(&server, &alice_browser).await;
    assert_eq!((again.id, other_key == alice_key), (alice.id, false));

    // A changed name is published.
    shop.submit(&alice_browser, "/profile", "first_name=Alice&last_name=Doe").await.expect(204);
    assert_eq!(bob_socket.receives("user_updated").await["user"]["display_name"], "Alice Doe");

    // Signing out revokes the keys and closes the socket.
    shop.submit(&bob_browser, "/sign-out", "").await.expect(204);
    assert_eq!(bob_socket.is_closed().await, 4401);
    bob.get("users/me/").await.expect(401);
    bob_browser.send("GET", "/chat-token", None).await.expect(401);

    // After signing in again everything is there.
    let bob_browser = shop.browser("bob").await;
    let (bob, bob_key) = page(&server, &bob_browser).await;
    assert_eq!(bob.reads(chat).await, ["Is the lamp there still?"]);
    let mut bob_socket = socket(&bob, &bob_key).await;

    // A deactivated user is deactivated in both systems.
    shop.submit(&bob_browser, "/deactivate", "username=alice").await.expect(404);
    shop.submit(&alice_browser, "/deactivate", "username=bob").await.expect(204);
    assert_eq!(bob_socket.is_closed().await, 4401);
    bob.get("users/me/").await.expect(401);
    bob_browser.send("GET", "/chat-token", None).await.expect(401);
    shop.sign_in("bob").await.expect(403);
    assert!(
        alice.get("users/search/?q=bob").await.results().is_empty(),
        "the search does not find a deactivated user"
    );
    assert_eq!(alice.reads(chat).await, ["Is the lamp there still?"], "messages stay");
}

async fn keys_end_and_are_renewed(interpreter: &str, file: &str) {
    let server = shop_server().await;
    let Some(shop) = Shop::open(&server, interpreter, file, 3).await else { return };
    let alice_browser = shop.browser("alice").await;
    let (alice, key) = page(&server, &alice_browser).await;
    // The key may have expired before the socket was open.
    let mut socket_of_the_page =
        alice.clone().with("Sec-WebSocket-Protocol", &format!("greenroom.token.{key}"));
    socket_of_the_page.headers.retain(|(name, _)| name != "Authorization");
    if let Ok(mut page_socket) = socket_of_the_page.connects().await {
        assert_eq!(page_socket.is_closed().await, 4401);
    }
    alice.get("users/me/").await.expect(401);
    let (again, other_key) = page(&server, &alice_browser).await;
    assert_eq!((again.id, other_key == key), (alice.id, false));
}

/// Without Greenroom the shop still serves its own pages, and reports what it could not do.
async fn the_shop_goes_on_alone(interpreter: &str, file: &str) {
    let server = shop_server().await;
    let Some(shop) = Shop::open(&server, interpreter, file, 600).await else { return };
    let alice_browser = shop.browser("alice").await;
    let database = server.stop();
    alice_browser.send("GET", "/chat-token", None).await.expect(503);
    shop.submit(&alice_browser, "/profile", "last_name=Doe").await.expect(503);
    shop.submit(&alice_browser, "/deactivate", "username=bob").await.expect(503);
    shop.client.send("GET", "/", None).await.expect(200);
    shop.sign_in("bob").await.expect(403);
    drop(database);
}

#[actix_rt::test(system = "crate::System")]
async fn users_of_the_python_host_chat() {
    a_shops_users_chat("python3", "shop.py").await;
}

#[actix_rt::test(system = "crate::System")]
async fn users_of_the_node_host_chat() {
    a_shops_users_chat("node", "shop.mjs").await;
}

#[actix_rt::test(system = "crate::System")]
async fn keys_of_the_python_host_end_and_are_renewed() {
    keys_end_and_are_renewed("python3", "shop.py").await;
}

#[actix_rt::test(system = "crate::System")]
async fn keys_of_the_node_host_end_and_are_renewed() {
    keys_end_and_are_renewed("node", "shop.mjs").await;
}

#[actix_rt::test(system = "crate::System")]
async fn the_python_host_goes_on_alone() {
    the_shop_goes_on_alone("python3", "shop.py").await;
}

#[actix_rt::test(system = "crate::System")]
async fn the_node_host_goes_on_alone() {
    the_shop_goes_on_alone("node", "shop.mjs").await;
}

async fn signs_its_own_tokens(interpreter: &str, file: &str) {
    let secret = "a secret that both sides know, of 32 bytes at least";
    let server = Server::start_with(|config| config.jwt.jwt_secret = Some(secret.to_owned())).await;
    let settings = [("GREENROOM_JWT_SECRET", secret.to_owned())];
    let Some(shop) = Shop::open_with(&server, interpreter, file, &settings).await else { return };
    shop.client.send("GET", "/chat-token", None).await.expect(401);
    let browser = shop.client.clone().with("Cookie", "shop=alice");
    let token = browser.send("GET", "/chat-token", None).await.expect(200).json["key"].clone();
    let alice = server.anonymous().with("Authorization", &format!("Bearer {}", token.as_str().unwrap()));
    let me = alice.get("users/me/").await.expect(200).json;
    assert_eq!((&me["external_id"], &me["display_name"]), (&json!("7"), &json!("Alice")));
}

#[actix_rt::test(system = "crate::System")]
async fn a_host_in_python_signs_tokens_that_are_accepted() {
    signs_its_own_tokens("python3", "tokens.py").await;
}

#[actix_rt::test(system = "crate::System")]
async fn a_host_in_node_signs_tokens_that_are_accepted() {
    signs_its_own_tokens("node", "tokens.mjs").await;
}
