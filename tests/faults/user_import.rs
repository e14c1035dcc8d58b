//! `greenroom user import`: users of another application, in a file.

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Output, Stdio},
    time::{Duration, Instant},
};

use diesel::{
    Connection, QueryableByName, RunQueryDsl, SqliteConnection, connection::SimpleConnection, sql_query,
    sql_types::Text,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    program::{Program, command, greenroom},
    support::{DEADLINE, database::Database},
};

/// Made by Django 5.2 for the password `greenroom`, with low costs.
const HASHES: [(&str, &str); 8] = [
    ("a", "pbkdf2_sha256$1000$boW39DVcgoeIFjEl5PCY2i$+sSDcexmN1bqdJi7HQ4hz1eA+qGzArUynbFllMIUlKU="),
    ("b", "pbkdf2_sha1$1000$WRz11DgY5eYso6hK0wL1B1$GLdsFGiIOlrgsuMgrja/3d3AtW0="),
    (
        "c",
        "argon2$argon2id$v=19$m=1024,t=2,p=8$SFJOelJaR25peHZGWUxCYkNFOWZzTw$UPzScfL/3Qf4o6qwWC1yx7AnxN86/9+DNIsENf1+9So",
    ),
    ("d", "argon2$argon2i$v=19$m=1024,t=2,p=2$c2FsdHNhbHRzYWx0$A/rAUxhNivHSig8fSJmLDkZQVMVs/oBeTqjH7OVGqPs"),
    ("e", "bcrypt_sha256$$2b$05$RWA4b/Se3uwrfQwVLAlxH.oo7TFGW9Cx9BPd.QvVlpmPz42vO6RvG"),
    ("f", "bcrypt$$2b$05$TPvYVsfs3Tyoe9jBb5pWA.qEGWo5vx5LmFCHHpsKipxFNeZx3LRu."),
    (
        "g",
        "scrypt$1024$8XsI1UwFkLi7k5IIMymH2P$8$2$rdV4FKxviz63cMRW2S4Ic/fzZ2zYq8zDy/Ys4Vvt732uGoAxwFJ6zIbmILf3Yyr2aZCOSP7mUU71tueXmXK2cg==",
    ),
    ("h", "pbkdf2_sha256$1000$seasalt$wLUmo5LyH7ibWvgvh58fctOy9Q/53+0Q8eluQjS8PIY="),
];

const GREENROOM: &str = HASHES[0].1;

/// Made by Django for the empty password.
const OTHER: &str = "pbkdf2_sha256$1000$salt$lPtWrz6iLl0+0bBUCFsTbKMBt12LQGyALEiUefJzh8Y=";

/// A database, and a folder for files of users.
struct Host {
    folder: TempDir,
    database: String,
}

#[derive(QueryableByName)]
struct Password {
    #[diesel(sql_type = Text)]
    password: String,
}

/// What an import printed, and its exit code.
#[derive(Debug)]
struct Report {
    tally: String,
    errors: String,
    code: i32,
}

impl From<Output> for Report {
    fn from(output: Output) -> Self {
        let [tally, errors] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        for text in [&tally, &errors] {
            assert!(!text.contains("$") && !text.contains("pbkdf2_sha256:"), "no hash is printed: {text}");
        }
        // A slow machine shows the progress.
        let errors = errors.lines().filter(|line| !line.starts_with("Importing: "));
        let errors = errors.map(|line| format!("{line}\n")).collect();
        Self { tally, errors, code: output.status.code().unwrap() }
    }
}

impl Report {
    /// Asserts that all lines were good. Returns the counts.
    #[track_caller]
    fn good(self) -> String {
        assert_eq!((self.errors.as_str(), self.code), ("", 0));
        self.tally
    }
}

impl Host {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = format!("sqlite://{}", folder.path().join("test.db").display());
        Self { folder, database }
    }

    fn import_file(&self, file: &Path) -> Report {
        command(&self.database).args(["user", "import"]).arg(file).output().unwrap().into()
    }

    /// Imports a text from a file.
    fn imports(&self, text: &str) -> Report {
        let file = self.folder.path().join("users");
        fs::write(&file, text).unwrap();
        self.import_file(&file)
    }

    /// Imports a text from standard input.
    fn pipes(&self, text: &str) -> Report {
        let mut import = command(&self.database);
        import.args(["user", "import", "-"]).stdin(Stdio::piped());
        let mut child = import.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        child.wait_with_output().unwrap().into()
    }

    fn users(&self) -> String {
        greenroom(&self.database, &["user", "list"])
    }

    fn conn(&self) -> SqliteConnection {
        SqliteConnection::establish(self.database.strip_prefix("sqlite://").unwrap()).unwrap()
    }

    fn hash_of(&self, name: &str) -> String {
        let query = format!("SELECT password FROM users WHERE username = '{name}'");
        sql_query(query).get_result::<Password>(&mut self.conn()).unwrap().password
    }
}

