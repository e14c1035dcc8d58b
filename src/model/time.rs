//! Moments in time, and the one door through which the current one comes in.

use std::fmt;

use chrono::{DateTime, Datelike, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use utoipa::ToSchema;

/// A moment, in microseconds since 1970 UTC. Shown as RFC 3339 with `Z`, with microseconds where there are any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ToSchema)]
#[schema(value_type = String, format = DateTime, as = Time)]
pub struct Timestamp(pub i64);

/// Microseconds in a second.
pub const SECOND: i64 = 1_000_000;
/// Microseconds in a day.
pub const DAY: i64 = 24 * 60 * 60 * SECOND;

impl Timestamp {
    /// The current moment by the system's clock, which may jump: nothing may be ordered by it.
    pub fn now() -> Self {
        Self(Utc::now().timestamp_micros())
    }

    /// A moment as RFC 3339 writes it, with whatever offset, in a year that four digits can show.
    pub fn parse(text: &str) -> Option<Self> {
        let moment = DateTime::parse_from_rfc3339(text).ok()?.to_utc();
        (1..=9999).contains(&moment.year()).then(|| Self(moment.timestamp_micros()))
    }

    /// The moment `micros` later.
    pub fn plus(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = DateTime::from_timestamp_micros(self.0).unwrap_or_default();
        let precision = if self.0 % SECOND == 0 { SecondsFormat::Secs } else { SecondsFormat::Micros };
        f.write_str(&moment.to_rfc3339_opts(precision, true))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        let moment = DateTime::parse_from_rfc3339(&text).map_err(D::Error::custom)?;
        Ok(Self(moment.timestamp_micros()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn microseconds_show_only_where_there_are_any() {
        assert_eq!(Timestamp(1_735_732_800_000_000).to_string(), "2025-01-01T12:00:00Z");
        assert_eq!(Timestamp(1_735_732_800_000_042).to_string(), "2025-01-01T12:00:00.000042Z");
        let read = |text: &str| serde_json::from_str::<Timestamp>(text).unwrap();
        assert_eq!(read("\"2025-01-01T12:00:00Z\""), Timestamp(1_735_732_800_000_000));
        assert_eq!(read("\"2025-01-01T12:00:00.000042Z\""), Timestamp(1_735_732_800_000_042));
    }
}
