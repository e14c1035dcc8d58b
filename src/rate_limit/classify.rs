//! Mapping of requests and commands to rate limits.

use actix_web::http::Method;

use super::LimitClass;

impl LimitClass {
    /// Returns the class of a request; `path` is relative to the API's base.
    pub fn of_request(method: &Method, path: &str, query: &str) -> Self {
        let is_get = matches!(*method, Method::GET | Method::HEAD);
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        match parts.as_slice() {
            ["chats", _, "messages"] if *method == Method::POST => Self::Send,
            ["chats", _, "typing"] if *method == Method::POST => Self::Typing,
            ["search"] | ["users", "search"] => Self::Search,
            // Lists can be filtered by `search`.
            _ if is_get && searches(query) => Self::Search,
            _ => Self::Other,
        }
    }

    /// Returns the class of a WebSocket command.
    pub fn of_command(kind: &str) -> Self {
        match kind {
            "send_message" => Self::Send,
            "typing" => Self::Typing,
            _ => Self::Other,
        }
    }
}

fn searches(query: &str) -> bool {
    url::form_urlencoded::parse(query.as_bytes())
        .any(|(name, value)| name == "search" && !value.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_told_apart() {
        let of = |method: Method, path, query| LimitClass::of_request(&method, path, query);
        assert_eq!(of(Method::POST, "/chats/7/messages/", ""), LimitClass::Send);
        assert_eq!(of(Method::POST, "/chats/7/messages", ""), LimitClass::Send);
        assert_eq!(of(Method::GET, "/chats/7/messages/", ""), LimitClass::Other);
        assert_eq!(of(Method::GET, "/chats/7/messages/", "page=2&search=a+b"), LimitClass::Search);
        assert_eq!(of(Method::GET, "/chats/7/messages/", "search="), LimitClass::Other);
        assert_eq!(of(Method::GET, "/search/", "q=x"), LimitClass::Search);
        for list in ["/chats/", "/chats", "/rooms/", "/chats/7/members/"] {
            assert_eq!(of(Method::GET, list, "page=2&search=x"), LimitClass::Search, "{list}");
            assert_eq!(of(Method::HEAD, list, "sea%72ch=x"), LimitClass::Search, "{list}");
            assert_eq!(of(Method::GET, list, "search=+"), LimitClass::Other, "{list}");
        }
        assert_eq!(of(Method::POST, "/chats/", "search=x"), LimitClass::Other);
        assert_eq!(of(Method::GET, "/users/search/", "q=x"), LimitClass::Search);
        assert_eq!(of(Method::POST, "/chats/7/typing/", ""), LimitClass::Typing);
        assert_eq!(of(Method::PATCH, "/messages/7/", ""), LimitClass::Other);
    }
}
