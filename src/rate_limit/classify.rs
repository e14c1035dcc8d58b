//! Which limit a request counts against.

use actix_web::http::Method;

use super::Kind;

impl Kind {
    /// Of a request to `path` below the API's base, as the router reads it.
    pub fn of_request(method: &Method, path: &str, query: &str) -> Self {
        let is_get = matches!(*method, Method::GET | Method::HEAD);
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        match parts.as_slice() {
            ["chats", _, "messages"] if *method == Method::POST => Self::Send,
            ["chats", _, "typing"] if *method == Method::POST => Self::Typing,
            ["search"] | ["users", "search"] => Self::Search,
            // Lists take words to be searched by.
            _ if is_get && searches(query) => Self::Search,
            _ => Self::Other,
        }
    }

    /// Of a socket's command.
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
        let of = |method: Method, path, query| Kind::of_request(&method, path, query);
        assert_eq!(of(Method::POST, "/chats/7/messages/", ""), Kind::Send);
        assert_eq!(of(Method::POST, "/chats/7/messages", ""), Kind::Send);
        assert_eq!(of(Method::GET, "/chats/7/messages/", ""), Kind::Other);
        assert_eq!(of(Method::GET, "/chats/7/messages/", "page=2&search=a+b"), Kind::Search);
        assert_eq!(of(Method::GET, "/chats/7/messages/", "search="), Kind::Other);
        assert_eq!(of(Method::GET, "/search/", "q=x"), Kind::Search);
        for list in ["/chats/", "/chats", "/rooms/", "/chats/7/members/"] {
            assert_eq!(of(Method::GET, list, "page=2&search=x"), Kind::Search, "{list}");
            assert_eq!(of(Method::HEAD, list, "sea%72ch=x"), Kind::Search, "{list}");
            assert_eq!(of(Method::GET, list, "search=+"), Kind::Other, "{list}");
        }
        assert_eq!(of(Method::POST, "/chats/", "search=x"), Kind::Other);
        assert_eq!(of(Method::GET, "/users/search/", "q=x"), Kind::Search);
        assert_eq!(of(Method::POST, "/chats/7/typing/", ""), Kind::Typing);
        assert_eq!(of(Method::PATCH, "/messages/7/", ""), Kind::Other);
    }
}