fn tally(new: u64, changed: u64, unchanged: u64, bad: u64) -> String {
    format!("users: {new} new, {changed} changed, {unchanged} unchanged, {bad} bad\n")
}

async fn signs_in(server: &Program, name: &str, password: &str) -> u16 {
    let body = json!({"username": name, "password": password});
    server.request_at("POST", "/login/", "none", Some(body)).await.unwrap().0
}

#[test]
fn users_come_from_csv() {
    let host = Host::new();
    let text = format!(
        "\u{feff}id,external_id,username,password,first_name,last_name,email,is_active,is_staff\r\n\
         1,7,ann,{GREENROOM},Ann,\"Smith, \"\"Jr.\"\"\",ann@example.com,True,True\r\n\
         2,8,bob,!dJaNgO,,,,t,f\r\n\
         \r\n\
         3,,eve,,\"E\nve\",,,0,\r\n\
         4,9,dan,,Dan,,,0,"
    );
    let report = host.imports(&text);
    assert_eq!(report.tally, tally(3, 0, 0, 1));
    let errors = "line 5: first_name: Control characters are not allowed.\n\
                  not read, since users have no such fields here: id\n\
                  greenroom: lines that were not imported: 1\n";
    assert_eq!((report.errors.as_str(), report.code), (errors, 1));
    let users =
        "1\tann\tAnn Smith, \"Jr.\"\tann@example.com\tstaff\n2\tbob\tbob\n3\tdan\tDan\t\t\tdeactivated\n";
    assert_eq!(host.users(), users);
    assert_eq!([host.hash_of("ann"), host.hash_of("bob"), host.hash_of("dan")], [GREENROOM, "!", "!"]);
}

#[test]
fn users_come_from_json_lines_and_standard_input() {
    let host = Host::new();
    let lines = [
        json!({"external_id": 7, "username": "ann", "password": GREENROOM, "is_staff": true, "pk": 1}),
        json!({"username": "bob", "first_name": "Bob", "is_active": false, "email": null}),
    ];
    let text = lines.map(|line| line.to_string()).join("\n\n");
    let report = host.pipes(&format!("\n{text}"));
    assert_eq!(report.tally, tally(2, 0, 0, 0));
    assert_eq!(report.errors, "not read, since users have no such fields here: pk\n");
    assert_eq!(host.users(), "1\tann\tann\t\tstaff\n2\tbob\tBob\t\t\tdeactivated\n");
    assert_eq!(host.pipes("username,external_id\nann,7\nbob,\n").good(), tally(0, 0, 2, 0));
}

#[test]
fn an_import_is_repeated_and_changes_what_differs() {
    let host = Host::new();
    let text =
        format!("external_id,username,password,first_name,email\n7,ann,{GREENROOM},Ann,a@b.c\n8,bob,!,,\n");
    assert_eq!(host.imports(&text).good(), tally(2, 0, 0, 0));
    assert_eq!(host.imports(&text).good(), tally(0, 0, 2, 0));
    // A missing column changes nothing, an empty name is one, and an id alone finds its user.
    assert_eq!(host.imports("external_id,first_name\n7,\n8,Bob\n").good(), tally(0, 2, 0, 0));
    assert_eq!(host.users(), "1\tann\tann\ta@b.c\n2\tbob\tBob\n");
    assert_eq!(host.hash_of("ann"), GREENROOM);
    // The last of several lines of a user counts.
    assert_eq!(host.imports("username,first_name\nzoe,Z\nzoe,Zoe\nzoe,Zoe\n").good(), tally(1, 1, 1, 0));
    // A user from before gets the id.
    assert_eq!(host.imports("username,external_id\nzoe,9\n").good(), tally(0, 1, 0, 0));
    assert_eq!(host.imports("external_id,last_name\n9,Last\n").good(), tally(0, 1, 0, 0));
    assert!(host.users().ends_with("3\tzoe\tZoe Last\n"), "{}", host.users());
}

