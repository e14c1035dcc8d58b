//! Grams: the parts of words by which texts are found. A word has each of its characters alone, and each with the next
//! one and the one after that. So a part of a word is found whatever stands around it, and one or two characters are
//! enough to look for.

use std::ops::RangeInclusive;

use super::Words;

/// What a gram is kept under. Both parts are hashed: what is found by them must be looked at still.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Gram {
    /// Spreads grams evenly; those with the same first two characters share it.
    pub spread: u16,
    /// The first two characters and, in the lowest byte, the third.
    pub key: u32,
}

/// Bits of a key.
pub const KEY_BITS: u32 = 24;

/// Stands for the second character of a gram of one.
const ALONE: u32 = u32::MAX;

impl Gram {
    fn alone(c: char) -> Self {
        Self::hashed(c.into(), ALONE, 0)
    }

    fn pair(first: char, second: char, third: Option<char>) -> Self {
        // Where there are thousands of letters two of them are rare enough.
        let third = if is_of_many(first) && is_of_many(second) { None } else { third };
        Self::hashed(first.into(), second.into(), third.map_or(0, u32::from))
    }

    fn hashed(first: u32, second: u32, third: u32) -> Self {
        let pair = (u64::from(first) << 32 | u64::from(second)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let pair = (pair ^ pair >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
        let third = third.wrapping_mul(0x9e37_79b1) >> 24;
        Self { spread: (pair >> 48) as u16, key: (pair >> 32) as u32 & 0xffff << 8 | third }
    }

    /// All keys of grams with the same first two characters.
    fn any_third(self) -> RangeInclusive<u64> {
        (self.key & !0xff).into()..=(self.key | 0xff).into()
    }
}

/// Whether a character is of a script with thousands of letters: Han, Hangul, and those beside them; or a picture.
fn is_of_many(c: char) -> bool {
    c >= '\u{2e80}'
}

/// Calls `take` with each gram of a folded text, with some of them more than once.
pub fn of_text(folded: &str, mut take: impl FnMut(Gram)) {
    for word in folded.split_whitespace() {
        let mut rest = word.chars();
        while let Some(first) = rest.next() {
            take(Gram::alone(first));
            let mut following = rest.clone();
            if let Some(second) = following.next() {
                take(Gram::pair(first, second, following.next()));
            }
        }
    }
}

/// Grams of which a text must have one with each spread and one of each keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    pub spread: u16,
    pub keys: RangeInclusive<u64>,
}

/// Most grams that a search looks for. Each costs time; those that are left out only let more texts through.
const MOST_WANTED: usize = 16;

/// Most of them for one word.
const MOST_OF_WORD: usize = 6;

/// The grams of a search: of each of its longest words, one after the other, and then more of each.
pub fn of_search(words: &Words) -> Vec<Wanted> {
    let words: Vec<Vec<Wanted>> = words.iter().take(MOST_WANTED).map(of_word).collect();
    let each = (MOST_WANTED / words.len()).clamp(1, MOST_OF_WORD);
    let mut wanted: Vec<Wanted> = Vec::new();
    for number in 0..each {
        for grams in &words {
            // From one end of the word to the other.
            let count = grams.len().min(each);
            let chosen = (number < count).then(|| &grams[number * (grams.len() - 1) / (count - 1).max(1)]);
            wanted.extend(chosen.filter(|chosen| !wanted.contains(chosen)).cloned());
        }
    }
    wanted
}

fn of_word(word: &str) -> Vec<Wanted> {
    let chars: Vec<char> = word.chars().collect();
    let exactly = |gram: Gram| Wanted { spread: gram.spread, keys: gram.key.into()..=gram.key.into() };
    let followed = chars.windows(3).map(|three| exactly(Gram::pair(three[0], three[1], Some(three[2]))));
    let mut wanted: Vec<Wanted> = followed.collect();
    match chars[..] {
        [alone] => wanted.push(exactly(Gram::alone(alone))),
        [.., first, second] if is_of_many(first) && is_of_many(second) => {
            wanted.push(exactly(Gram::pair(first, second, None)));
        }
        [first, second] => {
            let gram = Gram::pair(first, second, None);
            wanted.push(Wanted { spread: gram.spread, keys: gram.any_third() });
        }
        // The last two are in the gram before them.
        _ => {}
    }
    wanted
}
