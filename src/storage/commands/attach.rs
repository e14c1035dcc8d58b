//! The attachments of new messages.

use std::{
    collections::{BTreeMap, HashMap},
    ptr,
};

use super::messages::Post;
use crate::{
    core::model::{
        Attachment, AttachmentId, AttachmentState, FieldErrors, FileId, Message, NewMessage, Refusal,
    },
    storage::{
        AnyConn, StorageError, StoragePolicy,
        tables::{
            attachments::{self, Attached, Upload},
            scans, stored_files,
        },
    },
};

/// The field of a request that lists uploads.
const FIELD: &str = "attachments";

/// The uploads that the posts of a batch send.
#[derive(Default)]
pub(super) struct Uploads(HashMap<AttachmentId, Claimed>);

/// An upload, and the first post of the batch that sends it.
struct Claimed {
    upload: Upload,
    by: Option<*const NewMessage>,
}

impl Uploads {
    /// Loads the uploads of these posts. Where they send none, it takes no statement.
    pub(super) fn of(conn: &mut AnyConn, posts: &[Post]) -> Result<Self, StorageError> {
        let mut ids: Vec<i64> =
            posts.iter().flat_map(|post| &post.new.attachments).map(|upload| upload.0).collect();
        if ids.is_empty() {
            return Ok(Self::default());
        }
        ids.sort_unstable();
        ids.dedup();
        let found = attachments::with_ids(conn, &ids)?;
        let mut uploads: HashMap<AttachmentId, Claimed> =
            found.into_iter().map(|upload| (upload.id, Claimed { upload, by: None })).collect();
        for post in posts {
            for id in &post.new.attachments {
                if let Some(claimed) = uploads.get_mut(id) {
                    claimed.by.get_or_insert(ptr::from_ref(post.new));
                }
            }
        }
        Ok(Self(uploads))
    }

    /// Returns the attachments of a post: complete uploads of its sender for this chat, which are not sent yet.
    pub(super) fn find(&self, policy: &StoragePolicy, post: &Post) -> Result<Attached, Refusal> {
        let wanted = &post.new.attachments;
        let refused = |sentence: String| Refusal::from(FieldErrors::of(FIELD, sentence));
        if wanted.len() > policy.attachments_max {
            let max = policy.attachments_max;
            return Err(refused(format!("Ensure this field has no more than {max} elements.")));
        }
        let mut attached = Attached { uploads: wanted.clone(), ..Attached::default() };
        for id in wanted {
            let claimed = self
                .0
                .get(id)
                .filter(|claimed| claimed.upload.user == post.sender.id && claimed.upload.chat == post.chat);
            let claimed =
                claimed.ok_or_else(|| refused(format!("Invalid pk \"{id}\" - object does not exist.")))?;
            let is_sent = claimed.upload.message.is_some() || claimed.by != Some(ptr::from_ref(post.new));
            if is_sent {
                return Err(refused(format!("Upload {id} was sent already.")));
            }
            let attachment = claimed.upload.attachment.clone();
            attached.list.push(attachment.ok_or_else(|| refused(format!("Upload {id} is not complete.")))?);
        }
        Ok(attached)
    }
}

/// Adds copies of the attachments of a message that is forwarded.
pub(super) fn add_copies(
    conn: &mut AnyConn,
    attached: &mut Attached,
    sources: &[Attachment],
) -> Result<(), StorageError> {
    if sources.is_empty() {
        return Ok(());
    }
    for (source, id) in sources.iter().zip(attachments::draw_ids(conn, sources.len())?) {
        attached.copies.push((source.id, id, source.state));
        attached.list.push(Attachment { id, ..source.clone() });
    }
    Ok(())
}

/// Stores that a message has these attachments.
pub(super) fn link(conn: &mut AnyConn, message: &Message, attached: &Attached) -> Result<(), StorageError> {
    let mut by_state: BTreeMap<&str, (AttachmentState, Vec<i64>)> = BTreeMap::new();
    for upload in &attached.list[..attached.uploads.len()] {
        let (_, ids) = by_state.entry(upload.state.as_str()).or_insert((upload.state, Vec::new()));
        ids.push(upload.id.0);
    }
    for (state, ids) in by_state.into_values() {
        if attachments::send(conn, &ids, state, message.id)? < ids.len() {
            return Err(gone());
        }
    }
    for copy in &attached.copies {
        let place = (message.chat, message.id);
        let file = attachments::copy(conn, *copy, place, message.sender.id)?.ok_or_else(gone)?;
        // A blocked one has no file.
        if file != FileId(0) && !stored_files::add_reference(conn, file)? {
            return Err(gone());
        }
        if copy.2 == AttachmentState::Scanning {
            scans::enqueue(conn, file)?;
        }
    }
    Ok(())
}

/// Another transaction has removed an upload or an attachment meanwhile, or has scanned it. The next attempt finds that.
fn gone() -> StorageError {
    StorageError::Conflict(diesel::result::Error::NotFound)
}
