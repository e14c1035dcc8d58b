//! Index segments: postings for a range of some thousand consecutive message ids. A segment is immutable; a
//! change rebuilds it.

use std::ops::RangeInclusive;

use super::{
    Positions,
    grams::{self, KEY_BITS},
    numbers::{push_number, take_number},
};

/// Number of ids in a segment. A message's position is its id minus the first id of the segment.
pub const SPAN: usize = 1 << POSITION_BITS;

/// Bits of a message's position in its segment.
const POSITION_BITS: u32 = 14;

/// Grams are stored in 2^10 slots, selected by their spread.
const SLOT_BITS: u32 = 10;

/// Number of grams in a message above which duplicates are removed at once. A long text repeats most of its
/// grams, and each takes eight bytes until the segment is built.
const MANY_GRAMS: usize = 512;

/// Returns the slot of the grams with this spread.
pub fn slot_of(spread: u16) -> u32 {
    u32::from(spread >> (16 - SLOT_BITS))
}

/// The stored form of a segment.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Segment {
    /// Size of its texts in bytes.
    pub size: usize,
    /// Postings by chat.
    pub chats: Vec<u8>,
    /// Postings by gram, per slot; empty slots are omitted.
    pub slots: Vec<(u32, Vec<u8>)>,
}

/// Builds a segment from messages in ascending order of id.
#[derive(Debug, Default)]
pub struct Builder {
    chats: Vec<(i64, usize)>,
    /// Slot, key and position of each gram, packed from the highest bits down.
    grams: Vec<u64>,
    size: usize,
}

impl Builder {
    /// Returns the size of the texts added so far, in bytes.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Returns the number of messages added so far.
    pub fn messages(&self) -> usize {
        self.chats.len()
    }

    /// Adds the message at a position, with its chat and its folded text.
    pub fn add(&mut self, position: usize, chat: i64, folded: &str) {
        assert!(position < SPAN, "the position is within the segment");
        self.chats.push((chat, position));
        self.size += folded.len();
        let begin = self.grams.len();
        grams::of_text(folded, |gram| {
            let place = u64::from(slot_of(gram.spread)) << KEY_BITS | u64::from(gram.key);
            self.grams.push(place << POSITION_BITS | position as u64);
        });
        if self.grams.len() - begin > MANY_GRAMS {
            let mut of_message = self.grams.split_off(begin);
            of_message.sort_unstable();
            of_message.dedup();
            self.grams.append(&mut of_message);
        }
    }

    /// Builds the segment.
    pub fn finish(mut self) -> Segment {
        sort(&mut self.grams);
        self.grams.dedup();
        let slot = |gram: &u64| (gram >> (KEY_BITS + POSITION_BITS)) as u32;
        let key = |gram: &u64| gram >> POSITION_BITS & ((1 << KEY_BITS) - 1);
        let position = |gram: &u64| (gram & ((1 << POSITION_BITS) - 1)) as usize;
        let slots = self.grams.chunk_by(|a, b| slot(a) == slot(b));
        let slots = slots.map(|grams| (slot(&grams[0]), written(grams, key, position))).collect();
        self.chats.sort_unstable();
        let chats = written(&self.chats, |(chat, _)| *chat as u64, |(_, position)| *position);
        Segment { size: self.size, chats, slots }
    }
}

/// Sorts grams by slot and key with a radix sort. They are already in ascending order of position, which a
/// stable sort keeps.
fn sort(grams: &mut Vec<u64>) {
    const BITS: u32 = 12;
    let mut sorted = vec![0; grams.len()];
    for shift in (POSITION_BITS..POSITION_BITS + KEY_BITS + SLOT_BITS).step_by(BITS as usize) {
        let digit = |gram: u64| (gram >> shift) as usize & ((1 << BITS) - 1);
        let mut begins = vec![0; (1 << BITS) + 1];
        grams.iter().for_each(|gram| begins[digit(*gram) + 1] += 1);
        for number in 1..begins.len() {
            begins[number] += begins[number - 1];
        }
        for gram in grams.iter() {
            let place = &mut begins[digit(*gram)];
            sorted[*place] = *gram;
            *place += 1;
        }
        std::mem::swap(grams, &mut sorted);
    }
}

/// Encodes postings. For each key in ascending order: its difference to the key before, the length in bytes,
/// and the positions. Positions are stored as differences or, where that is shorter, as a bitmap.
fn written<T>(postings: &[T], key: impl Fn(&T) -> u64, position: impl Fn(&T) -> usize) -> Vec<u8> {
    let (mut bytes, mut last_key) = (Vec::new(), 0);
    let mut positions = Vec::new();
    for of_key in postings.chunk_by(|a, b| key(a) == key(b)) {
        let mut last = 0;
        for position in of_key.iter().map(&position) {
            push_number(&mut positions, (position - last) as u64);
            last = position;
        }
        let is_bits = positions.len() > last / 8 + 1;
        if is_bits {
            positions.clear();
            positions.resize(last / 8 + 1, 0);
            of_key.iter().map(&position).for_each(|position| positions[position / 8] |= 1 << (position % 8));
        }
        let this_key = key(&of_key[0]);
        push_number(&mut bytes, this_key - last_key);
        push_number(&mut bytes, (positions.len() as u64) << 1 | u64::from(is_bits));
        bytes.append(&mut positions);
        last_key = this_key;
    }
    bytes
}

