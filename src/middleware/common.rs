//! The outermost middleware, which every request passes.

use std::{net::IpAddr, panic::AssertUnwindSafe, sync::Arc};

use actix_web::{
    Error, HttpMessage, HttpResponse, ResponseError,
    body::{BodySize, BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    error::InternalError,
    http::{ConnectionType, Version},
    middleware::Next,
    web::Data,
};
use futures_util::FutureExt;

use super::{
    access_log::{self, RequestLine},
    cors,
    json_errors::{as_api_error, in_json},
    request_metrics::RequestTimer,
    response_headers::CommonHeaders,
};
use crate::{
    auth::{Caller, client_prefix},
    core::{log_context::LogContext, model::Refusal},
    error::ApiError,
    net::{forwarded, served_hosts},
    state::AppState,
    storage::Principal,
};

/// Gives a request its id, log context and timer. Rejects foreign hosts, answers preflight requests, and
/// converts every error and panic to JSON.
pub async fn common(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(state) = request.app_data::<Data<AppState>>().cloned() else {
        return Err(ApiError::NOT_FOUND.into());
    };
    let headers = CommonHeaders::of(&request, &state);
    let line = RequestLine(request.method().clone(), request.uri().clone());
    let from = forwarded::client_address(request.request(), &state.config);
    let timer = state.meters.clone().map(|meters| RequestTimer::begin(meters, request.method()));

    let early = match served_hosts::check(request.request(), &state.config) {
        Err(error) => Some(error.error_response()),
        Ok(()) if cors::is_preflight(&request) && headers.allowed_origin.is_some() => {
            Some(cors::preflight_response())
        }
        Ok(()) => None,
    };
    if let Some(mut response) = early {
        headers.add_to(response.headers_mut());
        return Ok(counted(request.into_response(response), timer.as_ref()));
    }

    let log_context = LogContext { request: Some(headers.id), command: None };
    let handled = Principal::Address(client_prefix(from)).scope(log_context.scope(next.call(request)));
    let error = match AssertUnwindSafe(handled).catch_unwind().await {
        Ok(Ok(response)) => {
            let mut response = in_json(response.map_into_boxed_body());
            if response.request().version() < Version::HTTP_11 {
                end_with_connection(&mut response);
            }
            let caller = response.request().extensions().get::<Arc<Caller>>().cloned();
            access_log::log(&state, &line, response.status(), headers.id, caller.as_deref(), from);
            let mut response = counted(response, timer.as_ref());
            headers.add_to(response.headers_mut());
            return Ok(response);
        }
        // Only the session layer returns errors. They and panics have consumed the request.
        Ok(Err(error)) => as_api_error(&error),
        Err(_) => ApiError::from(Refusal::Internal),
    };
    if let Some(timer) = timer {
        timer.count_lost(error.status_code());
    }
    Err(error_response(&state, &error, &line, &headers, from))
}

fn counted(response: ServiceResponse<BoxBody>, timer: Option<&RequestTimer>) -> ServiceResponse<BoxBody> {
    if let Some(timer) = timer {
        timer.count(&response);
    }
    response
}

/// Builds the response of an error that consumed its request. actix-web gets it as an error.
fn error_response(
    state: &AppState,
    error: &ApiError,
    line: &RequestLine,
    headers: &CommonHeaders,
    from: IpAddr,
) -> Error {
    let mut response: HttpResponse = error.error_response();
    access_log::log(state, line, response.status(), headers.id, None, from);
    headers.add_to(response.headers_mut());
    InternalError::from_response(error.clone(), response).into()
}

/// Ends a stream to an HTTP/1.0 client by closing the connection, because HTTP/1.0 has no chunked encoding.
fn end_with_connection(response: &mut ServiceResponse<BoxBody>) {
    if response.response().body().size() == BodySize::Stream {
        let head = response.response_mut().head_mut();
        head.no_chunking(true);
        head.set_connection_type(ConnectionType::Close);
    }
}
