//! Case folding for search and comparison, with a mapping from folded text back to the original.

use unicode_normalization::{
    IsNormalized, UnicodeNormalization, char::canonical_combining_class, is_nfkc_quick,
};

/// Folds a text for search and comparison: NFKC, then case-insensitive. It maps to upper case first, since
/// lower-case letters may share a capital: σ and ς, ß and ss. Dotted and dotless I and i all fold to i.
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let mut folded = String::with_capacity(text.len());
    pieces(text, |_, piece| folded.push_str(piece));
    folded
}

/// A folded text that maps each of its parts back to characters of the original.
#[derive(Debug, Default)]
pub struct Traced {
    pub folded: String,
    /// The end of each piece: in bytes of the folded text, and in characters of the original.
    ends: Vec<(usize, usize)>,
}

impl Traced {
    /// Folds a text and records its pieces.
    pub fn new(text: &str) -> Self {
        let mut traced = Self::default();
        let mut chars = 0;
        pieces(text, |count, piece| {
            chars += count;
            traced.folded.push_str(piece);
            traced.ends.push((traced.folded.len(), chars));
        });
        traced
    }

    /// Returns the range of original characters behind bytes `start..end` of the folded text, extended to
    /// whole pieces.
    pub fn origin(&self, start: usize, end: usize) -> (usize, usize) {
        let first = self.ends.partition_point(|(bytes, _)| *bytes <= start);
        let last = self.ends.partition_point(|(bytes, _)| *bytes < end);
        let began = first.checked_sub(1).map_or(0, |before| self.ends[before].1);
        (began, self.ends[last].1)
    }
}

/// Folds a text piece by piece. A piece is a character with all characters that can combine with it, so its
/// folded form does not depend on its context. Calls `take` with the piece's number of characters and its
/// folded form.
fn pieces(text: &str, mut take: impl FnMut(usize, &str)) {
    let mut chars = text.char_indices().peekable();
    while let Some((start, first)) = chars.next() {
        let mut count = 1;
        while chars.next_if(|(_, c)| combines(*c)).is_some() {
            count += 1;
        }
        let end = chars.peek().map_or(text.len(), |(next, _)| *next);
        let piece = &text[start..end];
        if count > 1 || !is_plain(first) {
            take(count, &fold_piece(piece));
        } else if first.is_ascii_uppercase() {
            take(1, first.to_ascii_lowercase().encode_utf8(&mut [0]));
        } else {
            take(1, piece);
        }
    }
}

fn fold_piece(piece: &str) -> String {
    // Lower case first, for ẞ: the one capital that upper case alone leaves unchanged.
    let small = piece.nfkc().flat_map(char::to_lowercase);
    let folded: String = small.flat_map(char::to_uppercase).flat_map(char::to_lowercase).nfkc().collect();
    folded.replace("i\u{307}", "i")
}

/// Returns whether a character may combine with the one before it.
fn combines(c: char) -> bool {
    if c < '\u{300}' || is_plain(c) {
        return false;
    }
    let first = std::iter::once(c).nfkd().next().unwrap_or(c);
    canonical_combining_class(first) != 0 || is_nfkc_quick(std::iter::once(first)) == IsNormalized::Maybe
}

/// Returns whether a character is ASCII or is known to fold to itself. This is a fast path for common scripts
/// without capitals, small Cyrillic letters and emoji.
fn is_plain(c: char) -> bool {
    matches!(c, '\0'..='\x7f' | 'а'..='я' | 'א'..='ת' | '\u{621}'..='\u{64a}' | '\u{3001}'..='\u{3002}'
        | '\u{3041}'..='\u{3096}' | '\u{30a1}'..='\u{30fa}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{ac00}'..='\u{d7a3}' | '\u{1f300}'..='\u{1faff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_ignores_case_in_any_script() {
        assert_eq!(fold("ÀÉÎ Žąsis ΣΑΣ"), fold("àéî žąsis σας"));
        for street in ["STRASSE", "Straße", "STRAẞE"] {
            assert_eq!(fold(street), "strasse");
        }
        for city in ["istanbul", "İstanbul", "ISTANBUL", "ıstanbul", "I\u{307}STANBUL"] {
            assert_eq!(fold(city), "istanbul");
        }
    }

    #[test]
    fn plain_characters_are_what_they_are_said_to_be() {
        for c in ('\u{80}'..=char::MAX).filter(|c| is_plain(*c)) {
            assert_eq!(fold_piece(c.encode_utf8(&mut [0; 4])), c.to_string());
            assert_eq!(is_nfkc_quick(std::iter::once(c)), IsNormalized::Yes, "{c}");
            assert_eq!(canonical_combining_class(c), 0, "{c}");
        }
    }

    #[test]
    fn what_is_folded_stays_as_it_is() {
        for c in '\0'..=char::MAX {
            let folded = fold(c.encode_utf8(&mut [0; 4]));
            assert_eq!(fold(&folded), folded, "{c:?}");
        }
    }

    #[test]
    fn a_text_folds_as_its_pieces_do() {
        let parts =
            ["e", "\u{301}", "\u{323}", "ｶ", "\u{ff9e}", "ᄒ", "ᅡ", "ᆫ", "가", "ᆨ", "İ", "ß", "ﬁ", "x", " "];
        for a in parts {
            for b in parts {
                for c in parts {
                    let text = [a, b, c].concat();
                    assert_eq!(fold(&text), fold_piece(&text), "{text:?}");
                }
            }
        }
    }

    #[test]
    fn every_part_comes_from_whole_characters() {
        let traced = Traced::new("aß ﬁ e\u{301}!");
        assert_eq!(traced.folded, "ass fi é!");
        let origin = |part: &str| {
            let start = traced.folded.find(part).unwrap();
            traced.origin(start, start + part.len())
        };
        let found = ["a", "ss", "s f", "i", "é", "!", "ass fi é!"].map(origin);
        assert_eq!(found, [(0, 1), (1, 2), (1, 4), (3, 4), (5, 7), (7, 8), (0, 8)]);
    }
}
