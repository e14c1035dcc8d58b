//! Checks for invisible characters, so that names and titles show everything that they contain.

use icu_properties::{
    CodePointMapData, CodePointSetData,
    props::{CanonicalCombiningClass, DefaultIgnorableCodePoint, GeneralCategory, JoiningType},
};

const ZWNJ: char = '\u{200C}';
const ZWJ: char = '\u{200D}';

/// Returns whether a text contains invisible or reordering characters: Unicode's default-ignorable ones and
/// annotations. Whole emoji are allowed, and joiners where they change how letters are written.
pub(super) fn hides_something(text: &str) -> bool {
    if !text.chars().any(is_hidden) {
        return false;
    }
    let mut before = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let taken = emoji_at(rest).unwrap_or(c.len_utf8());
        let is_alone = taken == c.len_utf8();
        if is_alone && is_hidden(c) && !is_written(&before, c, &rest[taken..]) {
            return true;
        }
        before.push_str(&rest[..taken]);
        rest = &rest[taken..];
    }
    false
}

/// Returns whether a text contains a visible character.
pub(super) fn shows_something(text: &str) -> bool {
    let categories = CodePointMapData::<GeneralCategory>::new();
    text.chars().any(|c| {
        use GeneralCategory::{
            Control, EnclosingMark, Format, LineSeparator, NonspacingMark, ParagraphSeparator,
            SpaceSeparator, Unassigned,
        };
        let is_seen = !matches!(
            categories.get(c),
            Control
                | EnclosingMark
                | Format
                | LineSeparator
                | NonspacingMark
                | ParagraphSeparator
                | SpaceSeparator
                | Unassigned
        );
        is_seen && !is_hidden(c) && !is_empty_shape(c)
    })
}

fn is_hidden(c: char) -> bool {
    CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c) || matches!(c, '\u{FFF9}'..='\u{FFFB}')
}

/// Returns whether a symbol has an empty glyph: the blank Braille pattern and the null notehead.
fn is_empty_shape(c: char) -> bool {
    matches!(c, '\u{2800}' | '\u{1D159}')
}

/// Returns the length in bytes of the longest emoji at the start of a text.
fn emoji_at(text: &str) -> Option<usize> {
    // The longest emoji of Unicode's list has 14 characters.
    let ends = text.char_indices().map(|(at, c)| at + c.len_utf8()).take(14);
    ends.filter(|end| is_emoji(&text[..*end])).last()
}

/// Returns whether a text is an emoji that is drawn as one. A digit is one only with its keycap.
fn is_emoji(text: &str) -> bool {
    let is_drawn = !text.starts_with(|c: char| c.is_ascii()) || text.ends_with('\u{20E3}');
    is_drawn && emojis::get(text).is_some()
}

/// Returns whether a joiner is part of how a word is written, by rules A.1 and A.2 of RFC 5892.
fn is_written(before: &str, c: char, after: &str) -> bool {
    if !matches!(c, ZWNJ | ZWJ) {
        return false;
    }
    let classes = CodePointMapData::<CanonicalCombiningClass>::new();
    if before.chars().next_back().is_some_and(|c| classes.get(c) == CanonicalCombiningClass::Virama) {
        return true;
    }
    let types = CodePointMapData::<JoiningType>::new();
    let joining = |c: char| types.get(c);
    let shows = |kind: &JoiningType| *kind != JoiningType::Transparent;
    let left = before.chars().rev().map(joining).find(shows);
    let right = after.chars().map(joining).find(shows);
    c == ZWNJ
        && matches!(left, Some(JoiningType::LeftJoining | JoiningType::DualJoining))
        && matches!(right, Some(JoiningType::RightJoining | JoiningType::DualJoining))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_not_seen_stands_in_a_name() {
        let ignorable = CodePointSetData::new::<DefaultIgnorableCodePoint>();
        let all: Vec<char> = ('\0'..=char::MAX).filter(|c| ignorable.contains(*c)).collect();
        assert!(all.len() > 4_000);
        for c in all {
            for text in [format!("Bob{c}"), format!("{c}Bob"), format!("B{c}b"), c.to_string()] {
                assert!(hides_something(&text), "{text:?}");
            }
        }
        for text in ["👍\u{200D}👍", "a\u{FE0F}", "❤️\u{FE0F}", "👩\u{200D}", "1\u{FE0F}", "ب\u{200D}ب"]
        {
            assert!(hides_something(text), "{text:?}");
        }
    }

    #[test]
    fn emoji_and_words_are_written_as_they_are() {
        let good = [
            "Team ❤️",
            "👩‍💻👨‍👩‍👧‍👦",
            "🏴󠁧󠁢󠁥󠁮󠁧󠁿 1️⃣",
            "می\u{200C}خواهم",
            "علی\u{200C}رضا",
            "क्\u{200D}ष",
            "ক\u{9CD}\u{200C}ষ",
            "Zoë O'Neil-Žąsis 王小明",
            "",
        ];
        for text in good {
            assert!(!hides_something(text), "{text:?}");
        }
    }

    #[test]
    fn something_is_to_be_seen() {
        for good in ["a", " 王 ", ".", "👍", "e\u{301}", "١"] {
            assert!(shows_something(good), "{good:?}");
        }
        for empty in
            ["", " ", "\u{2800}", "\u{3000}\u{2003}", "\u{301}", "\u{3164}", "\u{1D159}", "\u{E0001}"]
        {
            assert!(!shows_something(empty), "{empty:?}");
        }
    }
}
