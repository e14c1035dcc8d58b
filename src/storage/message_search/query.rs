//! Finds messages, the newest first: looks through the texts that no segment has yet, and then through those that the
//! segments name.

use std::{
    collections::{HashMap, HashSet},
    ops::{
        ControlFlow::{self, Break, Continue},
        Range,
    },
};

use super::{
    pending_changes,
    segments::{self, CHATS, Row},
    texts::{self, Text},
};
use crate::{
    core::{
        model::{Chat, UserId, case_folding::fold},
        text_index::{
            Positions, Words,
            grams::{self, Wanted},
            segment::{self, SPAN, slot_of},
        },
    },
    storage::{AnyConn, StorageError, tables::messages},
};

/// Where to look.
pub enum Scope {
    Chat(Chat),
    /// All chats that a user is in.
    Mine {
        user: UserId,
        chats: HashSet<i64>,
    },
}

impl Scope {
    fn has(&self, chat: i64) -> bool {
        match self {
            Self::Chat(this) => this.id.0 == chat,
            Self::Mine { chats, .. } => chats.contains(&chat),
        }
    }
}

/// What was found.
#[derive(Debug, Default)]
pub struct Hits {
    /// Ids of messages, the newest first.
    pub ids: Vec<i64>,
    /// Where the search was cut short: nothing below this id was looked at.
    pub stopped: Option<i64>,
}

/// What one search may cost, in units of some two microseconds. Beyond that it is cut short. Among a million messages
/// none comes to half of it.
const BUDGET: i64 = 20_000;

/// What it costs to read a slot, a text that follows the one before, and one from anywhere.
const SLOT_COST: i64 = 3;
const NEXT_TEXT_COST: i64 = 2;
const ANY_TEXT_COST: i64 = 4;

/// Bytes that may be looked at, for each word anew, for one unit more.
const BYTES: usize = 2_048;

/// With so many messages a chat is small.
const SMALL: i64 = 4_000;

/// Texts read at a time.
const PART: usize = 256;

/// Ids looked through at a time where only some are of the user's chats, and how many of them cost one unit.
const IDS: i64 = 4_096;
const IDS_FOR_ONE: i64 = 4;

/// Segments asked at first, and most of them asked at a time.
const FIRST_SEGMENTS: usize = 4;
const MOST_SEGMENTS: usize = 64;

/// Grams looked for at a time, and with how few candidates left in a segment it is not worth it to narrow them down.
const GRAMS: usize = 3;
const FEW: usize = 4;

/// A search on its way.
struct Search<'a> {
    conn: &'a mut AnyConn,
    scope: &'a Scope,
    words: &'a Words,
    wanted: Vec<Wanted>,
    /// How many messages are enough.
    most: usize,
    /// What it may still cost.
    left: i64,
    /// Everything from here on was looked at.
    lowest: i64,
    found: Vec<i64>,
}

/// The newest messages with some ids in which every word is found, at most `most`.
pub fn newest(
    conn: &mut AnyConn,
    scope: &Scope,
    words: &Words,
    ids: Range<i64>,
    most: usize,
) -> Result<Hits, StorageError> {
    let wanted = grams::of_search(words);
    let mut search =
        Search { conn, scope, words, wanted, most, left: BUDGET, lowest: ids.end, found: Vec::new() };
    let is_cut_short = search.run(ids)?.is_break() && search.found.len() < most;
    Ok(Hits { stopped: is_cut_short.then_some(search.lowest), ids: search.found })
}

/// Goes on, or ends because there is enough or for what it has cost.
type Step = Result<ControlFlow<()>, StorageError>;

