//! Client address, host and scheme from the headers of trusted proxies.
//!
//! `Forwarded` follows RFC 7239; the other headers follow the documentation of proxies and cloud providers.
//! Their names are listed in `docs/DEPLOY.md`. They are used only if the peer is a trusted proxy.

use std::net::{IpAddr, SocketAddr};

use actix_web::{
    HttpRequest,
    http::header::{HOST, HeaderMap},
};

use crate::config::Config;

/// Headers whose value is a scheme, or a word for HTTPS.
const SCHEMES: [&str; 8] = [
    "x-forwarded-proto",
    "x-forwarded-scheme",
    "x-forwarded-protocol",
    "x-forwarded-ssl",
    "x-scheme",
    "x-url-scheme",
    "front-end-https",
    "cloudfront-forwarded-proto",
];

/// Returns the URL under which the client reached this server: `https://chat.example.com`.
pub(crate) fn base_url(request: &HttpRequest, config: &Config) -> String {
    if let Some(url) = &config.public_url {
        return url.clone();
    }
    let host = host(request, config).unwrap_or_else(|| "localhost".to_owned());
    let is_https = config.is_https() || is_https(request, config);
    let scheme = if is_https { "https" } else { "http" };
    format!("{scheme}://{host}")
}

/// Whether a trusted proxy reports that the client used HTTPS.
pub(crate) fn is_https(request: &HttpRequest, config: &Config) -> bool {
    config.trusts(peer(request)) && says_https(request.headers())
}

/// Returns the host that the client requested, if a trusted proxy reports it.
pub(crate) fn host_by_proxy(request: &HttpRequest, config: &Config) -> Option<String> {
    if config.trusts(peer(request)) { said_host(request.headers()) } else { None }
}

/// Returns the host that the client requested: the one that a trusted proxy reports, else the `Host` header.
pub(crate) fn host(request: &HttpRequest, config: &Config) -> Option<String> {
    host_by_proxy(request, config)
        .or_else(|| request.headers().get(HOST).and_then(|host| host.to_str().ok()).map(str::to_owned))
}

/// Returns the client's address: the nearest hop that is not a trusted proxy.
pub(crate) fn client_address(request: &HttpRequest, config: &Config) -> IpAddr {
    let mut address = peer(request);
    if !config.trusts(address) {
        return address;
    }
    for hop in hops(request.headers()) {
        let (true, Some(next)) = (config.trusts(address), hop) else { break };
        address = next;
    }
    address
}

/// Returns the peer address of the connection. IPv4-mapped IPv6 addresses are converted to IPv4.
fn peer(request: &HttpRequest) -> IpAddr {
    request.peer_addr().map_or(IpAddr::from([0, 0, 0, 0]), |address| address.ip().to_canonical())
}

/// Whether any header reports HTTPS. Of several hops the first one, the client's, counts.
fn says_https(headers: &HeaderMap) -> bool {
    let said = SCHEMES.iter().filter_map(|name| elements(headers, name).next()).map(str::to_owned);
    let mut schemes = said.chain(pairs(headers, "proto").into_iter().next().flatten());
    schemes.any(|scheme| ["https", "wss", "on", "ssl"].iter().any(|word| scheme.eq_ignore_ascii_case(word)))
}

fn said_host(headers: &HeaderMap) -> Option<String> {
    let host = elements(headers, "x-forwarded-host").next().map(str::to_owned);
    host.or_else(|| pairs(headers, "host").into_iter().next().flatten()).filter(|host| is_host(host))
}

/// Returns the addresses of the hops, nearest first; `None` for a hop without a valid address. Uses the first
/// present header of `X-Forwarded-For`, `Forwarded` and `X-Real-IP`.
fn hops(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let told = |name: &str| -> Vec<_> { elements(headers, name).map(address).collect() };
    let mut hops = told("x-forwarded-for");
    if hops.is_empty() {
        hops = pairs(headers, "for").iter().map(|hop| hop.as_deref().and_then(address)).collect();
    }
    if hops.is_empty() {
        hops = told("x-real-ip");
    }
    hops.reverse();
    hops
}

/// Returns the elements of a comma-separated list, over all headers of a name.
fn elements<'h>(headers: &'h HeaderMap, name: &str) -> impl Iterator<Item = &'h str> {
    let values = headers.get_all(name).filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).filter(|element| !element.is_empty())
}

