//! Allowed hosts of users' pictures. The viewer's browser loads a picture from there, or this server fetches
//! it for all viewers.

use url::{Url, form_urlencoded};

/// Prefix of a stored address that the user chose, as opposed to staff. Such a picture is shown only from an
/// allowed host.
const CHOSEN: &str = "chosen:";

/// An allowed host of users' pictures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PictureHost {
    Any,
    /// One host. The port is given where it is not the scheme's default.
    One(String, Option<u16>),
    /// All hosts whose name ends with this suffix, which begins with a dot.
    Below(String),
}

impl PictureHost {
    /// Parses a host with or without a port, `*.` and a parent domain, or `*`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let wrong = || "give hosts such as images.example.com, *.example.com, or * for all".to_owned();
        if text == "*" {
            return Ok(Self::Any);
        }
        let (is_below, name) = text.strip_prefix("*.").map_or((false, text), |name| (true, name));
        let url = Url::parse(&format!("https://{name}/")).map_err(|_| wrong())?;
        let is_bare =
            url.path() == "/" && url.query().is_none() && url.fragment().is_none() && !has_login(&url);
        let host = url.host_str().filter(|host| is_bare && !host.contains('*')).ok_or_else(wrong)?;
        match (is_below, url.port()) {
            (false, port) => Ok(Self::One(host.to_owned(), port)),
            (true, None) => Ok(Self::Below(format!(".{host}"))),
            (true, Some(_)) => Err(wrong()),
        }
    }

    fn allows(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default();
        match self {
            Self::Any => true,
            Self::One(name, port) => host == name && url.port() == *port,
            Self::Below(end) => host.ends_with(end) && url.port().is_none(),
        }
    }
}

/// The policy for users' pictures.
#[derive(Debug, Clone, Default)]
pub struct Pictures {
    /// The server's public URL; empty where it is not set.
    pub own: String,
    pub hosts: Vec<PictureHost>,
    /// Whether pictures may be asked for at any port.
    pub any_port: bool,
}

impl Pictures {
    /// Returns whether a user may choose this address.
    pub fn allow(&self, address: &str) -> bool {
        let Ok(url) = Url::parse(address) else { return false };
        let is_own = self.is_own_address(address);
        !has_login(&url) && !is_api(&url) && (is_own || self.hosts.iter().any(|host| host.allows(&url)))
    }

    /// Returns whether an address has the origin of this server.
    pub fn is_own_address(&self, address: &str) -> bool {
        let (Ok(own), Ok(url)) = (Url::parse(&self.own), Url::parse(address)) else { return false };
        own.origin() == url.origin()
    }

    /// Returns whether this server may fetch a picture from there. An address that its user chose needs an
    /// allowed host. A port other than the default needs a host that is allowed with that port.
    pub fn may_ask(&self, url: &Url, is_chosen: bool) -> bool {
        let is_listed = self.hosts.iter().any(|host| host.allows(url));
        let is_with_port = |host: &PictureHost| matches!(host, PictureHost::One(..)) && host.allows(url);
        matches!(url.scheme(), "http" | "https")
            && !has_login(url)
            && !self.is_own_address(url.as_str())
            && (is_listed || !is_chosen)
            && (self.any_port || url.port().is_none() || self.hosts.iter().any(is_with_port))
    }

    /// Splits a stored value into the address and whether its user chose it.
    pub fn of_stored(stored: &str) -> (&str, bool) {
        match stored.strip_prefix(CHOSEN) {
            Some(address) => (address, true),
            None => (stored, false),
        }
    }

    /// Returns the stored form of an address that a user chose.
    pub fn chosen(address: &str) -> String {
        if address.is_empty() { String::new() } else { format!("{CHOSEN}{address}") }
    }

    /// Returns the address to show for a stored value, if any.
    pub fn shown<'a>(&self, stored: &'a str) -> Option<&'a str> {
        let (address, is_chosen) = Self::of_stored(stored);
        let is_shown = if is_chosen { self.allow(address) } else { !address.is_empty() };
        is_shown.then_some(address)
    }
}

