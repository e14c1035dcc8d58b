//! Checks of attachments: that messages show what is stored for them, and that files know who shows them.

use std::collections::BTreeMap;

use super::checker::{Checked, Checker, Report};
use crate::{
    core::model::Attachment,
    storage::{AnyConn, StorageError, db::sql::sql, tables::attachments},
};

/// Checks the attachments of a chat's messages.
pub(super) fn check(checker: &mut Checker<'_>, messages: &[Checked]) -> Result<(), StorageError> {
    let rows =
        sql!("SELECT id FROM attachments WHERE chat_id = ? AND message_id > 0 ORDER BY id", checker.chat)
            .rows::<i64>(checker.conn)?;
    let mut stored: BTreeMap<i64, Vec<Attachment>> = BTreeMap::new();
    for upload in attachments::with_ids(checker.conn, &rows)? {
        if let Some((message, attachment)) = upload.message.zip(upload.attachment) {
            stored.entry(message.0).or_default().push(attachment);
        }
    }
    for message in messages {
        let mut shown = Attachment::list_from_stored(message.attachments.as_deref());
        shown.sort_unstable_by_key(|attachment| attachment.id);
        let mut stored = stored.remove(&message.id).unwrap_or_default();
        stored.sort_unstable_by_key(|attachment| attachment.id);
        if shown != stored {
            let what = format!("the attachments of message {}", message.id);
            checker.differs(&what, format!("{shown:?}"), format!("{stored:?}"));
        }
    }
    let orphaned: Vec<i64> = stored.into_keys().collect();
    orphaned.into_iter().for_each(|id| checker.differs("the message of an attachment", id, "none"));
    Ok(())
}

/// Checks that each file has as many references as attachments, and that the counts of bytes are right.
pub(super) fn check_files(conn: &mut AnyConn, report: &mut Report) -> Result<(), StorageError> {
    let wrong = sql!(
        "SELECT f.id, f.reference_count, (SELECT count(*) FROM attachments a WHERE a.file_id = f.id) FROM stored_files f \
         WHERE f.reference_count <> (SELECT count(*) FROM attachments a WHERE a.file_id = f.id) ORDER BY f.id"
    );
    for (file, stored, counted) in wrong.rows::<(i64, i64, i64)>(conn)? {
        let what = format!("attachment file {file}: its references are {stored}, counted {counted}");
        report.differences.push(what);
    }
    let lost = sql!(
        "SELECT a.id, a.file_id FROM attachments a WHERE a.state <> 'blocked' \
         AND NOT EXISTS (SELECT 1 FROM stored_files f WHERE f.id = a.file_id) ORDER BY a.id"
    );
    for (attachment, file) in lost.rows::<(i64, i64)>(conn)? {
        report.differences.push(format!("attachment {attachment}: its file {file} has no row"));
    }
    let counted = sql!(
        "SELECT user_id, CAST(sum(size) AS BIGINT) FROM stored_files WHERE reference_count > 0 GROUP BY user_id"
    );
    let mut counted: BTreeMap<i64, i64> = counted.rows::<(i64, i64)>(conn)?.into_iter().collect();
    counted.insert(0, counted.values().sum());
    counted.retain(|_, bytes| *bytes != 0);
    let stored = sql!("SELECT user_id, bytes FROM file_usage WHERE bytes <> 0");
    let stored: BTreeMap<i64, i64> = stored.rows::<(i64, i64)>(conn)?.into_iter().collect();
    if stored != counted {
        report
            .differences
            .push(format!("the bytes of attachments by user are {stored:?}, counted {counted:?}"));
    }
    Ok(())
}
