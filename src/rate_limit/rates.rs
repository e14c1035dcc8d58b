//! Rates, parsed from settings such as `send=10/s:30,search=30/m,typing=1/s,other=50/s`.

use std::time::Duration;

use super::Rate;

/// Class of requests and commands that share a rate limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitClass {
    /// Messages.
    Send,
    /// Searches for users, messages, chats, rooms and members.
    Search,
    Typing,
    /// Groups and rooms created by users other than staff.
    Groups,
    /// Direct message chats created by users other than staff.
    Dms,
    /// All other requests of the API and commands of sockets.
    Other,
}

impl LimitClass {
    pub const ALL: [Self; 6] = [Self::Send, Self::Search, Self::Typing, Self::Groups, Self::Dms, Self::Other];

    /// Returns the name in settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Search => "search",
            Self::Typing => "typing",
            Self::Groups => "groups",
            Self::Dms => "dms",
            Self::Other => "other",
        }
    }
}

/// Maximum number in a rate. An hour in nanoseconds times this is below 2^63.
const MAX_COUNT: u32 = 1_000_000;

impl Rate {
    /// Parses `10/s` or `10/s:30`.
    pub fn parse(text: &str) -> Option<Self> {
        let (rate, burst) = text.split_once(':').map_or((text, None), |(rate, burst)| (rate, Some(burst)));
        let (count, unit) = rate.split_once('/')?;
        let count = number(count)?;
        let burst = burst.map_or(Some(count), number)?;
        let period = match unit.trim() {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            _ => return None,
        };
        Some(Self::new(count, Duration::from_secs(period), burst))
    }
}

fn number(text: &str) -> Option<u32> {
    text.trim().parse().ok().filter(|number| (1..=MAX_COUNT).contains(number))
}

/// Rates by class; `None` is unlimited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rates([Option<Rate>; LimitClass::ALL.len()]);

impl Rates {
    /// Parses `send=10/s:30,search=30/m`. Classes that are not listed are unlimited; with `off` all are.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut rates = Self::default();
        if text.trim() == "off" {
            return Ok(rates);
        }
        for part in text.split(',') {
            let (name, rate) = part.split_once('=').unwrap_or((part, ""));
            let name = name.trim();
            let kind = LimitClass::ALL.into_iter().find(|kind| kind.name() == name);
            let kind = kind.ok_or_else(|| {
                format!(
                    "there is no limit \"{name}\": give send, search, typing, groups, dms or other, such as \
                     send=10/s:30, or off"
                )
            })?;
            let rate = Rate::parse(rate.trim()).ok_or_else(|| {
                format!("\"{part}\" is no rate: give a number from 1 to {MAX_COUNT} and s, m or h, and perhaps a burst, such as {name}=10/s:30")
            })?;
            if rates.0[kind as usize].replace(rate).is_some() {
                return Err(format!("\"{name}\" is there twice"));
            }
        }
        Ok(rates)
    }

    /// Whether any class is limited.
    pub fn any(&self) -> bool {
        self.0.iter().any(Option::is_some)
    }

    pub(crate) fn of(&self, kind: LimitClass) -> Option<Rate> {
        self.0[kind as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read() {
        let rates = Rates::parse("send=10/s:30, search=30/m,typing=1/s").unwrap();
        let rate = |count, period, burst| Some(Rate::new(count, Duration::from_secs(period), burst));
        assert_eq!(rates.of(LimitClass::Send), rate(10, 1, 30));
        assert_eq!(rates.of(LimitClass::Search), rate(30, 60, 30));
        assert_eq!(rates.of(LimitClass::Typing), rate(1, 1, 1));
        assert_eq!(rates.of(LimitClass::Other), None);
        assert_eq!(Rates::parse("off"), Ok(Rates::default()));
        for bad in [
            "off,send=1/s",
            "",
            "send",
            "send=",
            "send=10",
            "send=0/s",
            "send=10/s:0",
            "send=10/d",
            "send=-1/s",
            "send=1.5/s",
            "send=10/s:",
            "post=1/s",
            "send=1/s,send=2/s",
            "send=1000001/s",
            "send=1/s,,",
            "=1/s",
        ] {
            assert!(Rates::parse(bad).is_err(), "{bad}");
        }
    }
}
