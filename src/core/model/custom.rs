//! Custom data: a JSON object that the host stores on a user, a chat or a message.
//!
//! Names that begin with `_` are private: only staff see and change them.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, value::RawValue};

/// Maximum size of the public part, and of the private one, as compact JSON, in bytes.
pub const MAX_BYTES: usize = 4_096;

/// Maximum number of public names, and of private ones, at the top level.
pub const MAX_NAMES: usize = 50;

/// Maximum length of a name, in characters.
pub const MAX_NAME_CHARS: usize = 40;

/// Maximum depth of nested objects and lists. The top is 1.
pub const MAX_DEPTH: usize = 5;

type Entries = BTreeMap<String, Value>;

/// A valid object, as compact JSON with sorted names. Cloning is cheap.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Custom(Option<Arc<str>>);

impl Custom {
    /// Creates the object from its stored form.
    pub fn from_stored(json: Option<String>) -> Self {
        Self(json.map(Arc::from))
    }

    /// Returns the stored form. `None`: the object is empty.
    pub fn stored(&self) -> Option<&str> {
        self.0.as_deref()
    }

    /// Returns whether the object is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Returns the size in memory, in bytes.
    pub fn size(&self) -> usize {
        self.0.as_deref().map_or(0, str::len)
    }

    /// Returns the whole object, for staff.
    pub fn whole(&self) -> &str {
        self.0.as_deref().unwrap_or("{}")
    }

    /// Returns the object without private names.
    pub fn public(&self) -> Cow<'_, str> {
        if !self.may_be_private() {
            return Cow::Borrowed(self.whole());
        }
        let mut entries = self.entries();
        entries.retain(|name, _| !is_private(name));
        Cow::Owned(compact(&entries))
    }

    /// Returns the part that staff, or all others, see.
    pub fn shown(&self, to_staff: bool) -> Cow<'_, RawValue> {
        let json = if to_staff { Cow::Borrowed(self.whole()) } else { self.public() };
        match json {
            Cow::Borrowed(json) => serde_json::from_str(json).map_or_else(|_| empty(), Cow::Borrowed),
            Cow::Owned(json) => RawValue::from_string(json).map_or_else(|_| empty(), Cow::Owned),
        }
    }

    /// Returns the texts, numbers and booleans at the top level, each as text. Requests filter by them.
    pub fn values(&self) -> Vec<(String, String)> {
        let text = |value: Value| match value {
            Value::String(text) => Some(text),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(value) => Some(value.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        };
        self.entries().into_iter().filter_map(|(name, value)| Some((name, text(value)?))).collect()
    }

    /// Returns whether a change would touch private names, or the object has some.
    pub fn has_private(&self) -> bool {
        self.may_be_private() && self.entries().keys().any(|name| is_private(name))
    }

    /// Applies a change. Fails with a sentence if the result is too large.
    pub fn merge(&self, change: &CustomChange) -> Result<Self, String> {
        let mut entries = self.entries();
        if change.clears {
            entries.retain(|name, _| is_private(name) && !change.by_staff);
        }
        for (name, value) in &change.entries {
            match value {
                Value::Null => drop(entries.remove(name)),
                value => drop(entries.insert(name.clone(), value.clone())),
            }
        }
        // Each part has the limits for itself: neither reveals the size of the other, or takes its room.
        let (private, public): (Entries, Entries) =
            entries.clone().into_iter().partition(|(name, _)| is_private(name));
        for part in [public, private] {
            if part.len() > MAX_NAMES {
                return Err(format!("Ensure this object has no more than {MAX_NAMES} names."));
            }
            if compact(&part).len() > MAX_BYTES {
                return Err(format!(
                    "Ensure this object has no more than {MAX_BYTES} bytes as compact JSON."
                ));
            }
        }
        Ok(Self((!entries.is_empty()).then(|| compact(&entries).into())))
    }

    fn may_be_private(&self) -> bool {
        self.0.as_deref().is_some_and(|json| json.contains("\"_"))
    }

    fn entries(&self) -> Entries {
        self.0.as_deref().and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default()
    }
}

impl Serialize for Custom {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.stored().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Custom {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::<String>::deserialize(deserializer).map(Self::from_stored)
    }
}

fn is_private(name: &str) -> bool {
    name.starts_with('_')
}

fn compact(entries: &Entries) -> String {
    serde_json::to_string(entries).expect("names are texts")
}

fn empty() -> Cow<'static, RawValue> {
    Cow::Owned(RawValue::from_string("{}".to_owned()).expect("this is JSON"))
}

/// A valid change of an object. It merges the top level: `null` removes a name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CustomChange {
    /// Whether all names that the caller may change go first.
    clears: bool,
    entries: Entries,
    /// Whether the caller is staff.
    by_staff: bool,
}

impl CustomChange {
    /// Parses an object, or `null`, which clears.
    pub fn parse(json: &str) -> Result<Self, String> {
        let too_deep = || format!("Ensure this object is nested no more than {MAX_DEPTH} levels deep.");
        // The text is JSON already, but it may be too deep, or have a number that is too large.
        let value: Value = serde_json::from_str(json).map_err(|error| {
            let is_depth = error.to_string().contains("recursion limit");
            if is_depth {
                too_deep()
            } else {
                "Ensure all numbers and texts of this object are valid.".to_owned()
            }
        })?;
        let entries = match value {
            Value::Null => return Ok(Self { clears: true, ..Self::default() }),
            Value::Object(entries) => Entries::from_iter(entries),
            other => {
                let found = type_name(&other);
                return Err(format!("Expected a dictionary of items but got type \"{found}\"."));
            }
        };
        for (name, value) in &entries {
            if name.is_empty() || name.chars().count() > MAX_NAME_CHARS {
                return Err(format!("Ensure each name has 1 to {MAX_NAME_CHARS} characters."));
            }
            if name.contains('\0') || has_nul(value) {
                return Err("Null characters are not allowed.".to_owned());
            }
            if depth(value) >= MAX_DEPTH {
                return Err(too_deep());
            }
        }
        Ok(Self { entries, ..Self::default() })
    }

