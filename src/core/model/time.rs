//! Timestamps, and the only place where the current time is read.

use std::{fmt, time::Duration};

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use utoipa::ToSchema;

/// A moment in microseconds since 1970 UTC. Written as RFC 3339 with `Z`; microseconds are omitted where they
/// are zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ToSchema)]
#[schema(value_type = String, format = DateTime, as = Time)]
pub struct Timestamp(pub i64);

/// Microseconds in a second.
pub const SECOND: i64 = 1_000_000;
/// Microseconds in a minute.
pub const MINUTE: i64 = 60 * SECOND;
/// Microseconds in a day.
pub const DAY: i64 = 24 * 60 * 60 * SECOND;

impl Timestamp {
    /// Returns the current time of the system clock. The clock may jump, so nothing may be ordered by it.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    pub fn now() -> Self {
        Self(Utc::now().timestamp_micros())
    }

    /// Parses RFC 3339 with any offset, for the years 1 to 9999.
    pub fn parse(text: &str) -> Option<Self> {
        let moment = DateTime::parse_from_rfc3339(text).ok()?.to_utc();
        (1..=9999).contains(&moment.year()).then(|| Self(moment.timestamp_micros()))
    }

    /// Parses a day as `YYYY-MM-DD`, for the years 1 to 9999. Returns its beginning in UTC.
    pub fn parse_day(text: &str) -> Option<Self> {
        let is_in_place =
            |(at, byte): (usize, u8)| if matches!(at, 4 | 7) { byte == b'-' } else { byte.is_ascii_digit() };
        if text.len() != 10 || !text.bytes().enumerate().all(is_in_place) {
            return None;
        }
        let moment = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_time(NaiveTime::MIN).and_utc();
        (1..=9999).contains(&moment.year()).then(|| Self(moment.timestamp_micros()))
    }

    /// Returns the moment after a duration.
    pub fn after(self, duration: Duration) -> Self {
        self.plus(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX))
    }

    /// Returns the moment `micros` later.
    pub fn plus(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = DateTime::from_timestamp_micros(self.0).unwrap_or_default();
        let (date, micros) = (moment.date_naive(), self.0.rem_euclid(SECOND));
        let Ok(year @ 0..=9999) = u32::try_from(date.year()) else {
            return f.write_str(&moment.to_rfc3339_opts(SecondsFormat::Micros, true));
        };
        // Hand-written for speed: a page shows a hundred timestamps, and chrono writes one character at a
        // time.
        let mut text = *b"0000-00-00T00:00:00.000000Z";
        let second = self.0.div_euclid(SECOND).rem_euclid(86_400) as u32;
        put(&mut text[..4], year);
        put(&mut text[5..7], date.month());
        put(&mut text[8..10], date.day());
        put(&mut text[11..13], second / 3_600);
        put(&mut text[14..16], second / 60 % 60);
        put(&mut text[17..19], second % 60);
        put(&mut text[20..26], micros as u32);
        let mut length = text.len();
        if micros == 0 {
            text[19] = b'Z';
            length = 20;
        }
        f.write_str(str::from_utf8(&text[..length]).map_err(|_| fmt::Error)?)
    }
}

/// Writes a number into all of `digits`, with leading zeros.
fn put(digits: &mut [u8], mut number: u32) {
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
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
    fn it_is_written_as_chrono_writes_it() {
        let years = |count: i64| 365 * DAY * count;
        // Before the year 0, after the year 9999, in steps that vary every part of the timestamp.
        for micros in (years(-2_000)..years(9_000)).step_by((years(3) + DAY - SECOND + 7) as usize) {
            let moment = DateTime::from_timestamp_micros(micros).unwrap();
            assert_eq!(Timestamp(micros).to_string(), moment.to_rfc3339_opts(SecondsFormat::Micros, true));
        }
    }

    #[test]
    fn microseconds_show_only_where_there_are_any() {
        assert_eq!(Timestamp(1_735_732_800_000_000).to_string(), "2025-01-01T12:00:00Z");
        assert_eq!(Timestamp(1_735_732_800_000_042).to_string(), "2025-01-01T12:00:00.000042Z");
        let read = |text: &str| serde_json::from_str::<Timestamp>(text).unwrap();
        assert_eq!(read("\"2025-01-01T12:00:00Z\""), Timestamp(1_735_732_800_000_000));
        assert_eq!(read("\"2025-01-01T12:00:00.000042Z\""), Timestamp(1_735_732_800_000_042));
    }
}
