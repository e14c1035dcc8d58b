//! Builder of routes: a path with its methods.

use actix_web::{
    FromRequest, Handler, HttpRequest, Resource, Responder,
    guard::{self, Guard},
    http::Method,
    web,
};

use crate::{error::ApiError, telemetry::http::Route};

/// Starts a route for a path, with and without trailing slash.
pub(super) fn at(path: &str) -> Address {
    let path = path.trim_end_matches('/');
    Address { resource: web::resource([format!("{path}/"), path.to_owned()]), allow: Vec::new() }
}

/// A route under construction. It collects its methods for the `Allow` header of 405 responses.
pub(super) struct Address {
    resource: Resource,
    allow: Vec<&'static str>,
}

macro_rules! methods {
    ($($name:ident $method:ident),*) => {
        $(pub fn $name<F, Args>(self, handler: F) -> Self
        where
            F: Handler<Args>,
            Args: FromRequest + 'static,
            F::Output: Responder + 'static,
        {
            self.route(Method::$method, handler)
        })*
    };
}

impl Address {
    methods!(get GET, post POST, put PUT, patch PATCH, delete DELETE);

    fn route<F, Args>(mut self, method: Method, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        let names: &[&str] = match method {
            Method::GET => &["GET", "HEAD"],
            Method::POST => &["POST"],
            Method::PUT => &["PUT"],
            Method::PATCH => &["PATCH"],
            _ => &["DELETE"],
        };
        self.allow.extend(names);
        let is_get = method == Method::GET;
        // GET routes also answer HEAD.
        let matches = guard::fn_guard(move |request| {
            guard::Method(method.clone()).check(request) || (is_get && request.head().method == Method::HEAD)
        });
        self.resource = self.resource.route(web::route().guard(matches).to(handler));
        self
    }

    pub fn done(self) -> Resource {
        let allow = self.allow.join(", ");
        let refuse = move |request: HttpRequest| {
            let error =
                ApiError::MethodNotAllowed { method: request.method().to_string(), allow: allow.clone() };
            async move { Err::<String, ApiError>(error) }
        };
        self.resource.app_data(Route::default()).default_service(web::to(refuse))
    }
}
