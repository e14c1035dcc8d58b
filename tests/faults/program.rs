//! The program from an operator's view: commands, settings, signals.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Output, Stdio},
};

use awc::Client;
use futures_util::{
    SinkExt, StreamExt,
    future::{join_all, join3},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    signal,
    support::{DEADLINE, raw_socket::RawSocket},
};

/// Returns a `greenroom` command without the settings of the tests' environment.
pub(crate) fn command(database: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_greenroom"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("GREENROOM_")) {
        command.env_remove(name);
    }
    command.env("GREENROOM_DATABASE_URL", database).stdin(Stdio::null());
    command
}

fn run(database: &str, args: &[&str]) -> Output {
    command(database).args(args).output().unwrap()
}

/// Runs a command that must succeed. Returns its output.
pub(crate) fn greenroom(database: &str, args: &[&str]) -> String {
    let output = run(database, args);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{args:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// Returns an error output without the lines of the progress, which a slow machine shows.
pub(crate) fn without_progress(stderr: &[u8]) -> String {
    let text = str::from_utf8(stderr).unwrap();
    text.lines().filter(|line| !line.contains(" % of ")).fold(String::new(), |all, line| all + line + "\n")
}

/// Runs a command that must fail with this exit code. Returns its error, one sentence.
pub(crate) fn fails(database: &str, args: &[&str], code: i32) -> String {
    let output = run(database, args);
    let sentence = without_progress(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {sentence}");
    assert_eq!(sentence.trim_end().lines().count(), 1, "{sentence}");
    assert!(sentence.starts_with("greenroom: "), "{sentence}");
    sentence
}

const SERVE: [&str; 5] = ["serve", "--bind", "127.0.0.1:0", "--log", "off"];

/// A `greenroom serve` process, killed on drop.
pub(crate) struct Program {
    pub child: Child,
    address: String,
    client: Client,
}

impl Program {
    /// Starts a server on a free port and waits until it listens.
    pub(crate) fn serve(database: &str) -> Self {
        let mut serve = command(database);
        serve.args(SERVE);
        Self::start(serve)
    }

    /// Starts one of several nodes and waits until it listens.
    pub(crate) fn serve_as_node(database: &str, redis: &str) -> Self {
        let mut serve = command(database);
        serve.args(SERVE).args(["--redis-url", redis]);
        Self::start(serve)
    }

    /// Starts a server whose files are limited to `kib` KiB; beyond it SQLite reports a full disk.
    pub(crate) fn serve_with_file_limit(database: &str, kib: u64) -> Self {
        let shell = format!("trap '' XFSZ; ulimit -S -f {kib}; exec \"$0\" \"$@\"");
        let mut serve = Command::new("bash");
        serve.args(["-c", &shell, env!("CARGO_BIN_EXE_greenroom")]).args(SERVE);
        serve.env("GREENROOM_DATABASE_URL", database);
        Self::start(serve)
    }

    /// Lifts the file limit of a running server.
    pub(crate) fn lift_file_limit(&self) {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("prlimit").args(["--pid", &pid, "--fsize=unlimited"]).status().unwrap().success()
        );
    }

    /// Starts a server command and waits until it listens.
    pub(crate) fn start(mut serve: Command) -> Self {
        let mut child = serve.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("Listening on http://").unwrap_or_else(|| panic!("{line:?}"));
        let client = Client::builder().timeout(DEADLINE).finish();
        Self { address: address.to_owned(), child, client }
    }

    /// Returns an HTTP client.
    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    /// Returns the address on which it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address.parse().unwrap()
    }

    /// Returns its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by name.
    pub(crate) fn signal(&self, name: &str) {
        signal::send(self.child.id(), name);
    }

    /// Sends an API request with a token. Returns `None` if there is no answer.
    pub(crate) async fn request(
        &self,
        method: &str,
        path: &str,
        token: &str,
        body: Option<Value>,
    ) -> Option<(u16, Value)> {
        self.request_at(method, &format!("/messages/api/{path}"), token, body).await
    }

    /// Sends a request to any path with a token. Returns `None` if there is no answer.
    pub(crate) async fn request_at(
        &self,
        method: &str,
        path: &str,
        token: &str,
        body: Option<Value>,
    ) -> Option<(u16, Value)> {
        let url = format!("http://{}{path}", self.address);
        let request = self.client.request(method.parse().unwrap(), url);
        let request = request.insert_header(("Authorization", format!("Token {token}")));
        let sent = match body {
            Some(body) => request.send_json(&body).await,
            None => request.send().await,
        };
        let mut response = sent.ok()?;
        let body = response.body().limit(8 << 20).await.ok()?;
        Some((response.status().as_u16(), serde_json::from_slice(&body).unwrap_or(Value::Null)))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn database() -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("test.db").display());
    (folder, url)
}

#[actix_rt::test(system = "crate::System")]
async fn a_demo_fills_an_empty_database_only() {
    let (_folder, database) = database();
    assert!(greenroom(&database, &["demo"]).contains("alice"));
    assert!(fails(&database, &["demo"], 1).contains("has users already"));
    assert_eq!(greenroom(&database, &["demo", "--if-empty"]), "");
    let token = greenroom(&database, &["token", "create", "alice"]);
    let server = Program::serve(&database);
    let (status, chats) = server.request("GET", "chats/", token.trim(), None).await.unwrap();
    assert_eq!((status, &chats["count"]), (200, &json!(3)));
    assert!(greenroom(&database, &["check"]).ends_with(" 0 differences found\n"));
}

#[test]
fn users_are_made_listed_and_refused_with_a_sentence() {
    let (_folder, database) = database();
    let args = ["user", "create", "ann", "--password", "correct horse", "--first-name", "Ann", "--staff"];
    greenroom(&database, &args);
    let list = greenroom(&database, &["user", "list"]);
    assert_eq!(list, "1\tann\tAnn\t\tstaff\n");
    let again = fails(&database, &["user", "create", "Ann", "--password", "correct horse"], 1);
    assert!(again.contains("already exists"), "{again}");
    assert!(fails(&database, &["user", "create", "bob", "--password", "short"], 1).contains("too short"));
    for weak in ["12345678", "bobbobbob", "Brownbob", "bob@post.example"] {
        let create = [
            "user",
            "create",
            "bob",
            "--last-name",
            "Brown",
            "--email",
            "bob@post.example",
            "--password",
            weak,
        ];
        assert!(fails(&database, &create, 1).contains("too easy to guess"), "{weak}");
    }
    assert!(fails(&database, &["user", "passwd", "Ann", "--password", "password"], 1).contains("no user"));
    assert!(fails(&database, &["user", "passwd", "ann", "--password", "password"], 1).contains("too easy"));
    assert!(
        fails(&database, &["user", "create", "b b", "--password", "correct horse"], 1).contains("username")
    );
    assert!(fails(&database, &["user", "create", "bob"], 1).contains("--password"));
    assert!(
        fails(&database, &["user", "passwd", "nobody", "--password", "correct horse"], 1).contains("nobody")
    );
}

#[test]
fn a_password_can_come_over_standard_input() {
    let (_folder, database) = database();
    let mut create = command(&database);
    create.args(["user", "create", "ann", "--password-stdin"]).stdin(Stdio::piped()).stdout(Stdio::null());
    let mut child = create.spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"correct horse\n").unwrap();
    assert!(child.wait().unwrap().success());
}

