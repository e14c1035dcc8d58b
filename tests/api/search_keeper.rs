//! The background indexer of running servers.

use diesel::connection::SimpleConnection;
use greenroom::storage::{Access, DatabaseUrl, message_search::orphaned_segments};
use serde_json::json;
use tokio::time::timeout;

use super::search_index::long;
use crate::support::{
    DEADLINE, Server, User, encoded,
    segments::{MEMOS, fills_a_segment, indexed_beyond},
};

#[actix_rt::test(system = "crate::System")]
async fn a_running_server_indexes_what_is_posted() {
    let server = Server::start().await;
    let [ann, bob, eve] = server.users(["ann", "bob", "eve"]).await;
    let (dm, other) = (ann.dm(&bob).await, ann.dm(&eve).await);
    let first = ann.posts(dm, "the very first needle").await;
    for number in 0..60 {
        let chat = if number % 2 == 0 { dm } else { other };
        ann.posts(chat, &long(&format!("number{number} haystack"))).await;
    }
    let indexed = indexed_beyond(&server, &first).await;
    let newest = ann.posts(other, "the newest is not indexed").await;
    assert!(indexed < newest["id"].as_i64().unwrap());
    let count = async |user: &User, query: &str| {
        user.get(&format!("search/?q={}", encoded(query))).await.expect(200).json["count"].as_i64().unwrap()
    };
    assert_eq!((count(&ann, "haystack").await, count(&bob, "haystack").await), (60, 30));
    assert_eq!(
        (count(&ann, "number1").await, count(&bob, "number1").await, count(&eve, "number1").await),
        (11, 5, 6)
    );
    assert_eq!((count(&bob, "first needle").await, count(&eve, "first needle").await), (1, 0));
    ann.edits(&first, "no longer that").await;
    assert_eq!((count(&bob, "needle").await, count(&bob, "longer").await), (0, 1));
    ann.deletes(&first).await;
    assert_eq!(count(&bob, "longer").await, 0);
    let page = bob.get("search/?q=haystack&page_size=1").await.expect(200);
    assert_eq!(page.results()[0]["highlights"], json!([[9, 17]]));
}

#[actix_rt::test(system = "crate::System")]
async fn what_a_killed_process_left_of_the_index_is_cleared_away() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let notes = ann.post("chats/", json!({"chat_type": "dm"})).await.id();
    fills_a_segment(&server, &ann, notes).await;
    let database = server.stop();
    let mut conn = DatabaseUrl::parse(&database.url()).unwrap().open(Access::Write).unwrap();
    conn.batch_execute(
        "INSERT INTO search_postings (segment, slot, postings) SELECT 7, slot, postings FROM search_postings",
    )
    .unwrap();
    drop(conn);
    let server = Server::start_on(database, |_| {}).await;
    let waiting = async {
        while server.readers().query_one(orphaned_segments).await.unwrap().contains(&7) {
            crate::support::pause().await;
        }
    };
    timeout(DEADLINE, waiting).await.expect("it is cleared away in time");
    let found = ann.at(&server).get("search/?q=memo").await.expect(200).json;
    assert_eq!(found["count"], MEMOS);
}
