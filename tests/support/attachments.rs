//! What users do with attachments.

use serde_json::{Value, json};

use super::{Reply, User};

/// Announces an upload.
pub(crate) async fn announces(user: &User, chat: i64, name: &str, size: usize) -> Reply {
    user.post("uploads/", json!({"name": name, "size": size, "chat": chat})).await
}

/// Sends the bytes of an upload, without the credential of the user.
pub(crate) async fn sends_bytes(user: &User, upload: &Value, bytes: &[u8]) -> Reply {
    let mut nobody = user.clone();
    nobody.headers.clear();
    let url = upload["put_url"].as_str().unwrap();
    // With a public URL it is absolute.
    let path = &url[url.find("/messages/").unwrap()..];
    nobody.send_raw("PUT", path, None, bytes.to_vec()).await
}

pub(crate) async fn completes(user: &User, upload: &Value) -> Reply {
    user.call("POST", &format!("uploads/{}/complete/", upload["id"]), None).await
}

/// Uploads a file. Returns the attachment.
pub(crate) async fn uploads(user: &User, chat: i64, name: &str, bytes: &[u8]) -> Value {
    let upload = announces(user, chat, name, bytes.len()).await.expect(201).json;
    sends_bytes(user, &upload, bytes).await.expect(200);
    completes(user, &upload).await.expect(200).json
}

/// Sends uploads in a message.
pub(crate) async fn shares(user: &User, chat: i64, text: &str, uploads: &[&Value]) -> Value {
    let ids: Vec<&Value> = uploads.iter().map(|upload| &upload["id"]).collect();
    let body = json!({"content": text, "attachments": ids});
    user.post(&format!("chats/{chat}/messages/"), body).await.expect(201).json
}

/// Fetches an attachment by its address.
pub(crate) async fn fetches(user: &User, attachment: &Value) -> Reply {
    user.send("GET", attachment["url"].as_str().unwrap(), None).await
}
