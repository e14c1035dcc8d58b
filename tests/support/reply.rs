//! Responses of the server.

use awc::http::header::HeaderMap;
use serde_json::Value;

/// A response.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    /// `Null` if the body is not JSON.
    pub json: Value,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Returns the session cookie as a browser would send it back.
    pub(crate) fn cookie(&self) -> String {
        let cookie = self.header("set-cookie");
        assert!(cookie.starts_with("sessionid="), "{self:?}");
        cookie.split(';').next().unwrap().to_owned()
    }

    pub(crate) fn id(&self) -> i64 {
        self.json["id"].as_i64().unwrap_or_else(|| panic!("no id in {self:?}"))
    }

    /// Asserts the status and returns the reply.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        self
    }

    pub(crate) fn results(&self) -> &Vec<Value> {
        self.json["results"].as_array().unwrap_or_else(|| panic!("no results in {self:?}"))
    }

    /// Returns the ids of a page's results.
    pub(crate) fn ids(&self) -> Vec<i64> {
        self.results().iter().map(|result| result["id"].as_i64().unwrap()).collect()
    }

    /// Returns the errors of a field in a 400: a list of sentences.
    #[track_caller]
    pub(crate) fn invalid(&self, field: &str) -> Value {
        assert_eq!(self.status, 400, "{}", String::from_utf8_lossy(&self.body));
        assert_eq!(self.json["error"], "Invalid request");
        self.json["details"][field].clone()
    }
}