#[actix_rt::test(system = "crate::System")]
async fn a_password_that_was_changed_here_stays_and_any_other_follows_the_file() {
    let host = Host::new();
    let import = |name: &str, hash: &str| host.imports(&format!("username,password\n{name},{hash}\n")).good();
    for name in ["ann", "bob", "eve", "dan"] {
        assert_eq!(import(name, GREENROOM), tally(1, 0, 0, 0));
    }
    let staff = ["user", "create", "staff", "--staff", "--password", "correct horse"];
    greenroom(&host.database, &staff);
    let server = Program::serve(&host.database);
    // ann signs in, so that her hash is made anew. Nothing else happens to it.
    assert_eq!(signs_in(&server, "ann", "greenroom").await, 200);
    let hash = host.hash_of("ann");
    assert!(hash.starts_with("$argon2id$"), "{hash}");
    assert_eq!(import("ann", GREENROOM), tally(0, 0, 1, 0));
    assert_eq!(host.hash_of("ann"), hash);
    assert_eq!(import("ann", OTHER), tally(0, 1, 0, 0));
    assert_eq!(host.hash_of("ann"), OTHER);
    // bob changes his own password, staff change eve's, and the command line changes dan's.
    let token = |name: &str| greenroom(&host.database, &["token", "create", name]).trim().to_owned();
    let own = json!({"password": "correct horse", "old_password": "greenroom"});
    assert_eq!(server.request("PATCH", "users/me/", &token("bob"), Some(own)).await.unwrap().0, 200);
    let (_, eve) = server.request("GET", "users/me/", &token("eve"), None).await.unwrap();
    let path = format!("users/{}/", eve["id"]);
    let new = json!({"password": "correct horse"});
    assert_eq!(server.request("PATCH", &path, &token("staff"), Some(new)).await.unwrap().0, 200);
    greenroom(&host.database, &["user", "passwd", "dan", "--password", "correct horse"]);
    for name in ["bob", "eve", "dan", "staff"] {
        let hash = host.hash_of(name);
        for file in [GREENROOM, OTHER, "!"] {
            assert_eq!(import(name, file), tally(0, 0, 1, 0), "{name}");
        }
        assert_eq!(host.hash_of(name), hash);
        assert_eq!(signs_in(&server, name, "correct horse").await, 200);
    }
    // Other changes of a user leave the note about the password alone.
    let profile = json!({"first_name": "Ann", "is_active": true});
    let (_, ann) = server.request("GET", "users/me/", &token("ann"), None).await.unwrap();
    let path = format!("users/{}/", ann["id"]);
    assert_eq!(server.request("PATCH", &path, &token("staff"), Some(profile)).await.unwrap().0, 200);
    assert_eq!(import("ann", GREENROOM), tally(0, 1, 0, 0));
    // A user without a password gets one, and may lose it again.
    assert_eq!(host.imports("username\nnew\n").good(), tally(1, 0, 0, 0));
    for hash in [GREENROOM, "!", OTHER] {
        assert_eq!(import("new", hash), tally(0, 1, 0, 0));
        assert_eq!(host.hash_of("new"), hash);
    }
}

