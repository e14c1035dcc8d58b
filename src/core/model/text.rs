//! Texts that exist only when valid: message bodies, titles, client ids, names.
//!
//! Error sentences follow Django REST Framework where it has one, so that existing clients recognize them.

pub use super::case_folding::fold;
use super::visible::{hides_something, shows_something};

/// Error for a required text that is empty.
pub const BLANK: &str = "This field may not be blank.";
/// Error for a required field that is missing.
pub const REQUIRED: &str = "This field is required.";
/// Error for a null value in a field that allows none.
pub const NULL: &str = "This field may not be null.";

macro_rules! text {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name(String);

        impl $name {
            /// Returns the text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
    };
}

text! {
    /// The body of a message: 1 to 5,000 characters, trimmed and otherwise unchanged.
    MessageBody
}
text! {
    /// A chat's own title: 1 to 255 characters, without invisible or disguising characters.
    Title
}
text! {
    /// The sender's idempotency key of a message, 1 to 64 characters: the same key never posts a second
    /// message.
    ClientId
}
text! {
    /// The text of a draft: at most 5,000 characters, kept as it was typed.
    DraftText
}
text! {
    /// A username for signing in: 1 to 150 ASCII letters, digits and `@ . + - _`.
    Username
}

impl MessageBody {
    /// The maximum length in characters.
    pub const MAX_CHARS: usize = 5_000;

    /// Trims and checks a body.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        filled(text)?;
        at_most(text, Self::MAX_CHARS)?;
        no_controls(text, &['\n', '\r', '\t'])?;
        Ok(Self(text.to_owned()))
    }

    /// Returns the body of a message that has something else than a text.
    pub fn empty() -> Self {
        Self(String::new())
    }
}

impl DraftText {
    /// Checks a text by the rules of message bodies. It may be empty or blank.
    pub fn parse(text: &str) -> Result<Self, String> {
        at_most(text, MessageBody::MAX_CHARS)?;
        no_controls(text, &['\n', '\r', '\t'])?;
        Ok(Self(text.to_owned()))
    }
}

impl Title {
    /// The maximum length in characters.
    pub const MAX_CHARS: usize = 255;

    /// Trims and checks a title. Returns `Ok(None)` for a blank one, which means "no title of its own".
    pub fn parse(text: &str) -> Result<Option<Self>, String> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(None);
        }
        Ok(Some(Self(name(text, Self::MAX_CHARS)?)))
    }
}

impl ClientId {
    /// Checks a key. It is not trimmed, since it is never shown.
    pub fn parse(text: &str) -> Result<Self, String> {
        filled(text)?;
        at_most(text, 64)?;
        no_controls(text, &[])?;
        Ok(Self(text.to_owned()))
    }
}

impl Username {
    /// Trims and checks a username.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        filled(text)?;
        at_most(text, 150)?;
        let allowed = |c: char| c.is_ascii_alphanumeric() || "@.+-_".contains(c);
        if !text.chars().all(allowed) {
            return Err("Enter a valid username. This value may contain only letters, numbers, \
                        and @/./+/-/_ characters."
                .to_owned());
        }
        Ok(Self(text.to_owned()))
    }

    /// Returns the keys for detecting confusable names, by the skeletons of Unicode TS 39. A name is refused
    /// if either key equals either key of another name.
    pub fn keys(&self) -> NameKeys {
        // A skeleton keeps case, but case affects which letters look alike: `I` looks like `l`, and
        // lower-cased it is `i`.
        NameKeys { read: skeleton(&fold(&self.0)), look: skeleton(&fold(&skeleton(&self.0))) }
    }
}

/// Comparison keys of a username; names that look alike share one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameKeys {
    /// Skeleton of the folded name: independent of case.
    pub read: String,
    /// Skeleton of the name as written.
    pub look: String,
}

fn skeleton(text: &str) -> String {
    unicode_security::skeleton(text).collect()
}

/// Checks a person's name or part of one: trimmed, at most `max` characters, no invisible or disguising ones.
/// May be empty.
pub fn person_name(text: &str, max: usize) -> Result<String, String> {
    name(text.trim(), max)
}

/// Checks one of the two strings by which a host names an object: 1 to 255 characters, trimmed.
pub fn object_name(text: &str) -> Result<String, String> {
    let text = text.trim();
    filled(text)?;
    at_most(text, 255)?;
    no_controls(text, &[])?;
    Ok(text.to_owned())
}

/// Checks the id of a user at an identity provider or in the host application: 1 to 255 characters. It is not
/// trimmed, since it is compared as it is.
pub fn external_id(text: &str) -> Result<String, String> {
    filled(text)?;
    at_most(text, 255)?;
    no_controls(text, &[])?;
    Ok(text.to_owned())
}

