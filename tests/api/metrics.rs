//! The metrics for Prometheus.

use std::{collections::BTreeSet, time::Instant};

use serde_json::{Value, json};

use crate::support::{DEADLINE, Server, nodes, raw_socket::RawSocket};

/// Returns the name of a series of the request counter.
fn requests(route: &str, method: &str, status: u16) -> String {
    format!(r#"greenroom_http_requests_total{{method="{method}",route="{route}",status="{status}"}}"#)
}

/// Waits until a series has a value.
async fn becomes(server: &Server, series: &str, value: f64) {
    let deadline = Instant::now() + DEADLINE;
    while server.series(series).await != Some(value) {
        assert!(Instant::now() < deadline, "{series} becomes {value}");
    }
}

#[actix_rt::test(system = "crate::System")]
async fn requests_are_counted_by_the_pattern_of_their_address() {
    let server = Server::watched().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chats = [ann.dm(&bob).await, ann.group("group", &[]).await];
    for chat in chats {
        ann.posts(chat, "hello").await;
        ann.send("POST", &format!("/messages/api/chats/{chat}/messages"), Some(json!({"content": ""}))).await;
    }
    ann.get("chats/999/messages/").await.expect(404);
    ann.call("DELETE", "chats/1/messages/", None).await.expect(405);
    let messages = "/messages/api/chats/{chat}/messages/";
    for (method, status, count) in [
        ("POST", 201, Some(2.0)),
        ("POST", 400, Some(2.0)),
        ("GET", 404, Some(1.0)),
        ("DELETE", 405, Some(1.0)),
    ] {
        assert_eq!(server.series(&requests(messages, method, status)).await, count, "{method} {status}");
    }
    let seconds = format!(r#"{{method="POST",route="{messages}"}}"#);
    let seconds = |kind: &str| format!("greenroom_http_request_duration_seconds_{kind}{seconds}");
    assert_eq!(server.series(&seconds("count")).await, Some(4.0));
    assert!(server.series(&seconds("sum")).await.unwrap() > 0.0);
}

#[actix_rt::test(system = "crate::System")]
async fn who_is_turned_away_at_the_door_is_counted_too() {
    let server = Server::watched().await;
    let nobody = server.anonymous();
    nobody.get("chats/7/messages/").await.expect(401);
    nobody.get("no/such/thing/").await.expect(401);
    nobody.send("GET", "/favicon.ico", None).await.expect(404);
    nobody.send("GET", "/messages/ws/", None).await.expect(401);
    let messages = "/messages/api/chats/{chat}/messages/";
    assert_eq!(server.series(&requests(messages, "GET", 401)).await, Some(1.0));
    assert_eq!(server.series(&requests("other", "GET", 401)).await, Some(1.0));
    assert_eq!(server.series(&requests("other", "GET", 404)).await, Some(1.0));
    assert_eq!(server.series(&requests("/messages/ws", "GET", 401)).await, Some(1.0));
}

#[actix_rt::test(system = "crate::System")]
async fn no_address_makes_a_series_of_its_own() {
    let server = Server::watched().await;
    let ann = server.user("ann").await;
    for number in 0..20 {
        ann.get(&format!("chats/{number}/")).await.expect(404);
        ann.send("GET", &format!("/nothing/{number}"), None).await.expect(404);
        ann.send(&format!("X{number}"), "/messages/api/chats/", None).await.expect(405);
    }
    for reply in server.asks_for_metrics("GET", "/metrics").await {
        let text = String::from_utf8(reply.body).unwrap();
        let of = |line: &&str| line.starts_with("greenroom_http_requests_total{");
        assert!(text.lines().filter(of).count() <= 3, "{text}");
    }
}

#[actix_rt::test(system = "crate::System")]
async fn sockets_events_and_deliveries_are_counted() {
    let server = Server::watched().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("group", &[&bob]).await;
    let (mut ann_socket, mut bob_socket) = (ann.listens().await, bob.listens().await);
    assert_eq!(server.series("greenroom_sockets").await, Some(2.0));
    let delivered = r#"greenroom_deliveries_total{to="socket"}"#;
    let before = server.series(delivered).await.unwrap();
    for text in ["one", "two", "three"] {
        ann.posts(chat, text).await;
        ann_socket.receives("new_message").await;
        bob_socket.receives("new_message").await;
    }
    // `presence` events are counted too.
    assert!(server.series(delivered).await.unwrap() >= before + 6.0);
    let events = server.series(r#"greenroom_events_total{type="new_message"}"#).await;
    assert_eq!(events, Some(3.0 * nodes() as f64), "each node makes them known");
    assert_eq!(server.series(&requests("/messages/ws", "GET", 101)).await, Some(2.0));
    let root = server.staff("root").await;
    root.delete(&format!("users/{}/tokens/", bob.id)).await.expect(204);
    assert_eq!(bob_socket.is_closed().await, 4401);
    assert_eq!(server.series(r#"greenroom_sockets_closed_total{reason="signed_out"}"#).await, Some(1.0));
}

#[actix_rt::test(system = "crate::System")]
async fn a_socket_that_does_not_keep_up_is_counted_when_it_is_told_to_go_and_when_it_is_cut() {
    let server = Server::watched().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("group", &[&bob]).await;
    let _stuck = RawSocket::open(&bob, 4_096).await;
    let closed = |reason: &str| format!(r#"greenroom_sockets_closed_total{{reason="{reason}"}}"#);
    let (ann, text, deadline) = (ann.at(&server), "x".repeat(5_000), Instant::now() + DEADLINE);
    while server.series(&closed("too_slow")).await == Some(0.0) {
        assert!(Instant::now() < deadline, "the slow socket is closed");
        for _ in 0..20 {
            ann.posts(chat, &text).await;
        }
    }
    becomes(&server, "greenroom_sockets_cut_total", 1.0).await;
    becomes(&server, "greenroom_sockets", 0.0).await;
    assert_eq!(server.series(&closed("too_slow")).await, Some(1.0));
    assert_eq!(server.series(&closed("going_away")).await, Some(0.0));
}

#[actix_rt::test(system = "crate::System")]
async fn the_databases_time_is_counted() {
    let server = Server::watched().await;
    let ann = server.user("ann").await;
    let chat = ann.group("group", &[]).await;
    let done = r#"greenroom_writer_jobs_total{result="done"}"#;
    let before = server.series(done).await.unwrap();
    for number in 0..10 {
        ann.posts(chat, &number.to_string()).await;
    }
    assert!(server.series(done).await.unwrap() >= before + 10.0);
    let refused = r#"greenroom_writer_jobs_total{result="refused"}"#;
    let before = server.series(refused).await.unwrap();
    ann.delete("messages/999999/").await.expect(404);
    let repeat = json!({"content": "one", "client_id": "c"});
    ann.post(&format!("chats/{chat}/messages/"), repeat).await.expect(201);
    let other = json!({"content": "two", "client_id": "c"});
    ann.post(&format!("chats/{chat}/messages/"), other).await.expect(409);
    assert_eq!(server.series(refused).await, Some(before + 1.0));
    for histogram in ["writer_transaction", "writer_commit", "reader_wait", "reader_query"] {
        let of = |kind: &str| format!("greenroom_{histogram}_seconds_{kind}");
        assert!(server.series(&of("count")).await.unwrap() >= 1.0, "{histogram}");
        assert!(server.series(&of("sum")).await.unwrap() > 0.0, "{histogram}");
    }
    let jobs = server.series("greenroom_writer_batch_jobs_sum").await.unwrap();
    assert!(jobs >= server.series("greenroom_writer_batch_jobs_count").await.unwrap());
    becomes(&server, "greenroom_writer_queue_jobs", 0.0).await;
    becomes(&server, "greenroom_commands_under_way", 0.0).await;
    assert_eq!(server.series("greenroom_storage_up").await, Some(nodes() as f64));
}

#[actix_rt::test(system = "crate::System")]
async fn writes_are_timed_by_their_kind() {
    let server = Server::watched().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.group("group", &[&bob]).await;
    let message = ann.posts(chat, "one").await["id"].as_i64().unwrap();
    bob.posts(chat, "two").await;
    bob.post(&format!("messages/{message}/reactions/"), json!({"emoji": "👍"})).await.expect(200);
    ann.delete(&format!("messages/{message}/")).await.expect(204);
    ann.delete(&format!("messages/{message}/")).await.expect(404);
    bob.post(&format!("users/{}/block/", ann.id), json!({})).await.expect(200);
    ann.delete(&format!("chats/{chat}/")).await.expect(204);
    let kinds = [
        ("create_chat", 1.0),
        ("post_message", 2.0),
        ("react", 1.0),
        ("delete_message", 2.0),
        ("block_user", 1.0),
        ("delete_chat", 1.0),
    ];
    for (kind, count) in kinds {
        let of = |part: &str| format!(r#"greenroom_writer_job_seconds_{part}{{kind="{kind}"}}"#);
        assert_eq!(server.series(&of("count")).await, Some(count), "{kind}");
        assert!(server.series(&of("sum")).await.unwrap() > 0.0, "{kind}");
    }
    assert!(server.series(r#"greenroom_writer_job_seconds_count{kind="lock_chats"}"#).await.unwrap() >= 5.0);
}

#[actix_rt::test(system = "crate::System")]
async fn event_streams_and_long_polls_are_counted_while_they_are_open() {
    let server = Server::watched().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.dm(&bob).await;
    let known = ann.sees(chat).await["seq"].as_i64().unwrap();
    let polls = async {
        let body = json!({"chats": {chat.to_string(): known}, "wait": 20});
        ann.post("sync/", body).await.expect(200);
    };
    let meanwhile = async {
        becomes(&server, "greenroom_feed_readers", 1.0).await;
        bob.posts(chat, "hello").await;
    };
    futures_util::future::join(polls, meanwhile).await;
    becomes(&server, "greenroom_feed_readers", 0.0).await;
    assert!(server.series(r#"greenroom_deliveries_total{to="reader"}"#).await.unwrap() >= 1.0);
}

#[actix_rt::test(system = "crate::System")]
async fn the_format_is_prometheus_and_the_address_answers_nothing_else() {
    let server = Server::watched().await;
    for reply in server.asks_for_metrics("GET", "/metrics").await {
        assert_eq!(reply.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
        let text = String::from_utf8(reply.expect(200).body).unwrap();
        let (mut described, mut typed) = (BTreeSet::new(), BTreeSet::new());
        for line in text.lines() {
            let words: Vec<&str> = line.splitn(4, ' ').collect();
            match words.as_slice() {
                ["#", "HELP", name, help] if !help.is_empty() => assert!(described.insert(*name), "{line}"),
                ["#", "TYPE", name, "counter" | "gauge" | "histogram"] => {
                    assert!(typed.insert(*name), "{line}");
                }
                [series, value] if !series.starts_with('#') => {
                    assert!(value.parse::<f64>().is_ok(), "{line}");
                    let name = series.split('{').next().unwrap();
                    let of =
                        |suffix: &&str| name.strip_suffix(suffix).is_some_and(|name| typed.contains(name));
                    assert!(typed.contains(name) || ["_bucket", "_sum", "_count"].iter().any(of), "{line}");
                }
                _ => panic!("{line}"),
            }
        }
        assert_eq!(described, typed);
        assert!(
            typed.contains("process_cpu_seconds_total") && typed.contains("process_resident_memory_bytes")
        );
        assert_eq!(typed.contains("greenroom_bus_connected"), nodes() > 1);
    }
    for path in ["/", "/metrics/x", "/messages/api/chats/", "/healthz"] {
        for reply in server.asks_for_metrics("GET", path).await {
            reply.expect(404);
        }
    }
    let nobody = server.anonymous();
    nobody.send("GET", "/metrics", None).await.expect(404);
}

/// Collects all strings under `expr` and `query` in a dashboard, at any depth.
fn queries(dashboard: &Value, found: &mut Vec<String>) {
    match dashboard {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if name == "expr" || name == "query" => found.push(text.clone()),
                    other => queries(other, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| queries(value, found)),
        _ => {}
    }
}

/// Returns the metrics that a query names.
fn metrics_in(query: &str) -> impl Iterator<Item = &str> {
    let words = query.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("greenroom_") || word.starts_with("process_"))
}

/// Returns the labels with values in a query, without those that Prometheus adds.
fn labels_in(query: &str) -> Vec<String> {
    let braces = query.split('{').skip(1).filter_map(|rest| rest.split("\"}").next());
    let labels = braces.flat_map(|inside| inside.split("\",").filter_map(|label| label.split_once("=\"")));
    let own = labels.filter(|(name, _)| !["job", "instance"].contains(&name.trim_end_matches('!')));
    own.map(|(name, value)| format!("{}=\"{}\"", name.trim_end_matches('!'), value.trim_end_matches('"')))
        .collect()
}

#[actix_rt::test(system = "crate::System")]
async fn the_dashboard_and_the_alerts_name_nothing_that_is_not_there() {
    let server = Server::watched().await;
    let ann = server.user("ann").await;
    let chat = ann.group("group", &[]).await;
    ann.posts(chat, "hello").await;
    ann.post("sync/", json!({"chats": {}})).await.expect(200);
    let mut text = String::new();
    for reply in server.asks_for_metrics("GET", "/metrics").await {
        text.push_str(&String::from_utf8(reply.expect(200).body).unwrap());
    }
    let names: BTreeSet<&str> = text.split(['\n']).filter_map(|line| line.split(['{', ' ']).next()).collect();
    let mut all = Vec::new();
    queries(&serde_json::from_str(include_str!("../../docs/deploy/grafana.json")).unwrap(), &mut all);
    let dashboard = all.len();
    let rules = include_str!("../../docs/deploy/prometheus-rules.yml");
    all.extend(rules.lines().filter_map(|line| line.trim().strip_prefix("expr: ").map(str::to_owned)));
    assert!(dashboard > 40 && all.len() > dashboard + 8, "{dashboard} of {}", all.len());
    let (mut named, mut labelled) = (BTreeSet::new(), 0);
    for query in &all {
        for metric in metrics_in(query).filter(|name| nodes() > 1 || !name.starts_with("greenroom_bus_")) {
            assert!(names.contains(metric), "there is no {metric} for {query}");
            named.insert(metric);
        }
        for label in labels_in(query).iter().filter(|label| !label.contains("=~") && !label.contains('$')) {
            assert!(text.contains(label.as_str()), "there is no {label} for {query}");
            labelled += 1;
        }
    }
    assert!(labelled > 5, "{labelled} labels are looked for");
    // The dashboard shows every metric.
    let shown = |name: &&&str| {
        let family = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix));
        named.iter().any(|shown| shown == *name || family.is_some_and(|family| shown.starts_with(family)))
    };
    let unseen: Vec<_> =
        names.iter().filter(|name| name.starts_with("greenroom_")).filter(|name| !shown(name)).collect();
    assert!(unseen.is_empty(), "{unseen:?}");
}
