//! Every example of `docs/API.md`, executed in order against a demo database.

use std::{collections::VecDeque, process::Command};

use chrono::DateTime;
use greenroom::openapi;
use serde_json::{Value, json};

use crate::support::{
    Reply, Server, User,
    database::Database,
    reference::{FROM_CLIENT, FROM_SERVER, MORE, check, described},
};

const PAGE: &str = include_str!("../../docs/API.md");

/// Returns the fenced blocks, each with the language behind its first fence.
fn blocks() -> Vec<(&'static str, &'static str)> {
    let mut parts = PAGE.split("\n```");
    parts.next();
    let mut blocks = Vec::new();
    while let (Some(block), Some(_)) = (parts.next(), parts.next()) {
        blocks.push(block.split_once('\n').unwrap());
    }
    blocks
}

/// A reader of the page, with the variables of the shell.
struct Reader {
    visitor: User,
    cookie: String,
    key: String,
    /// Where the bytes of the latest upload go.
    put_url: String,
}

#[actix_rt::test(system = "crate::System")]
async fn every_example_of_the_page_gives_what_the_page_says() {
    let database = Database::new();
    let program = |args: &[&str]| {
        let done = Command::new(env!("CARGO_BIN_EXE_greenroom"))
            .args(args)
            .args(["--database-url", &database.url()])
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    };
    program(&["demo"]);
    let folder = tempfile::tempdir().unwrap();
    let key = program(&["token", "create", "alice"]);
    let open = |config: &mut greenroom::config::Config| {
        config.registration = greenroom::config::Registration::Open;
        config.files.files = Some(folder.path().join("files"));
    };
    let server = Server::start_on(database, open).await;
    let visitor = server.anonymous().with("Host", "localhost:8000");
    let mut reader = Reader { visitor, cookie: String::new(), key, put_url: String::new() };
    let mut done = 0;
    for (_, block) in blocks().iter().filter(|(kind, _)| *kind == "console") {
        for example in block.split("$ ").skip(1) {
            let (command, answer) = example.split_once('\n').unwrap_or((example, ""));
            reader.tries(command, answer.trim()).await;
            done += 1;
        }
    }
    assert!(done > 40, "{done} examples were found");
}

/// Validates an example of a server or client frame against the description.
fn check_frame(text: &str) {
    let (document, frame) = (openapi::asyncapi(), abridged(text));
    let found =
        described(document, FROM_SERVER, &frame).or_else(|_| described(document, FROM_CLIENT, &frame));
    assert!(found.is_ok(), "{text}: {found:?}");
}

#[test]
fn every_example_of_a_frame_or_an_object_is_as_it_is_described() {
    let document = openapi::openapi();
    let (mut frames, mut objects) = (0, 0);
    for (kind, block) in blocks() {
        if kind == "json" && !block.starts_with("{\"type\"") {
            let before = &PAGE[..PAGE.find(block).unwrap()];
            let heading = before.lines().rev().find_map(|line| line.strip_prefix("### ")).unwrap();
            let is_object = ["User", "Member", "Chat", "Message"].contains(&heading);
            let schema = if is_object { heading } else { "ErrorDetail" };
            let schema = &document["components"]["schemas"][schema];
            assert_eq!(check(document, schema, &abridged(block)), Ok(()), "{heading}: {block}");
            objects += 1;
        } else if kind == "json" || kind.is_empty() {
            for line in block.lines() {
                let frame = ["", "> ", "< ", "data: "]
                    .iter()
                    .find_map(|sign| line.strip_prefix(sign)?.strip_prefix('{'));
                if let Some(rest) = frame {
                    check_frame(&format!("{{{rest}"));
                    frames += 1;
                }
            }
        }
    }
    assert!(frames > 30 && objects >= 4, "{frames} frames and {objects} objects were found");
}

impl Reader {
    async fn tries(&mut self, command: &str, expected: &str) {
        let reply = self.curl(command).await;
        if let Some(put_url) = reply.json["put_url"].as_str() {
            put_url.clone_into(&mut self.put_url);
        }
        if command.contains("/logout/") {
            // The following examples are alice's again.
            let form = b"username=alice&password=greenroom".to_vec();
            let kind = Some("application/x-www-form-urlencoded");
            self.cookie = self.visitor.send_raw("POST", "/login/", kind, form).await.expect(200).cookie();
        }
        if let Some(status) = expected.strip_prefix("HTTP/1.1 ") {
            return assert!(status.starts_with(&reply.status.to_string()), "{command}: {}", reply.status);
        }
        let expected = abridged(expected);
        let problem = differs(&expected, &reply.json).err();
        assert_eq!(problem, None, "{command}\n{}", String::from_utf8_lossy(&reply.body));
    }

