//! Builds the segments of the index from stored messages.

use std::ops::Range;

use super::{
    pending_changes,
    segments::{self, CHATS, SegmentRow},
    texts,
};
use crate::{
    core::{
        model::{Timestamp, case_folding::fold},
        text_index::{
            Builder,
            segment::{SPAN, Segment},
        },
    },
    storage::{AnyConn, StorageError, tables::locks},
};

/// Messages read per query.
const BATCH: i64 = 256;

/// The size of a segment: its range of ids, and bytes of text.
#[derive(Debug, Clone, Copy)]
struct Extent {
    span: usize,
    size: usize,
}

/// Minimum size of a new segment. It is small, so that few messages must be scanned without an index.
const MIN_SEGMENT: Extent = Extent { span: 4_000, size: 512 << 10 };

/// Maximum size of a segment.
const MAX_SEGMENT: Extent = Extent { span: SPAN, size: 2 << 20 };

/// Reads messages newer than all segments until there are enough for another segment.
#[derive(Debug)]
pub struct Indexer {
    /// The last message id of the newest segment when reading began.
    after: i64,
    reading: Reading,
    /// The pending changes that the texts read so far already contain.
    changes: Vec<i64>,
}

/// A segment being built from consecutive messages.
#[derive(Debug, Default)]
struct Reading {
    first_id: i64,
    last_id: i64,
    builder: Builder,
}

/// The result of one step of reading.
#[derive(Debug)]
pub enum Progress {
    /// A segment is ready to be stored.
    Full(Finished),
    /// There are more messages to read.
    More,
    /// There are not enough messages for a segment yet.
    End,
}

impl Indexer {
    /// Starts after the newest segment.
    pub fn begin(conn: &mut AnyConn) -> Result<Self, StorageError> {
        let after = segments::last_id(conn)?;
        let reading = Reading { last_id: after, ..Reading::default() };
        Ok(Self { after, reading, changes: Vec::new() })
    }

    /// Reads on, within one snapshot of the database, up to an id that is [settled](super::horizon). After a
    /// segment is returned, begin again with a new indexer.
    pub fn read(&mut self, conn: &mut AnyConn, settled: i64) -> Result<Progress, StorageError> {
        let began = self.reading.last_id + 1;
        let read = self.reading.read_batch(conn, settled + 1, MAX_SEGMENT)?;
        self.changes.extend(pending_changes::of(conn, began..self.reading.last_id + 1)?);
        Ok(match read {
            BatchRead::All if !self.reading.has_enough() => Progress::End,
            BatchRead::Some => Progress::More,
            BatchRead::All | BatchRead::Full => {
                let changes = std::mem::take(&mut self.changes);
                Progress::Full(std::mem::take(&mut self.reading).finish(
                    Some(self.after),
                    Vec::new(),
                    changes,
                ))
            }
        })
    }
}

enum BatchRead {
    All,
    Some,
    /// The next message does not fit.
    Full,
}

impl Reading {
    /// Reads the next messages below `end`.
    fn read_batch(&mut self, conn: &mut AnyConn, end: i64, full: Extent) -> Result<BatchRead, StorageError> {
        let texts = texts::first(conn, self.last_id + 1..end, BATCH)?;
        let is_all = texts.len() < BATCH as usize;
        for (id, chat, content) in texts {
            if self.first_id == 0 {
                self.first_id = id;
            }
            let position = (id - self.first_id) as usize;
            if position >= full.span || self.builder.size() >= full.size {
                return Ok(BatchRead::Full);
            }
            self.builder.add(position, chat, &fold(&content));
            self.last_id = id;
        }
        Ok(if is_all { BatchRead::All } else { BatchRead::Some })
    }

    fn has_enough(&self) -> bool {
        let span = if self.first_id == 0 { 0 } else { self.last_id + 1 - self.first_id };
        span >= MIN_SEGMENT.span as i64 || self.builder.size() >= MIN_SEGMENT.size
    }

    /// Reads all messages in a range of ids.
    fn all(conn: &mut AnyConn, ids: Range<i64>) -> Result<Self, StorageError> {
        let mut reading = Self { first_id: ids.start, last_id: ids.start - 1, ..Self::default() };
        let any_size = Extent { size: usize::MAX, ..MAX_SEGMENT };
        while let BatchRead::Some = reading.read_batch(conn, ids.end, any_size)? {}
        Ok(Self { last_id: ids.end - 1, ..reading })
    }

    fn finish(self, after: Option<i64>, replaced: Vec<i64>, changes: Vec<i64>) -> Finished {
        let messages = self.builder.messages();
        let Segment { size, chats, slots } = self.builder.finish();
        let row = SegmentRow {
            id: Timestamp::now().0,
            first_id: self.first_id,
            last_id: self.last_id,
            size: size as i64,
        };
        let slots = slots.into_iter().map(|(slot, postings)| (slot.into(), postings));
        // All messages of a segment may have been deleted.
        let chats = Some((CHATS, chats)).filter(|(_, postings)| !postings.is_empty());
        let slots = chats.into_iter().chain(slots).collect();
        Finished { row, messages, slots, after, replaced, changes }
    }
}

/// A segment with this number of pending changes is rebuilt at once. Every search has to check all pending
/// changes.
const MANY_IN_SEGMENT: i64 = 64;

/// If all segments together have this number of pending changes, the worst segment is rebuilt at once.
const MANY_IN_ALL: i64 = 512;