#[actix_rt::test(system = "crate::System")]
async fn tokens_are_printed_once_listed_and_revoked_while_a_server_runs() {
    let (_folder, database) = database();
    greenroom(&database, &["user", "create", "ann", "--password", "correct horse"]);
    let server = Program::serve(&database);
    let token = greenroom(&database, &["token", "create", "ann"]).trim().to_owned();
    assert!(greenroom(&database, &["token", "list", "ann"]).starts_with("1\tmade 20"));
    assert_eq!(server.request("GET", "users/me/", &token, None).await.unwrap().0, 200);
    greenroom(&database, &["token", "revoke", "ann", "1"]);
    // The running server notices the revocation.
    while server.request("GET", "users/me/", &token, None).await.unwrap().0 == 200 {}
    assert!(fails(&database, &["token", "revoke", "ann", "1"], 1).contains("no token 1"));
}

#[actix_rt::test(system = "crate::System")]
async fn a_server_that_was_paused_lets_nobody_in_whose_credential_ended_meanwhile() {
    let (_folder, database) = database();
    greenroom(&database, &["demo"]);
    let server = Program::serve(&database);
    let tokens = ["1", "2"].map(|_| greenroom(&database, &["token", "create", "bob"]).trim().to_owned());
    let alice = greenroom(&database, &["token", "create", "alice"]).trim().to_owned();
    let mut socket = listens(&server, &tokens[0]).await;
    for token in tokens.iter().chain([&alice]) {
        assert_eq!(server.request("GET", "users/me/", token, None).await.unwrap().0, 200);
    }
    // It may stop in the middle of a write, which keeps other processes out. Then it continues, and stops again.
    loop {
        server.signal("STOP");
        if run(&database, &["token", "revoke", "bob", "1"]).status.success() {
            break;
        }
        server.signal("CONT");
    }
    greenroom(&database, &["token", "revoke", "bob", "2"]);
    // Sent over every open connection while the server is paused. A pause counts from five seconds on.
    let command = json!({"type": "send_message", "chat_id": 1, "content": "late"});
    socket.send(awc::ws::Message::Text(command.to_string().into())).await.unwrap();
    let body = || Some(json!({"content": "late"}));
    // Connections opened during the pause may get 408: actix-http measures from its last look at the clock.
    let ask = async |method: &str, path: &str, token: &str, body: Option<Value>| loop {
        let (status, _) = server.request(method, path, token, body.clone()).await.unwrap();
        if status != 408 {
            break status;
        }
    };
    let requests = async {
        join3(
            ask("GET", "chats/", &tokens[0], None),
            ask("POST", "chats/1/messages/", &tokens[1], body()),
            ask("POST", "chats/1/messages/", &alice, Some(json!({"content": "for bob"}))),
        )
        .await
    };
    let waking = async {
        actix_web::rt::time::sleep(std::time::Duration::from_secs(5)).await;
        server.signal("CONT");
    };
    let (answers, ()) = futures_util::future::join(requests, waking).await;
    assert_eq!([answers.0, answers.1, answers.2], [401, 401, 201]);
    loop {
        match socket.next().await.unwrap().unwrap() {
            awc::ws::Frame::Close(reason) => break assert_eq!(u16::from(reason.unwrap().code), 4401),
            awc::ws::Frame::Text(text) => {
                assert!(!text.windows(7).any(|part| part == b"for bob"), "{text:?}");
            }
            _ => {}
        }
    }
    let messages = server.request("GET", "chats/1/messages/", &alice, None).await.unwrap().1;
    assert!(!messages.to_string().contains("late"), "{messages}");
}

