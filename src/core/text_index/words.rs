//! Search words; a text must contain every one.

use super::Matching;
use crate::core::model::case_folding::{Traced, fold};

/// Most highlights in one message, and most words that are highlighted. Later matches are not highlighted.
const MAX_HIGHLIGHTS: usize = 100;

/// The distinct words of a search, and how they match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// Folded, the longest first, since it is the most likely to be absent.
    words: Vec<String>,
    matching: Matching,
}

impl Words {
    /// Parses a query; `None` where it has no words.
    pub fn of(query: &str) -> Option<Self> {
        let folded = fold(query);
        let mut words: Vec<String> = folded.split_whitespace().map(str::to_owned).collect();
        words.sort_unstable_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        words.dedup();
        (!words.is_empty()).then_some(Self { words, matching: Matching::default() })
    }

    /// Returns no words, which match every text.
    pub fn none() -> Self {
        Self { words: Vec::new(), matching: Matching::default() }
    }

    /// Returns the words with another way of matching.
    pub fn matching(self, matching: Matching) -> Self {
        Self { matching, ..self }
    }

    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.words.iter().map(String::as_str)
    }

    /// Returns the number of words.
    pub fn count(&self) -> usize {
        self.words.len()
    }

    /// Counts the words that match a folded text, up to the first that does not.
    pub fn found_in(&self, folded: &str) -> usize {
        self.iter().take_while(|word| self.matching.finds(folded, word)).count()
    }

    /// Returns the matches of the longest words as ranges of characters, the end exclusive, in order.
    /// Overlapping ranges are merged.
    pub fn highlights(&self, text: &str) -> Vec<(usize, usize)> {
        let text = Traced::new(text);
        let mut found = Vec::new();
        for word in self.iter().take(MAX_HIGHLIGHTS) {
            let hits = self.matching.places(&text.folded, word).take(MAX_HIGHLIGHTS);
            found.extend(hits.map(|start| text.origin(start, start + word.len())));
        }
        found.sort_unstable();
        let mut merged: Vec<(usize, usize)> = Vec::new();
        for (start, end) in found {
            match merged.last_mut() {
                Some(last) if start < last.1 => last.1 = last.1.max(end),
                _ => merged.push((start, end)),
            }
        }
        merged.truncate(MAX_HIGHLIGHTS);
        merged
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn highlights(query: &str, text: &str) -> Vec<(usize, usize)> {
        Words::of(query).unwrap().highlights(text)
    }

    #[test]
    fn every_word_must_be_there() {
        let words = Words::of(" deploy\u{3000}THE the ").unwrap();
        assert_eq!(words.iter().collect::<Vec<_>>(), ["deploy", "the"]);
        assert_eq!(words.found_in(&fold("The deployment")), words.count());
        assert_eq!(words.found_in(&fold("A deployment")), 1);
        assert_eq!(Words::of(" \n\u{a0}"), None);
    }

    #[test]
    fn highlights_are_characters_of_the_original() {
        assert_eq!(highlights("hello", "😀 Hello, HELLO"), [(2, 7), (9, 14)]);
        assert_eq!(highlights("strasse", "Die Straße"), [(4, 10)]);
        assert_eq!(highlights("北京", "我在北京很好"), [(2, 4)]);
        assert_eq!(highlights("é", "cafe\u{301}s"), [(3, 5)]);
        assert_eq!(highlights("s", "ß"), [(0, 1)]);
        assert_eq!(highlights("abc bcd", "abcd abc"), [(0, 4), (5, 8)]);
        assert_eq!(highlights("foo bar", "foobar"), [(0, 3), (3, 6)]);
    }

    #[test]
    fn only_what_was_found_is_highlighted() {
        let words = Words::of("art").unwrap().matching(Matching::Prefix);
        assert_eq!(words.found_in("a start"), 0);
        assert_eq!(words.highlights("Start: ART, 北京art"), [(7, 10), (14, 17)]);
    }
}
