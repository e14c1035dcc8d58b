//! Finds messages, the newest first. It scans the texts that are not in a segment yet, and then checks the
//! candidates that the segments return.

use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
    ops::{
        ControlFlow::{self, Break, Continue},
        Range,
    },
};

use super::{
    pending_changes,
    segments::{self, CHATS, SegmentRow},
    texts::{self, Text},
};
use crate::{
    core::{
        model::{Chat, UserId, case_folding::fold},
        text_index::{
            Positions, Words,
            grams::{self, Term},
            segment::{self, SPAN, slot_of},
        },
    },
    storage::{AnyConn, StorageError, tables::positions},
};

/// The chats to search.
pub enum Scope {
    Chat(Chat),
    /// All chats of which a user is a member.
    Mine {
        user: UserId,
        chats: HashSet<i64>,
    },
}

impl Scope {
    pub(super) fn has(&self, chat: i64) -> bool {
        match self {
            Self::Chat(this) => this.id.0 == chat,
            Self::Mine { chats, .. } => chats.contains(&chat),
        }
    }
}

/// The result of a search.
#[derive(Debug, Default)]
pub struct Hits {
    /// Message ids, the newest first.
    pub ids: Vec<i64>,
    /// Set if the search was cut short: no message below this id was checked.
    pub stopped: Option<i64>,
}

/// Cost limit of one search, in units of about two microseconds. Above it the search is cut short. With a
/// million messages no search reaches half of it.
const BUDGET: i64 = 20_000;

/// Cost of reading a slot.
const SLOT_COST: i64 = 3;

/// Cost of reading a text that follows the one before.
const NEXT_TEXT_COST: i64 = 2;

/// Cost of reading a text from anywhere.
const ANY_TEXT_COST: i64 = 4;

/// Number of bytes that can be checked for one word at the cost of one unit.
const BYTES_PER_UNIT: usize = 2_048;

/// Most messages in a small chat.
const SMALL_CHAT: i64 = 4_000;

/// Texts read per query.
const BATCH: usize = 256;

/// Ids scanned per query where only some belong to the user's chats.
const IDS_PER_SCAN: i64 = 4_096;

/// How many scanned ids cost one unit.
const IDS_PER_UNIT: i64 = 4;

/// Segments read in the first round.
const FIRST_SEGMENTS: usize = 4;

/// Most segments read in a later round.
const MAX_SEGMENTS: usize = 64;

/// Grams per round.
const TERMS_PER_ROUND: usize = 3;

/// Number of candidates in a segment up to which further grams are not worth their cost.
const FEW: usize = 4;

/// A search in progress.
struct Search<'a> {
    conn: &'a mut AnyConn,
    scope: &'a Scope,
    words: &'a Words,
    terms: Vec<Term>,
    /// Maximum number of results.
    limit: usize,
    /// The remaining cost.
    budget: i64,
    /// All messages from this id on have been checked.
    lowest: i64,
    found: Vec<i64>,
}

/// Returns the newest messages in a range of ids in which every word matches, at most `limit`.
pub fn newest(
    conn: &mut AnyConn,
    scope: &Scope,
    words: &Words,
    ids: Range<i64>,
    limit: usize,
) -> Result<Hits, StorageError> {
    let terms = grams::of_search(words);
    let mut search =
        Search { conn, scope, words, terms, limit, budget: BUDGET, lowest: ids.end, found: Vec::new() };
    let is_cut_short = search.run(ids)?.is_break() && search.found.len() < limit;
    Ok(Hits { stopped: is_cut_short.then_some(search.lowest), ids: search.found })
}

/// Continues, or breaks because there are enough results or the cost limit is reached.
type Step = Result<ControlFlow<()>, StorageError>;

