//! The sequence numbers up to which a client has received the events of its chats.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::Field;
use crate::core::model::{ChatId, Seq, text::REQUIRED};

/// Unvalidated `{"<chat id>": seq}`.
#[derive(Debug, Default)]
pub struct HeadsField(Option<Box<RawValue>>);

impl<'de> Deserialize<'de> for HeadsField {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(|value| Self(Some(value)))
    }
}

impl HeadsField {
    /// Validates the field. Returns the sequence numbers by chat, which need not exist.
    pub fn heads(&self) -> Result<BTreeMap<ChatId, Seq>, String> {
        let json = self.0.as_ref().ok_or(REQUIRED)?.get();
        if !json.starts_with('{') {
            let field: Field = serde_json::from_str(json).map_err(|error| error.to_string())?;
            return Err(field.not_a_dictionary());
        }
        let chats: BTreeMap<String, Field> = serde_json::from_str(json).map_err(|error| error.to_string())?;
        chats.iter().map(|(chat, seq)| Ok((id(chat)?, number(seq)?))).collect()
    }
}

fn id(chat: &str) -> Result<ChatId, String> {
    ChatId::parse(chat).ok_or_else(|| "Each key must be the id of a chat.".to_owned())
}

fn number(seq: &Field) -> Result<Seq, String> {
    match seq.optional_integer() {
        Ok(Some(seq)) if seq >= 0 => Ok(seq),
        Ok(Some(_)) => Err("Ensure this value is greater than or equal to 0.".to_owned()),
        _ => Err("A valid integer is required.".to_owned()),
    }
}
