//! The profile of a user in the claims of a token (OpenID Connect Core 1.0, section 5.1).

use serde_json::{Map, Value};

use super::rules::ClaimRules;
use crate::core::model::text::{self, Username};

/// Maximum length of a first or last name, in characters.
const LONGEST_NAME: usize = 150;

/// Profile claims. `None`: the claim is missing or not valid, and changes nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClaimedProfile {
    pub username: Option<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    /// `picture`. Whether its host is allowed is not checked yet.
    pub picture: Option<String>,
    /// `email`, if it is verified.
    pub email: Option<String>,
    /// Whether the user is staff. `None`: tokens do not decide this.
    pub is_staff: Option<bool>,
}

impl ClaimedProfile {
    pub(super) fn of(claims: &Map<String, Value>, rules: &ClaimRules) -> Self {
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        let person = |name: &str| text::person_name(text(name)?, LONGEST_NAME).ok();
        let (mut first_name, mut last_name) = (person("given_name"), person("family_name"));
        if first_name.is_none() && last_name.is_none() {
            // The whole name stands in the first one.
            first_name = person("name");
            last_name = first_name.as_ref().map(|_| String::new());
        }
        let is_verified = match claims.get("email_verified") {
            Some(Value::Bool(is_verified)) => *is_verified,
            // Cognito and Apple write it as text.
            Some(Value::String(text)) => text == "true",
            _ => false,
        };
        let username = text(&rules.username).filter(|name| Username::parse(name).is_ok());
        Self {
            username: username.map(str::to_owned),
            first_name,
            last_name,
            picture: text("picture").and_then(|address| text::web_address(address).ok()),
            email: text("email").filter(|_| is_verified).and_then(|email| text::email(email).ok()),
            is_staff: rules.staff.as_ref().map(|(claim, value)| has(claims.get(claim), value)),
        }
    }

    /// Whether the claims have a name of the person.
    pub fn has_name(&self) -> bool {
        self.first_name.is_some() || self.last_name.is_some()
    }
}

/// Whether a claim is this value, or a list that contains it.
fn has(claim: Option<&Value>, wanted: &str) -> bool {
    let is = |value: &Value| match value {
        Value::String(text) => text == wanted,
        Value::Bool(_) | Value::Number(_) => wanted == value.to_string().as_str(),
        _ => false,
    };
    match claim {
        Some(Value::Array(values)) => values.iter().any(is),
        Some(value) => is(value),
        None => false,
    }
}