    /// Whether only staff may make the change as it is.
    pub fn is_of_staff(&self) -> bool {
        self.by_staff
    }

    /// Returns the change as made by a user. `None`: the user may not change private names.
    pub fn by(self, is_staff: bool) -> Option<Self> {
        let is_allowed = is_staff || !self.entries.keys().any(|name| is_private(name));
        is_allowed.then_some(Self { by_staff: is_staff, ..self })
    }
}

/// Returns how deep objects and lists are nested in a value; 0 for any other value. `serde_json` has limited the
/// depth already.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(values) => 1 + values.iter().map(depth).max().unwrap_or(0),
        Value::Object(entries) => 1 + entries.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// Returns whether a text in a value has a NUL, which no other text of the API has.
fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(values) => values.iter().any(has_nul),
        Value::Object(entries) => entries.iter().any(|(name, value)| name.contains('\0') || has_nul(value)),
        _ => false,
    }
}

/// Returns the type's name in Python, which the messages use.
fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "NoneType",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "int",
        Value::String(_) => "str",
        Value::Array(_) => "list",
        Value::Object(_) => "dict",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn change(value: &Value, is_staff: bool) -> CustomChange {
        CustomChange::parse(&value.to_string()).unwrap().by(is_staff).unwrap()
    }

    fn custom(value: &Value) -> Custom {
        Custom::default().merge(&change(value, true)).unwrap()
    }

    #[test]
    fn a_change_merges_the_top_level() {
        let before = custom(&json!({"a": {"x": 1, "y": 2}, "b": 2, "_c": 3}));
        let after = before.merge(&change(&json!({"a": {"x": 2}, "b": null, "d": "4"}), false)).unwrap();
        assert_eq!(after.whole(), r#"{"_c":3,"a":{"x":2},"d":"4"}"#);
        assert_eq!(after.public(), r#"{"a":{"x":2},"d":"4"}"#);
        assert_eq!(after.values(), [("_c".into(), "3".into()), ("d".into(), "4".into())]);
        assert_eq!(after.merge(&change(&Value::Null, false)).unwrap().whole(), r#"{"_c":3}"#);
        assert_eq!(after.merge(&change(&Value::Null, true)).unwrap(), Custom::default());
        assert_eq!(custom(&json!({"a": null})), Custom::default());
    }

    #[test]
    fn only_staff_change_private_names() {
        let private = CustomChange::parse(r#"{"_a": null}"#).unwrap();
        assert_eq!(private.clone().by(false), None);
        assert!(private.by(true).is_some());
        // A private name further down is an ordinary one.
        let inner = custom(&json!({"a": {"_b": 1}}));
        assert_eq!(inner.public(), inner.whole());
        assert!(!inner.has_private());
    }

    #[test]
    fn objects_have_limits() {
        let parse = |value: &Value| CustomChange::parse(&value.to_string());
        assert!(parse(&json!({"a": [[[["deep"]]]]})).is_ok());
        assert!(parse(&json!({"a": [[[[["deep"]]]]]})).is_err());
        assert!(parse(&json!({"a": [[[[{}]]]]})).is_err());
        assert!(CustomChange::parse(&format!("{{\"a\": {}{}}}", "[".repeat(500), "]".repeat(500))).is_err());
        assert!(parse(&json!({"ä".repeat(40): 1})).is_ok());
        for bad in [json!({"a".repeat(41): 1}), json!({"": 1}), json!({"a\0": 1}), json!({"a": ["\0"]})] {
            assert!(parse(&bad).is_err(), "{bad}");
        }
        for bad in [json!([]), json!("a"), json!(1), json!(1.5), json!(true)] {
            assert!(parse(&bad).unwrap_err().starts_with("Expected a dictionary"), "{bad}");
        }
        let names =
            |count: usize| Value::Object((0..count).map(|name| (name.to_string(), json!(1))).collect());
        let merged = |value: &Value| Custom::default().merge(&change(value, false));
        assert!(merged(&names(50)).is_ok());
        assert!(merged(&names(51)).is_err());
        assert_eq!(merged(&json!({"a": "b".repeat(4_096 - 8)})).unwrap().size(), 4_096);
        assert!(merged(&json!({"a": "b".repeat(4_096 - 7)})).is_err());
        // Private names have limits of their own.
        let full = custom(&json!({"a": "b".repeat(4_096 - 8), "_a": "b".repeat(4_096 - 9)}));
        assert!(full.merge(&change(&json!({"_b": 1}), true)).is_err());
        for bad in [r#"{"a": 1e400}"#, r#"{"a": "\\ud800"}"#.replace("\\\\", "\\").as_str()] {
            assert_eq!(
                CustomChange::parse(bad),
                Err("Ensure all numbers and texts of this object are valid.".to_owned()),
                "{bad}"
            );
        }
        let exact = custom(&json!({"a": 12.088995980580641_f64}));
        assert_eq!(exact.whole(), r#"{"a":12.088995980580641}"#);
    }
}
