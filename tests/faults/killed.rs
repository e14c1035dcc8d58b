//! Servers killed with SIGKILL while they write.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use futures_util::future::join_all;
use rand::RngExt;
use serde_json::json;

use crate::program::{Program, greenroom};

const WRITERS: usize = 8;
pub(crate) const CHATS: i64 = 3;

/// Message ids of acknowledged messages by client id.
pub(crate) type Acknowledged = Arc<Mutex<BTreeMap<String, i64>>>;

#[actix_rt::test(system = "crate::System")]
async fn what_was_acknowledged_survives_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    survives_kill_9(&format!("sqlite://{}", folder.path().join("test.db").display()), 30).await;
}

/// Kills `cycles` servers on this database, each while it writes.
pub(crate) async fn survives_kill_9(database: &str, cycles: usize) {
    greenroom(database, &["user", "create", "ann", "--password", "correct horse"]);
    let token = greenroom(database, &["token", "create", "ann"]).trim().to_owned();
    let acknowledged = Acknowledged::default();
    for cycle in 0..cycles {
        let server = Program::serve(database);
        if cycle == 0 {
            make_chats(&server, &token).await;
        }
        let stop = Arc::new(AtomicBool::new(false));
        let enough = acknowledged.lock().unwrap().len() + rand::rng().random_range(20..120);
        let writers = (0..WRITERS)
            .map(|writer| write(&server, &token, (cycle, writer), stop.clone(), acknowledged.clone()));
        let kill = async {
            while acknowledged.lock().unwrap().len() < enough {
                crate::support::pause().await;
            }
            server.signal("KILL");
            stop.store(true, Ordering::Relaxed);
        };
        futures_util::future::join(join_all(writers), kill).await;
        drop(server);
        let report = greenroom(database, &["check"]);
        assert!(report.ends_with(" 0 differences found\n"), "{report}");
    }
    let acknowledged = acknowledged.lock().unwrap().clone();
    compare(database, &token, &acknowledged).await;
}

pub(crate) async fn make_chats(server: &Program, token: &str) {
    for number in 0..CHATS {
        let body = json!({"chat_type": "group", "title": format!("chat {number}")});
        let reply = server.request("POST", "chats/", token, Some(body)).await.unwrap();
        assert_eq!(reply.0, 201);
    }
}

/// Posts with new client ids until the server is killed. Messages without an acknowledgement are retried with
/// the next server.
async fn write(
    server: &Program,
    token: &str,
    (cycle, writer): (usize, usize),
    stop: Arc<AtomicBool>,
    acknowledged: Acknowledged,
) {
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        let key = format!("{cycle}-{writer}-{number}");
        let path = format!("chats/{}/messages/", number % CHATS + 1);
        let body = json!({"content": key, "client_id": key});
        // Send some requests twice: they must make one message.
        for _ in 0..1 + usize::from(number % 7 == 0) {
            if let Some((200 | 201, json)) = server.request("POST", &path, token, Some(body.clone())).await {
                let before = acknowledged.lock().unwrap().insert(key.clone(), json["id"].as_i64().unwrap());
                assert!(before.is_none_or(|id| json["id"] == id), "{key} made two messages");
            }
        }
        number += 1;
    }
}

/// Asserts that every acknowledged message is stored once, with its id.
pub(crate) async fn compare(database: &str, token: &str, acknowledged: &BTreeMap<String, i64>) {
    let server = Program::serve(database);
    let mut found = BTreeMap::new();
    for chat in 1..=CHATS {
        let mut ids = Vec::new();
        let mut before = i64::MAX;
        loop {
            let path = format!("chats/{chat}/messages/?page_size=100&before={before}");
            let (_, page) = server.request("GET", &path, token, None).await.unwrap();
            let results = page["results"].as_array().unwrap();
            for message in results {
                let id = message["id"].as_i64().unwrap();
                ids.push(id);
                let key = message["client_id"].as_str().unwrap().to_owned();
                assert!(found.insert(key.clone(), id).is_none(), "{key} is there twice");
            }
            match results.last() {
                Some(oldest) => before = oldest["id"].as_i64().unwrap(),
                None => break,
            }
        }
        assert_eq!(ids.len(), ids.iter().collect::<BTreeSet<_>>().len());
    }
    println!("{} messages acknowledged, {} stored", acknowledged.len(), found.len());
    for (key, id) in acknowledged {
        assert_eq!(found.get(key), Some(id), "{key} was acknowledged");
    }
}
