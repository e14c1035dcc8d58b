//! Operations on attachments, uploads and their files.

use std::time::Duration;

use greenroom::{
    core::model::{
        AltText, AttachmentId, AttachmentState, ChatId, Command, FileId, FileName, Preview, Timestamp,
        UserId,
        command::{Action as Asked, MessageEdit},
        text::MessageBody,
    },
    core::text_index::Words,
    storage::{
        AnyConn, StorageError,
        commands::{
            apply,
            uploads::{self, Reserved, UploadLimits, Writing},
        },
        maintenance::purge,
        message_search::pages::{self, RequestedPage, SearchRequest},
        queries::attachments as lists,
        tables::{
            attachments::{self, NewUpload},
            scans, stored_files,
        },
    },
};

use super::{Action, policy, reads, writes, writes::post_by};
use crate::world::*;

/// How long a complete upload may wait.
const DAY: Duration = Duration::from_secs(86_400);

pub(super) fn all() -> Vec<Action> {
    vec![
        reads("an attachment of a message", |conn, _| {
            lists::open_to(conn, SILENT, AttachmentId(7)).map(drop)
        }),
        reads("an attachment of nobody", |conn, _| lists::open_to(conn, SILENT, AttachmentId(999)).map(drop)),
        reads("the user of a link", |conn, _| lists::is_active(conn, SILENT).map(drop)),
        reads("the newest attachments of a chat", |conn, _| {
            lists::of_chat(conn, HISTORY, None, 51).map(drop)
        }),
        reads("older attachments of a chat", |conn, _| {
            lists::of_chat(conn, HISTORY, Some(AttachmentId(500)), 51).map(drop)
        }),
        reads("messages with attachments of a chat", |conn, _| find(conn, Some(HISTORY), Words::none())),
        reads("messages with attachments and a word", |conn, _| {
            find(conn, Some(HISTORY), Words::of("nothing").unwrap())
        }),
        reads("messages with attachments of all chats", |conn, _| find(conn, None, Words::none()))
            .at_most(130_000, "the limit of a search"),
        reads("uploads whose time is over", |conn, _| uploads::has_expired(conn).map(drop)),
        reads("files to be deleted", |conn, _| stored_files::dropped(conn, 100).map(drop))
            .at_most(5_000, "a hundred rows, which may be in as many pages"),
        reads("files, some at a time", |conn, _| stored_files::after(conn, FileId(500), 100).map(drop)),
        reads("whether a file is known", |conn, _| {
            stored_files::is_known(conn, FileId(7))?;
            stored_files::is_kept(conn, FileId(7)).map(drop)
        }),
        reads("files to be scanned", |conn, _| scans::due(conn, 100).map(drop)),
        reads("attachments of a file that is scanned", |conn, _| {
            scans::of_file(conn, FileId(5_000_007)).map(drop)
        }),
        writes("scan a file, and show the result", |conn, world| {
            let (file, message) = (FileId(10), world.message(HISTORY, 10));
            let claimed = Timestamp::now().after(DAY);
            scans::enqueue(conn, file)?;
            scans::claim(conn, file, claimed)?;
            scans::put_off(conn, file, (claimed, claimed))?;
            scans::set_verdict(conn, file, AttachmentState::Blocked)?;
            scans::finish(conn, file, claimed)?;
            let action = Asked::ShowScanned { message };
            apply(conn, &policy(), &Command { chat: HISTORY, by: TALKER, action }).map(drop)
        }),
        writes("end what an earlier process scanned", |conn, _| scans::end_claims(conn))
            .grows_with("the files that were being scanned"),
        writes("show previews, and remove one", |conn, world| {
            let message = world.message(HISTORY, 9);
            let edit =
                MessageEdit { body: MessageBody::parse("https://a.example").ok(), ..MessageEdit::default() };
            let preview = Preview {
                url: "https://a.example".to_owned(),
                title: "A".to_owned(),
                description: String::new(),
                site: String::new(),
                image: None,
                width: None,
                height: None,
            };
            for action in [
                Asked::EditMessage { message, edit },
                Asked::ShowPreviews { message, found: vec![preview] },
                Asked::RemovePreview { message, index: 0 },
            ] {
                apply(conn, &policy(), &Command { chat: HISTORY, by: TALKER, action })?;
            }
            Ok(())
        }),
        writes("announce, receive and complete an upload, and send it", |conn, _| send(conn).map(drop)),
        writes("an upload over a quota", |conn, _| {
            let limits = UploadLimits { site_bytes: Some(1), ..limits() };
            uploads::reserve(conn, TALKER, &new(5), limits).map(drop)
        }),
        writes("describe an upload", |conn, _| {
            let id = reserve(conn)?;
            uploads::describe(conn, TALKER, id, &AltText::default())?;
            attachments::describe(conn, id, &AltText::default()).map(drop)
        }),
        writes("cancel an upload", |conn, _| {
            let id = reserve(conn)?;
            uploads::cancel(conn, TALKER, id)
        }),
        writes("delete a message with an attachment", |conn, world| {
            let action = Asked::DeleteMessage { message: world.message(HISTORY, 9) };
            apply(conn, &policy(), &Command { chat: HISTORY, by: TALKER, action }).map(drop)
        }),
        writes("forward an attachment", |conn, world| {
            let mut action = post_by(SILENT, None);
            if let Asked::PostMessage { new, .. } = &mut action {
                new.forward = Some(world.message(HISTORY, 8));
            }
            apply(conn, &policy(), &Command { chat: HISTORY, by: SILENT, action }).map(drop)
        }),
        writes("remove uploads whose time is over", |conn, _| uploads::remove_expired(conn).map(drop)),
        writes("forget deleted files", |conn, _| {
            stored_files::forget(conn, &[FileId(2_000_001), FileId(2_000_002)])
        }),
        writes("end what an earlier process wrote", |conn, _| stored_files::end_all_writing(conn)),
        writes("hand over the uploads of a guest", |conn, _| {
            attachments::hand_over(conn, ChatId(4), (UserId(1_001), SILENT))
        })
        .grows_with("the uploads of the chat that are not sent"),
        writes("clear out the attachments of a deleted chat", |conn, _| purge::step(conn).map(drop)),
    ]
}

