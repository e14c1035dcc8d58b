//! `greenroom load`: each scenario on a small scale, and the faults that it must detect.

use std::{
    os::unix::fs::PermissionsExt,
    process::{Output, Stdio},
};

use diesel::{Connection, QueryableByName, RunQueryDsl, SqliteConnection, sql_query, sql_types::BigInt};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    foreign,
    program::{Program, command, fails, greenroom},
    spoiler::{Spoil, road_to},
    support::database::Database,
};

/// Short durations for tests.
const SHORT: [&str; 6] = ["--duration", "500ms", "--warmup", "100ms", "--patience", "1s"];

/// Runs a scenario. Returns its output and its results as JSON.
fn load(kind: &str, args: &[&str]) -> (Output, Value) {
    let mut load = command("sqlite://nowhere.db");
    load.args(["load", kind]).args(args).args(SHORT).args(["--json", "-"]).stderr(Stdio::piped());
    let output = load.output().unwrap();
    let figures = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    (output, figures)
}

/// Runs a scenario that must find no faults. Returns its results.
fn runs(kind: &str, args: &[&str]) -> Value {
    let (output, figures) = load(kind, args);
    assert!(output.status.success(), "{figures:#}\n{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(figures["ok"], true, "{figures:#}");
    assert_eq!(figures["scenario"], kind);
    for fault in ["lost", "twice", "out_of_order", "strange"] {
        assert_eq!(figures["checks"][fault], 0, "{figures:#}");
    }
    figures
}

/// Returns an operation of the results by name.
fn operation<'a>(figures: &'a Value, name: &str) -> &'a Value {
    let operations = figures["operations"].as_array().unwrap();
    operations.iter().find(|operation| operation["name"] == name).unwrap_or_else(|| panic!("{figures:#}"))
}

/// A server that the run does not spawn, and the token of alice, who is staff.
struct ExternalServer {
    _folder: TempDir,
    database: String,
    server: Program,
    token: String,
}

impl ExternalServer {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = format!("sqlite://{}", folder.path().join("test.db").display());
        greenroom(&database, &["demo"]);
        let token = greenroom(&database, &["token", "create", "alice"]).trim().to_owned();
        let server = Program::serve(&database);
        Self { _folder: folder, database, server, token }
    }

    fn url(&self) -> String {
        format!("http://{}", self.server.address())
    }

    /// Returns whether a message of a run exists.
    fn has_load(&self) -> bool {
        let file = self.database.strip_prefix("sqlite://").unwrap();
        let mut conn = SqliteConnection::establish(file).unwrap();
        let made = "SELECT m.id FROM messages m JOIN chats c ON c.id = m.chat_id \
                    WHERE c.title LIKE 'Load %' AND c.deleted_at IS NULL LIMIT 1";
        let count = diesel::dsl::sql::<BigInt>(&format!("SELECT count(*) FROM ({made})"));
        count.get_result::<i64>(&mut conn).unwrap() > 0
    }

    /// Asserts that all users of the runs are deactivated and their chats deleted.
    fn expect_clean(&self, users: usize) {
        let list = greenroom(&self.database, &["user", "list"]);
        let made: Vec<&str> = list.lines().filter(|line| line.contains("load-")).collect();
        assert_eq!(made.len(), users, "{list}");
        assert!(made.iter().all(|line| line.ends_with("deactivated")), "{list}");
        let chats = greenroom(&self.database, &["check"]);
        assert!(chats.starts_with("4 chats "), "{chats}");
    }
}

#[test]
fn rooms_are_written_to_and_everybody_hears_it() {
    let figures = runs("rooms", &["--spawn", "--rooms", "3", "--members", "4", "--rate", "100"]);
    let sent = figures["checks"]["messages_acknowledged"].as_u64().unwrap();
    // On a busy machine some due messages are not sent, but then they are counted.
    assert_eq!(sent + figures["checks"]["behind_schedule"].as_u64().unwrap(), 60, "{figures:#}");
    assert!(sent > 0, "{figures:#}");
    assert_eq!(figures["checks"]["deliveries"], 4 * sent);
    assert_eq!(figures["checks"]["sockets"], 12);
    let latency = &operation(&figures, "send")["latency"];
    assert!(latency["p50"].as_f64().unwrap() > 0.0 && latency["p50"].as_f64() <= latency["max"].as_f64());
    assert!(figures["server"]["rss_bytes"].as_u64().unwrap() > 1 << 20, "{figures:#}");
    assert!(figures["client"]["cpu_seconds"].as_f64().is_some());
}

