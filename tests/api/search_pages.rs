//! Pages of search results, by number and by message id.

use greenroom::{
    core::model::{ChatId, Command, UserCard, UserId, command::Action, text::MessageBody},
    storage::commands::apply,
};
use serde_json::{Value, json};
use std::sync::Arc;

use crate::support::{Server, User};

/// Posts many messages through the writer, which is faster.
pub(crate) async fn posts_many(server: &Server, sender: &User, chat: i64, texts: Vec<String>) {
    let by = UserId(sender.id);
    let card = UserCard {
        id: by,
        username: String::new(),
        display_name: String::new(),
        avatar_url: None,
        is_guest: false,
    };
    let card = Arc::new(card);
    for part in texts.chunks(50) {
        let (part, card) = (part.to_vec(), card.clone());
        let posted = server.writer().run("post_message", move |conn, policy| {
            for text in &part {
                let body = MessageBody::parse(text).unwrap();
                let action = Action::PostMessage { sender: card.clone(), new: body.into() };
                apply(conn, policy, &Command { chat: ChatId(chat), by, action })?;
            }
            Ok(())
        });
        posted.await.unwrap();
    }
}

/// Returns the ids of all messages of a chat that contain a word, newest first.
async fn all_with(user: &User, chat: i64, word: &str) -> Vec<i64> {
    let mut found = Vec::new();
    let mut page = user.get(&format!("chats/{chat}/messages/?page_size=100")).await.expect(200);
    loop {
        let has = |message: &&Value| message["content"].as_str().unwrap().contains(word);
        found.extend(page.results().iter().filter(has).map(|message| message["id"].as_i64().unwrap()));
        if page.json["next"].is_null() {
            return found;
        }
        page = user.follows(&page.json["next"]).await;
    }
}

#[actix_rt::test(system = "crate::System")]
async fn pages_lead_on_and_back_through_all_hits() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let (chat, other) = (ann.dm(&bob).await, bob.dm(&bob).await);
    let text = |number: i64| if number % 3 == 0 { "even odder" } else { "common word" };
    posts_many(&server, &ann, chat, (0..100).map(|number| text(number).to_owned()).collect()).await;
    posts_many(&server, &bob, other, vec!["a word of one's own".to_owned(); 30]).await;
    posts_many(&server, &ann, chat, (0..100).map(|number| text(number).to_owned()).collect()).await;

    let expected = all_with(&ann, chat, "word").await;
    for path in [format!("search/?q=word&page_size=7&chat={chat}"), "search/?q=word&page_size=7".to_owned()] {
        let mut page = ann.get(&path).await.expect(200);
        assert_eq!(page.json["previous"], Value::Null);
        let (mut found, mut pages) = (page.ids(), vec![page.clone()]);
        while !page.json["next"].is_null() {
            page = ann.follows(&page.json["next"]).await;
            assert_eq!(page.json["count"], expected.len());
            found.extend(page.ids());
            pages.push(page.clone());
        }
        assert_eq!(found, expected);
        assert_eq!(page.json["next"], Value::Null);
        for earlier in pages.iter().rev().skip(1) {
            page = ann.follows(&page.json["previous"]).await;
            assert_eq!(page.json, earlier.json);
        }
        assert_eq!(page.json["previous"], Value::Null);
    }

    // By number.
    for (number, ids) in expected.chunks(50).enumerate() {
        let page = ann.get(&format!("search/?q=word&page={}", number + 1)).await.expect(200);
        assert_eq!(page.ids(), ids);
    }
    let (first, second) = (ann.get("search/?q=word").await, ann.get("search/?q=word&page=2").await);
    assert_eq!(ann.follows(&second.json["previous"]).await.json, first.json);
    assert_eq!(ann.follows(&first.json["next"]).await.ids(), second.ids());
    for page in ["0", "-1", "x", "99", "99999999999999999999"] {
        let none = ann.get(&format!("search/?q=word&page={page}")).await.expect(404).json;
        assert_eq!(none, json!({"detail": "Invalid page."}), "{page}");
    }
    let nothing = ann.get("search/?q=nowhere&page=1").await.expect(200).json;
    assert_eq!(
        nothing,
        json!({"count": 0, "next": null, "previous": null, "results": [], "is_complete": true})
    );
}

#[actix_rt::test(system = "crate::System")]
async fn any_id_is_a_place_to_look_from() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.dm(&bob).await;
    posts_many(&server, &ann, chat, vec!["word".to_owned(); 10]).await;
    let all = ann.get("search/?q=word").await.expect(200).ids();
    let found = async |query: &str| ann.get(&format!("search/?q=word&{query}")).await.expect(200).ids();
    assert_eq!(found(&format!("before={}", all[3])).await, all[4..]);
    assert_eq!(found(&format!("before={}", i64::MAX)).await, all);
    assert_eq!(found("before=999999999999999999999999").await, all);
    for before in ["0", "-5", "-99999999999999999999999"] {
        assert!(found(&format!("before={before}")).await.is_empty(), "{before}");
    }
    assert_eq!(found(&format!("before={}&after={}", all[2], all[6])).await, all[3..6]);
    assert_eq!(found(&format!("after={}&page_size=2", all[6])).await, all[..2]);
    assert!(found("after=999999999999999999999999").await.is_empty());
    assert_eq!(found("after=-99999999999999999999999").await, all);
}

#[actix_rt::test(system = "crate::System")]
async fn hits_are_counted_up_to_a_thousand() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.dm(&bob).await;
    let exact = (0..1_000).map(|number| format!("word {number}"));
    posts_many(&server, &ann, chat, exact.collect()).await;
    let page = ann.get("search/?q=word&page=10&page_size=100").await.expect(200);
    assert_eq!(
        (&page.json["count"], page.ids().len(), &page.json["next"]),
        (&json!(1_000), 100, &Value::Null)
    );

    let more = (0..130).map(|number| format!("further word {number}"));
    posts_many(&server, &ann, chat, more.collect()).await;
    let all = all_with(&ann, chat, "word").await;
    let last = ann.get("search/?q=word&page=10&page_size=100").await.expect(200);
    assert_eq!((last.json["count"].as_i64(), last.ids()), (Some(1_000), all[900..1_000].to_vec()));
    ann.get("search/?q=word&page=11&page_size=100").await.expect(404);
    // Pages beyond the numbered ones, by id, and back.
    let beyond = ann.follows(&last.json["next"]).await;
    assert_eq!((beyond.json["count"].as_i64(), beyond.ids()), (Some(1_000), all[1_000..1_100].to_vec()));
    let end = ann.follows(&beyond.json["next"]).await;
    assert_eq!((end.ids(), &end.json["next"]), (all[1_100..].to_vec(), &Value::Null));
    let back = ann.follows(&end.json["previous"]).await;
    assert_eq!(back.ids(), beyond.ids());
    assert_eq!(ann.follows(&back.json["previous"]).await.ids(), last.ids());
}
