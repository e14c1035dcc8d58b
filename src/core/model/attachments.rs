//! Attachments: files that messages show, and the rules for their names and texts.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::AttachmentId;

/// Most attachments of a message that the settings allow.
pub const MOST_ATTACHMENTS: usize = 30;

/// Error for a name of which nothing is left.
const NO_NAME: &str = "Give a name with at least one character.";

/// Error for a name that could disguise what it is.
const DISGUISED: &str = "Control characters and text-direction characters are not allowed.";

/// Whether others may fetch an attachment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(rename_all = "lowercase")]
pub enum AttachmentState {
    /// It can be fetched.
    Clean,
    /// It waits for the scanner.
    Scanning,
    /// The scanner has found something. Its bytes are gone.
    Blocked,
}

impl AttachmentState {
    /// Returns the name in the API and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Scanning => "scanning",
            Self::Blocked => "blocked",
        }
    }

    /// Parses the result of [`AttachmentState::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Clean, Self::Scanning, Self::Blocked].into_iter().find(|state| state.as_str() == text)
    }
}

/// A smaller version of a picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thumbnail {
    pub width: i64,
    pub height: i64,
}

/// A file that a message shows. It is stored as JSON with the message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    pub id: AttachmentId,
    pub name: String,
    /// The number of bytes that are served.
    pub size: i64,
    /// Found in the bytes, not in the name.
    pub content_type: String,
    /// Hash of the bytes that are served, in hexadecimal.
    pub sha256: String,
    pub width: Option<i64>,
    pub height: Option<i64>,
    pub blurhash: Option<String>,
    /// A description for those who do not see the picture; may be empty.
    pub alt: String,
    pub state: AttachmentState,
    pub thumbnails: Vec<Thumbnail>,
}

impl Attachment {
    /// Parses the stored JSON of a list; `None` is an empty list.
    pub fn list_from_stored(json: Option<&str>) -> Vec<Self> {
        json.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default()
    }

    /// Returns a list as it is stored; `None` for an empty one.
    pub fn stored_list(list: &[Self]) -> Option<String> {
        (!list.is_empty()).then(|| serde_json::to_string(list).expect("attachments are always JSON"))
    }
}

/// A file's name: 1 to 255 characters, without any path, control and text-direction characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileName(String);

impl FileName {
    /// The maximum length in characters.
    const MAX_CHARS: usize = 255;

    /// Cuts off the path and checks what is left.
    pub fn parse(text: &str) -> Result<Self, String> {
        let name = text.rsplit(['/', '\\']).next().unwrap_or_default().trim();
        if matches!(name, "" | "." | "..") {
            return Err(NO_NAME.to_owned());
        }
        if name.chars().any(|c| c.is_control() || is_direction(c)) {
            return Err(DISGUISED.to_owned());
        }
        at_most(name, Self::MAX_CHARS)?;
        Ok(Self(name.to_owned()))
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The text that describes a picture: up to 1,000 characters, trimmed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AltText(String);

impl AltText {
    /// The maximum length in characters.
    pub const MAX_CHARS: usize = 1_000;

    /// Trims and checks a text. It may be empty.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        at_most(text, Self::MAX_CHARS)?;
        if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
            return Err("Control characters are not allowed.".to_owned());
        }
        Ok(Self(text.to_owned()))
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A SHA-256 hash in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sha256Hex(String);

impl Sha256Hex {
    /// Checks and lower-cases a hash.
    pub fn parse(text: &str) -> Result<Self, String> {
        let is_hash = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_hash {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err("Give 64 hexadecimal digits.".to_owned())
        }
    }

    /// Returns the digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Returns whether a character changes the direction of the text around it.
fn is_direction(c: char) -> bool {
    matches!(c, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

fn at_most(text: &str, max: usize) -> Result<(), String> {
    if text.chars().count() > max {
        return Err(format!("Ensure this field has no more than {max} characters."));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_loses_its_path() {
        let name = |text: &str| FileName::parse(text).map(|name| name.as_str().to_owned());
        for (given, kept) in [
            ("a.txt", "a.txt"),
            ("C:\\Users\\ann\\a.txt", "a.txt"),
            ("../../etc/passwd", "passwd"),
            (" über uns.pdf ", "über uns.pdf"),
            ("a/b\\c", "c"),
            (".profile", ".profile"),
        ] {
            assert_eq!(name(given).unwrap(), kept);
        }
        for bad in ["", " ", "a/", "..", "a/..", "x\\", "a\u{202E}fdp.exe", "a\0b", "a\nb", "a\u{85}b"] {
            assert!(name(bad).is_err(), "{bad:?}");
        }
        assert!(name(&"ä".repeat(255)).is_ok() && name(&"a".repeat(256)).is_err());
    }

    #[test]
    fn a_list_of_none_is_not_stored() {
        assert_eq!(Attachment::stored_list(&[]), None);
        assert_eq!(Attachment::list_from_stored(None), []);
    }
}
