//! What is searched for in names and titles: words, and patterns in which nothing stands for anything but itself.

/// The words of a search, each once: one that is said a thousand times is looked for once.
pub(crate) fn different_words(search: &str) -> Vec<&str> {
    let mut words: Vec<&str> = search.split_whitespace().collect();
    words.sort_unstable();
    words.dedup();
    words
}

/// Longest word, in bytes, that is looked for: no name or title is longer, and the databases take no pattern of any length.
const LONGEST_WORD: usize = 16_000;

/// A pattern that no text fits, since none is a control character.
const NOWHERE: &str = "\u{1}";

/// A LIKE pattern for texts that contain `word`, whose wildcards are plain characters.
pub(crate) fn like_pattern(word: &str) -> String {
    // No text has a NUL in it, which would end the pattern.
    if word.len() > LONGEST_WORD || word.contains('\0') {
        return NOWHERE.to_owned();
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