/// Parses an address in the forms that proxies use: bare, with a port, in brackets, in quotes.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"');
    let bare = text.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let bare = match bare {
        Some((address, rest)) if rest.is_empty() || rest.starts_with(':') => address,
        Some(_) => return None,
        None => text,
    };
    // A zone id names an interface of the proxy.
    let bare = bare.split('%').next().unwrap_or_default();
    let with_port = || bare.parse::<SocketAddr>().map(|address| address.ip());
    bare.parse::<IpAddr>().or_else(|_| with_port()).ok().map(|address| address.to_canonical())
}

/// Returns the value of a parameter in each element of `Forwarded`.
fn pairs(headers: &HeaderMap, name: &str) -> Vec<Option<String>> {
    let values = headers.get_all("forwarded").filter_map(|value| value.to_str().ok());
    let elements = values.flat_map(|value| split(value, ','));
    let value = |element: &str| {
        split(element, ';').into_iter().find_map(|pair| {
            let (found, value) = pair.split_once('=')?;
            found.trim().eq_ignore_ascii_case(name).then(|| unquoted(value.trim()))
        })
    };
    elements.filter(|element| !element.trim().is_empty()).map(value).collect()
}

/// Splits at separators outside quotes.
fn split(text: &str, separator: char) -> Vec<&str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    let parts = text.split(|letter| {
        let is_end = letter == separator && !is_quoted;
        is_quoted ^= letter == '"' && !is_escaped;
        is_escaped = letter == '\\' && is_quoted && !is_escaped;
        is_end
    });
    parts.collect()
}

/// Removes the quotes of a quoted string, and the backslashes in it.
fn unquoted(value: &str) -> String {
    let Some(inner) = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')) else {
        return value.to_owned();
    };
    let mut is_escaped = false;
    let plain = inner.chars().filter(|letter| {
        is_escaped = *letter == '\\' && !is_escaped;
        !is_escaped
    });
    plain.collect()
}

/// Whether a text consists of characters that are safe as a host in a link.
fn is_host(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'[' | b']' | b'_')
        })
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            let name: HeaderName = name.parse().unwrap();
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn addresses_come_in_many_spellings() {
        for (text, expected) in [
            ("203.0.113.1", "203.0.113.1"),
            ("203.0.113.1:4711", "203.0.113.1"),
            ("\"203.0.113.1:4711\"", "203.0.113.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:DB8::1]:4711", "2001:db8::1"),
            ("::ffff:203.0.113.1", "203.0.113.1"),
            ("[::ffff:203.0.113.1]:80", "203.0.113.1"),
            ("fe80::1%eth0", "fe80::1"),
        ] {
            assert_eq!(address(text), Some(expected.parse().unwrap()), "{text}");
        }
        for none in ["unknown", "_hidden", "", "example.com", "[203", "[::1]x", "203.0.113"] {
            assert_eq!(address(none), None, "{none}");
        }
    }

    #[test]
    fn forwarded_is_read_as_its_standard_has_it() {
        let all = headers(&[
            ("Forwarded", "for=192.0.2.43, For=\"[2001:db8:cafe::17]:4711\";proto=http;by=203.0.113.43"),
            ("forwarded", "for=unknown;secret=\"a, b;for=c \\\" \", for=_x ,, FOR = \"192.0.2.\\60\""),
        ]);
        let at = |text: &str| Some(text.parse::<IpAddr>().unwrap());
        assert_eq!(hops(&all), [at("192.0.2.60"), None, None, at("2001:db8:cafe::17"), at("192.0.2.43")]);
        assert!(!says_https(&all));
        assert!(says_https(&headers(&[("Forwarded", "for=a;PROTO=\"HTTPS\", proto=http")])));
        assert!(!says_https(&headers(&[("Forwarded", "for=a, proto=https")])));
        assert_eq!(
            said_host(&headers(&[("Forwarded", "host=\"example.com:8443\"")])),
            Some("example.com:8443".into())
        );
    }

    #[test]
    fn the_first_hop_says_what_the_client_used() {
        for (name, value, expected) in [
            ("X-Forwarded-Proto", "https,http", true),
            ("X-Forwarded-Proto", "http, https", false),
            ("X-Forwarded-Proto", "HTTPS", true),
            ("X-Forwarded-Proto", "wss", true),
            ("X-Forwarded-Proto", "httpsx", false),
            ("X-Forwarded-Ssl", "on", true),
            ("X-Forwarded-Ssl", "off", false),
            ("Front-End-Https", "On", true),
            ("X-Forwarded-Protocol", "ssl", true),
            ("X-Url-Scheme", "https", true),
            ("X-Forwarded-Scheme", "https", true),
        ] {
            assert_eq!(says_https(&headers(&[(name, value)])), expected, "{name}: {value}");
        }
    }
}
