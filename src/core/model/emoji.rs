//! Emoji for reactions.

/// Exactly one emoji of Unicode's list for general interchange (RGI), in its fully qualified form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Emoji(&'static str);

/// Most different emoji on one message.
pub const MAX_PER_MESSAGE: usize = 20;

impl Emoji {
    /// Parses one emoji. An emoji without its variation selectors becomes its fully qualified form.
    pub fn parse(text: &str) -> Result<Self, String> {
        emojis::get(text)
            .map(|emoji| Self(emoji.as_str()))
            .ok_or_else(|| "Enter exactly one emoji.".to_owned())
    }

    /// Returns the emoji as text.
    pub fn as_str(&self) -> &'static str {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_emoji_of_the_list_and_nothing_else() {
        for good in ["👍", "👍🏽", "❤️", "🇱🇹", "👨‍👩‍👧‍👦", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "1️⃣"]
        {
            assert!(Emoji::parse(good).is_ok(), "{good}");
        }
        assert_eq!(Emoji::parse("❤").unwrap().as_str(), "❤️");
        for bad in ["", "a", "1", "👍👍", "<b>", "\u{200D}", "🏽", "👍 ", "#"] {
            assert!(Emoji::parse(bad).is_err(), "{bad:?}");
        }
    }
}