#[test]
fn rooms_are_written_to_over_sockets_in_sessions_and_as_fast_as_can_be() {
    let args = ["--spawn", "--session", "--via", "sockets", "--rooms", "2", "--members", "2", "--closed"];
    let figures = runs("rooms", &[&args[..], &["--until", "heard", "--in-flight", "2"]].concat());
    let checks = &figures["checks"];
    assert_eq!(checks["deliveries"].as_u64(), checks["messages_acknowledged"].as_u64().map(|sent| 2 * sent));
    assert!(checks["messages_acknowledged"].as_u64().unwrap() > 10, "{figures:#}");
}

#[test]
fn idle_sockets_stay_open() {
    let figures = runs("idle", &["--spawn", "--sockets", "50"]);
    assert_eq!(figures["checks"]["sockets"], 50);
    assert_eq!(operation(&figures, "connect")["count"], 50);
    assert!(figures["figures"]["server_kib_per_socket"].as_f64().is_some(), "{figures:#}");
}

#[test]
fn after_a_storm_everybody_is_back_and_has_missed_nothing() {
    let args = ["--spawn", "--sockets", "40", "--members", "4", "--changed", "50", "--within", "100ms"];
    for restart in [&[][..], &["--restart"]] {
        let figures = runs("storm", &[&args[..], restart].concat());
        assert_eq!(operation(&figures, "come back")["count"], 40);
        // One message before, one while all clients were away, and one after.
        assert_eq!(figures["checks"]["messages_acknowledged"], 3 * 5);
        assert_eq!(figures["checks"]["deliveries"], 3 * 5 * 4);
    }
}

#[test]
fn whatever_is_read_is_what_is_there() {
    let what = "page,last,before,after,chats,unread,sync";
    let args = ["--users", "6", "--chats", "4", "--members", "3", "--messages", "60", "--rate", "200"];
    let figures = runs("read", &[&["--spawn", "--what", what], &args[..]].concat());
    for name in ["page", "last page", "before", "after", "chats", "unread", "sync"] {
        assert!(operation(&figures, name)["count"].as_u64().unwrap() > 0, "{figures:#}");
    }
    let elsewhere = ExternalServer::start();
    runs("read", &[&["--url", &elsewhere.url(), "--token", &elsewhere.token], &args[..]].concat());
    elsewhere.expect_clean(6);
}

#[test]
fn in_a_day_of_breaks_nobody_misses_anything() {
    let people = ["--users", "12", "--members", "4", "--chats", "4", "--messages", "3", "--away", "100ms"];
    let rates = ["--sends", "600", "--breaks", "200", "--reacts", "200", "--marks", "200", "--types", "200"];
    let args = [&people[..], &rates].concat();
    let figures = runs("mix", &[&["--spawn"], &args[..]].concat());
    for name in ["send", "come back", "react", "mark as read", "type"] {
        assert!(operation(&figures, name)["count"].as_u64().unwrap() > 0, "{figures:#}");
    }
    let checks = &figures["checks"];
    assert_eq!(checks["deliveries"].as_u64(), checks["messages_acknowledged"].as_u64().map(|sent| 4 * sent));
    let elsewhere = ExternalServer::start();
    runs("mix", &[&["--url", &elsewhere.url(), "--login", "alice:greenroom"], &args[..]].concat());
    elsewhere.expect_clean(12);
}

#[test]
fn a_report_is_one_page_with_plots() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.html");
    runs("rooms", &["--spawn", "--rooms", "1", "--members", "2", "--report", file.to_str().unwrap()]);
    let page = std::fs::read_to_string(file).unwrap();
    assert!(page.matches("<svg").count() >= 4, "{page}");
    assert!(
        page.contains("2 sockets") && !page.contains("http-equiv") && !page.contains("<script"),
        "{page}"
    );
}

#[test]
fn a_run_against_a_server_of_somebody_elses_leaves_nothing_behind() {
    let elsewhere = ExternalServer::start();
    let (url, pid) = (elsewhere.url(), elsewhere.server.id().to_string());
    let rooms = ["--rooms", "2", "--members", "3"];
    let at = ["--url", &url, "--pid", &pid];
    let figures = runs("rooms", &[&rooms[..], &at, &["--token", &elsewhere.token]].concat());
    assert_eq!((&figures["target"], &figures["server"]["pid"]), (&json!(url), &json!(elsewhere.server.id())));
    elsewhere.expect_clean(6);
    runs("rooms", &[&rooms[..], &at, &["--login", "alice:greenroom", "--session"]].concat());
    elsewhere.expect_clean(12);
}

