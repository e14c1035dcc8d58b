//! Fields of request bodies: parsed leniently, validated with the messages of Django REST Framework.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use crate::core::model::{
    AttachmentId, Timestamp, UserId,
    attachments::MOST_ATTACHMENTS,
    command::MAX_USERS,
    ids::MAX_ID,
    text::{NULL, REQUIRED},
};

/// A field of any type, or a missing one. Objects are skipped and not kept, so nesting costs no memory.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Field {
    #[default]
    Missing,
    Null,
    Bool(bool),
    Int(i64),
    /// A number that is not an integer, or one out of the range of `i64`.
    Number(f64),
    Text(String),
    List(Vec<Field>),
    Object,
}

/// Result of validating a field: a value, or an error message.
type Judged<T> = Result<T, String>;

impl Field {
    /// Whether the field was given.
    pub fn is_given(&self) -> bool {
        *self != Self::Missing
    }

    /// Returns a required text. Numbers are converted.
    pub fn text(&self) -> Judged<String> {
        match self {
            Self::Missing => Err(REQUIRED.to_owned()),
            Self::Null => Err(NULL.to_owned()),
            Self::Text(text) => Ok(text.clone()),
            Self::Int(number) => Ok(number.to_string()),
            Self::Number(number) => Ok(number.to_string()),
            Self::Bool(_) | Self::List(_) | Self::Object => Err("Not a valid string.".to_owned()),
        }
    }

    /// Returns an optional text; missing and null are `None`.
    pub fn optional_text(&self) -> Judged<Option<String>> {
        match self {
            Self::Missing | Self::Null => Ok(None),
            _ => self.text().map(Some),
        }
    }

    /// Returns a required boolean.
    pub fn boolean(&self) -> Judged<bool> {
        match self {
            Self::Missing => Err(REQUIRED.to_owned()),
            Self::Null => Err(NULL.to_owned()),
            Self::Bool(value) => Ok(*value),
            Self::Text(text) if text.eq_ignore_ascii_case("true") => Ok(true),
            Self::Text(text) if text.eq_ignore_ascii_case("false") => Ok(false),
            _ => Err("Must be a valid boolean.".to_owned()),
        }
    }

    /// Returns an optional integer; missing and null are `None`. A text of digits is accepted.
    pub fn optional_integer(&self) -> Judged<Option<i64>> {
        match self {
            Self::Missing | Self::Null => Ok(None),
            Self::Int(number) => Ok(Some(*number)),
            Self::Text(text) => text.trim().parse().map(Some).map_err(|_| NOT_AN_INTEGER.to_owned()),
            _ => Err(NOT_AN_INTEGER.to_owned()),
        }
    }

    /// Returns an optional time; missing and null are `None`.
    pub fn optional_time(&self) -> Judged<Option<Timestamp>> {
        let text = self.optional_text()?;
        text.map(|text| Timestamp::parse(text.trim()).ok_or_else(|| NOT_A_TIME.to_owned())).transpose()
    }

    /// Returns a required choice.
    pub fn choice<T>(&self, parse: impl Fn(&str) -> Option<T>) -> Judged<T> {
        let text = match self {
            Self::Missing | Self::Null => return Err(self.text().unwrap_err()),
            Self::Text(text) => text.clone(),
            other => other.text().unwrap_or_else(|_| "this".to_owned()),
        };
        parse(&text).ok_or_else(|| format!("\"{text}\" is not a valid choice."))
    }

    /// Returns a required list of at most [`MAX_USERS`] user ids.
    pub fn user_ids(&self) -> Judged<Vec<UserId>> {
        match self {
            Self::Missing => Err(REQUIRED.to_owned()),
            Self::Null => Err(NULL.to_owned()),
            Self::List(list) if list.len() > MAX_USERS => {
                Err(format!("Ensure this field has no more than {MAX_USERS} elements."))
            }
            Self::List(list) => list.iter().map(Self::user_id).collect(),
            other => Err(format!("Expected a list of items but got type \"{}\".", other.type_name())),
        }
    }

