//! The setting that names Redis.

use redis::{ConnectionInfo, IntoConnectionInfo, ProtocolVersion};

/// Address of Redis: one server, or several nodes of one Redis Cluster.
#[derive(Debug, Clone)]
pub struct RedisUrl(Vec<ConnectionInfo>);

impl RedisUrl {
    /// Parses `redis://[user:password@]host[:port][/database]`, or `rediss://` for TLS. Several,
    /// comma-separated, name nodes of a Redis Cluster.
    pub fn parse(text: &str) -> Result<Self, String> {
        let one = |url: &str| {
            let info = url.trim().into_connection_info().map_err(|error| {
                format!("give redis://HOST:PORT or rediss://:PASSWORD@HOST:PORT/DATABASE ({error})")
            })?;
            let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
            Ok(info.set_redis_settings(settings))
        };
        text.split(',').map(one).collect::<Result<_, String>>().map(Self)
    }

    /// Returns the servers' addresses with credentials.
    pub(super) fn servers(&self) -> &[ConnectionInfo] {
        &self.0
    }

    /// Returns the addresses for logs and errors, without passwords.
    pub fn name(&self) -> String {
        let addresses: Vec<String> = self.0.iter().map(|info| info.addr().to_string()).collect();
        addresses.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_named_without_their_passwords() {
        let url = RedisUrl::parse("redis://:secret@db.example.com:6380/2").unwrap();
        assert_eq!(url.name(), "db.example.com:6380");
        assert_eq!(url.0[0].redis_settings().db(), 2);
        assert!(RedisUrl::parse("rediss://h").is_ok());
        assert_eq!(RedisUrl::parse("redis://a:1,redis://b:2").unwrap().name(), "a:1, b:2");
        for bad in ["", "localhost", "http://h", "redis://"] {
            assert!(RedisUrl::parse(bad).is_err(), "{bad}");
        }
    }
}