/// Runs a scenario through a proxy that tampers with an event. Returns the faults found.
fn finds(spoil: Spoil) -> Value {
    let elsewhere = ExternalServer::start();
    let url = format!("http://{}", road_to(elsewhere.server.address(), spoil));
    let args = ["--url", &url, "--token", &elsewhere.token, "--rooms", "1", "--members", "3", "--rate", "50"];
    let (output, figures) = load("rooms", &args);
    let is_spoilt = spoil != Spoil::Nothing;
    assert_eq!(output.status.code(), Some(i32::from(is_spoilt)), "{figures:#}");
    assert_eq!(figures["ok"], !is_spoilt, "{figures:#}");
    let sentence = String::from_utf8(output.stderr).unwrap();
    assert_eq!(sentence.contains("the checks failed"), is_spoilt, "{sentence}");
    elsewhere.expect_clean(3);
    let checks = &figures["checks"];
    json!([checks["lost"], checks["twice"], checks["out_of_order"], checks["strange"], checks["closed"]])
}

#[test]
fn what_is_lost_doubled_or_swapped_on_the_way_is_found() {
    assert_eq!(finds(Spoil::Nothing), json!([0, 0, 0, 0, {}]));
    assert_eq!(finds(Spoil::Drop), json!([1, 0, 0, 0, {}]));
    assert_eq!(finds(Spoil::Double), json!([0, 1, 0, 0, {}]));
    assert_eq!(finds(Spoil::Swap), json!([0, 0, 1, 0, {}]));
    assert_eq!(finds(Spoil::Cut), json!([0, 0, 0, 0, {"cut": 1}]));
}

#[test]
fn a_run_that_is_interrupted_cleans_up() {
    let elsewhere = ExternalServer::start();
    for signal in ["INT", "TERM"] {
        let mut load = command("sqlite://nowhere.db");
        load.args(["load", "rooms", "--duration", "1h", "--rooms", "1", "--members", "2", "--rate", "200"]);
        load.args(["--url", &elsewhere.url(), "--token", &elsewhere.token]);
        let mut load = load.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // Interrupt the run only when there is something to clean up.
        while !elsewhere.has_load() {
            assert_eq!(load.try_wait().unwrap(), None, "the run continues");
        }
        crate::signal::send(load.id(), signal);
        let output = load.wait_with_output().unwrap();
        let sentence = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{sentence}");
        assert!(sentence.ends_with("greenroom: interrupted\n"), "{sentence}");
    }
    elsewhere.expect_clean(4);
}

