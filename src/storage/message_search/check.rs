//! Consistency check of the search index: rebuilds it and compares it with what is stored.

use std::cell::RefCell;

use super::{
    indexer::rebuild,
    pending_changes,
    segments::{self, CHATS},
    texts,
};
use crate::{
    core::text_index::{
        Positions,
        segment::{SPAN, find},
    },
    storage::{AnyConn, StorageError, db::sql::sql},
};

/// Returns one sentence per difference. Segments with pending changes are not compared.
pub fn differences(conn: &mut AnyConn) -> Result<Vec<String>, StorageError> {
    let mut differences = Vec::new();
    let mut segments = segments::with_messages(conn, 0..i64::MAX)?;
    segments.reverse();
    let mut expected = 1;
    for row in segments {
        let (first_id, last_id) = (row.first_id, row.last_id);
        let name = format!("the search index of messages {first_id} to {last_id}");
        if first_id < expected {
            differences.push(format!("{name} overlaps with the one before"));
        } else if !texts::first(conn, expected..first_id, 1)?.is_empty() {
            differences.push(format!("{name} does not follow the one before"));
        }
        expected = last_id + 1;
        let is_settled = pending_changes::of(conn, first_id..last_id + 1)?.is_empty();
        if is_settled && !agree(&stored(conn, row.id)?, rebuild(conn, &[row])?.postings()) {
            differences.push(format!("{name} differs from them"));
        }
    }
    Ok(differences)
}

/// The postings of a slot.
type Slot = (i64, Vec<u8>);

/// Returns whether stored postings are those of the messages. The list of chats may still name tombstones that were
/// purged together with their chat: no text of theirs can be found.
fn agree(stored: &[Slot], rebuilt: &[Slot]) -> bool {
    let is_text = |(slot, _): &&Slot| *slot != CHATS;
    if !stored.iter().filter(is_text).eq(rebuilt.iter().filter(is_text)) {
        return false;
    }
    let chats = |slots: &'_ [Slot]| {
        slots.iter().find(|(slot, _)| *slot == CHATS).map(|(_, postings)| postings.clone())
    };
    let (stored, rebuilt) = (chats(stored).unwrap_or_default(), chats(rebuilt).unwrap_or_default());
    let of = |postings: &[u8], first: u64, last: u64| {
        let mut found = Positions::none(SPAN);
        find(postings, first..=last, |_| true, &mut found);
        found
    };
    let (present, keys) = (of(&rebuilt, 0, u64::MAX), RefCell::new(Vec::new()));
    let note = |chat| {
        keys.borrow_mut().push(chat);
        false
    };
    find(&rebuilt, 0..=u64::MAX, note, &mut Positions::none(0));
    keys.into_inner().into_iter().all(|chat| {
        let mut found = of(&stored, chat, chat);
        found.intersect(&present);
        found == of(&rebuilt, chat, chat)
    })
}

/// Returns the stored postings of a segment by slot.
fn stored(conn: &mut AnyConn, segment: i64) -> Result<Vec<Slot>, StorageError> {
    Ok(sql!("SELECT slot, postings FROM search_postings WHERE segment = ? ORDER BY slot", segment)
        .rows(conn)?)
}