impl Search<'_> {
    fn run(&mut self, ids: Range<i64>) -> Step {
        // A small chat is looked through as it is.
        let is_small = matches!(self.scope, Scope::Chat(chat) if chat.last_pos <= SMALL);
        let indexed = if is_small { 0 } else { segments::last_id(self.conn)? };
        let unindexed = ids.start.max(indexed.saturating_add(1));
        if unindexed < ids.end && self.look_through(unindexed..ids.end)?.is_break() {
            return Ok(Break(()));
        }
        self.ask_segments(ids.start..ids.end.min(unindexed))
    }

    /// Looks at all texts, those of some ids at a time: most ids there may be of chats that the user is not in.
    fn look_through(&mut self, ids: Range<i64>) -> Step {
        let mut end = ids.end;
        while let Some(first) = self.first_of_newest(ids.start..end)? {
            if self.look_through_some(first..end)?.is_break() {
                return Ok(Break(()));
            }
            self.lowest = first;
            if self.left <= 0 && first > ids.start {
                return Ok(Break(()));
            }
            end = first;
        }
        Ok(Continue(()))
    }

    /// The first of the newest ids that are looked through in one go; `None` where there are none.
    fn first_of_newest(&mut self, ids: Range<i64>) -> Result<Option<i64>, StorageError> {
        match self.scope {
            Scope::Chat(_) => Ok((!ids.is_empty()).then_some(ids.start)),
            Scope::Mine { .. } => {
                self.left -= IDS / IDS_FOR_ONE;
                texts::first_of_newest(self.conn, ids, IDS)
            }
        }
    }

    fn look_through_some(&mut self, ids: Range<i64>) -> Step {
        let mut end = ids.end;
        loop {
            let texts = self.texts(ids.start..end)?;
            let is_all = texts.len() < PART;
            end = texts.last().map_or(ids.start, |(id, ..)| *id);
            if self.check(texts, NEXT_TEXT_COST).is_break() {
                return Ok(Break(()));
            }
            if is_all {
                return Ok(Continue(()));
            }
        }
    }

    fn texts(&mut self, ids: Range<i64>) -> Result<Vec<Text>, StorageError> {
        match self.scope {
            Scope::Chat(chat) => {
                let first = messages::places_before(self.conn, chat, ids.start)? + 1;
                let last = messages::places_before(self.conn, chat, ids.end)?;
                texts::newest_of_chat(self.conn, chat.id, first..=last, PART as i64)
            }
            Scope::Mine { user, .. } => texts::newest_of_user(self.conn, *user, ids, PART as i64),
        }
    }

    /// Looks at texts, the newest first.
    fn check(&mut self, texts: Vec<Text>, cost: i64) -> ControlFlow<()> {
        for (id, chat, content) in texts {
            if self.left <= 0 {
                return Break(());
            }
            self.lowest = id;
            self.left -= cost;
            if !self.scope.has(chat) {
                continue;
            }
            let found = self.words.found_in(&fold(&content));
            self.left -= (content.len() * (1 + found) / BYTES) as i64;
            if found == self.words.count() {
                self.found.push(id);
                if self.found.len() >= self.most {
                    return Break(());
                }
            }
        }
        Continue(())
    }

    /// Looks at the texts that segments name, some segments at a time, and at those that were changed since.
    fn ask_segments(&mut self, ids: Range<i64>) -> Step {
        if ids.is_empty() {
            return Ok(Continue(()));
        }
        let segments = segments::with_messages(self.conn, ids.clone())?;
        let (mut rest, mut count, mut end) = (&segments[..], FIRST_SEGMENTS, ids.end);
        while !rest.is_empty() {
            let (asked, older) = rest.split_at(count.min(rest.len()));
            let first_id = older.first().map_or(ids.start, |row| ids.start.max(row.last_id + 1));
            let mut candidates = self.candidates(asked, first_id..ids.end)?;
            candidates.extend(pending_changes::edited(self.conn, first_id..end)?);
            candidates.sort_unstable_by(|a, b| b.cmp(a));
            candidates.dedup();
            for part in candidates.chunks(PART) {
                let texts = texts::with_ids(self.conn, part)?;
                if self.check(texts, ANY_TEXT_COST).is_break() {
                    return Ok(Break(()));
                }
            }
            self.lowest = first_id;
            if self.left <= 0 && !older.is_empty() {
                return Ok(Break(()));
            }
            (rest, count, end) = (older, (count * 4).min(MOST_SEGMENTS), first_id);
        }
        Ok(Continue(()))
    }

    /// Messages with some ids of which segments say that they may have every word.
    fn candidates(&mut self, segments: &[Row], ids: Range<i64>) -> Result<Vec<i64>, StorageError> {
        let mut found: Vec<Candidates> = segments.iter().map(Candidates::of).collect();
        for (round, wanted) in self.wanted.chunks(GRAMS).enumerate() {
            let enough = if round == 0 { 0 } else { FEW };
            let mut many: Vec<_> = found.iter_mut().filter(|this| this.positions.count() > enough).collect();
            let slots: Vec<i64> = wanted.iter().map(|wanted| slot_of(wanted.spread).into()).collect();
            let postings = postings(self.conn, &mut self.left, &many, &slots)?;
            many.iter_mut().for_each(|this| this.narrow(wanted, &slots, &postings));
        }
        self.leave_out_other_chats(&mut found)?;
        Ok(found.iter().flat_map(Candidates::ids).filter(|id| ids.contains(id)).collect())
    }

    /// A few are found out where their texts are looked at.
    fn leave_out_other_chats(&mut self, found: &mut [Candidates]) -> Result<(), StorageError> {
        let mut many: Vec<_> = found.iter_mut().filter(|this| this.positions.count() > FEW).collect();
        let chats = postings(self.conn, &mut self.left, &many, &[CHATS])?;
        for this in &mut many {
            let mut found = Positions::none(SPAN);
            if let Some(postings) = chats.get(&(this.segment, CHATS)) {
                segment::find(postings, 0..=u64::MAX, |chat| self.scope.has(chat as i64), &mut found);
            }
            this.positions.intersect(&found);
        }
        Ok(())
    }
}

/// What was read, by segment and slot.
type Postings = HashMap<(i64, i64), Vec<u8>>;

/// What the segments have in some slots.
fn postings(
    conn: &mut AnyConn,
    left: &mut i64,
    of: &[&mut Candidates],
    slots: &[i64],
) -> Result<Postings, StorageError> {
    let segments: Vec<i64> = of.iter().map(|this| this.segment).collect();
    *left -= SLOT_COST * (segments.len() * slots.len()) as i64;
    segments::postings(conn, &segments, slots)
}

/// Messages of a segment that may have every word.
struct Candidates {
    segment: i64,
    first_id: i64,
    positions: Positions,
}

impl Candidates {
    /// All messages.
    fn of(row: &Row) -> Self {
        Self { segment: row.id, first_id: row.first_id, positions: Positions::all(SPAN) }
    }

    fn ids(&self) -> impl Iterator<Item = i64> {
        self.positions.iter().map(|position| self.first_id + position as i64)
    }

    /// Leaves those that have each of the grams, which are in these slots.
    fn narrow(&mut self, wanted: &[Wanted], slots: &[i64], postings: &Postings) {
        for (wanted, slot) in wanted.iter().zip(slots) {
            let mut found = Positions::none(SPAN);
            if let Some(postings) = postings.get(&(self.segment, *slot)) {
                segment::find(postings, wanted.keys.clone(), |_| true, &mut found);
            }
            self.positions.intersect(&found);
        }
    }
}