    /// Executes a curl command.
    async fn curl(&mut self, command: &str) -> Reply {
        let mut words: VecDeque<String> =
            words(&command.replace("$KEY", &self.key).replace("$PUT_URL", &self.put_url)).into();
        assert_eq!(words.pop_front().as_deref(), Some("curl"), "{command}");
        let mut user = self.visitor.clone();
        let (mut method, mut kind, mut body, mut path) =
            ("GET".to_owned(), None, String::new(), String::new());
        let mut keeps_cookie = false;
        while let Some(word) = words.pop_front() {
            match word.as_str() {
                "-i" => {}
                "-X" => method = words.pop_front().unwrap(),
                "-c" => keeps_cookie = words.pop_front().unwrap() == "cookies",
                "-b" => {
                    assert_eq!(words.pop_front().as_deref(), Some("cookies"));
                    user = user.with("Cookie", &self.cookie);
                }
                "-H" => {
                    let header = words.pop_front().unwrap();
                    let (name, value) = header.split_once(": ").unwrap();
                    user = user.with(name, value);
                }
                "--data-binary" => body = words.pop_front().unwrap(),
                "-d" | "--json" => {
                    kind = Some(if word == "-d" {
                        "application/x-www-form-urlencoded"
                    } else {
                        "application/json"
                    });
                    body = words.pop_front().unwrap();
                    if method == "GET" {
                        "POST".clone_into(&mut method);
                    }
                }
                address => path = address.strip_prefix("http://localhost:8000").expect(command).to_owned(),
            }
        }
        let reply = user.send_raw(&method, &path, kind, body.into_bytes()).await;
        if keeps_cookie {
            self.cookie = reply.cookie();
        }
        reply
    }
}

/// Splits a command into words as a shell does.
fn words(command: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for c in command.trim().chars() {
        match (c, quote) {
            (_, Some(open)) if c == open => quote = None,
            ('\'' | '"', None) => quote = Some(c),
            (' ', None) => words.push(String::new()),
            _ => words.last_mut().unwrap().push(c),
        }
    }
    words
}

/// Parses JSON in which `...` replaces elements, fields, or all fields of a value.
fn abridged(text: &str) -> Value {
    let mut whole = String::new();
    let mut open = Vec::new();
    let (mut is_text, mut rest) = (false, text);
    while let Some(c) = rest.chars().next() {
        if !is_text && rest.starts_with(MORE) {
            whole.push_str(if open.last() == Some(&'{') { "\"...\":0" } else { "\"...\"" });
            rest = &rest[MORE.len()..];
            continue;
        }
        match c {
            '\\' => {
                whole.push_str(&rest[..2]);
                rest = &rest[2..];
                continue;
            }
            '"' => is_text = !is_text,
            '{' | '[' if !is_text => open.push(c),
            '}' | ']' if !is_text => drop(open.pop()),
            _ => {}
        }
        whole.push(c);
        rest = &rest[c.len_utf8()..];
    }
    serde_json::from_str(&whole).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Returns how an answer differs from an example, apart from times and keys, which always differ.
fn differs(example: &Value, answer: &Value) -> Result<(), String> {
    match (example, answer) {
        (Value::Object(shown), Value::Object(there)) => {
            for (name, value) in shown.iter().filter(|(name, _)| *name != MORE) {
                let found = there.get(name).ok_or_else(|| format!("{name} is not there"))?;
                if name != "key" {
                    differs(value, found).map_err(|problem| format!("{name}: {problem}"))?;
                }
            }
            let more = there.keys().find(|name| !shown.contains_key(*name));
            match more.filter(|_| !shown.contains_key(MORE)) {
                Some(name) => Err(format!("{name} is not shown")),
                None => Ok(()),
            }
        }
        (Value::Array(shown), Value::Array(there)) => {
            let is_abridged = shown.last() == Some(&json!(MORE));
            let shown = if is_abridged { &shown[..shown.len() - 1] } else { &shown[..] };
            if there.len() < shown.len() || (!is_abridged && there.len() > shown.len()) {
                return Err(format!("{} elements, not {}", there.len(), shown.len()));
            }
            shown.iter().zip(there).try_for_each(|(shown, there)| differs(shown, there))
        }
        (Value::String(shown), Value::String(there)) if is_time(shown) && is_time(there) => Ok(()),
        (shown, there) if shown == there => Ok(()),
        (shown, there) => Err(format!("{there}, not {shown}")),
    }
}

fn is_time(text: &str) -> bool {
    DateTime::parse_from_rfc3339(text).is_ok()
}