fn find(conn: &mut AnyConn, chat: Option<ChatId>, words: Words) -> Result<(), StorageError> {
    let page = RequestedPage::From { skip: 0, size: 20 };
    let question = SearchRequest { words, has_file: true, chat, after: 0, page };
    pages::page(conn, &policy(), SILENT, &question).map(drop)
}

fn limits() -> UploadLimits {
    UploadLimits { pending_max: 5, user_bytes: Some(1_000), site_bytes: Some(1_000_000_000) }
}

fn new(size: i64) -> NewUpload {
    let name = FileName::parse("a.txt").unwrap();
    NewUpload { chat: HISTORY, name, size, sha256: None, alt: AltText::default() }
}

fn reserve(conn: &mut AnyConn) -> Result<AttachmentId, StorageError> {
    match uploads::reserve(conn, TALKER, &new(5), limits())? {
        Reserved::Made { id, .. } => Ok(id),
        other => panic!("{other:?}"),
    }
}

fn send(conn: &mut AnyConn) -> Result<(), StorageError> {
    let id = reserve(conn)?;
    let Writing::Begun(upload) = uploads::begin_receiving(conn, id, "one", DAY)? else {
        panic!("it may be written")
    };
    stored_files::go_on_writing(conn, upload.file, "one", Timestamp::now().after(DAY))?;
    stored_files::end_writing(conn, upload.file, "one")?;
    let Writing::Begun(upload) = uploads::begin_completing(conn, TALKER, id, "complete-two")? else {
        panic!("it may be completed")
    };
    let found = greenroom::core::model::Attachment {
        id,
        name: "a.txt".to_owned(),
        size: 5,
        content_type: "text/plain".to_owned(),
        sha256: "0".repeat(64),
        width: None,
        height: None,
        blurhash: None,
        alt: String::new(),
        state: AttachmentState::Clean,
        thumbnails: Vec::new(),
    };
    let new = uploads::begin_replacing(conn, &upload, "complete-two")?;
    assert!(uploads::complete(conn, &upload, "complete-two", (&found, Some(new)), DAY)?);
    let mut action = post_by(TALKER, None);
    if let Asked::PostMessage { new, .. } = &mut action {
        new.attachments = vec![id];
    }
    apply(conn, &policy(), &Command { chat: HISTORY, by: TALKER, action }).map(drop)
}
