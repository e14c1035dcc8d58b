//! Empty query parameters, as forms and frameworks send them.

use crate::support::Server;

#[actix_rt::test(system = "crate::System")]
async fn an_empty_parameter_is_as_good_as_none() {
    let server = Server::start().await;
    let (ann, bob) = (server.user("ann").await, server.user("bob").await);
    let mut chats = Vec::new();
    for number in 0..12 {
        chats.push(ann.group(&number.to_string(), &[&bob]).await);
    }
    let room = ann.room("Hall").await;
    let chat = chats[0];
    for number in 0..3 {
        ann.posts(chat, &format!("hello {number}")).await;
    }
    ann.post(&format!("users/{}/block/", bob.id), serde_json::json!({})).await;
    let lists = [
        ("chats/".to_owned(), "page page_size chat_type search"),
        ("rooms/".to_owned(), "page page_size search object_type object_id"),
        (format!("chats/{chat}/messages/"), "page page_size before after search"),
        (format!("chats/{room}/members/"), "page page_size search"),
        ("users/blocked/".to_owned(), "page page_size"),
        ("search/?q=hello".to_owned(), "page page_size before after chat"),
        ("users/search/?q=b".to_owned(), "page page_size"),
    ];
    for (path, names) in lists {
        let plain = ann.get(&path).await.expect(200).json;
        for name in names.split(' ') {
            for value in ["", "%20", "+"] {
                let mark = if path.contains('?') { '&' } else { '?' };
                let reply = ann.get(&format!("{path}{mark}{name}={value}")).await.expect(200);
                assert_eq!(reply.json["results"], plain["results"], "{path} {name}={value}");
                assert_eq!(reply.json["count"], plain["count"], "{path} {name}={value}");
                assert_eq!(reply.json["previous"], plain["previous"], "{path} {name}={value}");
            }
        }
    }
    // The next page is the second.
    let first = ann.get("chats/?page=").await.expect(200);
    assert_eq!(ann.follows(&first.json["next"]).await.expect(200).results().len(), 3);
}