#[actix_rt::test(system = "crate::System")]
async fn a_deactivated_user_is_shut_out_of_a_running_server() {
    let (_folder, database) = database();
    greenroom(&database, &["user", "create", "ann", "--password", "correct horse"]);
    let token = greenroom(&database, &["token", "create", "ann"]).trim().to_owned();
    let server = Program::serve(&database);
    assert_eq!(server.request("GET", "users/me/", &token, None).await.unwrap().0, 200);
    greenroom(&database, &["user", "deactivate", "ann"]);
    while server.request("GET", "users/me/", &token, None).await.unwrap().0 == 200 {}
}

#[test]
fn a_user_is_let_in_again_and_made_staff_at_the_command_line() {
    let (_folder, database) = database();
    for name in ["ann", "bob"] {
        greenroom(&database, &["user", "create", name, "--password", "correct horse"]);
    }
    greenroom(&database, &["user", "staff", "ann", "on"]);
    for last in [["user", "staff", "ann", "off"].as_slice(), &["user", "deactivate", "ann"]] {
        assert!(fails(&database, last, 1).contains("ann is the last active staff user"));
    }
    greenroom(&database, &["user", "staff", "bob", "on"]);
    greenroom(&database, &["user", "staff", "bob", "on"]);
    greenroom(&database, &["user", "deactivate", "ann"]);
    // A deactivated staff user does not count.
    assert!(
        fails(&database, &["user", "deactivate", "bob"], 1).contains("bob is the last active staff user")
    );
    greenroom(&database, &["user", "staff", "ann", "off"]);
    greenroom(&database, &["user", "activate", "ann"]);
    greenroom(&database, &["user", "deactivate", "bob", "--force"]);
    let list = greenroom(&database, &["user", "list"]);
    assert_eq!(list, "1\tann\tann\n2\tbob\tbob\t\tstaff\tdeactivated\n");
    greenroom(&database, &["user", "activate", "bob"]);
    greenroom(&database, &["user", "staff", "bob", "off", "--force"]);
    for command in [["user", "activate", "eve"].as_slice(), &["user", "staff", "eve", "on"]] {
        assert!(fails(&database, command, 1).contains("there is no user eve"));
    }
    assert!(fails(&database, &["user", "staff", "ann", "perhaps"], 2).contains("perhaps"));
}

