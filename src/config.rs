//! Settings: a flag, else a variable, else a default. `docs/CONFIG.md` lists them; the two change together.

// The fields' docs are the text of `--help` as well, where brackets would stand about addresses.
#![allow(rustdoc::bare_urls)]

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use clap::{Args, ValueEnum, builder::BoolishValueParser};
use ipnet::IpNet;

use crate::{
    bus::RedisUrl,
    core::model::{Contacts, ObjectRooms, PictureHost, host_names::AllowedHost},
    rate_limit::{Rate, Rates},
    storage::DatabaseUrl,
};

/// Where the data is; every command takes it.
#[derive(Debug, Clone, Args)]
pub struct Database {
    /// The database: sqlite://FILE or postgres://USER@HOST/DATABASE
    #[arg(long, env = "GREENROOM_DATABASE_URL", default_value = "sqlite://greenroom.db", value_parser = DatabaseUrl::parse)]
    pub database_url: DatabaseUrl,
}

/// Who may make an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Registration {
    /// Anybody.
    Open,
    /// Only staff, and the command line.
    Closed,
}

/// What browsers are asked to do after a visit over HTTPS: never to use plain HTTP again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Hsts {
    /// For this host.
    Host,
    /// For this host and everything below it.
    Subdomains,
    /// Nothing: the proxy sees to it, or nobody does.
    Off,
}

impl Hsts {
    /// The value of `Strict-Transport-Security`.
    pub fn header(self) -> Option<&'static str> {
        match self {
            Self::Host => Some("max-age=31536000"),
            Self::Subdomains => Some("max-age=31536000; includeSubDomains"),
            Self::Off => None,
        }
    }
}

/// All settings of a server.
#[derive(Debug, Clone, Args)]
pub struct Config {
    #[command(flatten)]
    pub database: Database,

    /// Address and port to listen on
    #[arg(long, env = "GREENROOM_BIND", default_value = "127.0.0.1:8000")]
    pub bind: SocketAddr,

    /// Address and port where Prometheus may ask at /metrics; none by default
    #[arg(long, env = "GREENROOM_METRICS_BIND")]
    pub metrics_bind: Option<SocketAddr>,

    /// Redis 7 or newer, for more than one node on one PostgreSQL: redis://HOST:PORT or rediss://:PASSWORD@HOST:PORT/DATABASE; several, comma-separated, for a Redis Cluster
    #[arg(long, env = "GREENROOM_REDIS_URL", hide_env_values = true, value_parser = RedisUrl::parse)]
    pub redis_url: Option<RedisUrl>,

    /// Address under which clients reach this server, for links that leave it: https://chat.example.com
    #[arg(long, env = "GREENROOM_PUBLIC_URL", value_parser = origin)]
    pub public_url: Option<String>,

    /// Hosts beside that of the public URL under which this server may be asked, comma-separated: chat.internal,.example.com
    #[arg(long, env = "GREENROOM_ALLOWED_HOSTS", value_delimiter = ',', value_parser = AllowedHost::parse)]
    pub allowed_hosts: Vec<AllowedHost>,

    /// Other sites whose pages may use this server, comma-separated: https://example.com
    #[arg(long, env = "GREENROOM_ALLOWED_ORIGINS", value_delimiter = ',', value_parser = origin)]
    pub allowed_origins: Vec<String>,

    /// Whether anybody may make an account
    #[arg(long, env = "GREENROOM_REGISTRATION", default_value = "closed")]
    pub registration: Registration,

    /// Accounts that one address may make where anybody may, in an hour, a minute or a second: 100/h; as many taken names may it find
    #[arg(long, env = "GREENROOM_REGISTRATIONS_PER_ADDRESS", default_value = "100/h", value_parser = rate)]
    pub registrations_per_address: Rate,

    /// Sign-ins of one address that may fail in a minute
    #[arg(long, env = "GREENROOM_FAILED_SIGN_INS_PER_ADDRESS", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..))]
    pub failed_sign_ins_per_address: u16,

    /// Whom people who are not staff may find, begin chats with and add to chats
    #[arg(long, env = "GREENROOM_CONTACTS", default_value = "all")]
    pub contacts: Contacts,

    /// Who makes rooms on objects of a host's pages: anyone (public ones; private ones only staff) or staff
    #[arg(long, env = "GREENROOM_OBJECT_ROOMS", default_value = "anyone")]
    pub object_rooms: ObjectRooms,

    /// Hosts that the pictures may come from that users choose, comma-separated: images.example.com, *.example.com, or * for all; staff choose any
    #[arg(long, env = "GREENROOM_PICTURE_HOSTS", value_delimiter = ',', value_parser = PictureHost::parse)]
    pub picture_hosts: Vec<PictureHost>,

