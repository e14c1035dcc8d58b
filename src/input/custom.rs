//! Custom data in requests.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::core::model::{Custom, CustomChange};

/// Unvalidated custom data: any JSON value, or a missing one.
#[derive(Debug, Clone, Default)]
pub struct CustomField(Option<Box<RawValue>>);

impl<'de> Deserialize<'de> for CustomField {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(|value| Self(Some(value)))
    }
}

impl CustomField {
    /// Whether the field was given.
    pub fn is_given(&self) -> bool {
        self.0.is_some()
    }

    /// Validates a change; `None` changes nothing.
    pub fn change(&self) -> Result<Option<CustomChange>, String> {
        self.0.as_deref().map(|json| CustomChange::parse(json.get())).transpose()
    }

    /// Validates the data of a new object.
    pub fn new_data(&self) -> Result<Custom, String> {
        self.change()?.map_or_else(|| Ok(Custom::default()), |change| Custom::default().merge(&change))
    }
}
