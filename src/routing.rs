//! Builder of routes: a path with its methods.

use actix_web::{
    FromRequest, Handler, HttpRequest, Resource, Responder, ResponseError,
    dev::{HttpServiceFactory, Service},
    guard::{self, Guard},
    http::Method,
    web,
};
use futures_util::future::{Either, ok};

use crate::{
    error::ApiError,
    middleware::within_limits,
    rate_limit::{LimitClass, RouteLimits},
    telemetry::http::Route,
};

/// Starts a route for a path, with and without trailing slash.
pub(super) fn at(path: &str) -> Address {
    let path = path.trim_end_matches('/');
    let resource = web::resource([format!("{path}/"), path.to_owned()]);
    Address { resource, allow: Vec::new(), latest: &[], limits: RouteLimits::default() }
}

/// A route under construction. It collects its methods for the `Allow` header of 405 responses.
pub(super) struct Address {
    resource: Resource,
    allow: Vec<&'static str>,
    /// The methods of the handler that was added last.
    latest: &'static [&'static str],
    limits: RouteLimits,
}

macro_rules! methods {
    ($($name:ident $method:ident),*) => {
        $(pub(crate) fn $name<F, Args>(self, handler: F) -> Self
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
        self.latest = match method {
            Method::GET => &["GET", "HEAD"],
            Method::POST => &["POST"],
            Method::PUT => &["PUT"],
            Method::PATCH => &["PATCH"],
            _ => &["DELETE"],
        };
        self.allow.extend(self.latest);
        let is_get = method == Method::GET;
        // GET routes also answer HEAD.
        let matches = guard::fn_guard(move |request| {
            guard::Method(method.clone()).check(request) || (is_get && request.head().method == Method::HEAD)
        });
        self.resource = self.resource.route(web::route().guard(matches).to(handler));
        self
    }

    /// Sets the rate limit that requests for the handler before count against. Without it they are searches
    /// if they have the parameter `search`, and else others.
    pub(crate) fn limit(mut self, class: LimitClass) -> Self {
        self.limits.set(self.latest, class);
        self
    }

    /// Completes the route. Requests of an authenticated caller are counted against the caller's rate limits
    /// before any handler runs, including the one that answers 405.
    pub(crate) fn done(self) -> impl HttpServiceFactory {
        let allow = self.allow.join(", ");
        let refuse = move |request: HttpRequest| {
            let error =
                ApiError::MethodNotAllowed { method: request.method().to_string(), allow: allow.clone() };
            async move { Err::<String, ApiError>(error) }
        };
        self.resource
            .app_data(Route::default())
            .app_data(self.limits)
            .default_service(web::to(refuse))
            .wrap_fn(|request, handlers| match within_limits(&request) {
                Ok(()) => Either::Left(handlers.call(request)),
                Err(error) => Either::Right(ok(request.into_response(error.error_response()))),
            })
    }
}
