//! A full disk.

use serde_json::json;

use crate::program::{Program, greenroom};

#[actix_rt::test(system = "crate::System")]
async fn a_full_disk_refuses_writes_serves_reads_and_is_recovered_from() {
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite://{}", folder.path().join("test.db").display());
    greenroom(&database, &["demo"]);
    let token = greenroom(&database, &["token", "create", "alice"]).trim().to_owned();
    let server = Program::serve_with_file_limit(&database, 2_000);
    let mut posted = 0;
    let post = |length: usize| {
        let body = json!({"content": "x".repeat(length)});
        server.request("POST", "chats/1/messages/", &token, Some(body))
    };
    // Where a long message finds no room, a short one may.
    for length in [5_000, 1] {
        let refused = loop {
            match post(length).await.unwrap() {
                (201, _) => posted += 1,
                refused => break refused,
            }
        };
        assert!(posted > 50, "{posted}");
        assert_eq!(refused, (503, json!({"error": "Service unavailable"})));
    }
    // The write that this check tries is smaller still, and uses up the last room.
    while server.request_at("GET", "/readyz", &token, None).await.unwrap().0 != 503 {
        assert_eq!(post(1).await.unwrap().0, 503);
    }
    assert_eq!(server.request_at("GET", "/healthz", &token, None).await.unwrap().0, 200);
    let (status, page) = server.request("GET", "chats/1/messages/", &token, None).await.unwrap();
    assert_eq!((status, &page["count"]), (200, &json!(posted + 2)));
    server.lift_file_limit();
    assert_eq!(server.request_at("GET", "/readyz", &token, None).await.unwrap().0, 200);
    assert_eq!(post(5_000).await.unwrap().0, 201);
    let (_, page) = server.request("GET", "chats/1/messages/", &token, None).await.unwrap();
    assert_eq!(page["count"], posted + 3);
    drop(server);
    assert!(greenroom(&database, &["check"]).ends_with(" 0 differences found\n"));
}
