//! Settings: from a flag, else an environment variable, else a default. Keep `docs/CONFIG.md` in sync.

// The fields' docs are also the text of `--help`, which would show the brackets around URLs.
#![allow(rustdoc::bare_urls, reason = "the docs are help texts too")]

mod custom_keys;
mod files;
mod jwt;

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use clap::{Args, ValueEnum, builder::BoolishValueParser};
use ipnet::IpNet;

use crate::{
    bus::RedisUrl,
    core::model::{
        Contacts, Guests, ObjectRooms, PictureHost, history::MessageHistory, host_names::AllowedHost,
    },
    rate_limit::{Rate, Rates},
    storage::DatabaseUrl,
};

pub use custom_keys::CustomKeys;
pub use files::{FileSettings, FileTypes, ScanFailure, beside};
pub use jwt::JwtSettings;

/// Database setting, which every command takes.
#[derive(Debug, Clone, Args)]
pub struct Database {
    /// The database: sqlite://FILE or postgres://USER@HOST/DATABASE
    #[arg(long, env = "GREENROOM_DATABASE_URL", default_value = "sqlite://greenroom.db", value_parser = DatabaseUrl::parse)]
    pub database_url: DatabaseUrl,
}

/// Whether users may register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Registration {
    /// Everyone may register.
    Open,
    /// Only staff and the command line create accounts.
    Closed,
}

/// Format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Scope of HTTP Strict Transport Security, which makes browsers use HTTPS only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Hsts {
    /// For this host.
    Host,
    /// For this host and its subdomains.
    Subdomains,
    /// The header is not sent.
    Off,
}

impl Hsts {
    /// Returns the value of `Strict-Transport-Security`.
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

    #[command(flatten)]
    pub files: FileSettings,

    #[command(flatten)]
    pub jwt: JwtSettings,

    /// Address and port to listen on
    #[arg(long, env = "GREENROOM_BIND", default_value = "127.0.0.1:8000")]
    pub bind: SocketAddr,

    /// Address and port that serves /metrics for Prometheus; none by default
    #[arg(long, env = "GREENROOM_METRICS_BIND")]
    pub metrics_bind: Option<SocketAddr>,

    /// Redis 7 or newer, for more than one node on one PostgreSQL: redis://HOST:PORT or
    /// rediss://:PASSWORD@HOST:PORT/DATABASE; several, comma-separated, for a Redis Cluster
    #[arg(long, env = "GREENROOM_REDIS_URL", hide_env_values = true, value_parser = RedisUrl::parse)]
    pub redis_url: Option<RedisUrl>,

    /// Address under which clients reach this server, for links that leave it: https://chat.example.com
    #[arg(long, env = "GREENROOM_PUBLIC_URL", value_parser = origin)]
    pub public_url: Option<String>,

    /// Further hosts beside that of the public URL that this server serves, comma-separated:
    /// chat.internal,.example.com
    #[arg(long, env = "GREENROOM_ALLOWED_HOSTS", value_delimiter = ',', value_parser = AllowedHost::parse)]
    pub allowed_hosts: Vec<AllowedHost>,

    /// Other sites whose pages may use this server, comma-separated: https://example.com
    #[arg(long, env = "GREENROOM_ALLOWED_ORIGINS", value_delimiter = ',', value_parser = origin)]
    pub allowed_origins: Vec<String>,

    /// Whether everyone may register an account
    #[arg(long, env = "GREENROOM_REGISTRATION", default_value = "closed")]
    pub registration: Registration,

    /// Accounts that one address may register per hour, minute or second, and taken names that it may probe:
    /// 100/h
    #[arg(long, env = "GREENROOM_REGISTRATIONS_PER_ADDRESS", default_value = "100/h", value_parser = rate)]
    pub registrations_per_address: Rate,

    /// Whether visitors may become guests, without an account: open or closed
    #[arg(long, env = "GREENROOM_GUESTS", default_value = "closed")]
    pub guests: Guests,

