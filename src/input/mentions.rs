//! Mentions in requests.

use std::collections::BTreeSet;

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, value::RawValue};

use crate::core::model::{
    UserId,
    ids::MAX_ID,
    mentions::{MAX_MENTIONED, Mention, Mentions, NO_PLACE},
};

/// Unvalidated mentions: any JSON value, or a missing one.
#[derive(Debug, Clone, Default)]
pub struct MentionsField(Option<Box<RawValue>>);

impl<'de> Deserialize<'de> for MentionsField {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(|value| Self(Some(value)))
    }
}

const NO_OBJECT: &str = "Expected an object with users, everyone and here.";
const NO_USERS: &str = "users must be a list of objects with an id and, where the text names the user, at.";

impl MentionsField {
    /// Whether the field was given.
    pub fn is_given(&self) -> bool {
        self.0.is_some()
    }

    /// Validates the mentions; `None` where they are missing. Whether their places are within the text is checked
    /// elsewhere.
    pub fn check(&self) -> Result<Option<Mentions>, String> {
        let Some(json) = &self.0 else { return Ok(None) };
        let object = match serde_json::from_str(json.get()) {
            Ok(Value::Object(object)) => object,
            Ok(Value::Null) => return Ok(Some(Mentions::default())),
            _ => return Err(NO_OBJECT.to_owned()),
        };
        let users = match object.get("users") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(users)) => users.iter().map(mention).collect::<Result<_, _>>()?,
            Some(_) => return Err(NO_USERS.to_owned()),
        };
        let different: BTreeSet<UserId> = users.iter().map(|mention: &Mention| mention.id).collect();
        if different.len() > MAX_MENTIONED {
            return Err(format!("A message mentions no more than {MAX_MENTIONED} users by name."));
        }
        let (everyone, here) = (boolean(&object, "everyone")?, boolean(&object, "here")?);
        Ok(Some(Mentions { users, everyone, here }))
    }
}

fn boolean(object: &Map<String, Value>, name: &str) -> Result<bool, String> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(value)) => Ok(*value),
        Some(_) => Err(format!("{name} must be a valid boolean.")),
    }
}

fn mention(user: &Value) -> Result<Mention, String> {
    let id = user.get("id").and_then(Value::as_i64).ok_or_else(|| NO_USERS.to_owned())?;
    if !(1..=MAX_ID).contains(&id) {
        return Err(format!("Invalid pk \"{id}\" - object does not exist."));
    }
    let at = match user.get("at") {
        None | Some(Value::Null) => None,
        Some(at) => Some(place(at).ok_or_else(|| NO_PLACE.to_owned())?),
    };
    Ok(Mention { id: UserId(id), at })
}

fn place(at: &Value) -> Option<(i64, i64)> {
    let [start, end] = at.as_array()?.as_slice() else { return None };
    let (start, end) = (start.as_i64()?, end.as_i64()?);
    (0 <= start && start < end).then_some((start, end))
}
