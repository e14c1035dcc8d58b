//! Fields of uploads.

use serde::Deserialize;
use utoipa::ToSchema;

use super::Field;
use crate::{
    core::model::{AltText, ChatId, FieldErrors, FileName, Sha256Hex, ids::MAX_ID, text::REQUIRED},
    storage::tables::attachments::NewUpload,
};

/// Fields of an upload.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewUpload)]
pub struct UploadFields {
    /// The file's name. Any path is cut off.
    #[serde(default)]
    #[schema(value_type = String, min_length = 1, required)]
    pub name: Field,
    /// The number of bytes.
    #[serde(default)]
    #[schema(value_type = i64, minimum = 1, required)]
    pub size: Field,
    /// The chat in which it will be sent.
    #[serde(default)]
    #[schema(value_type = ChatId, required)]
    pub chat: Field,
    /// Hash of the bytes in hexadecimal. Other bytes are then refused.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 64, max_length = 64)]
    pub sha256: Field,
    /// A description for those who do not see it.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 1000)]
    pub alt: Field,
}

impl UploadFields {
    /// Returns the chat, if it is one.
    pub fn chat(&self) -> Option<ChatId> {
        let id = self.chat.optional_integer().ok().flatten();
        id.filter(|id| (1..=MAX_ID).contains(id)).map(ChatId)
    }

    pub fn check(self) -> Result<NewUpload, FieldErrors> {
        let mut errors = FieldErrors::default();
        let name = errors.note("name", self.name.text().and_then(|text| FileName::parse(&text)));
        let size = self.size.optional_integer().and_then(|size| match size {
            None => Err(REQUIRED.to_owned()),
            Some(size) if size < 1 => Err("Ensure this value is greater than or equal to 1.".to_owned()),
            Some(size) => Ok(size),
        });
        let size = errors.note("size", size);
        let chat = match (self.chat(), self.chat.optional_integer()) {
            (Some(chat), _) => Ok(chat),
            (None, Ok(None)) => Err(REQUIRED.to_owned()),
            (None, Ok(Some(id))) => Err(format!("Invalid pk \"{id}\" - object does not exist.")),
            (None, Err(sentence)) => Err(sentence),
        };
        let chat = errors.note("chat", chat);
        let sha256 = self.sha256.optional_text();
        let sha256 = sha256.and_then(|text| text.map(|text| Sha256Hex::parse(&text)).transpose());
        let sha256 = errors.note("sha256", sha256);
        let alt = self.alt.optional_text().and_then(|text| AltText::parse(&text.unwrap_or_default()));
        match (name, size, chat, sha256, errors.note("alt", alt)) {
            (Some(name), Some(size), Some(chat), Some(sha256), Some(alt)) => {
                Ok(NewUpload { chat, name, size, sha256, alt })
            }
            _ => Err(errors),
        }
    }
}

/// Changed fields of an upload.
#[derive(Deserialize, ToSchema)]
#[schema(as = UploadDescription)]
pub struct DescriptionFields {
    /// A description for those who do not see it.
    #[serde(default)]
    #[schema(value_type = String, max_length = 1000, required)]
    pub alt: Field,
}

impl DescriptionFields {
    pub fn check(self) -> Result<AltText, FieldErrors> {
        let alt = self.alt.text().and_then(|text| AltText::parse(&text));
        alt.map_err(|sentence| FieldErrors::of("alt", sentence))
    }
}