#[test]
fn a_server_of_ones_own_goes_with_its_database_also_when_interrupted() {
    let folder = tempfile::tempdir().unwrap();
    let mut load = command("sqlite://nowhere.db");
    load.env("TMPDIR", folder.path()).args(["load", "rooms", "--spawn", "--duration", "1h"]);
    let load = load.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let is_there = || std::fs::read_dir(folder.path()).unwrap().next().is_some();
    while !is_there() {
        std::thread::yield_now();
    }
    crate::signal::send(load.id(), "INT");
    assert_eq!(load.wait_with_output().unwrap().status.code(), Some(1));
    assert!(!is_there());
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

#[test]
fn an_older_server_is_given_a_database_that_it_knows() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let newest = foreign::older(&path("older.db"));
    // The script migrates to an older schema than this build does. It copies the database that it is to serve.
    let script = format!(
        "#!/bin/sh\ncase $1 in\nmigrate) cp '{older}' \"${{GREENROOM_DATABASE_URL#sqlite://}}\"; exit ;;\n\
         serve) cp \"${{GREENROOM_DATABASE_URL#sqlite://}}\" '{served}' ;;\nesac\nexec '{program}' \"$@\"\n",
        older = path("older.db").display(),
        served = path("served.db").display(),
        program = env!("CARGO_BIN_EXE_greenroom"),
    );
    std::fs::write(path("server"), script).unwrap();
    std::fs::set_permissions(path("server"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let server = path("server").to_str().unwrap().to_owned();
    let figures = runs("rooms", &["--spawn", "--server-binary", &server, "--rooms", "2", "--members", "3"]);
    assert_eq!(figures["settings"]["options"]["server_binary"], server);
    let mut conn = SqliteConnection::establish(path("served.db").to_str().unwrap()).unwrap();
    let mut count = |query: &str| sql_query(query).get_result::<Count>(&mut conn).unwrap().count;
    let versions = "SELECT count(*) AS count FROM __diesel_schema_migrations";
    assert_eq!(count(&format!("{versions} WHERE version = '{newest}'")), 0);
    assert!(count(versions) > 0);
    assert_eq!(count("SELECT count(*) AS count FROM users WHERE username LIKE 'load-%'"), 6);
}

#[test]
#[ignore = "needs PostgreSQL: make postgres"]
fn a_database_of_ones_own_on_postgres_is_left_clean() {
    let database = Database::postgres();
    let url = database.url();
    greenroom(&url, &["demo"]);
    let at = ["--spawn", "--database-url", &url, "--rooms", "2", "--members", "3"];
    runs("rooms", &at);
    runs("rooms", &[&at[..], &["--session", "--via", "sockets"]].concat());
    let list = greenroom(&url, &["user", "list"]);
    let made: Vec<&str> = list.lines().filter(|line| line.contains("load-")).collect();
    assert!(made.len() == 12 && made.iter().all(|line| line.ends_with("deactivated")), "{list}");
    assert!(greenroom(&url, &["check"]).starts_with("4 chats "));
}

#[test]
fn what_does_not_fit_together_is_told_in_a_sentence() {
    let load = |args: &[&str]| fails("sqlite://nowhere.db", &[&["load", "rooms"], args].concat(), 2);
    assert!(load(&[]).contains("--spawn"));
    assert!(load(&["--spawn", "--url", "http://127.0.0.1:1"]).contains("--url"));
    assert!(load(&["--token", "x", "--url", "ftp://x"]).contains("--url"));
    assert!(load(&["--token", "x", "--url", "https://x"]).contains("TLS"));
    assert!(load(&["--spawn", "--rate", "0"]).contains("--rate"));
    assert!(load(&["--spawn", "--rate", "5", "--closed"]).contains("--closed"));
    assert!(load(&["--spawn", "--duration", "soon"]).contains("--duration"));
    assert!(load(&["--spawn", "--listeners", "11"]).contains("--listeners"));
    assert!(load(&["--token", "x", "--pid", "0"]).contains("--pid"));
    assert!(load(&["--login", "alice"]).contains("NAME:PASSWORD"));
    assert!(load(&["--token", "x", "--server-binary", env!("CARGO_BIN_EXE_greenroom")]).contains("--spawn"));
    let server = |file: &str| load(&["--spawn", "--server-binary", file]);
    assert!(server("/nowhere/greenroom").contains("'--server-binary <FILE>': No such file"));
    assert!(server("/etc/passwd").contains("it does not start: Permission denied"));
    assert!(server("/bin/true").contains("it is not Greenroom"));
    let other = |args: &[&str], code| fails("sqlite://nowhere.db", &[&["load"], args].concat(), code);
    assert!(other(&["storm", "--token", "x", "--restart"], 2).contains("--spawn"));
    assert!(other(&["read", "--spawn", "--what", "minds"], 2).contains("--what"));
    assert!(other(&["mix", "--spawn", "--users", "3"], 2).contains("--members"));
    assert!(other(&["idle", "--spawn", "--sockets", "1000000"], 1).contains("ulimit -n"));
    let fails = |args: &[&str]| fails("sqlite://nowhere.db", &[&["load", "rooms"], args].concat(), 1);
    // Keys may begin with a hyphen.
    assert!(fails(&["--token", "-x", "--url", "http://127.0.0.1:1"]).contains("refused"));
    assert!(fails(&["--token", "x", "--url", "http://127.0.0.1:1"]).contains("refused"));
    let elsewhere = ExternalServer::start();
    let bob = greenroom(&elsewhere.database, &["token", "create", "bob"]);
    let sentence = fails(&["--token", bob.trim(), "--url", &elsewhere.url()]);
    assert!(sentence.contains("bob") && sentence.contains("not staff"), "{sentence}");
    assert!(fails(&["--login", "alice:wrong", "--url", &elsewhere.url()]).contains("cannot sign in"));
}