#[test]
fn bad_lines_are_reported_and_all_others_imported() {
    let host = Host::new();
    greenroom(&host.database, &["user", "create", "paypal", "--password", "correct horse"]);
    greenroom(&host.database, &["user", "create", "visitor", "--password", "correct horse"]);
    host.conn().batch_execute("UPDATE users SET is_registered = TRUE WHERE username = 'visitor'").unwrap();
    let long = "x".repeat(256);
    let damaged = GREENROOM.replace("1000$", "1000");
    let costly = GREENROOM.replace("1000$", "10000001$");
    let lines = [
        ("7,ann,,,,,", ""),
        ("8,b b,,,,,", "username: Enter a valid username."),
        ("8,paypa1,,,,,", "username: A user with that username already exists."),
        ("8,bob,md5$a$b,,,,", "password: This is no hash of a known kind: argon2, bcrypt,"),
        ("8,bob,secret,,,,", "password: This is no hash of a known kind"),
        (&format!("8,bob,{damaged},,,,"), "password: This pbkdf2_sha256 hash is malformed."),
        (&format!("8,bob,{costly},,,,"), "password: Verifying this pbkdf2_sha256 hash would take too much"),
        ("8,bob,,a@b@c,\u{202e},,", "email: Enter a valid email address. first_name: Invisible"),
        ("8,bob,,,,perhaps,yes", "is_active: Must be a valid boolean. is_staff: Must be a valid boolean."),
        (&format!("{long},bob,,,,,"), "external_id: Ensure this field has no more than 255 characters."),
        ("\u{7},bob,,,,,", "external_id: Control characters are not allowed."),
        ("7,paypal,,,,,", "external_id: It belongs to user ann; a username never changes."),
        ("9,ann,,,,,", "external_id: The user of this name has another external_id."),
        ("8,visitor,,,,,", "username: A visitor registered this name. Take the account over first."),
        ("8,,,,,,", "username: This field is required."),
        ("8,bob,,,,", "It has 6 fields, and the header 7."),
        ("8,bob,,,,,", ""),
    ];
    let text: Vec<&str> = lines.iter().map(|(line, _)| *line).collect();
    let header = "external_id,username,password,email,first_name,is_active,is_staff";
    let report = host.imports(&format!("{header}\n{}\n", text.join("\n")));
    assert_eq!((report.tally.as_str(), report.code), (tally(2, 0, 0, 15).as_str(), 1));
    for (index, (line, sentence)) in
        lines.iter().enumerate().filter(|(_, (_, sentence))| !sentence.is_empty())
    {
        let expected = format!("line {}: {sentence}", index + 2);
        let is_there = report.errors.lines().any(|said| said.starts_with(&expected));
        assert!(is_there, "{line:?}: {expected}: {}", report.errors);
    }
    assert!(report.errors.ends_with("greenroom: lines that were not imported: 15\n"), "{}", report.errors);
    assert!(host.users().ends_with("3\tann\tann\n4\tbob\tbob\n"), "{}", host.users());

    let json = ["{\"username\": \"zoe\"}", "{\"username\": \"x\"", "[1]", "{\"username\": [1]}"].join("\n");
    let report = host.pipes(&json);
    assert_eq!((report.tally.as_str(), report.code), (tally(1, 0, 0, 3).as_str(), 1));
    for expected in
        ["line 2: EOF while parsing", "line 3: It is no JSON object.", "line 4: username: Not a valid"]
    {
        assert!(report.errors.contains(expected), "{expected}: {}", report.errors);
    }
    let bytes = host.folder.path().join("bytes");
    fs::write(&bytes, b"username,first_name\neve,\xff\ndan,Dan\n").unwrap();
    let report = host.import_file(&bytes);
    assert_eq!(report.tally, tally(1, 0, 0, 1));
    assert!(report.errors.starts_with("line 2: first_name: It is not UTF-8."), "{}", report.errors);
}

#[test]
fn a_file_that_is_no_list_of_users_is_refused_and_nothing_made() {
    let host = Host::new();
    let without_header = format!("ann,{GREENROOM}\nbob,{OTHER}\n");
    for (text, sentence) in [
        ("", "it is empty"),
        (" \n\n", "it is empty"),
        ("[{\"username\": \"ann\"}]", "it is a JSON array; write one object a line"),
        (&without_header, "its first line must name the columns, among them username or external_id"),
        ("username,email,username\n", "the column username is in it twice"),
    ] {
        let report = host.imports(text);
        assert_eq!((report.tally.as_str(), report.code), ("", 1), "{text:?}");
        assert!(report.errors.contains(sentence), "{text:?}: {}", report.errors);
        assert_eq!(report.errors.lines().count(), 1, "{}", report.errors);
    }
    let missing = host.import_file(Path::new("/no/such/file"));
    assert!(missing.errors.starts_with("greenroom: cannot read /no/such/file: "), "{}", missing.errors);
    assert!(!host.folder.path().join("test.db").exists());
    let help = greenroom(&host.database, &["user", "import", "--help"]);
    assert!(help.contains("7,ann,pbkdf2_sha256$1000000$") && help.contains("external_id"), "{help}");
}