    /// Returns an optional list of attachment ids, each once; missing and null are an empty list.
    pub fn attachment_ids(&self) -> Judged<Vec<AttachmentId>> {
        let ids = match self {
            Self::Missing | Self::Null => return Ok(Vec::new()),
            Self::List(list) if list.len() > MOST_ATTACHMENTS => {
                return Err(format!("Ensure this field has no more than {MOST_ATTACHMENTS} elements."));
            }
            Self::List(list) => list.iter().map(|id| Ok(AttachmentId(id.user_id()?.0))),
            other => return Err(format!("Expected a list of items but got type \"{}\".", other.type_name())),
        };
        let ids: Vec<AttachmentId> = ids.collect::<Judged<_>>()?;
        match (1..ids.len()).find(|at| ids[..*at].contains(&ids[*at])) {
            Some(at) => Err(format!("Upload {} is listed twice.", ids[at])),
            None => Ok(ids),
        }
    }

    /// Returns the error message for a field that is not an object but must be one.
    pub(super) fn not_a_dictionary(&self) -> String {
        match self {
            Self::Missing => REQUIRED.to_owned(),
            Self::Null => NULL.to_owned(),
            other => format!("Expected a dictionary of items but got type \"{}\".", other.type_name()),
        }
    }

    fn user_id(&self) -> Judged<UserId> {
        let no_such =
            |shown: &dyn fmt::Display| Err(format!("Invalid pk \"{shown}\" - object does not exist."));
        match self {
            Self::Int(id) if (1..=MAX_ID).contains(id) => Ok(UserId(*id)),
            Self::Int(id) => no_such(id),
            Self::Text(text) => UserId::parse(text).ok_or_else(|| wrong_pk("str")),
            Self::Number(number) if number.fract() == 0.0 => no_such(number),
            other => Err(wrong_pk(other.type_name())),
        }
    }

    /// Returns the type's name in Python, which the messages use.
    fn type_name(&self) -> &'static str {
        match self {
            Self::Missing | Self::Null => "NoneType",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Number(_) => "float",
            Self::Text(_) => "str",
            Self::List(_) => "list",
            Self::Object => "dict",
        }
    }
}

const NOT_A_TIME: &str = "Datetime has wrong format. Use one of these formats instead: \
                          YYYY-MM-DDThh:mm:ss[.uuuuuu][+HH:MM|-HH:MM|Z].";

const NOT_AN_INTEGER: &str = "A valid integer is required.";

fn wrong_pk(type_name: &str) -> String {
    format!("Incorrect type. Expected pk value, received {type_name}.")
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FieldVisitor { keeps_lists: true })
    }
}

/// An element of a list. Lists nested in it are skipped.
struct Element(Field);

impl<'de> Deserialize<'de> for Element {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FieldVisitor { keeps_lists: false }).map(Self)
    }
}

struct FieldVisitor {
    keeps_lists: bool,
}

impl<'de> Visitor<'de> for FieldVisitor {
    type Value = Field;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Field, E> {
        Ok(Field::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Field, E> {
        Ok(Field::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Field, E> {
        Ok(Field::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Field, E> {
        Ok(i64::try_from(value).map_or(Field::Number(value as f64), Field::Int))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Field, E> {
        Ok(Field::Number(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Field, E> {
        Ok(Field::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Field, E> {
        Ok(Field::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Field, A::Error> {
        let mut elements = Vec::new();
        if self.keeps_lists {
            while let Some(Element(element)) = list.next_element()? {
                elements.push(element);
            }
        } else {
            while list.next_element::<IgnoredAny>()?.is_some() {}
        }
        Ok(Field::List(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Field, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Field::Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(json: &str) -> Field {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn fields_are_judged_in_the_frameworks_sentences() {
        assert_eq!(field("\"a\"").text(), Ok("a".into()));
        assert_eq!(field("42").text(), Ok("42".into()));
        assert_eq!(field("true").text(), Err("Not a valid string.".into()));
        assert_eq!(field("null").text(), Err("This field may not be null.".into()));
        assert_eq!(Field::Missing.text(), Err("This field is required.".into()));
        assert_eq!(field("[1, 2]").user_ids(), Ok(vec![UserId(1), UserId(2)]));
        assert_eq!(field("[0]").user_ids(), Err("Invalid pk \"0\" - object does not exist.".into()));
        assert_eq!(
            field("[true]").user_ids(),
            Err("Incorrect type. Expected pk value, received bool.".into())
        );
        assert_eq!(field("{}").user_ids(), Err("Expected a list of items but got type \"dict\".".into()));
    }

    #[test]
    fn depth_is_looked_over() {
        let deep = format!("[{}{}]", "[".repeat(100), "]".repeat(100));
        assert_eq!(field(&deep), Field::List(vec![Field::List(vec![])]));
    }
}