#[actix_rt::test(system = "crate::System")]
async fn a_user_made_staff_or_let_in_at_the_command_line_is_so_in_a_running_server() {
    let (_folder, database) = database();
    greenroom(&database, &["user", "create", "ann", "--password", "correct horse"]);
    let token = greenroom(&database, &["token", "create", "ann"]).trim().to_owned();
    let server = Program::serve(&database);
    assert_eq!(server.request("GET", "users/me/", &token, None).await.unwrap().0, 200);
    let made = || server.request("POST", "users/", &token, Some(json!({"username": "eve"})));
    assert_eq!(made().await.unwrap().0, 403);
    greenroom(&database, &["user", "staff", "ann", "on"]);
    while made().await.unwrap().0 == 403 {}
    greenroom(&database, &["user", "deactivate", "ann", "--force"]);
    while made().await.unwrap().0 != 401 {}
    greenroom(&database, &["user", "activate", "ann"]);
    let token = greenroom(&database, &["token", "create", "ann"]).trim().to_owned();
    assert_eq!(server.request("GET", "users/me/", &token, None).await.unwrap().0, 200);
}

#[test]
fn bad_settings_stop_the_start_with_one_sentence() {
    let (folder, database) = database();
    assert!(fails(&database, &["serve", "--bind", "nowhere"], 2).contains("--bind"));
    assert!(fails(&database, &["serve", "--workers", "0"], 2).contains("--workers"));
    assert!(fails(&database, &["serve", "--database-url", "mysql://x"], 2).contains("--database-url"));
    assert!(fails(&database, &["serve", "--public-url", "example.com"], 2).contains("--public-url"));
    assert!(fails(&database, &["serve", "--secret-key", "short"], 2).contains("--secret-key"));
    assert!(fails(&database, &["serve", "--nonsense"], 2).contains("--nonsense"));
    let redis = ["serve", "--redis-url", "redis://127.0.0.1:6379"];
    assert!(fails(&database, &redis, 2).contains("--redis-url is for several nodes"));
    assert!(fails(&database, &["serve", "--redis-url", "localhost"], 2).contains("--redis-url"));
    let missing = format!("sqlite://{}/no/such/folder.db", folder.path().display());
    assert!(fails(&missing, &["serve"], 1).contains("cannot open"));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    assert!(fails(&database, &["serve", "--bind", &address], 1).contains("cannot listen on"));
    assert!(fails(&database, &["serve", "--metrics-bind", "9464"], 2).contains("--metrics-bind"));
    for rates in ["post=1/s", "send=0/s", "send=often", "send=1/s,send=2/s"] {
        assert!(fails(&database, &["serve", "--rate-limit", rates], 2).contains("--rate-limit"), "{rates}");
    }
    let watched = ["serve", "--bind", "127.0.0.1:0", "--metrics-bind", &address];
    assert!(fails(&database, &watched, 1).contains("give --metrics-bind another address"));
}

