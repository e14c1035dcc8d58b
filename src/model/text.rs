//! Texts that exist only when valid: message bodies, titles, client ids, names.
//!
//! Sentences are those of Django REST Framework where it has one, so that existing clients recognise them.

pub use super::fold::fold;

/// Said of a required text that is empty.
pub const BLANK: &str = "This field may not be blank.";
/// Said of a required field that is missing.
pub const REQUIRED: &str = "This field is required.";
/// Said of a null where there may be none.
pub const NULL: &str = "This field may not be null.";

macro_rules! text {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name(String);

        impl $name {
            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
    };
}

text! {
    /// What a message says: 1 to 5,000 characters, edges trimmed, kept exactly otherwise.
    MessageBody
}
text! {
    /// A chat's own title: 1 to 255 characters, without anything that could disguise it.
    Title
}
text! {
    /// The sender's own key for a message, 1 to 64 characters: the same key never makes a second message.
    ClientId
}
text! {
    /// A name to sign in with: 1 to 150 ASCII letters, digits and `@ . + - _`.
    Username
}

impl MessageBody {
    /// Longest body, in characters.
    pub const MAX_CHARS: usize = 5_000;

    /// Trims and checks a body.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        filled(text)?;
        at_most(text, Self::MAX_CHARS)?;
        no_controls(text, &['\n', '\r', '\t'])?;
        Ok(Self(text.to_owned()))
    }
}

impl Title {
    /// Most characters of one.
    pub const MAX_CHARS: usize = 255;

    /// Trims and checks a title. `None`: it was blank, which means "no title of its own".
    pub fn parse(text: &str) -> Result<Option<Self>, String> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(None);
        }
        Ok(Some(Self(name(text, Self::MAX_CHARS)?)))
    }
}

impl ClientId {
    /// Checks a key; it is not trimmed, since it is never shown.
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

    /// What two names share that a person could take for one another (compatibility forms folded, then the
    /// confusables skeleton of Unicode TS 39); unique among users.
    pub fn key(&self) -> String {
        unicode_security::skeleton(&fold(&self.0)).collect()
    }
}

/// A person's name or part of one: trimmed, at most `max` characters, nothing in it that could disguise it. May be empty.
pub fn person_name(text: &str, max: usize) -> Result<String, String> {
    name(text.trim(), max)
}

/// One of the two strings by which a host names an object: 1 to 255 characters, edges trimmed.
pub fn object_name(text: &str) -> Result<String, String> {
    let text = text.trim();
    filled(text)?;
    at_most(text, 255)?;
    no_controls(text, &[])?;
    Ok(text.to_owned())
}

/// An e-mail address, or nothing: one `@` with something on both sides and a length that mail allows.
pub fn email(text: &str) -> Result<String, String> {
    let text = text.trim();
    at_most(text, 254)?;
    let plausible = text
        .split_once('@')
        .is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty() && !domain.contains('@'));
    let clean = text.chars().all(|c| !c.is_whitespace() && !c.is_control());
    if text.is_empty() || (plausible && clean) {
        Ok(text.to_owned())
    } else {
        Err("Enter a valid email address.".to_owned())
    }
}

/// An absolute `http(s)` address, or nothing.
pub fn web_address(text: &str) -> Result<String, String> {
    let text = text.trim();
    at_most(text, 500)?;
    let valid =
        || url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if text.is_empty() || valid() { Ok(text.to_owned()) } else { Err("Enter a valid URL.".to_owned()) }
}

fn name(text: &str, max: usize) -> Result<String, String> {
    at_most(text, max)?;
    no_controls(text, &[])?;
    if text.chars().any(disguises) {
        return Err("Invisible and text-direction characters are not allowed.".to_owned());
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

/// Zero-width characters and bidirectional controls. The joiners U+200C and U+200D count too: a title is not a place
/// where their absence would change a meaning as much as their presence can hide a difference.
fn disguises(c: char) -> bool {
    matches!(c,
        '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}'
        | '\u{061C}' | '\u{180E}' | '\u{FEFF}')
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
    fn a_blank_title_is_none_and_disguises_are_refused() {
        assert_eq!(Title::parse("  "), Ok(None));
        assert!(Title::parse("Team").unwrap().is_some());
        for bad in ["a\u{202E}b", "a\u{200B}b", "a\nb"] {
            assert!(Title::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn usernames_that_look_alike_share_a_key() {
        let key = |name: &str| Username::parse(name).unwrap().key();
        assert_eq!(key("Alice"), key("alice"));
        assert_eq!(key("paypa1"), key("paypal"));
        assert_ne!(key("alice"), key("bob"));
        assert!(Username::parse("p\u{430}ypal").is_err());
    }
}
