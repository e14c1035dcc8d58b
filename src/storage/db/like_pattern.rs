//! Search words and LIKE patterns for names and titles.

/// Splits a search into distinct words.
pub(crate) fn different_words(search: &str) -> Vec<&str> {
    let mut words: Vec<&str> = search.split_whitespace().collect();
    words.sort_unstable();
    words.dedup();
    words
}

/// Maximum length of a word in bytes. No name or title is longer, and the databases limit the length of a
/// pattern.
const MAX_WORD_BYTES: usize = 16_000;

/// A pattern that matches no text, since none contains control characters.
const MATCHES_NOTHING: &str = "\u{1}";

/// Returns a LIKE pattern for texts that contain `word`, with its wildcards escaped.
pub(crate) fn like_pattern(word: &str) -> String {
    // No text contains a NUL, which would end the pattern.
    if word.len() > MAX_WORD_BYTES || word.contains('\0') {
        return MATCHES_NOTHING.to_owned();
    }
    let mut pattern = String::with_capacity(word.len() + 2);
    pattern.push('%');
    for c in word.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_said_often_is_looked_for_once() {
        assert_eq!(different_words(" b a  b a b"), ["a", "b"]);
        assert!(different_words(" ").is_empty());
    }
}
