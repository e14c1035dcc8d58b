//! Grams: the parts of words that the search index stores. A word yields each character alone, and each
//! character with the next one or two. So any part of a word is found, from one or two characters on.

use std::ops::RangeInclusive;

use super::Words;

/// The index key of a gram. Both parts are hashes, so that matches must be verified against the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Gram {
    /// Distributes grams evenly over slots. Grams with the same first two characters share it.
    pub spread: u16,
    /// The hash of the first two characters and, in the lowest byte, of the third.
    pub key: u32,
}

/// Bits of a key.
pub const KEY_BITS: u32 = 24;

/// Takes the place of the second character in a gram of one character.
const ALONE: u32 = u32::MAX;

impl Gram {
    fn alone(c: char) -> Self {
        Self::hashed(c.into(), ALONE, 0)
    }

    fn pair(first: char, second: char, third: Option<char>) -> Self {
        // In scripts with thousands of letters a pair is rare enough.
        let third = if is_of_many(first) && is_of_many(second) { None } else { third };
        Self::hashed(first.into(), second.into(), third.map_or(0, u32::from))
    }

    fn hashed(first: u32, second: u32, third: u32) -> Self {
        let pair = (u64::from(first) << 32 | u64::from(second)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let pair = (pair ^ pair >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
        let third = third.wrapping_mul(0x9e37_79b1) >> 24;
        Self { spread: (pair >> 48) as u16, key: (pair >> 32) as u32 & 0xffff << 8 | third }
    }

    /// Returns the range of all keys with the same first two characters.
    fn any_third(self) -> RangeInclusive<u64> {
        (self.key & !0xff).into()..=(self.key | 0xff).into()
    }
}

/// Returns whether a character is of a script with thousands of letters (Han, Hangul and neighbours), or an
/// emoji.
fn is_of_many(c: char) -> bool {
    c >= '\u{2e80}'
}

/// Calls `take` with each gram of a folded text. Some grams are repeated.
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

/// A search term: a text must contain a gram with this spread and one of these keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    pub spread: u16,
    pub keys: RangeInclusive<u64>,
}

/// Most grams per search. Each costs time; a gram left out only lets more candidates through.
const MAX_TERMS: usize = 16;

/// Most grams per word.
const MAX_TERMS_PER_WORD: usize = 6;

/// Returns the grams of a search. It takes one gram of each of the longest words, then a second one of each,
/// and so on.
pub fn of_search(words: &Words) -> Vec<Term> {
    let words: Vec<Vec<Term>> = words.iter().take(MAX_TERMS).map(of_word).collect();
    let each = (MAX_TERMS / words.len()).clamp(1, MAX_TERMS_PER_WORD);
    let mut terms: Vec<Term> = Vec::new();
    for number in 0..each {
        for grams in &words {
            // Spread over the word, from its first gram to its last.
            let count = grams.len().min(each);
            let chosen = (number < count).then(|| &grams[number * (grams.len() - 1) / (count - 1).max(1)]);
            terms.extend(chosen.filter(|chosen| !terms.contains(chosen)).cloned());
        }
    }
    terms
}

fn of_word(word: &str) -> Vec<Term> {
    let chars: Vec<char> = word.chars().collect();
    let exactly = |gram: Gram| Term { spread: gram.spread, keys: gram.key.into()..=gram.key.into() };
    let followed = chars.windows(3).map(|three| exactly(Gram::pair(three[0], three[1], Some(three[2]))));
    let mut terms: Vec<Term> = followed.collect();
    match chars[..] {
        [alone] => terms.push(exactly(Gram::alone(alone))),
        [.., first, second] if is_of_many(first) && is_of_many(second) => {
            terms.push(exactly(Gram::pair(first, second, None)));
        }
        [first, second] => {
            let gram = Gram::pair(first, second, None);
            terms.push(Term { spread: gram.spread, keys: gram.any_third() });
        }
        // The gram before them already contains the last two.
        _ => {}
    }
    terms
}
