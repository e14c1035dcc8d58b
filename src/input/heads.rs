//! How far a client has heard of its chats.

use std::collections::BTreeMap;

use super::Field;
use crate::model::{ChatId, FieldErrors, Seq};

/// Reads `{"<chat id>": seq}`. An id that is none is like a chat that one is not in; it cannot be told of.
pub fn heads(
    name: &'static str,
    chats: &BTreeMap<String, Field>,
) -> Result<BTreeMap<ChatId, Seq>, FieldErrors> {
    let mut heads = BTreeMap::new();
    for (chat, seq) in chats {
        let Ok(Some(seq)) = seq.optional_integer() else {
            return Err(FieldErrors::of(name, "A valid integer is required."));
        };
        heads.extend(ChatId::parse(chat).map(|chat| (chat, seq)));
    }
    Ok(heads)
}