impl Search<'_> {
    fn run(&mut self, ids: Range<i64>) -> Step {
        // A small chat is scanned without the index.
        let is_small =
            matches!(self.scope, Scope::Chat(chat) if chat.last_pos + chat.reply_count <= SMALL_CHAT);
        let indexed = if is_small { 0 } else { segments::last_id(self.conn)? };
        let unindexed = ids.start.max(indexed.saturating_add(1));
        if unindexed < ids.end && self.scan(unindexed..ids.end)?.is_break() {
            return Ok(Break(()));
        }
        self.query_segments(ids.start..ids.end.min(unindexed))
    }

    /// Scans all texts in batches of ids. Most ids may belong to chats of which the user is not a member.
    fn scan(&mut self, ids: Range<i64>) -> Step {
        let mut end = ids.end;
        while let Some(first) = self.first_of_newest(ids.start..end)? {
            if self.scan_range(first..end)?.is_break() {
                return Ok(Break(()));
            }
            self.lowest = first;
            if self.budget <= 0 && first > ids.start {
                return Ok(Break(()));
            }
            end = first;
        }
        Ok(Continue(()))
    }

    /// Returns the first id of the newest batch to scan; `None` where there are no ids.
    fn first_of_newest(&mut self, ids: Range<i64>) -> Result<Option<i64>, StorageError> {
        match self.scope {
            Scope::Chat(_) => Ok((!ids.is_empty()).then_some(ids.start)),
            Scope::Mine { .. } => {
                self.budget -= IDS_PER_SCAN / IDS_PER_UNIT;
                texts::first_of_newest(self.conn, ids, IDS_PER_SCAN)
            }
        }
    }

    fn scan_range(&mut self, ids: Range<i64>) -> Step {
        let mut end = ids.end;
        loop {
            let texts = self.texts(ids.start..end)?;
            let is_all = texts.len() < BATCH;
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
                let first = positions::count_before(self.conn, chat, ids.start)? + 1;
                let last = positions::count_before(self.conn, chat, ids.end)?;
                let mut texts = texts::newest_of_chat(self.conn, chat.id, first..=last, BATCH as i64)?;
                if chat.reply_count > 0 {
                    let first = positions::count_replies_before(self.conn, chat, ids.start)? + 1;
                    let last = positions::count_replies_before(self.conn, chat, ids.end)?;
                    texts.extend(texts::newest_replies(self.conn, chat.id, first..=last, BATCH as i64)?);
                    texts.sort_unstable_by_key(|(id, ..)| Reverse(*id));
                    texts.truncate(BATCH);
                }
                Ok(texts)
            }
            Scope::Mine { user, .. } => texts::newest_of_user(self.conn, *user, ids, BATCH as i64),
        }
    }

    /// Checks texts, the newest first.
    fn check(&mut self, texts: Vec<Text>, cost: i64) -> ControlFlow<()> {
        for (id, chat, content) in texts {
            if self.budget <= 0 {
                return Break(());
            }
            self.lowest = id;
            self.budget -= cost;
            if !self.scope.has(chat) {
                continue;
            }
            let found = self.words.found_in(&fold(&content));
            self.budget -= (content.len() * (1 + found) / BYTES_PER_UNIT) as i64;
            if found == self.words.count() {
                self.found.push(id);
                if self.found.len() >= self.limit {
                    return Break(());
                }
            }
        }
        Continue(())
    }

    /// Checks the candidates of the segments, some segments at a time, and the messages edited since they
    /// were built.
    fn query_segments(&mut self, ids: Range<i64>) -> Step {
        if ids.is_empty() {
            return Ok(Continue(()));
        }
        let segments = segments::with_messages(self.conn, ids.clone())?;
        let (mut rest, mut count, mut end) = (&segments[..], FIRST_SEGMENTS, ids.end);
        while !rest.is_empty() {
            let (current, older) = rest.split_at(count.min(rest.len()));
            let first_id = older.first().map_or(ids.start, |row| ids.start.max(row.last_id + 1));
            let mut candidates = self.candidates(current, first_id..ids.end)?;
            candidates.extend(pending_changes::edited(self.conn, first_id..end)?);
            candidates.sort_unstable_by(|a, b| b.cmp(a));
            candidates.dedup();
            for part in candidates.chunks(BATCH) {
                let texts = texts::with_ids(self.conn, part)?;
                if self.check(texts, ANY_TEXT_COST).is_break() {
                    return Ok(Break(()));
                }
            }
            self.lowest = first_id;
            if self.budget <= 0 && !older.is_empty() {
                return Ok(Break(()));
            }
            (rest, count, end) = (older, (count * 4).min(MAX_SEGMENTS), first_id);
        }
        Ok(Continue(()))
    }

    /// Returns the messages in a range of ids that may contain every word, according to the segments.
    fn candidates(&mut self, segments: &[SegmentRow], ids: Range<i64>) -> Result<Vec<i64>, StorageError> {
        let mut found: Vec<Candidates> = segments.iter().map(Candidates::of).collect();
        for (round, terms) in self.terms.chunks(TERMS_PER_ROUND).enumerate() {
            let enough = if round == 0 { 0 } else { FEW };
            let mut many: Vec<_> = found.iter_mut().filter(|this| this.positions.count() > enough).collect();
            let slots: Vec<i64> = terms.iter().map(|term| slot_of(term.spread).into()).collect();
            let postings = postings(self.conn, &mut self.budget, &many, &slots)?;
            many.iter_mut().for_each(|this| this.narrow(terms, &slots, &postings));
        }
        self.filter_chats(&mut found)?;
        Ok(found.iter().flat_map(Candidates::ids).filter(|id| ids.contains(id)).collect())
    }

    /// Removes candidates of chats outside the scope. Where there are only a few, checking their texts does
    /// it.
    fn filter_chats(&mut self, found: &mut [Candidates]) -> Result<(), StorageError> {
        let mut many: Vec<_> = found.iter_mut().filter(|this| this.positions.count() > FEW).collect();
        let chats = postings(self.conn, &mut self.budget, &many, &[CHATS])?;
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

/// Postings by segment and slot.
type Postings = HashMap<(i64, i64), Vec<u8>>;

/// Reads postings of the segments in some slots.
fn postings(
    conn: &mut AnyConn,
    budget: &mut i64,
    of: &[&mut Candidates],
    slots: &[i64],
) -> Result<Postings, StorageError> {
    let segments: Vec<i64> = of.iter().map(|this| this.segment).collect();
    *budget -= SLOT_COST * (segments.len() * slots.len()) as i64;
    segments::postings(conn, &segments, slots)
}

/// Messages of a segment that may contain every word.
struct Candidates {
    segment: i64,
    first_id: i64,
    positions: Positions,
}

impl Candidates {
    /// Returns all positions of a segment.
    fn of(row: &SegmentRow) -> Self {
        Self { segment: row.id, first_id: row.first_id, positions: Positions::all(SPAN) }
    }

    fn ids(&self) -> impl Iterator<Item = i64> {
        self.positions.iter().map(|position| self.first_id + position as i64)
    }

    /// Keeps the candidates that contain each of the grams, which are in these slots.
    fn narrow(&mut self, terms: &[Term], slots: &[i64], postings: &Postings) {
        for (term, slot) in terms.iter().zip(slots) {
            let mut found = Positions::none(SPAN);
            if let Some(postings) = postings.get(&(self.segment, *slot)) {
                segment::find(postings, term.keys.clone(), |_| true, &mut found);
            }
            self.positions.intersect(&found);
        }
    }
}
