//! The rate limits that the requests of a route count against.

use actix_web::http::Method;

use super::LimitClass;

/// Classes of a route, by method.
#[derive(Debug, Clone, Default)]
pub struct RouteLimits(Vec<(&'static str, LimitClass)>);

impl RouteLimits {
    /// Sets the class of some methods.
    pub fn set(&mut self, methods: &[&'static str], class: LimitClass) {
        self.0.extend(methods.iter().map(|method| (*method, class)));
    }

    /// Returns the class of a request. Each list can be filtered by `search`, so a GET with that parameter is
    /// a search on any route.
    pub fn class(&self, method: &Method, query: &str) -> LimitClass {
        let own = self.0.iter().find(|(name, _)| *name == method.as_str());
        let is_get = matches!(*method, Method::GET | Method::HEAD);
        match own {
            Some((_, class)) => *class,
            None if is_get && searches(query) => LimitClass::Search,
            None => LimitClass::Other,
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
    fn methods_are_told_apart() {
        let mut limits = RouteLimits::default();
        limits.set(&["POST"], LimitClass::Send);
        assert_eq!(limits.class(&Method::POST, ""), LimitClass::Send);
        assert_eq!(limits.class(&Method::POST, "search=x"), LimitClass::Send);
        assert_eq!(limits.class(&Method::GET, ""), LimitClass::Other);
        assert_eq!(limits.class(&Method::PATCH, "search=x"), LimitClass::Other);
    }

    #[test]
    fn lists_that_are_searched_are_searches() {
        let limits = RouteLimits::default();
        for query in ["search=x", "page=2&search=a+b", "sea%72ch=x"] {
            assert_eq!(limits.class(&Method::GET, query), LimitClass::Search, "{query}");
            assert_eq!(limits.class(&Method::HEAD, query), LimitClass::Search, "{query}");
        }
        for query in ["", "search=", "search=+", "q=x", "research=x"] {
            assert_eq!(limits.class(&Method::GET, query), LimitClass::Other, "{query}");
        }
    }
}