    /// Who sees the texts of messages before their edits: off, staff or members
    #[arg(long, env = "GREENROOM_MESSAGE_HISTORY", default_value = "off")]
    pub message_history: MessageHistory,

    /// Failed sign-ins per minute that one address may have
    #[arg(long, env = "GREENROOM_FAILED_SIGN_INS_PER_ADDRESS", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..))]
    pub failed_sign_ins_per_address: u16,

    /// Users that non-staff may find, begin chats with and add to chats
    #[arg(long, env = "GREENROOM_CONTACTS", default_value = "all")]
    pub contacts: Contacts,

    /// Users that may create rooms on objects of a host's pages: anyone (private rooms: only staff) or staff
    #[arg(long, env = "GREENROOM_OBJECT_ROOMS", default_value = "anyone")]
    pub object_rooms: ObjectRooms,

    /// Hosts that users' pictures may be on, comma-separated: images.example.com, *.example.com, or * for
    /// all; staff may choose any
    #[arg(long, env = "GREENROOM_PICTURE_HOSTS", value_delimiter = ',', value_parser = PictureHost::parse)]
    pub picture_hosts: Vec<PictureHost>,

    /// Whether this server proxies the pictures of other hosts, so that browsers contact only this server: on
    /// or off
    #[arg(long, env = "GREENROOM_PICTURE_PROXY", default_value = "off", action = clap::ArgAction::Set, value_parser = BoolishValueParser::new())]
    pub picture_proxy: bool,

    /// Private networks from which pictures may be fetched, comma-separated addresses or networks:
    /// 10.1.0.0/16
    #[arg(long, env = "GREENROOM_PICTURE_PROXY_ALLOW", value_delimiter = ',', value_parser = network)]
    pub picture_proxy_allow: Vec<IpNet>,

    /// Whether messages show previews of the pages that they link to, which this server fetches: on or off
    #[arg(long, env = "GREENROOM_LINK_PREVIEWS", default_value = "off", action = clap::ArgAction::Set, value_parser = BoolishValueParser::new())]
    pub link_previews: bool,

    /// Private networks that previews may reach, comma-separated addresses or networks: 10.1.0.0/16
    #[arg(long, env = "GREENROOM_PREVIEW_ALLOW", value_delimiter = ',', value_parser = network)]
    pub preview_allow: Vec<IpNet>,

    /// Trusted proxies, whose headers give the client's address and scheme, comma-separated addresses or
    /// networks
    #[arg(long, env = "GREENROOM_TRUSTED_PROXIES", value_delimiter = ',', value_parser = network)]
    pub trusted_proxies: Vec<IpNet>,

    /// Scope of the header Strict-Transport-Security, which is sent over HTTPS
    #[arg(long, env = "GREENROOM_HSTS", default_value = "host")]
    pub hsts: Hsts,

    /// Key that signs the session cookie, at least 32 characters; generated and stored in the database by
    /// default
    #[arg(long, env = "GREENROOM_SECRET_KEY", hide_env_values = true, value_parser = secret_key)]
    pub secret_key: Option<String>,

    /// Name of the session cookie
    #[arg(long, env = "GREENROOM_COOKIE_NAME", default_value = "sessionid", value_parser = cookie_name)]
    pub cookie_name: String,

    /// What to log: error, warn, info, debug, trace, or a filter such as greenroom=debug
    #[arg(long, env = "GREENROOM_LOG", default_value = "info", value_parser = log_filter)]
    pub log: String,

    /// How log lines are written: text for people, or json, one object a line, for machines
    #[arg(long, env = "GREENROOM_LOG_FORMAT", default_value = "text", value_enum)]
    pub log_format: LogFormat,

    /// Worker threads, which serve HTTP and run the chats; one per core by default
    #[arg(long, env = "GREENROOM_WORKERS", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub workers: Option<u16>,

    /// Sockets that one user may have open
    #[arg(long, env = "GREENROOM_MAX_SOCKETS_PER_USER", default_value_t = 10)]
    pub max_sockets_per_user: usize,

