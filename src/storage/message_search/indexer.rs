//! Makes the segments of the index, behind what is written.

use std::ops::Range;

use super::{
    pending_changes,
    segments::{self, CHATS, Row},
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

/// Messages read at a time.
const PART: i64 = 256;

/// How large a segment is: how many ids it spans, and how many bytes of text it has.
#[derive(Debug, Clone, Copy)]
struct Extent {
    span: usize,
    size: usize,
}

/// With so much there is enough for a segment. It is little, so that little is searched without one.
const ENOUGH: Extent = Extent { span: 4_000, size: 512 << 10 };

/// With so much a segment is full.
const FULL: Extent = Extent { span: SPAN, size: 2 << 20 };

/// Reads what is newer than all segments, until there is enough for another one.
#[derive(Debug)]
pub struct Indexer {
    /// The last message of the newest segment when reading began.
    after: i64,
    reading: Reading,
    /// The changes that the texts have in them.
    changes: Vec<i64>,
}

/// Messages from one on, up to another.
#[derive(Debug, Default)]
struct Reading {
    first_id: i64,
    last_id: i64,
    builder: Builder,
}

/// How far reading has come.
#[derive(Debug)]
pub enum Progress {
    /// A segment is to be stored.
    Full(Finished),
    /// There is more to be read.
    More,
    /// That is all for now.
    End,
}

impl Indexer {
    /// Begins behind the newest segment.
    pub fn begin(conn: &mut AnyConn) -> Result<Self, StorageError> {
        let after = segments::last_id(conn)?;
        let reading = Reading { last_id: after, ..Reading::default() };
        Ok(Self { after, reading, changes: Vec::new() })
    }

    /// Reads on, within one view of the database, up to an id that is [settled](super::horizon). Begin anew once there is
    /// a segment.
    pub fn read(&mut self, conn: &mut AnyConn, settled: i64) -> Result<Progress, StorageError> {
        let began = self.reading.last_id + 1;
        let read = self.reading.some(conn, settled + 1, FULL)?;
        self.changes.extend(pending_changes::of(conn, began..self.reading.last_id + 1)?);
        Ok(match read {
            Read::All if !self.reading.has_enough() => Progress::End,
            Read::Some => Progress::More,
            Read::All | Read::Full => {
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

enum Read {
    All,
    Some,
    /// The next message has no place any more.
    Full,
}

impl Reading {
    /// Takes in the next messages below `end`.
    fn some(&mut self, conn: &mut AnyConn, end: i64, full: Extent) -> Result<Read, StorageError> {
        let texts = texts::first(conn, self.last_id + 1..end, PART)?;
        let is_all = texts.len() < PART as usize;
        for (id, chat, content) in texts {
            if self.first_id == 0 {
                self.first_id = id;
            }
            let position = (id - self.first_id) as usize;
            if position >= full.span || self.builder.size() >= full.size {
                return Ok(Read::Full);
            }
            self.builder.add(position, chat, &fold(&content));
            self.last_id = id;
        }
        Ok(if is_all { Read::All } else { Read::Some })
    }

    fn has_enough(&self) -> bool {
        let span = if self.first_id == 0 { 0 } else { self.last_id + 1 - self.first_id };
        span >= ENOUGH.span as i64 || self.builder.size() >= ENOUGH.size
    }

    /// All messages with some ids.
    fn all(conn: &mut AnyConn, ids: Range<i64>) -> Result<Self, StorageError> {
        let mut reading = Self { first_id: ids.start, last_id: ids.start - 1, ..Self::default() };
        let any_size = Extent { size: usize::MAX, ..FULL };
        while let Read::Some = reading.some(conn, ids.end, any_size)? {}
        Ok(Self { last_id: ids.end - 1, ..reading })
    }

    fn finish(self, after: Option<i64>, replaced: Vec<i64>, changes: Vec<i64>) -> Finished {
        let messages = self.builder.messages();
        let Segment { size, chats, slots } = self.builder.finish();
        let row =
            Row { id: Timestamp::now().0, first_id: self.first_id, last_id: self.last_id, size: size as i64 };
        let slots = slots.into_iter().map(|(slot, postings)| (slot.into(), postings));
        // A segment may have nothing in it any more.
        let chats = Some((CHATS, chats)).filter(|(_, postings)| !postings.is_empty());
        let slots = chats.into_iter().chain(slots).collect();
        Finished { row, messages, slots, after, replaced, changes }
    }
}

/// So many changes in one segment are taken in at once, or so many in all of them: each search looks at all of these.
const MANY_HERE: i64 = 64;
const MANY_EVERYWHERE: i64 = 512;

/// Makes the segment anew that has the most changes, if these are many or `any` will do.
pub fn renewed(conn: &mut AnyConn, any: bool) -> Result<Option<Finished>, StorageError> {
    let Some(changed) = pending_changes::most(conn)? else { return Ok(None) };
    if !any && changed.here < MANY_HERE && changed.everywhere < MANY_EVERYWHERE {
        return Ok(None);
    }
    let segments = segments::with_messages(conn, changed.last_id..changed.last_id + 1)?;
    anew(conn, &segments).map(Some)
}

/// Makes one large segment of small ones that follow each other, where there are enough.
pub fn merged(conn: &mut AnyConn) -> Result<Option<Finished>, StorageError> {
    let mut segments = segments::with_messages(conn, 0..i64::MAX)?;
    segments.reverse();
    let mut begin = 0;
    for end in 1..segments.len() {
        let group = &segments[begin..=end];
        let fits = group[group.len() - 1].last_id - group[0].first_id < FULL.span as i64
            && group.iter().map(|row| row.size).sum::<i64>() <= FULL.size as i64;
        if !fits && end - begin > 1 {
            return anew(conn, &segments[begin..end]).map(Some);
        }
        if !fits {
            begin = end;
        }
    }
    Ok(None)
}

/// One segment in place of some that follow each other, the oldest first.
pub(crate) fn anew(conn: &mut AnyConn, segments: &[Row]) -> Result<Finished, StorageError> {
    let (first, last) = (segments[0], segments[segments.len() - 1]);
    let ids = first.first_id..last.last_id + 1;
    // Those of messages between two segments too, which were gone when the later one was made.
    let changed = segments::last_before(conn, first.first_id)? + 1..ids.end;
    let changes = pending_changes::of(conn, changed)?;
    let reading = Reading::all(conn, ids)?;
    Ok(reading.finish(None, segments.iter().map(|row| row.id).collect(), changes))
}

/// A segment to be stored.
#[derive(Debug)]
pub struct Finished {
    row: Row,
    messages: usize,
    slots: Vec<(i64, Vec<u8>)>,
    /// What it begins behind, where it is a new one.
    after: Option<i64>,
    /// The segments that it takes the place of.
    replaced: Vec<i64>,
    changes: Vec<i64>,
}

/// Most bytes of postings that are stored in one go.
const MOST_AT_ONCE: usize = 128 << 10;

impl Finished {
    /// How many messages are in it.
    pub fn messages(&self) -> usize {
        self.messages
    }

    /// What is in its slots, by slot.
    pub(crate) fn postings(&self) -> &Vec<(i64, Vec<u8>)> {
        &self.slots
    }

    /// The segments whose postings are to be [cleared](clear): those that it takes the place of once it is known, and
    /// itself if it will not be.
    pub fn useless(&self, is_known: bool) -> &[i64] {
        if is_known { &self.replaced } else { std::slice::from_ref(&self.row.id) }
    }

    /// Stores some of its postings. Returns from which slot on to go on, if there are more.
    pub fn store(&self, conn: &mut AnyConn, begin: usize) -> Result<Option<usize>, StorageError> {
        let mut size = 0;
        let fit = self.slots[begin..].iter().take_while(|(_, postings)| {
            let fits = size < MOST_AT_ONCE;
            size += postings.len();
            fits
        });
        let end = begin + fit.count();
        segments::insert_postings(conn, self.row.id, &self.slots[begin..end])?;
        Ok((end < self.slots.len()).then_some(end))
    }

    /// Makes it known, once all its postings are stored, unless another process was quicker: what that one has taken in
    /// may be newer. Returns whether it did.
    pub fn make_known(&self, conn: &mut AnyConn) -> Result<bool, StorageError> {
        locks::search_index(conn)?;
        let is_next = match self.after {
            Some(after) => segments::last_id(conn)? == after,
            None => true,
        };
        let is_whole = segments::count_postings(conn, self.row.id)? == self.slots.len() as i64;
        let are_old_there = segments::count(conn, &self.replaced)? == self.replaced.len();
        if !is_next || !is_whole || !are_old_there {
            return Ok(false);
        }
        segments::delete(conn, &self.replaced)?;
        segments::insert(conn, self.row)?;
        Ok(true)
    }

    /// Forgets some of the changes that it has taken in, once it is known. Returns from which on to go on, if there are
    /// more. A change that a killed process has not forgotten costs time, and nothing
    /// else: its segment is made anew once more.
    pub fn forget_changes(&self, conn: &mut AnyConn, begin: usize) -> Result<Option<usize>, StorageError> {
        let end = self.changes.len().min(begin + FORGOTTEN_AT_ONCE);
        pending_changes::delete(conn, &self.changes[begin..end])?;
        Ok((end < self.changes.len()).then_some(end))
    }
}

/// Changes forgotten in one go.
const FORGOTTEN_AT_ONCE: usize = 256;

/// Slots deleted in one go.
const CLEARED_AT_ONCE: i64 = 256;

/// Deletes some postings of a segment that is not known. Returns whether there may be more.
pub fn clear(conn: &mut AnyConn, segment: i64) -> Result<bool, StorageError> {
    segments::delete_postings(conn, segment, CLEARED_AT_ONCE)
}
