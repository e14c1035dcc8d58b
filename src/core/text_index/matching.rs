//! Matching: where in a text a word must be, to be a match.

use unicode_normalization::char::is_combining_mark;
use unicode_script::{Script, UnicodeScript};

/// Where in a text a word matches. Both are folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Matching {
    /// At any position.
    #[default]
    Substring,
    /// At the beginning of a word. Numbers, and scripts without spaces between words, match at any position.
    Prefix,
}

/// The names of both in the API.
pub const NAMES: [&str; 2] = ["substring", "prefix"];

impl Matching {
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "substring" => Some(Self::Substring),
            "prefix" => Some(Self::Prefix),
            _ => None,
        }
    }

    /// Returns whether a word matches in a text.
    pub fn finds(self, text: &str, word: &str) -> bool {
        text.contains(word) && (self == Self::Substring || self.places(text, word).next().is_some())
    }

    /// Returns the positions in bytes at which a word matches in a text.
    pub fn places<'a>(self, text: &'a str, word: &'a str) -> Box<dyn Iterator<Item = usize> + 'a> {
        match word.chars().next() {
            Some(first) if self == Self::Prefix && !first.is_numeric() && has_spaces_around(first) => {
                let places = text.match_indices(first).map(|(start, _)| start);
                Box::new(
                    places.filter(move |start| begins_word(text, *start) && text[*start..].starts_with(word)),
                )
            }
            _ => Box::new(text.match_indices(word).map(|(start, _)| start)),
        }
    }
}

/// Returns whether no letter or digit precedes a position. Combining marks count as part of their base
/// character.
fn begins_word(text: &str, start: usize) -> bool {
    let before = text[..start].chars().rev().find(|c| c.is_ascii() || !is_combining_mark(*c));
    before.is_none_or(|before| !has_spaces_around(before))
}

/// Returns whether a character is a letter or digit of a script that separates words by spaces or
/// punctuation.
fn has_spaces_around(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphanumeric();
    }
    c.is_alphanumeric() && !is_of_script_without_spaces(c)
}

fn is_of_script_without_spaces(c: char) -> bool {
    use Script::{
        Balinese, Bopomofo, Han, Hiragana, Javanese, Katakana, Khmer, Lao, Myanmar, New_Tai_Lue, Tai_Le,
        Tai_Tham, Tai_Viet, Thai, Tibetan, Yi,
    };
    // All scripts below Thai separate words by spaces.
    if c < '\u{e00}' {
        return false;
    }
    let scripts = c.script_extension();
    let is_of_all = scripts.is_common() || scripts.is_inherited();
    let among = [
        Han,
        Hiragana,
        Katakana,
        Bopomofo,
        Yi,
        Thai,
        Lao,
        Khmer,
        Myanmar,
        Tibetan,
        Javanese,
        Balinese,
        Tai_Le,
        New_Tai_Lue,
        Tai_Tham,
        Tai_Viet,
    ]
    .into_iter()
    .any(|script| scripts.contains_script(script));
    among && !is_of_all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::case_folding::fold;

    fn finds(text: &str, word: &str) -> bool {
        Matching::Prefix.finds(&fold(text), &fold(word))
    }

    #[test]
    fn names_are_those_that_are_read() {
        assert_eq!(NAMES.map(Matching::parse), [Some(Matching::Substring), Some(Matching::Prefix)]);
        assert_eq!(Matching::parse("prefixes"), None);
    }

    #[test]
    fn words_are_found_from_their_beginning() {
        for text in [
            "Art",
            "modern ART",
            "(artist)",
            "state-of-the-art",
            "l'art",
            "l’artiste",
            "a_art",
            "#art",
            "北京art",
            "👍\u{fe0f}art",
            "start, art",
        ] {
            assert!(finds(text, "art"), "{text}");
        }
        for text in ["start", "party", "sm4art", "éart", "e\u{301}art", "Өart"] {
            assert!(!finds(text, "art"), "{text}");
        }
        assert!(finds("İstanbul'da ışık", "istan") && !finds("İstanbul'da ışık", "tan"));
        assert!(finds("Die Straße", "STRASS") && !finds("Die Straße", "rasse") && !finds("Straße", "sse"));
        assert!(finds("Ёлка на площади", "площ") && !finds("Ёлка на площади", "лощ"));
        assert!(finds("x a-a-a", "a-a") && finds("xa-a-a", "a-a") && !finds("xa-b", "a-b"));
        // A letter after a virama, and one with a dependent vowel sign, are inside a word.
        assert!(
            finds("नमस्ते जी", "नम") && finds("नमस्ते जी", "जी") && !finds("नमस्ते", "ते") && !finds("नमस्ते", "स्ते")
        );
        assert!(finds("السلام عليكم", "علي") && !finds("السلام", "سلام") && !finds("مَرْحَبا", "حبا"));
        assert!(finds("안녕하세요 서울", "서울") && !finds("안녕하세요", "하세"));
    }

    #[test]
    fn what_has_no_spaces_is_found_anywhere() {
        let said = [
            ("我们明天在北京见面", "北京"),
            ("会議は東京タワーで", "京タ"),
            ("スマートフォン", "フォン"),
            ("スマートフォン", "ー"),
            ("พรุ่งนี้เจอกันที่กรุงเทพ", "กรุงเทพ"),
            ("ພົບກັນມື້ອື່ນ", "ມື້"),
            ("ជួបគ្នាថ្ងៃស្អែក", "ថ្ងៃ"),
            ("မနက်ဖြန်တွေ့မယ်", "တွေ့"),
            ("abc👍def", "👍"),
            ("abc+def", "+d"),
            ("order 4130", "130"),
        ];
        for (text, word) in said {
            assert!(finds(text, word), "{word}");
        }
    }
}