    /// Chats that a non-staff user may have created or joined; chats that others added them to do not count
    #[arg(long, env = "GREENROOM_MAX_CHATS_PER_USER", default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_chats_per_user: u32,

    /// Sessions that one user may have; a further sign-in ends the least recently used one
    #[arg(long, env = "GREENROOM_MAX_SESSIONS_PER_USER", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_sessions_per_user: u32,

    /// Valid tokens that one user may have
    #[arg(long, env = "GREENROOM_MAX_TOKENS_PER_USER", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_tokens_per_user: u32,

    /// Frames that a socket may send per second, with a burst of twice as many
    #[arg(long, env = "GREENROOM_SOCKET_COMMANDS_PER_SECOND", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub socket_commands_per_second: u32,

    /// Rate limits per user on this node: a rate and an optional burst for send, search, typing, groups, dms
    /// and other, such as send=10/s:30,search=30/m,typing=1/s,groups=100/h,dms=100/h,other=50/s; or off
    #[arg(long, env = "GREENROOM_RATE_LIMIT", default_value = "search=10/s:100,groups=100/h,dms=100/h", value_parser = Rates::parse)]
    pub rate_limit: Rates,

    /// Concurrent queries that one user may have on this node; half of the reading connections by default
    #[arg(long, env = "GREENROOM_READS_PER_USER", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub reads_per_user: Option<u16>,

    /// Whether sockets without an Origin header are accepted, as opened by programs
    #[arg(long, env = "GREENROOM_SOCKETS_WITHOUT_ORIGIN", default_value_t = true, action = clap::ArgAction::Set, value_parser = BoolishValueParser::new())]
    pub sockets_without_origin: bool,

    /// Chats with more members than this have no read receipts
    #[arg(long, env = "GREENROOM_RECEIPTS_MAX_MEMBERS", default_value_t = 100, value_parser = clap::value_parser!(i64).range(0..=10_000))]
    pub receipts_max_members: i64,

    /// Names in the custom data of chats and users by which requests may filter, comma-separated, at most 8 of each:
    /// chat.order,user.tenant
    #[arg(long, env = "GREENROOM_CUSTOM_KEYS", default_value = "", hide_default_value = true, value_parser = CustomKeys::parse)]
    pub custom_keys: CustomKeys,

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

    /// Seconds after which an idle chat is evicted from memory
    #[arg(long = "chat-idle-seconds", value_name = "SECONDS", env = "GREENROOM_CHAT_IDLE_SECONDS", default_value = "60", value_parser = seconds)]
    pub chat_idle: Duration,
}

impl Config {
    /// Returns the number of worker threads.
    pub fn workers(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        self.workers.map_or_else(cores, usize::from)
    }

    /// Returns the number of reading database connections.
    pub fn readers(&self) -> u32 {
        self.workers().max(2) as u32
    }

    /// Returns the maximum of concurrent queries per user, which leaves connections for others.
    pub fn reads_per_user(&self) -> usize {
        self.reads_per_user.map_or(self.readers() as usize / 2, usize::from)
    }

    /// Whether an address is that of a trusted proxy.
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|network| network.contains(&address))
    }

    /// Whether the public URL is HTTPS.
    pub fn is_https(&self) -> bool {
        self.public_url.as_deref().is_some_and(|url| url.starts_with("https://"))
    }
}

/// Parses an origin (scheme, host and port only) and normalizes it as browsers do.
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

/// Parses a network or a single address.
fn network(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    let single = || text.parse().ok().map(|address: IpAddr| IpNet::from(address));
    text.parse()
        .ok()
        .or_else(single)
        .ok_or_else(|| "give an address or a network such as 10.0.0.0/8".to_owned())
}

fn rate(text: &str) -> Result<Rate, String> {
    Rate::parse(text).ok_or_else(|| "give a number and s, m or h, such as 100/h".to_owned())
}

/// Validates a filter of `tracing`.
fn log_filter(text: &str) -> Result<String, String> {
    tracing_subscriber::EnvFilter::try_new(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

/// Validates a cookie name: a token of RFC 6265 without `%`, which cookies use for encoding.
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
