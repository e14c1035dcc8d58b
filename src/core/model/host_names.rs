//! Host names: those of requests, and the allow list in the settings.

use std::{
    borrow::Cow,
    net::{Ipv4Addr, Ipv6Addr},
};

use url::Url;

/// An entry of the configured allow list: one host, all subdomains where it begins with a dot, or `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedHost(String);

impl AllowedHost {
    /// Parses `chat.internal`, `10.0.0.5`, `[::1]`, `.example.com` or `*`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let is_bare = |text: &str| split(text).is_some_and(|(_, port)| port.is_none());
        let read = |text| if is_bare(text) { name(text) } else { None };
        let host = match (text, text.strip_prefix('.')) {
            ("*", _) => Some("*".to_owned()),
            (_, Some(rest)) => read(rest).map(|name| format!(".{name}")),
            _ => read(text).map(Cow::into_owned),
        };
        host.map(Self).ok_or_else(|| {
            "give names without scheme and port, such as chat.internal, or .example.com for all below it"
                .to_owned()
        })
    }

    pub(crate) fn fits(&self, name: &str) -> bool {
        self.0 == "*" || self.0 == name || (self.0.starts_with('.') && name.ends_with(&self.0))
    }
}

/// Normalizes a host with an optional port: lower case, without port or trailing dot. Returns `None` for an
/// invalid host.
pub(crate) fn name(text: &str) -> Option<Cow<'_, str>> {
    let (host, port) = split(text)?;
    let is_port = |port: &str| port.is_empty() || port.parse::<u16>().is_ok_and(|_| !port.starts_with('+'));
    if !port.is_none_or(is_port) {
        return None;
    }
    if let Some(inner) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return inner.parse().ok().map(|address: Ipv6Addr| Cow::Owned(format!("[{address}]")));
    }
    let host = host.strip_suffix('.').unwrap_or(host);
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let is_label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(is_letter);
    let is_name = host.len() <= 253 && host.split('.').all(is_label);
    if !is_name {
        return None;
    }
    if is_plain(host) {
        return Some(Cow::Borrowed(host));
    }
    // The URL standard reads a host that ends in a number as an IPv4 address, and it must be a valid one.
    let read = Url::parse(&format!("http://{host}/")).ok()?;
    Some(Cow::Owned(read.host_str()?.to_owned()))
}

/// Returns whether a host is certainly in normal form already, as nearly all are. It saves parsing a URL.
fn is_plain(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap_or_default();
    match last.as_bytes().first() {
        Some(first) if first.is_ascii_digit() => host.parse::<Ipv4Addr>().is_ok(),
        _ => !host.contains("xn--") && !host.bytes().any(|byte| byte.is_ascii_uppercase()),
    }
}

/// Splits a host from its optional port at the colon.
pub(crate) fn split(text: &str) -> Option<(&str, Option<&str>)> {
    let end = if text.starts_with('[') { text.find(']')? + 1 } else { text.find(':').unwrap_or(text.len()) };
    let (host, rest) = text.split_at(end);
    match rest {
        "" => Some((host, None)),
        _ => rest.strip_prefix(':').map(|port| (host, Some(port))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_told_from_what_is_none() {
        for (host, expected) in [
            ("chat.example.com", "chat.example.com"),
            ("Chat.Example.COM.:8000", "chat.example.com"),
            ("green_room:8000", "green_room"),
            ("127.0.0.1:80", "127.0.0.1"),
            ("[2001:DB8::1]:443", "[2001:db8::1]"),
            ("[::1]", "[::1]"),
            ("localhost:", "localhost"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("0x7f.1", "127.0.0.1"),
            ("127.1", "127.0.0.1"),
            ("1.2.3.4.", "1.2.3.4"),
            ("3com.example", "3com.example"),
            ("ab--cd.example", "ab--cd.example"),
        ] {
            assert_eq!(name(host).as_deref(), Some(expected), "{host}");
        }
        let long = "a".repeat(64);
        for none in [
            "",
            " ",
            "a b",
            "a b\"<script>",
            "a/b",
            "a@b",
            "a?b",
            "a#b",
            "a%41",
            "a,b",
            "a:b",
            "a:99999",
            "a:+1",
            "a:1:2",
            "::1",
            "[::1",
            "[::1]x",
            "[a]",
            "a..b",
            ".a",
            ".",
            "1.2.3.4.5",
            "256.1.1.1",
            "a.0x1g.09",
            "xn--a.example",
            "ž.example",
            "a\\b",
            "{a}",
            &long,
        ] {
            assert_eq!(name(none), None, "{none}");
        }
    }

    /// The fast path must agree with the URL parser.
    #[test]
    fn plain_hosts_are_as_they_are_read() {
        let labels = [
            "a", "0", "1", "08", "0x1", "0xg", "x0", "-", "_", "a-", "--", "ab--c", "255", "256", "9a", "xn",
            "xn-",
        ];
        for first in labels {
            for last in labels {
                for host in [last.to_owned(), format!("{first}.{last}"), format!("{first}.1.{first}.{last}")]
                {
                    let read = Url::parse(&format!("http://{host}/")).ok();
                    let read = read.as_ref().and_then(Url::host_str);
                    assert_eq!(name(&host).as_deref(), read, "{host}");
                }
            }
        }
    }

    #[test]
    fn a_list_has_names_and_all_below_some() {
        let fits = |allowed: &str, name: &str| AllowedHost::parse(allowed).unwrap().fits(name);
        assert!(fits("Chat.Internal", "chat.internal"));
        assert!(!fits("chat.internal", "a.chat.internal"));
        assert!(fits(".example.com", "a.b.example.com"));
        assert!(!fits(".example.com", "example.com"));
        assert!(!fits(".example.com", "evilexample.com"));
        assert!(fits("[2001:db8::1]", "[2001:db8::1]"));
        assert!(fits("*", "anything"));
        for bad in ["", "https://a", "a:80", "a b", "*.example.com", "."] {
            assert!(AllowedHost::parse(bad).is_err(), "{bad}");
        }
    }
}