#[actix_rt::test(system = "crate::System")]
async fn what_an_import_changes_reaches_a_running_server() {
    let host = Host::new();
    host.imports("username,is_staff\nann,true\nbob,true\neve,false\n").good();
    let tokens = ["ann", "bob", "eve"].map(|name| greenroom(&host.database, &["token", "create", name]));
    let [ann, bob, eve] = [0, 1, 2].map(|index| tokens[index].trim());
    let server = Program::serve(&host.database);
    let asks = async |token: &str| server.request("GET", "users/me/", token, None).await.unwrap();
    for token in [ann, bob, eve] {
        assert_eq!(asks(token).await.0, 200);
    }
    let group = json!({"chat_type": "group", "title": "Team", "member_ids": [3]});
    let (_, group) = server.request("POST", "chats/", bob, Some(group)).await.unwrap();
    host.imports("username,first_name\neve,Eva\n").good();
    let path = format!("chats/{}/messages/", group["id"]);
    let mut posted = Value::Null;
    let deadline = Instant::now() + DEADLINE;
    while posted["sender"]["display_name"] != "Eva" {
        assert!(Instant::now() < deadline, "{posted}");
        posted = server.request("POST", &path, eve, Some(json!({"content": "hi"}))).await.unwrap().1;
    }
    host.imports("username,is_active\nbob,false\n").good();
    while asks(bob).await.0 != 401 {}
    // The chat that bob left without an admin is handed over.
    let members = path.replace("messages", "members");
    let is_admin = |member: &Value| member["role"] == "admin" && member["id"] == 3;
    loop {
        let (_, page) = server.request("GET", &members, eve, None).await.unwrap();
        if page["results"].as_array().is_some_and(|members| members.iter().any(is_admin)) {
            break;
        }
        assert!(Instant::now() < deadline, "{page}");
    }
    // ann is the last of the staff now.
    for field in ["is_active", "is_staff"] {
        let report = host.imports(&format!("username,{field}\neve,{field}\nann,false\n"));
        assert_eq!((report.tally, report.code), (tally(0, 0, 0, 2), 1));
        let sentence = format!("line 3: {field}: This is the last active staff user");
        assert!(report.errors.contains(&sentence), "{}", report.errors);
    }
    assert_eq!(asks(ann).await.0, 200);
    let all = "username,is_active,is_staff\neve,,true\nann,true,false\nbob,true,false\n";
    assert_eq!(host.imports(all).good(), tally(0, 3, 0, 0));
    assert_eq!(host.users(), "1\tann\tann\n2\tbob\tbob\n3\teve\tEva\t\tstaff\n");
    let made = || server.request("POST", "users/", ann, Some(json!({"username": "zoe"})));
    while made().await.unwrap().0 != 403 {}
    assert!(greenroom(&host.database, &["check"]).ends_with(" 0 differences found\n"));
}