    /// Whether this server fetches the pictures of other hosts, and browsers ask only this server: on or off
    #[arg(long, env = "GREENROOM_PICTURE_PROXY", default_value = "off", action = clap::ArgAction::Set, value_parser = BoolishValueParser::new())]
    pub picture_proxy: bool,

    /// Private networks from which pictures may be fetched, comma-separated addresses or networks: 10.1.0.0/16
    #[arg(long, env = "GREENROOM_PICTURE_PROXY_ALLOW", value_delimiter = ',', value_parser = network)]
    pub picture_proxy_allow: Vec<IpNet>,

    /// Proxies that may say who the client is and whether it came over HTTPS, comma-separated addresses or networks
    #[arg(long, env = "GREENROOM_TRUSTED_PROXIES", value_delimiter = ',', value_parser = network)]
    pub trusted_proxies: Vec<IpNet>,

    /// For whom Strict-Transport-Security is sent over HTTPS
    #[arg(long, env = "GREENROOM_HSTS", default_value = "host")]
    pub hsts: Hsts,

    /// Key that protects the session cookie, at least 32 characters; made and kept in the database by default
    #[arg(long, env = "GREENROOM_SECRET_KEY", hide_env_values = true, value_parser = secret_key)]
    pub secret_key: Option<String>,

    /// Name of the session cookie
    #[arg(long, env = "GREENROOM_COOKIE_NAME", default_value = "sessionid", value_parser = cookie_name)]
    pub cookie_name: String,

    /// What to log: error, warn, info, debug, trace, or a filter such as greenroom=debug
    #[arg(long, env = "GREENROOM_LOG", default_value = "info", value_parser = log_filter)]
    pub log: String,

    /// Threads that serve HTTP and run the chats; as many as there are cores by default
    #[arg(long, env = "GREENROOM_WORKERS", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub workers: Option<u16>,

    /// Sockets that one user may have open
    #[arg(long, env = "GREENROOM_MAX_SOCKETS_PER_USER", default_value_t = 10)]
    pub max_sockets_per_user: usize,

    /// Chats that one user who is not staff may have made or joined; what others brought them into does not count
    #[arg(long, env = "GREENROOM_MAX_CHATS_PER_USER", default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_chats_per_user: u32,

    /// Sessions that one user may have; a sign-in beyond ends the one that was unused for longest
    #[arg(long, env = "GREENROOM_MAX_SESSIONS_PER_USER", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_sessions_per_user: u32,

    /// Tokens that may work for one user
    #[arg(long, env = "GREENROOM_MAX_TOKENS_PER_USER", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_tokens_per_user: u32,

    /// Frames that a socket may send in a second; twice as many at once
    #[arg(long, env = "GREENROOM_SOCKET_COMMANDS_PER_SECOND", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub socket_commands_per_second: u32,

    /// What one user may ask for on this node: a rate and perhaps a burst for send, search, typing, groups, dms and other, such as send=10/s:30,search=30/m,typing=1/s,groups=100/h,dms=100/h,other=50/s; or off
    #[arg(long, env = "GREENROOM_RATE_LIMIT", default_value = "search=10/s:100,groups=100/h,dms=100/h", value_parser = Rates::parse)]
    pub rate_limit: Rates,

    /// Queries that one user may have under way on this node; half of the reading connections by default
    #[arg(long, env = "GREENROOM_READS_PER_USER", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub reads_per_user: Option<u16>,

    /// Whether sockets without an Origin header are taken, as programs open them
    #[arg(long, env = "GREENROOM_SOCKETS_WITHOUT_ORIGIN", default_value_t = true, action = clap::ArgAction::Set, value_parser = BoolishValueParser::new())]
    pub sockets_without_origin: bool,

    /// Chats with more members than this have no read receipts
    #[arg(long, env = "GREENROOM_RECEIPTS_MAX_MEMBERS", default_value_t = 100, value_parser = clap::value_parser!(i64).range(0..=10_000))]
    pub receipts_max_members: i64,

    /// Whether messages may be edited
    #[arg(long, env = "GREENROOM_ALLOW_EDITING", default_value_t = true, action = clap::ArgAction::Set, value_parser = BoolishValueParser::new())]
    pub allow_editing: bool,

    /// Whether messages may be deleted
    #[arg(long, env = "GREENROOM_ALLOW_DELETING", default_value_t = true, action = clap::ArgAction::Set, value_parser = BoolishValueParser::new())]
    pub allow_deleting: bool,

