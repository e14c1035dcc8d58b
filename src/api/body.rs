//! Bodies of requests: read within limits of time and size, parsed when the handler has decided who may see an error.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use actix_web::{
    FromRequest, HttpMessage, HttpRequest,
    dev::Payload,
    http::header::CONTENT_LENGTH,
    web::{Bytes, BytesMut, Data},
};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::{auth::Caller, core::model::FieldErrors, error::ApiError, state::State};

/// Largest body of most requests, in bytes.
const MAX_BYTES: usize = 64 * 1024;

/// How long a body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a body is written in.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Json,
    Form,
    Other(String),
}

/// A request's body. Reading it never fails; whoever parses it learns what was wrong, after deciding who may know.
#[derive(Debug)]
pub struct Body<const MAX: usize = MAX_BYTES> {
    kind: Kind,
    bytes: Result<Bytes, ApiError>,
}

impl<const MAX: usize> FromRequest for Body<MAX> {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let content_type = request.content_type();
        let kind = if content_type.eq_ignore_ascii_case("application/json") {
            Kind::Json
        } else if content_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            Kind::Form
        } else {
            Kind::Other(content_type.to_owned())
        };
        let declared =
            request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        if declared.is_some_and(|length: usize| length > MAX) {
            return Box::pin(async { Ok(Self { kind, bytes: Err(ApiError::BodyTooLarge) }) });
        }
        let payload = payload.take();
        let caller = request.extensions().get::<Arc<Caller>>().cloned();
        let state = request.app_data::<Data<State>>().cloned();
        Box::pin(async move {
            let bytes = timeout(PATIENCE, read(payload, MAX)).await.unwrap_or(Err(ApiError::BodyTooSlow));
            // The credential may have ended while the body was on its way.
            if let (Some(caller), Some(state)) = (caller, state) {
                let caller = state.identities.caller(&caller.credential).await?;
                caller.ok_or(ApiError::Unauthenticated)?;
            }
            Ok(Self { kind, bytes })
        })
    }
}

async fn read(mut payload: Payload, max: usize) -> Result<Bytes, ApiError> {
    let mut body = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| FieldErrors::whole("The request body did not arrive whole."))?;
        if body.len() + chunk.len() > max {
            return Err(ApiError::BodyTooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

impl<const MAX: usize> Body<MAX> {
    /// Parses a JSON object. No body at all is an empty one.
    pub fn json<T: DeserializeOwned>(self) -> Result<T, ApiError> {
        let bytes = self.bytes?;
        match self.kind {
            _ if bytes.is_empty() => parse_json(b"{}"),
            Kind::Json => parse_json(&bytes),
            Kind::Form => Err(ApiError::UnsupportedMediaType("application/x-www-form-urlencoded".to_owned())),
            Kind::Other(kind) => Err(ApiError::UnsupportedMediaType(kind)),
        }
    }

    /// Parses a JSON object or an HTML form.
    pub fn json_or_form<T: DeserializeOwned>(self) -> Result<T, ApiError> {
        if self.kind != Kind::Form {
            return self.json();
        }
        serde_urlencoded::from_bytes(&self.bytes?).map_err(|error| not_parsed(&error.to_string()))
    }
}

fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    // serde would take a list for the fields in their order.
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    if first != Some(&b'{') {
        return Err(not_parsed("a JSON object is expected"));
    }
    serde_json::from_slice(bytes).map_err(|error| not_parsed(&error.to_string()))
}

fn not_parsed(why: &str) -> ApiError {
    FieldErrors::whole(format!("The request body cannot be read: {why}.")).into()
}
