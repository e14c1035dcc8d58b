//! Commands over a socket: they equal the REST requests and are answered with `ack` or `error`.

use serde_json::{Value, json};

use crate::support::{Listener, Server, User};

impl Listener {
    /// Sends a command and returns its answer. Skips events that arrive before it.
    pub(crate) async fn asks(&mut self, command: Value) -> Value {
        self.says(&command.to_string()).await;
        loop {
            let frame = self.next().await;
            if ["ack", "error", "pong"].contains(&frame["type"].as_str().unwrap()) {
                assert_eq!(frame["id"], command["id"]);
                return frame;
            }
        }
    }
}

async fn three(server: &Server) -> (User, User, User) {
    (server.user("ann").await, server.user("bob").await, server.user("eve").await)
}

#[actix_rt::test(system = "crate::System")]
async fn a_message_sent_over_a_socket_is_acked_and_heard() {
    let server = Server::start().await;
    let (ann, bob, _) = three(&server).await;
    let chat = ann.group("Team", &[&bob]).await;
    let (mut ann_socket, mut bob_socket) = (ann.listens().await, bob.listens().await);
    let command =
        json!({"type": "send_message", "id": {"any": ["thing"]}, "chat_id": chat, "content": " hi "});
    let ack = ann_socket.asks(command).await;
    assert_eq!(ack["type"], "ack");
    assert_eq!(ack["message"]["content"], "hi");
    assert_eq!(bob_socket.receives("new_message").await["message"], ack["message"]);
    let id = &ack["message"]["id"];
    assert_eq!(bob.get(&format!("messages/{id}/")).await.json, ack["message"]);
}

#[actix_rt::test(system = "crate::System")]
async fn everything_that_rest_does_with_messages_a_socket_does_too() {
    let server = Server::start().await;
    let (ann, bob, _) = three(&server).await;
    let chat = ann.group("Team", &[&bob]).await;
    let (mut ann_socket, mut bob_socket) = (ann.listens().await, bob.listens().await);
    let id = ann.posts(chat, "one").await["id"].clone();
    bob_socket.receives("new_message").await;
    let ack = ann_socket.asks(json!({"type": "edit_message", "message_id": id, "content": "two"})).await;
    assert_eq!((&ack["type"], &ack["message"]["is_edited"]), (&json!("ack"), &json!(true)));
    assert_eq!(bob_socket.receives("message_updated").await["message"], ack["message"]);
    let react =
        |action: &str| json!({"type": "react", "id": 1, "message_id": id, "emoji": "❤", "action": action});
    for (action, result) in
        [("toggle", "added"), ("add", "added"), ("remove", "removed"), ("remove", "removed")]
    {
        let ack = ann_socket.asks(react(action)).await;
        assert_eq!(ack, json!({"type": "ack", "id": 1, "action": result, "emoji": "❤️", "message_id": id}));
    }
    assert_eq!(bob_socket.receives("reaction_updated").await["reactions"][0]["users"], json!([ann.id]));
    assert_eq!(bob_socket.receives("reaction_updated").await["reactions"], json!([]));
    let ack = bob_socket.asks(json!({"type": "mark_as_read", "id": "m", "chat_id": chat})).await;
    assert_eq!(ack, json!({"type": "ack", "id": "m", "marked_count": 1}));
    assert_eq!(bob.sees(chat).await["unread_count"], 0);
    let ack = bob_socket.asks(json!({"type": "typing", "chat_id": chat, "is_typing": true})).await;
    assert_eq!(ack, json!({"type": "ack"}));
    ann_socket.asks(json!({"type": "delete_message", "id": 2, "message_id": id})).await;
    assert_eq!(ann.reads(chat).await, [""]);
}