/// Adds to `found` the positions of all keys in the range for which `wants` returns true. Stops at damaged
/// data.
pub fn find(postings: &[u8], keys: RangeInclusive<u64>, wants: impl Fn(u64) -> bool, found: &mut Positions) {
    let (mut rest, mut key) = (postings, 0_u64);
    while let (Some(step), Some(head)) = (take_number(&mut rest), take_number(&mut rest)) {
        key = key.saturating_add(step);
        let Some((positions, after)) = rest.split_at_checked((head >> 1) as usize) else { return };
        rest = after;
        if key > *keys.end() {
            return;
        }
        if key >= *keys.start() && wants(key) {
            read(positions, head & 1 == 1, found);
        }
    }
}

fn read(mut positions: &[u8], is_bits: bool, found: &mut Positions) {
    if is_bits {
        positions.iter().enumerate().for_each(|(number, byte)| found.insert_byte(number, *byte));
        return;
    }
    let mut position = 0_u64;
    while let Some(step) = take_number(&mut positions) {
        position = position.saturating_add(step);
        found.insert(position as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::{model::case_folding::fold, text_index::Words};

    fn segment(texts: &[&str]) -> Segment {
        let mut builder = Builder::default();
        for (number, text) in texts.iter().enumerate() {
            builder.add(number, 9 - number as i64 % 4, &fold(text));
        }
        builder.finish()
    }

    /// Returns the positions that contain all grams of a search, according to the index.
    fn candidates(segment: &Segment, query: &str) -> Vec<usize> {
        let mut all = Positions::all(SPAN);
        for wanted in grams::of_search(&Words::of(query).unwrap()) {
            let mut found = Positions::none(SPAN);
            let slot = segment.slots.iter().find(|(slot, _)| *slot == slot_of(wanted.spread));
            if let Some((_, postings)) = slot {
                find(postings, wanted.keys, |_| true, &mut found);
            }
            all.intersect(&found);
        }
        all.iter().collect()
    }

    #[test]
    fn every_part_of_a_word_finds_its_text() {
        let texts =
            ["Hello, World!", "我在北京很好", "naïve Straße 100% a_b", "😀🎉 ok", "x", "سلام دنیا", "hello"];
        let segment = segment(&texts);
        for (number, text) in texts.iter().enumerate() {
            let folded = fold(text);
            for word in folded.split_whitespace() {
                let chars: Vec<char> = word.chars().collect();
                for start in 0..chars.len() {
                    for end in start + 1..=chars.len() {
                        let part: String = chars[start..end].iter().collect();
                        assert!(candidates(&segment, &part).contains(&number), "{part} in {text}");
                    }
                }
            }
        }
        assert_eq!(candidates(&segment, "hello"), [0, 6]);
        for absent in ["xyz", "东", "🚀", "world hello naïve"] {
            assert!(candidates(&segment, absent).is_empty(), "{absent}");
        }
    }

    #[test]
    fn a_long_text_has_each_gram_once() {
        let long = "lorem ipsum dolor sit amet ".repeat(200);
        let mut builder = Builder::default();
        builder.add(0, 1, &long);
        assert!(builder.grams.len() < 60, "{}", builder.grams.len());
        let (short, long) = (segment(&["lorem ipsum dolor sit amet "]), builder.finish());
        assert_eq!(short.slots, long.slots);
    }

    #[test]
    fn positions_are_found_however_many_there_are() {
        for every in [1, 2, 7, 9, 100, 1_000] {
            let texts: Vec<&str> = (0..SPAN).map(|n| if n % every == 0 { "aa bb" } else { "cc" }).collect();
            let expected: Vec<usize> = (0..SPAN).filter(|n| n % every == 0).collect();
            assert_eq!(candidates(&segment(&texts), "bb"), expected, "every {every}");
        }
    }

    #[test]
    fn messages_are_found_by_their_chats() {
        let mut builder = Builder::default();
        for (position, chat) in [(1, 70), (2, 3), (900, 3), (901, 1 << 52), (902, 1)] {
            builder.add(position, chat, "");
        }
        let segment = builder.finish();
        let of = |chats: &[u64]| {
            let mut found = Positions::none(SPAN);
            find(&segment.chats, 0..=u64::MAX, |chat| chats.contains(&chat), &mut found);
            found.iter().collect::<Vec<_>>()
        };
        assert_eq!(
            (of(&[70]), of(&[3]), of(&[1, 1 << 52]), of(&[9])),
            (vec![1], vec![2, 900], vec![901, 902], vec![])
        );
    }

    #[test]
    fn what_is_damaged_finds_nothing_and_breaks_nothing() {
        let whole = segment(&["hello world"; 50]);
        for (_, postings) in &whole.slots {
            for end in 0..postings.len() {
                find(&postings[..end], 0..=u64::MAX, |_| true, &mut Positions::none(1));
            }
        }
        for byte in [0x7f, 0x80, 0xff] {
            find(&[byte; 40], 0..=u64::MAX, |_| true, &mut Positions::none(64));
        }
    }
}
