//! Metrics of HTTP requests: counts and durations by route, method and status.

use std::{
    cell::{OnceCell, RefCell},
    time::Duration,
};

use actix_web::http::{Method, StatusCode};
use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec};

use crate::core::metrics::{Instruments, REQUEST_SECONDS};

/// Metrics of HTTP requests.
#[derive(Debug)]
pub struct HttpMeter {
    requests: IntCounterVec,
    seconds: HistogramVec,
}

impl HttpMeter {
    pub fn new(instruments: &Instruments) -> Self {
        let requests = instruments.counters(
            "greenroom_http_requests_total",
            "Requests, by route, method and status.",
            &["route", "method", "status"],
        );
        let seconds = instruments.histograms(
            "greenroom_http_request_duration_seconds",
            "Time from the head of a request to the head of its response, by route and method.",
            &REQUEST_SECONDS,
            &["route", "method"],
        );
        Self { requests, seconds }
    }

    /// Counts a request that matched no route or was answered by a middleware. Such requests are rare, so the
    /// series is looked up each time.
    pub fn count_other(&self, route: &str, method: &Method, status: StatusCode, took: Duration) {
        Series::find(self, route, method, status).count(took);
    }
}

/// Cached metric series of one route on one worker. Each series is looked up once.
#[derive(Debug, Default)]
pub struct Route {
    pattern: OnceCell<String>,
    met: RefCell<Vec<Series>>,
}

#[derive(Debug)]
struct Series {
    method: Method,
    status: StatusCode,
    requests: IntCounter,
    seconds: Histogram,
}

impl Route {
    /// Counts a request. `pattern` is called for the first one only.
    pub fn count(
        &self,
        meter: &HttpMeter,
        pattern: impl FnOnce() -> String,
        method: &Method,
        status: StatusCode,
        took: Duration,
    ) {
        let mut met = self.met.borrow_mut();
        if let Some(series) = met.iter().find(|series| series.status == status && series.method == *method) {
            return series.count(took);
        }
        let route = self.pattern.get_or_init(pattern);
        let series = Series::find(meter, route, method, status);
        series.count(took);
        // Unknown methods are not cached, so that clients cannot grow the cache.
        if is_known(method) {
            met.push(series);
        }
    }
}

impl Series {
    fn find(meter: &HttpMeter, route: &str, method: &Method, status: StatusCode) -> Self {
        let name = if is_known(method) { method.as_str() } else { "other" };
        Self {
            method: method.clone(),
            status,
            requests: meter.requests.with_label_values(&[route, name, status.as_str()]),
            seconds: meter.seconds.with_label_values(&[route, name]),
        }
    }

    fn count(&self, took: Duration) {
        self.requests.inc();
        self.seconds.observe(took.as_secs_f64());
    }
}

/// Whether HTTP defines a method. Any other may be any text, and belongs in no label and no log line.
pub(crate) fn is_known(method: &Method) -> bool {
    let known = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
    ];
    known.contains(method)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_methods_are_sent_there_are_few_series() {
        let instruments = Instruments::default();
        let (meter, route) = (HttpMeter::new(&instruments), Route::default());
        for number in 0..100 {
            let method = Method::from_bytes(format!("M{number}").as_bytes()).unwrap();
            let status = StatusCode::METHOD_NOT_ALLOWED;
            route.count(&meter, || "/x/".to_owned(), &method, status, Duration::ZERO);
        }
        let text = instruments.text();
        let line = r#"greenroom_http_requests_total{method="other",route="/x/",status="405"} 100"#;
        assert!(text.contains(line), "{text}");
        assert_eq!(text.lines().filter(|line| line.starts_with("greenroom_http_requests_total")).count(), 1);
    }
}