#[actix_rt::test(system = "crate::System")]
async fn refusals_bear_the_status_and_the_body_of_rest() {
    let server = Server::start().await;
    let (ann, bob, eve) = three(&server).await;
    let chat = ann.group("Team", &[&bob]).await;
    let id = ann.posts(chat, "hi").await["id"].clone();
    let (mut bob_socket, mut eve_socket) = (bob.listens().await, eve.listens().await);
    let not_found = json!({"type": "error", "status": 404, "detail": "Not found."});
    let for_outsiders = [
        json!({"type": "send_message", "chat_id": chat, "content": "let me in"}),
        json!({"type": "send_message", "chat_id": chat}),
        json!({"type": "send_message", "chat_id": 999, "content": "x"}),
        json!({"type": "send_message", "chat_id": "x", "content": "x"}),
        json!({"type": "edit_message", "message_id": id, "content": "x"}),
        json!({"type": "delete_message", "message_id": id}),
        json!({"type": "react", "message_id": id, "emoji": "x", "action": "x"}),
        json!({"type": "mark_as_read", "chat_id": chat}),
        json!({"type": "typing", "chat_id": chat, "is_typing": true}),
    ];
    for command in for_outsiders {
        assert_eq!(eve_socket.asks(command.clone()).await, not_found, "{command}");
    }
    let forbidden = bob_socket.asks(json!({"type": "delete_message", "message_id": id})).await;
    assert_eq!(forbidden["status"], 403);
    let invalid = bob_socket.asks(json!({"type": "send_message", "chat_id": chat, "content": " "})).await;
    assert_eq!((&invalid["status"], &invalid["error"]), (&json!(400), &json!("Invalid request")));
    assert_eq!(invalid["details"], json!({"content": ["This field may not be blank."]}));
    let missing = bob_socket.asks(json!({"type": "typing", "is_typing": true})).await;
    assert_eq!(missing["details"], json!({"chat_id": ["This field is required."]}));
    let send =
        |text: &str| json!({"type": "send_message", "chat_id": chat, "content": text, "client_id": "k"});
    let first = bob_socket.asks(send("one")).await;
    assert_eq!(bob_socket.asks(send("one")).await, first);
    assert_eq!(bob_socket.asks(send("two")).await["status"], 409);
    assert_eq!(ann.reads(chat).await, ["hi", "one"]);
}

#[actix_rt::test(system = "crate::System")]
async fn commands_are_done_and_answered_in_the_order_sent() {
    let server = Server::start_with(|config| config.socket_commands_per_second = 1_000).await;
    let (ann, bob, _) = three(&server).await;
    let chat = ann.group("Team", &[&bob]).await;
    let mut ann_socket = ann.listens().await;
    let target = ann.posts(chat, "target").await["id"].clone();
    ann_socket.receives("new_message").await;
    for number in 0..200 {
        let command = match number % 10 {
            9 => {
                json!({"type": "edit_message", "id": number, "message_id": target, "content": number.to_string()})
            }
            _ => {
                json!({"type": "send_message", "id": number, "chat_id": chat, "content": number.to_string()})
            }
        };
        ann_socket.says(&command.to_string()).await;
    }
    let (mut answered, mut done): (Vec<i64>, Vec<i64>) = Default::default();
    while answered.len() < 200 || done.len() < 200 {
        let frame = ann_socket.next().await;
        match frame["type"].as_str().unwrap() {
            "ack" => answered.push(frame["id"].as_i64().unwrap()),
            _ => done.push(frame["message"]["content"].as_str().unwrap().parse().unwrap()),
        }
    }
    let in_order: Vec<i64> = (0..200).collect();
    assert_eq!(answered, in_order);
    assert_eq!(done, in_order);
}

#[actix_rt::test(system = "crate::System")]
async fn commands_accepted_before_a_socket_broke_are_done() {
    let server = Server::start().await;
    let (ann, bob, _) = three(&server).await;
    let chat = ann.group("Team", &[&bob]).await;
    let (mut ann_socket, mut bob_socket) = (ann.listens().await, bob.listens().await);
    for number in 0..50 {
        let command = json!({"type": "send_message", "chat_id": chat, "content": number.to_string()});
        ann_socket.says(&command.to_string()).await;
    }
    ann_socket.says(r#"{"type": "ping"}"#).await;
    while ann_socket.next().await["type"] != "pong" {}
    drop(ann_socket);
    for number in 0..50 {
        assert_eq!(bob_socket.receives("new_message").await["message"]["content"], number.to_string());
    }
}