#[actix_rt::test(system = "crate::System")]
async fn each_kind_of_hash_signs_in_and_is_made_anew() {
    let host = Host::new();
    let server = Program::serve(&host.database);
    // There is no hash of another kind yet, so a failure needs no levelling.
    assert_eq!(signs_in(&server, "nobody", "greenroom").await, 401);
    let lines: Vec<String> = HASHES.iter().map(|(name, hash)| format!("user-{name},\"{hash}\"\n")).collect();
    host.imports(&format!("username,password\n{}unset,!\n", lines.concat())).good();
    // The first failure after the import takes a second already, whatever the account has.
    for name in ["nobody", "unset", "user-a", "user-e"] {
        let began = Instant::now();
        assert_eq!(signs_in(&server, name, "Greenroom").await, 401);
        assert!(began.elapsed() >= Duration::from_secs(1), "{name}");
    }
    for (name, hash) in HASHES {
        let name = format!("user-{name}");
        assert_eq!(host.hash_of(&name), hash);
        assert_eq!(signs_in(&server, &name, "greenroom").await, 200, "{hash}");
        let new = host.hash_of(&name);
        assert!(new.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{new}");
        assert_eq!(signs_in(&server, &name, "greenroom").await, 200, "{hash}");
        assert_eq!(host.hash_of(&name), new);
    }
    drop(server);
    // No other hash is left, which the next server finds out.
    let server = Program::serve(&host.database);
    let mut names = (0..).map(|number| format!("nobody{number}"));
    loop {
        let began = Instant::now();
        assert_eq!(signs_in(&server, &names.next().unwrap(), "greenroom").await, 401);
        if began.elapsed() < Duration::from_secs(1) {
            break;
        }
    }
}

#[actix_rt::test(system = "crate::System")]
async fn a_failure_takes_as_long_as_the_dearest_hash_in_the_table() {
    let host = Host::new();
    let dear = GREENROOM.replace("1000$", "2000000$");
    host.imports(&format!("username,password\nann,{GREENROOM}\nbob,{dear}\n")).good();
    let server = Program::serve(&host.database);
    for name in ["nobody", "ann"] {
        let began = Instant::now();
        assert_eq!(signs_in(&server, name, "Greenroom").await, 401);
        assert!(began.elapsed() >= Duration::from_secs(2), "{name}");
    }
}

#[actix_rt::test(system = "crate::System")]
async fn ten_thousand_users_are_imported_while_others_chat() {
    let host = Host::new();
    greenroom(&host.database, &["demo"]);
    let token = greenroom(&host.database, &["token", "create", "alice"]).trim().to_owned();
    let server = Program::serve(&host.database);
    let file = host.folder.path().join("users.csv");
    let line = |number: u32| {
        format!("{number},user-{number:05},{GREENROOM},First,Last{number},u{number}@example.com\n")
    };
    let lines: String = (0..10_000).map(line).collect();
    fs::write(&file, format!("external_id,username,password,first_name,last_name,email\n{lines}")).unwrap();
    let mut import = command(&host.database);
    import.args(["user", "import"]).arg(&file).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut import = import.spawn().unwrap();
    let mut posts = 0;
    while import.try_wait().unwrap().is_none() {
        let body = json!({"content": "hi"});
        let (status, _) = server.request("POST", "chats/2/messages/", &token, Some(body)).await.unwrap();
        assert_eq!(status, 201);
        posts += 1;
    }
    assert!(posts > 1, "{posts}");
    let report = Report::from(import.wait_with_output().unwrap());
    assert_eq!((report.tally.as_str(), report.code), (tally(10_000, 0, 0, 0).as_str(), 0), "{report:?}");
    assert_eq!(host.import_file(&file).tally, tally(0, 0, 10_000, 0));
    let found = server.request("GET", "users/search/?q=user-04321", &token, None).await.unwrap().1;
    assert_eq!(found["results"][0]["display_name"], "First Last4321");
    assert_eq!(signs_in(&server, "user-09999", "greenroom").await, 200);
    assert!(greenroom(&host.database, &["check"]).ends_with(" 0 differences found\n"));
}

#[actix_rt::test(system = "crate::System")]
#[ignore = "needs PostgreSQL: make postgres"]
async fn users_are_imported_into_postgres() {
    let target = Database::postgres();
    let host = Host { database: target.url(), ..Host::new() };
    let lines: Vec<String> =
        (0..2_000).map(|number| format!("{number},user-{number:05},{GREENROOM}\n")).collect();
    let text = format!("external_id,username,password\n{}", lines.concat());
    assert_eq!(host.imports(&text).good(), tally(2_000, 0, 0, 0));
    assert_eq!(host.imports(&text).good(), tally(0, 0, 2_000, 0));
    let server = Program::serve(&host.database);
    assert_eq!(signs_in(&server, "user-00007", "greenroom").await, 200);
    assert_eq!(host.imports(&text).good(), tally(0, 0, 2_000, 0));
    assert_eq!(host.imports(&text.replace(GREENROOM, OTHER)).good(), tally(0, 2_000, 0, 0));
    assert_eq!(signs_in(&server, "user-00007", "greenroom").await, 401);
    host.imports("external_id,is_staff\n1,true\n2,true\n").good();
    assert_eq!(host.imports("external_id,is_active\n1,false\n3,false\n4,false\n").good(), tally(0, 3, 0, 0));
    assert_eq!(
        host.imports("external_id,is_active,first_name\n2,false,\n9,,Nina\n").tally,
        tally(0, 1, 0, 1)
    );
    // Two imports of the same users at once.
    let mut one = command(&host.database);
    let file = host.folder.path().join("users");
    fs::write(&file, text.replace("user-", "other-").replace('\n', "\nx").trim_end_matches('x')).unwrap();
    let mut one = one.args(["user", "import"]).arg(&file).stdout(Stdio::piped()).spawn().unwrap();
    let two = host.import_file(&file);
    assert!(one.wait().unwrap().success() && two.code == 0, "{two:?}");
    assert_eq!(host.users().lines().count(), 4_000);
}
