//! Query parameters of requests.

use std::num::IntErrorKind;

use actix_web::HttpRequest;
use url::form_urlencoded::{Serializer, parse};

use crate::{
    core::{
        model::{FieldErrors, Timestamp},
        text_index::Matching,
    },
    error::ApiError,
    storage::tables::custom_values::CustomFilter,
};

/// Error for a filter by custom data that the settings do not allow.
const UNKNOWN_FILTER: &str = "GREENROOM_CUSTOM_KEYS does not list this name.";

/// Error for a moment that cannot be read.
const NOT_A_MOMENT: &str = "Use a day, as YYYY-MM-DD, or a time, as YYYY-MM-DDThh:mm:ss with Z or an offset.";

/// Decoded query parameters, in order.
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn of(request: &HttpRequest) -> Self {
        Self(parse(request.query_string().as_bytes()).into_owned().collect())
    }

    /// Returns a parameter's value. Of repeated parameters the last one counts.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Returns a parameter's trimmed value. An empty value counts as missing.
    pub(crate) fn filled(&self, name: &str) -> Option<&str> {
        self.get(name).map(str::trim).filter(|value| !value.is_empty())
    }

    /// Reads a parameter that bounds ids. Any integer is valid; one out of range saturates.
    pub(crate) fn place(&self, name: &'static str) -> Result<Option<i64>, ApiError> {
        let number = |text: &str| match text.parse::<i64>() {
            Ok(number) => Ok(number),
            Err(error) => match error.kind() {
                IntErrorKind::PosOverflow => Ok(i64::MAX),
                IntErrorKind::NegOverflow => Ok(i64::MIN),
                _ => Err(FieldErrors::of(name, "A valid integer is required.").into()),
            },
        };
        self.filled(name).map(number).transpose()
    }

    /// Reads a parameter with a moment: a time as in RFC 3339, or the beginning of a day in UTC.
    pub(crate) fn moment(&self, name: &'static str) -> Result<Option<Timestamp>, ApiError> {
        let parse = |text: &str| {
            // A plus sign that is not encoded arrives as a space.
            let moment = Timestamp::parse_day(text).or_else(|| Timestamp::parse(&text.replace(' ', "+")));
            moment.ok_or_else(|| FieldErrors::of(name, NOT_A_MOMENT).into())
        };
        self.filled(name).map(parse).transpose()
    }

    /// Reads the filters `custom.NAME=VALUE`. `names`: those that the settings allow.
    pub(crate) fn custom(&self, names: &[String], is_staff: bool) -> Result<Vec<CustomFilter>, ApiError> {
        let given = self.0.iter().filter_map(|(key, value)| Some((key.strip_prefix("custom.")?, value)));
        let filter = |(name, value): (&str, &String)| {
            let is_known = names.iter().any(|known| known == name) && (is_staff || !name.starts_with('_'));
            let unknown = || FieldErrors::of(format!("custom.{name}"), UNKNOWN_FILTER);
            if is_known { Ok(CustomFilter::new(name, value)) } else { Err(unknown().into()) }
        };
        let mut filters: Vec<CustomFilter> = given.map(filter).collect::<Result<_, ApiError>>()?;
        filters.sort_unstable();
        filters.dedup();
        Ok(filters)
    }

    /// Reads `match`: how the words of a search must match a text.
    pub(crate) fn matching(&self) -> Result<Matching, ApiError> {
        let unknown = |name: &str| FieldErrors::of("match", format!("\"{name}\" is not a valid choice."));
        let parse = |name| Matching::parse(name).ok_or_else(|| unknown(name).into());
        self.filled("match").map_or(Ok(Matching::default()), parse)
    }

    /// Serializes the parameters with some replaced; `None` removes a parameter.
    pub(super) fn with(&self, changes: &[(&str, Option<String>)]) -> String {
        let mut query = Serializer::new(String::new());
        let changed = |name: &str| changes.iter().any(|(key, _)| *key == name);
        query.extend_pairs(self.0.iter().filter(|(name, _)| !changed(name)));
        query.extend_pairs(changes.iter().filter_map(|(name, value)| Some((name, value.as_ref()?))));
        query.finish()
    }
}
