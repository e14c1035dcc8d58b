//! Counts and times requests.

use std::{sync::Arc, time::Instant};

use actix_web::{
    body::BoxBody,
    dev::ServiceResponse,
    http::{Method, StatusCode},
};

use crate::telemetry::{Meters, http::Route};

/// Label of requests that match no route.
const NO_ROUTE: &str = "other";

/// Timer of one request, which counts the request when it is answered.
pub(super) struct RequestTimer {
    meters: Arc<Meters>,
    method: Method,
    begun: Instant,
}

impl RequestTimer {
    pub(super) fn begin(meters: Arc<Meters>, method: &Method) -> Self {
        Self { meters, method: method.clone(), begun: Instant::now() }
    }

    pub(super) fn count(&self, response: &ServiceResponse<BoxBody>) {
        let (request, status, took) = (response.request(), response.status(), self.begun.elapsed());
        let http = &self.meters.http;
        let pattern = || request.match_pattern().unwrap_or_else(|| NO_ROUTE.to_owned());
        match request.app_data::<Route>() {
            Some(route) => route.count(http, pattern, &self.method, status, took),
            // A middleware rejected the request, or no route matched.
            None => http.count_other(&pattern(), &self.method, status, took),
        }
    }

    /// Counts a request that was consumed by an error: its route is unknown.
    pub(super) fn count_lost(&self, status: StatusCode) {
        self.meters.http.count_other(NO_ROUTE, &self.method, status, self.begun.elapsed());
    }
}
