use serde_json::json;

use crate::support::Server;

#[actix_web::test]
async fn a_group_begins_with_its_creator_as_admin() {
    let server = Server::start().await;
    let (ann, bob) = (server.user("ann").await, server.user("bob").await);
    let body = json!({"chat_type": "group", "title": " Team ", "member_ids": [bob.id, bob.id, ann.id]});
    let chat = ann.post("chats/", body).await.expect(201).json;
    assert_eq!(chat["title"], "Team");
    assert_eq!(chat["chat_type"], "group");
    assert_eq!(chat["admins"], json!([ann.id]));
    assert_eq!(chat["member_count"], 2);
    assert_eq!(chat["my_role"], "admin");
    assert_eq!(chat["seq"], 1);
    assert_eq!(bob.sees(&chat["id"]).await["my_role"], "member");
}

#[actix_web::test]
async fn who_is_added_hears_of_the_chat_and_then_of_what_happens_there() {
    let server = Server::start().await;
    let (ann, bob) = (server.user("ann").await, server.user("bob").await);
    let mut bobs = bob.listens().await;
    assert_eq!(bobs.hello["user_id"], bob.id);
    let chat = ann.group("Team", &[&bob]).await;
    let created = bobs.receives("chat_created").await;
    assert_eq!(created["chat"], bob.sees(chat).await);
    let message = ann.posts(chat, "hi").await;
    let event = bobs.receives("new_message").await;
    assert_eq!(event["message"], message);
    assert_eq!(event["chat_id"], chat);
    assert_eq!(event["seq"], message["seq"]);
}
