//! Segments of the search index, made by a running server.

use actix_web::rt::time::timeout;
use greenroom::storage::message_search::indexed_up_to;
use serde_json::Value;

use super::{DEADLINE, Server, User};

/// Number of messages that [`fills_a_segment`] posts.
pub(crate) const MEMOS: usize = 30;

/// Posts enough messages, `memo 0` and so on, for a segment of the search index. Waits until they are
/// indexed.
pub(crate) async fn fills_a_segment(server: &Server, user: &User, chat: i64) {
    let first = user.posts(chat, &memo(0)).await;
    for number in 1..MEMOS {
        user.posts(chat, &memo(number)).await;
    }
    indexed_beyond(server, &first).await;
}

fn memo(number: usize) -> String {
    format!("memo {number} {}", "🌊".repeat(4_900))
}

/// Waits until the index covers more than a message. Returns the highest indexed id.
pub(crate) async fn indexed_beyond(server: &Server, message: &Value) -> i64 {
    let waiting = async {
        loop {
            let indexed = server.readers().query_one(indexed_up_to).await.unwrap();
            if indexed > message["id"].as_i64().unwrap() {
                break indexed;
            }
            super::pause().await;
        }
    };
    timeout(DEADLINE, waiting).await.expect("it is indexed in time")
}