    /// Whether messages may be reacted to
    #[arg(long, env = "GREENROOM_ALLOW_REACTIONS", default_value_t = true, action = clap::ArgAction::Set, value_parser = BoolishValueParser::new())]
    pub allow_reactions: bool,

    /// Whether direct message chats may be given a title
    #[arg(long, env = "GREENROOM_ALLOW_RENAMING_DMS", default_value_t = true, action = clap::ArgAction::Set, value_parser = BoolishValueParser::new())]
    pub allow_renaming_dms: bool,

    /// Whether rooms may be given another title
    #[arg(long, env = "GREENROOM_ALLOW_RENAMING_ROOMS", default_value_t = true, action = clap::ArgAction::Set, value_parser = BoolishValueParser::new())]
    pub allow_renaming_rooms: bool,

    /// Whether the pages and widgets show where a message was deleted
    #[arg(long, env = "GREENROOM_SHOW_DELETED", default_value_t = true, action = clap::ArgAction::Set, value_parser = BoolishValueParser::new())]
    pub show_deleted: bool,

    /// Seconds after which a chat that nobody uses leaves memory
    #[arg(long = "chat-idle-seconds", value_name = "SECONDS", env = "GREENROOM_CHAT_IDLE_SECONDS", default_value = "60", value_parser = seconds)]
    pub chat_idle: Duration,
}

impl Config {
    /// Threads that serve HTTP.
    pub fn workers(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        self.workers.map_or_else(cores, usize::from)
    }

    /// Connections that read the database.
    pub fn readers(&self) -> u32 {
        self.workers().max(2) as u32
    }

    /// Queries that one user may have under way, so that a connection is left for the others.
    pub fn reads_per_user(&self) -> usize {
        self.reads_per_user.map_or(self.readers() as usize / 2, usize::from)
    }

    /// Whether a proxy at an address is believed.
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|network| network.contains(&address))
    }

    /// Whether clients come over HTTPS as far as is known without looking at a request.
    pub fn is_https(&self) -> bool {
        self.public_url.as_deref().is_some_and(|url| url.starts_with("https://"))
    }
}

/// An origin: scheme, host and port, nothing more; written as browsers write it.
fn origin(text: &str) -> Result<String, String> {
    let url =
        url::Url::parse(text.trim()).map_err(|_| "give an address such as https://example.com".to_owned())?;
    let is_bare =
        url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    if !matches!(url.scheme(), "http" | "https") || !is_bare {
        return Err("give scheme, host and port only, such as https://example.com".to_owned());
    }
    Ok(url.origin().ascii_serialization())
}

/// A network, or a single address.
fn network(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    let single = || text.parse().ok().map(|address: std::net::IpAddr| IpNet::from(address));
    text.parse()
        .ok()
        .or_else(single)
        .ok_or_else(|| "give an address or a network such as 10.0.0.0/8".to_owned())
}

fn rate(text: &str) -> Result<Rate, String> {
    Rate::parse(text).ok_or_else(|| "give a number and s, m or h, such as 100/h".to_owned())
}

/// A filter that tracing understands.
fn log_filter(text: &str) -> Result<String, String> {
    tracing_subscriber::EnvFilter::try_new(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

/// A token as RFC 6265 has it, without what is encoded in cookies.
fn cookie_name(text: &str) -> Result<String, String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&'*+-.^_`|~".contains(&byte);
    if !text.is_empty() && text.bytes().all(is_plain) {
        Ok(text.to_owned())
    } else {
        Err("give letters, digits, - and _, such as greenroom_session".to_owned())
    }
}

fn secret_key(text: &str) -> Result<String, String> {
    if text.len() < 32 { Err("give at least 32 characters".to_owned()) } else { Ok(text.to_owned()) }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "give a number of seconds".to_owned())?;
    let duration = Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())?;
    if duration < Duration::from_millis(1) { Err("give more than no time".to_owned()) } else { Ok(duration) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookies_name_is_a_token() {
        assert!(cookie_name("__Host-greenroom_1").is_ok());
        for bad in ["", "a b", "a=b", "a;b", "a,b", "ä", "a%20", "\"a\""] {
            assert!(cookie_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn origins_are_bare_and_written_as_browsers_write_them() {
        assert_eq!(origin("https://Example.com:443/"), Ok("https://example.com".to_owned()));
        assert_eq!(origin("http://localhost:3000"), Ok("http://localhost:3000".to_owned()));
        for bad in ["example.com", "https://x/path", "ftp://x", "null"] {
            assert!(origin(bad).is_err(), "{bad}");
        }
    }
}