#[actix_rt::test(system = "crate::System")]
async fn a_watched_server_says_where_and_stops_being_watched_when_it_ends() {
    let (_folder, database) = database();
    let mut serve = command(&database);
    serve.args(SERVE).args(["--metrics-bind", "127.0.0.1:0"]).stdout(Stdio::piped());
    let mut child = serve.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.next().unwrap().starts_with("Listening on http://"));
    let address = lines.next().unwrap().strip_prefix("Metrics on ").unwrap().to_owned();
    let client = Client::builder().timeout(DEADLINE).finish();
    let mut answer = client.get(&address).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let text = answer.body().limit(1 << 20).await.unwrap();
    assert!(String::from_utf8_lossy(&text).contains("greenroom_build_info{version="));
    // The idle keep-alive connection must not delay the shutdown.
    signal::send(child.id(), "TERM");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(client.get(&address).send().await.is_err());
}

#[test]
fn a_sqlite_file_is_served_once() {
    let (_folder, database) = database();
    let first = Program::serve(&database);
    let sentence = fails(&database, &["serve", "--bind", "127.0.0.1:0"], 1);
    assert!(sentence.contains("another server is serving it"), "{sentence}");
    drop(first);
    Program::serve(&database);
}

#[test]
fn help_and_version_are_there() {
    let (_folder, database) = database();
    let help = greenroom(&database, &["serve", "--help"]);
    assert!(help.contains("GREENROOM_TRUSTED_PROXIES") && help.contains("--allow-editing"), "{help}");
    assert!(greenroom(&database, &["--version"]).starts_with("greenroom 0."));
    assert_eq!(run(&database, &[]).status.code(), Some(2));
}

#[test]
fn migrating_twice_changes_nothing() {
    let (_folder, database) = database();
    assert!(greenroom(&database, &["migrate"]).contains("start"));
    assert!(greenroom(&database, &["migrate"]).contains("is up to date"));
}

#[actix_rt::test(system = "crate::System")]
async fn a_difference_is_found_and_told_by_the_exit_code() {
    let (folder, database) = database();
    greenroom(&database, &["demo"]);
    let file = folder.path().join("test.db");
    let spoil = "UPDATE chats SET last_pos = last_pos + 1 WHERE id = 1; DELETE FROM reactions;";
    spoil_database(&file, spoil);
    let output = run(&database, &["check"]);
    let report = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{report}");
    assert!(report.contains("the last position is 3, counted 2"), "{report}");
    assert!(report.contains("the reactions of message 2"), "{report}");
}

fn spoil_database(file: &std::path::Path, sql: &str) {
    use diesel::{Connection, SqliteConnection, connection::SimpleConnection};
    SqliteConnection::establish(&file.display().to_string()).unwrap().batch_execute(sql).unwrap();
}

#[actix_rt::test(system = "crate::System")]
async fn a_terminated_server_says_goodbye_finishes_and_exits_0() {
    let (_folder, database) = database();
    greenroom(&database, &["demo"]);
    let token = greenroom(&database, &["token", "create", "alice"]).trim().to_owned();
    let mut server = Program::serve(&database);
    let socket = listens(&server, &token).await;
    server.signal("TERM");
    assert_eq!(close_code(socket).await, Some(1001));
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
    let mut rest = String::new();
    server.child.stdout.take().unwrap().read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "");
}

/// Posts without a pause until there is no answer. Returns the acknowledged texts.
async fn posts_to_the_end(server: &Program, token: &str, writer: usize) -> Vec<String> {
    let mut acknowledged = Vec::new();
    loop {
        let key = format!("{writer}-{}", acknowledged.len());
        let body = json!({"content": key, "client_id": key});
        match server.request("POST", "chats/2/messages/", token, Some(body)).await {
            Some((201, _)) => acknowledged.push(key),
            _ => return acknowledged,
        }
    }
}

pub(crate) type Listening = actix_codec::Framed<awc::BoxedSocket, awc::ws::Codec>;

/// Opens a socket and receives its `hello`.
pub(crate) async fn listens(server: &Program, token: &str) -> Listening {
    let url = format!("http://{}/messages/ws/", server.address);
    let socket = server.client.ws(url).set_header("Authorization", format!("Token {token}")).connect().await;
    let (_, mut socket) = socket.unwrap();
    let hello = socket.next().await.unwrap().unwrap();
    assert!(matches!(hello, awc::ws::Frame::Text(_)));
    socket
}