/// Checks an e-mail address: one `@` between two non-empty parts, at most 254 characters. May be empty.
pub fn email(text: &str) -> Result<String, String> {
    let text = text.trim();
    at_most(text, 254)?;
    let plausible = text
        .split_once('@')
        .is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty() && !domain.contains('@'));
    let clean = text.chars().all(|c| !c.is_whitespace() && !c.is_control()) && !hides_something(text);
    if text.is_empty() || (plausible && clean) {
        Ok(text.to_owned())
    } else {
        Err("Enter a valid email address.".to_owned())
    }
}

/// Checks an absolute `http(s)` address of at most 500 characters. May be empty.
pub fn web_address(text: &str) -> Result<String, String> {
    let text = text.trim();
    at_most(text, 500)?;
    // URL parsers strip some control characters, so that the stored address would differ from the one used.
    no_controls(text, &[])?;
    let valid =
        || url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if text.is_empty() || valid() { Ok(text.to_owned()) } else { Err("Enter a valid URL.".to_owned()) }
}

fn name(text: &str, max: usize) -> Result<String, String> {
    at_most(text, max)?;
    no_controls(text, &[])?;
    if hides_something(text) {
        return Err("Invisible and text-direction characters are not allowed.".to_owned());
    }
    if !text.is_empty() && !shows_something(text) {
        return Err("Enter something that can be seen.".to_owned());
    }
    Ok(text.to_owned())
}

fn filled(text: &str) -> Result<(), String> {
    if text.is_empty() { Err(BLANK.to_owned()) } else { Ok(()) }
}

fn at_most(text: &str, max: usize) -> Result<(), String> {
    if text.len() > max && text.chars().count() > max {
        return Err(format!("Ensure this field has no more than {max} characters."));
    }
    Ok(())
}

fn no_controls(text: &str, allowed: &[char]) -> Result<(), String> {
    match text.chars().find(|c| c.is_control() && !allowed.contains(c)) {
        None => Ok(()),
        Some('\0') => Err("Null characters are not allowed.".to_owned()),
        Some(_) => Err("Control characters are not allowed.".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_trimmed_and_otherwise_kept() {
        assert_eq!(MessageBody::parse("  a\n\tb <i> \u{202E}x ").unwrap().as_str(), "a\n\tb <i> \u{202E}x");
        assert_eq!(MessageBody::parse(" \n "), Err(BLANK.to_owned()));
        assert!(MessageBody::parse(&"😀".repeat(5_000)).is_ok());
        assert!(MessageBody::parse(&"a".repeat(5_001)).is_err());
        for bad in ["a\0b", "\u{7f}x", "a\u{85}b", "a\u{1b}b"] {
            assert!(MessageBody::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_draft_is_kept_as_it_was_typed() {
        for text in ["", "  ", " a\n\t"] {
            assert_eq!(DraftText::parse(text).unwrap().as_str(), text);
        }
        assert!(DraftText::parse(&"a".repeat(5_001)).is_err() && DraftText::parse("a\0b").is_err());
    }

    #[test]
    fn a_blank_title_is_none_and_disguises_are_refused() {
        assert_eq!(Title::parse("  "), Ok(None));
        assert!(Title::parse("Team").unwrap().is_some());
        for bad in ["a\u{202E}b", "a\u{200B}b", "a\nb", "Bob\u{ad}", "\u{2800}"] {
            assert!(Title::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn usernames_that_look_alike_share_a_key() {
        let keys = |name: &str| Username::parse(name).unwrap().keys();
        let alike = |one: &str, other: &str| {
            let (one, other) = (keys(one), keys(other));
            [&one.read, &one.look].iter().any(|key| [&other.read, &other.look].contains(key))
        };
        let twins = [
            ("Alice", "aLICE"),
            ("paypa1", "paypal"),
            ("paypaI", "paypal"),
            ("Iris", "lris"),
            ("IRIS", "iris"),
            ("bob0", "bobO"),
            ("b0b", "Bob"),
            ("rnike", "mike"),
            ("Mike", "rnike"),
            ("lIl", "Ill"),
            ("1an", "Ian"),
        ];
        for (one, other) in twins {
            assert!(alike(one, other) && alike(other, one), "{one} {other}");
        }
        for (one, other) in [("alice", "bob"), ("mail", "mall"), ("ian", "lan"), ("a.b", "a_b")] {
            assert!(!alike(one, other), "{one} {other}");
        }
        assert!(Username::parse("p\u{430}ypal").is_err());
    }

    #[test]
    fn migrations_know_how_names_look() {
        let upper = ('A'..='Z').chain('a'..='z').chain('0'..='9').chain("@.+-_".chars());
        let name: String = upper.collect();
        let in_sql = name.replace('0', "O").replace(['1', 'I'], "l").to_lowercase().replace('m', "rn");
        assert_eq!(Username::parse(&name).unwrap().keys().look, in_sql);
    }
}