/// Rebuilds the segment with the most pending changes, if these are many or `any` is set.
pub fn rebuild_changed(conn: &mut AnyConn, any: bool) -> Result<Option<Finished>, StorageError> {
    let Some(changed) = pending_changes::most(conn)? else { return Ok(None) };
    if !any && changed.here < MANY_IN_SEGMENT && changed.everywhere < MANY_IN_ALL {
        return Ok(None);
    }
    let segments = segments::with_messages(conn, changed.last_id..changed.last_id + 1)?;
    rebuild(conn, &segments).map(Some)
}

/// Merges adjacent small segments into a large one, where there are enough.
pub fn merge_small(conn: &mut AnyConn) -> Result<Option<Finished>, StorageError> {
    let mut segments = segments::with_messages(conn, 0..i64::MAX)?;
    segments.reverse();
    let mut begin = 0;
    for end in 1..segments.len() {
        let group = &segments[begin..=end];
        let fits = group[group.len() - 1].last_id - group[0].first_id < MAX_SEGMENT.span as i64
            && group.iter().map(|row| row.size).sum::<i64>() <= MAX_SEGMENT.size as i64;
        if !fits && end - begin > 1 {
            return rebuild(conn, &segments[begin..end]).map(Some);
        }
        if !fits {
            begin = end;
        }
    }
    Ok(None)
}

/// Builds one segment that replaces some adjacent ones, given in ascending order.
pub(crate) fn rebuild(conn: &mut AnyConn, segments: &[SegmentRow]) -> Result<Finished, StorageError> {
    let (first, last) = (segments[0], segments[segments.len() - 1]);
    let ids = first.first_id..last.last_id + 1;
    // Includes changes of messages between two segments, which were deleted when the later segment was built.
    let changed = segments::last_before(conn, first.first_id)? + 1..ids.end;
    let changes = pending_changes::of(conn, changed)?;
    let reading = Reading::all(conn, ids)?;
    Ok(reading.finish(None, segments.iter().map(|row| row.id).collect(), changes))
}

/// A segment to be stored.
#[derive(Debug)]
pub struct Finished {
    row: SegmentRow,
    messages: usize,
    slots: Vec<(i64, Vec<u8>)>,
    /// For a new segment: the last message id of the segment before it.
    after: Option<i64>,
    /// The segments that it replaces.
    replaced: Vec<i64>,
    changes: Vec<i64>,
}

/// Most bytes of postings that are stored per transaction.
const STORED_AT_ONCE: usize = 128 << 10;

impl Finished {
    /// Returns the number of messages in the segment.
    pub fn messages(&self) -> usize {
        self.messages
    }

    /// Returns the postings by slot.
    pub(crate) fn postings(&self) -> &Vec<(i64, Vec<u8>)> {
        &self.slots
    }

    /// Returns the segments whose postings are to be [cleared](clear). These are the replaced ones after
    /// publication, and the segment itself if it was not published.
    pub fn obsolete(&self, is_published: bool) -> &[i64] {
        if is_published { &self.replaced } else { std::slice::from_ref(&self.row.id) }
    }

    /// Stores a batch of the postings. Returns the slot to continue from, if there are more.
    pub fn store(&self, conn: &mut AnyConn, begin: usize) -> Result<Option<usize>, StorageError> {
        let mut size = 0;
        let fit = self.slots[begin..].iter().take_while(|(_, postings)| {
            let fits = size < STORED_AT_ONCE;
            size += postings.len();
            fits
        });
        let end = begin + fit.count();
        segments::insert_postings(conn, self.row.id, &self.slots[begin..end])?;
        Ok((end < self.slots.len()).then_some(end))
    }

    /// Publishes the segment after all its postings are stored. Another process may have published one
    /// before, which may contain newer changes; then this returns false.
    pub fn publish(&self, conn: &mut AnyConn) -> Result<bool, StorageError> {
        locks::search_index(conn)?;
        let is_next = match self.after {
            Some(after) => segments::last_id(conn)? == after,
            None => true,
        };
        let is_whole = segments::count_postings(conn, self.row.id)? == self.slots.len() as i64;
        let are_replaced_present = segments::count(conn, &self.replaced)? == self.replaced.len();
        if !is_next || !is_whole || !are_replaced_present {
            return Ok(false);
        }
        segments::delete(conn, &self.replaced)?;
        segments::insert(conn, self.row)?;
        Ok(true)
    }

    /// Deletes a batch of the pending changes that the segment contains, after it is published. Returns the
    /// index to continue from, if there are more. If the process dies before, the segment is merely rebuilt
    /// once more.
    pub fn delete_changes(&self, conn: &mut AnyConn, begin: usize) -> Result<Option<usize>, StorageError> {
        let end = self.changes.len().min(begin + CHANGES_AT_ONCE);
        pending_changes::delete(conn, &self.changes[begin..end])?;
        Ok((end < self.changes.len()).then_some(end))
    }
}

/// Pending changes deleted per transaction.
const CHANGES_AT_ONCE: usize = 256;

/// Slots deleted per transaction.
const SLOTS_AT_ONCE: i64 = 256;

/// Deletes a batch of postings of an unpublished segment. Returns whether there may be more.
pub fn clear(conn: &mut AnyConn, segment: i64) -> Result<bool, StorageError> {
    segments::delete_postings(conn, segment, SLOTS_AT_ONCE)
}
