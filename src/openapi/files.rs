//! Operations for attachments.

use serde_json::json;

use super::{
    builder::Reference,
    examples,
    operation::{id, text},
};
use crate::{
    api::{
        files::{FileLinkView, ListView},
        uploads::{ReceivedView, UploadView},
    },
    input::{DescriptionFields, UploadFields},
    view::AttachmentView,
};

const TAG: &str = "Attachments";

pub(crate) fn describe(reference: &mut Reference) {
    let upload = json!({
        "id": 3,
        "put_url": "/messages/uploads/3/mS3vT0dG8l2kq1ZJ0b8yYw",
        "headers": {},
        "expires_at": "2026-11-23T08:15:01.194618Z",
    });
    reference.api(TAG, "uploads/").post("createUpload", "Announce an upload", |operation| {
        operation
            .description(
                "Reserves space for a file of a message to come. For those who may write in the chat. 403 where the server takes \
                 no attachments, 413 for a file that is too large or has no space left (`left`), 429 for one more upload than \
                 may be incomplete.",
            )
            .takes::<UploadFields>(json!({ "name": "plan.pdf", "size": 48213, "chat": 1 }))
            .answers::<UploadView>(201, "Send the bytes to `put_url`, then complete the upload.", upload)
            .link(201, "file", &["completeUpload", "cancelUpload"])
            .errors(&[404, 413])
    });
    reference.api(TAG, "uploads/{file}/").patch("updateUpload", "Describe a picture", |operation| {
        operation
            .description(
                "Of a complete upload that is not sent. For its user. 409: not all bytes have arrived yet.",
            )
            .takes::<DescriptionFields>(json!({ "alt": "The plan of the house" }))
            .answers::<AttachmentView>(
                200,
                "The attachment.",
                examples::with(examples::attachment(), json!({ "alt": "The plan of the house" })),
            )
            .errors(&[409])
    });
    reference.api(TAG, "uploads/{file}/").delete("cancelUpload", "Cancel an upload", |operation| {
        operation
            .description("Also a complete one that is not sent. For its user.")
            .answers_nothing(204, "Cancelled. Its bytes go within 60 seconds.")
    });
    reference.api(TAG, "uploads/{file}/complete/").post("completeUpload", "Complete an upload", |operation| {
        operation
            .description(
                "Idempotent. For its user. 409: not all bytes have arrived yet, and it goes on. 400: they are others than \
                 announced, or of a type that is not allowed; the upload is then removed.",
            )
            .answers::<AttachmentView>(200, "The attachment, which can be sent.", examples::attachment())
            .errors(&[400, 409])
    });
    reference.open(TAG, "/messages/uploads/{file}/{key}").put("sendUploadBytes", "Send the bytes", |operation| {
        operation
            .description(
                "The address is from `put_url`, and is itself the credential. The body is the file. It may be of any length and \
                 duration, but ends after 60 seconds without a byte. It may be sent again until the upload is complete.",
            )
            .takes_bytes()
            .answers::<ReceivedView>(200, "The bytes have arrived.", json!({ "received": 48213 }))
            .errors(&[400, 404, 408, 409, 413])
    });
    files(reference);
}

fn files(reference: &mut Reference) {
    let listed = examples::with(
        examples::attachment(),
        json!({ "message": 5, "sender": examples::user(), "created_at": "2026-11-23T08:00:01.194618Z" }),
    );
    reference.api(TAG, "chats/{chat}/files/").get(
        "listChatFiles",
        "The attachments of a chat",
        |operation| {
            let size = json!({ "type": "integer", "minimum": 1, "maximum": 100, "default": 50 });
            operation
                .description("Newest first, with those in threads. For members.")
                .query("before", id(), "Only attachments after this one in the list.")
                .query("page_size", size, "Results on a page. More than 100 counts as 100.")
                .answers::<ListView>(
                    200,
                    "A page of attachments.",
                    json!({ "next": null, "results": [listed] }),
                )
                .errors(&[400])
        },
    );
    reference.api(TAG, "files/{file}/link/").get("getFileLink", "A link to a file", |operation| {
        let link = json!({
            "url": "/messages/api/files/3/plan.pdf?v=2.1795424701194618.mS3vT0dG8l2kq1ZJ0b8yYw",
            "expires_at": "2026-11-23T08:05:01.194618Z",
        });
        operation
            .description("It opens the file without a credential for five minutes, as long as the caller may read the chat.")
            .answers::<FileLinkView>(200, "The link.", link)
    });
    reference.api(TAG, "files/{file}/{name}").get("getFile", "The bytes of a file", |operation| {
        operation
            .description(
                "Any name will do. For those who may read the message, and before it is sent, for the user of the upload. What \
                 browsers could run is a download.",
            )
            .query("v", text(), "The signature of a link, in place of a credential.")
            .query("thumbnail", json!({ "type": "integer", "minimum": 1 }), "The longer edge of a thumbnail from `thumbnails`.")
            .header("Range", "One range of bytes. Several are answered with the whole file.")
            .answers_bytes(200, "The file.")
            .answers_bytes(206, "The range.")
            .answers_nothing(304, "Unchanged: `If-None-Match` has the current ETag.")
            .errors(&[416])
    });
}