/// Skips remaining events and returns the socket's close code.
async fn close_code(mut socket: Listening) -> Option<u16> {
    loop {
        if let awc::ws::Frame::Close(reason) = socket.next().await?.ok()? {
            return reason.map(|reason| reason.code.into());
        }
    }
}

#[actix_rt::test(system = "crate::System")]
async fn what_is_being_sent_while_a_server_ends_is_done_on_whatever_thread_its_chat_lives() {
    let (_folder, database) = database();
    greenroom(&database, &["demo"]);
    let token = greenroom(&database, &["token", "create", "alice"]).trim().to_owned();
    // One chat actor runs on the connection's worker thread, the other on a thread that stops at once.
    for chat in [2, 3] {
        let mut serve = command(&database);
        serve.args(SERVE).args(["--workers", "2"]);
        let mut server = Program::start(serve);
        let mut posting = TcpStream::connect(server.address()).unwrap();
        let body = json!({"content": "last words"}).to_string();
        let head = format!(
            "POST /messages/api/chats/{chat}/messages/ HTTP/1.1\r\nHost: {}\r\nAuthorization: Token {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\nExpect: 100-continue\r\n\r\n",
            server.address,
            body.len()
        );
        posting.write_all(head.as_bytes()).unwrap();
        let mut reply = [0; 4096];
        let length = posting.read(&mut reply).unwrap();
        assert!(reply[..length].starts_with(b"HTTP/1.1 100"));
        server.signal("TERM");
        while TcpStream::connect(server.address()).is_ok() {}
        posting.write_all(body.as_bytes()).unwrap();
        let mut reply = String::new();
        posting.read_to_string(&mut reply).unwrap();
        assert!(reply.starts_with("HTTP/1.1 201"), "{reply}");
        assert_eq!(server.child.wait().unwrap().code(), Some(0));
    }
}

#[actix_rt::test(system = "crate::System")]
async fn a_server_terminated_under_load_turns_away_who_comes_and_finishes_what_it_began() {
    let (_folder, database) = database();
    greenroom(&database, &["demo"]);
    let [alice, bob, carol] = ["alice", "bob", "carol"]
        .map(|name| greenroom(&database, &["token", "create", name]).trim().to_owned());
    let mut server = Program::serve(&database);
    // A client that does not read makes the shutdown last long enough to observe.
    let header = format!("Authorization: Token {carol}\r\n");
    let _stuck = RawSocket::connect(server.address.parse().unwrap(), &header, 4_096).await;
    for _ in 0..100 {
        let body = json!({"content": "x".repeat(5_000)});
        server.request("POST", "chats/2/messages/", &alice, Some(body)).await.unwrap();
    }
    let sockets = join_all((0..5).map(|_| listens(&server, &bob))).await;
    let listening = join_all(sockets.into_iter().map(close_code));
    let posting = join_all((0..4).map(|writer| posts_to_the_end(&server, &alice, writer)));
    let ending = async {
        server.signal("TERM");
        let ready = || server.request_at("GET", "/readyz", &alice, None);
        while ready().await.unwrap().0 == 200 {}
        assert_eq!(ready().await.unwrap().0, 503);
        let url = format!("http://{}/messages/ws/", server.address);
        let upgrade = server.client.ws(url).set_header("Authorization", format!("Token {bob}"));
        assert!(matches!(
            upgrade.connect().await,
            Err(awc::error::WsClientError::InvalidResponseStatus(status)) if status == 503
        ));
    };
    let (codes, acknowledged, ()) = join3(listening, posting, ending).await;
    assert_eq!(codes, [Some(1001); 5]);
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
    let server = Program::serve(&database);
    let posted: usize = acknowledged.iter().map(Vec::len).sum();
    assert!(posted > 0);
    for key in acknowledged.concat() {
        let body = json!({"content": key, "client_id": key});
        // The message was stored before the shutdown.
        assert_eq!(server.request("POST", "chats/2/messages/", &alice, Some(body)).await.unwrap().0, 200);
    }
}