fn has_login(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

/// Returns whether an address is below `/messages/api` on any host. A browser would send such a request with
/// the viewer's cookies, and no picture is served there. All hosts are checked, since a server may not know
/// all of its own names.
fn is_api(url: &Url) -> bool {
    let segments = url.path_segments().into_iter().flatten().filter(|segment| !segment.is_empty());
    let plain =
        |segment: &str| form_urlencoded::parse(segment.as_bytes()).next().map(|(name, _)| name.into_owned());
    segments.take(2).filter_map(plain).eq(["messages", "api"])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pictures(hosts: &[&str]) -> Pictures {
        let hosts = hosts.iter().map(|host| PictureHost::parse(host).unwrap()).collect();
        Pictures { own: "https://chat.example.com".to_owned(), hosts, any_port: false }
    }

    #[test]
    fn pictures_come_from_hosts_that_are_set() {
        let some = pictures(&["Images.example.com", "*.cdn.example", "localhost:8080", "bücher.example"]);
        let good = [
            "https://images.example.com/a.png",
            "http://IMAGES.example.com/",
            "https://a.b.cdn.example/x",
            "http://localhost:8080/a",
            "https://xn--bcher-kva.example/",
            "https://chat.example.com/messages/avatars/1.svg",
            "https://chat.example.com/media/messages/api.png",
        ];
        for address in good {
            assert!(some.allow(address), "{address}");
        }
        let bad = [
            "https://evil.example/images.example.com",
            "https://images.example.com@evil.example/",
            "https://u:p@images.example.com/",
            "https://images.example.com.evil.example/",
            "https://images.example.com:8443/",
            "https://cdn.example/",
            "https://evilcdn.example/",
            "https://evil.example\\@images.example.com/",
            "http://chat.example.com/",
            "http://localhost/a",
            "",
            // Each viewer's browser would request it with the viewer's cookies.
            "https://chat.example.com/messages/api/events/",
            "https://chat.example.com/messages/./x/../api/search/?q=a",
            "https://chat.example.com//%6dessages//ap%69",
            "https://images.example.com/messages/api/events/",
        ];
        for address in bad {
            assert!(!some.allow(address), "{address}");
        }
        assert!(pictures(&["*"]).allow("https://evil.example/"));
        assert!(!pictures(&[]).allow("https://example.com/"));
    }

    #[test]
    fn what_staff_set_is_shown_and_what_users_chose_by_its_host() {
        let some = pictures(&["a.example"]);
        assert_eq!(some.shown("https://b.example/"), Some("https://b.example/"));
        assert_eq!(some.shown(&Pictures::chosen("https://b.example/")), None);
        assert_eq!(some.shown(&Pictures::chosen("https://a.example/")), Some("https://a.example/"));
        assert_eq!((some.shown(""), Pictures::chosen("")), (None, String::new()));
    }

    #[test]
    fn the_server_asks_hosts_that_are_set_and_for_staff_all_others() {
        let some = pictures(&["a.example", "b.example:8080", "*.cdn.example"]);
        let may_ask = |address, is_chosen| some.may_ask(&Url::parse(address).unwrap(), is_chosen);
        for address in
            ["https://a.example/x", "http://a.example/x", "http://b.example:8080/", "https://x.cdn.example/"]
        {
            assert!(may_ask(address, true) && may_ask(address, false), "{address}");
        }
        for address in ["https://c.example/", "https://b.example/"] {
            assert!(!may_ask(address, true) && may_ask(address, false), "{address}");
        }
        for address in [
            "https://a.example:8080/",
            "https://c.example:22/",
            "https://u@a.example/",
            "ftp://a.example/",
            "data:image/png;base64,AAAA",
            "https://chat.example.com/messages/avatars/1.svg",
        ] {
            assert!(!may_ask(address, true) && !may_ask(address, false), "{address}");
        }
        let any = pictures(&["*"]);
        let may_ask = |address| any.may_ask(&Url::parse(address).unwrap(), true);
        assert!(may_ask("https://c.example/") && !may_ask("https://c.example:22/"));
    }

    #[test]
    fn hosts_are_bare() {
        for bad in [
            "",
            "https://example.com",
            "example.com/path",
            "*",
            "a@b.example",
            "*.*.example",
            "a b",
            "*.a.example:80",
        ] {
            assert!(bad == "*" || PictureHost::parse(bad).is_err(), "{bad}");
        }
    }
}
