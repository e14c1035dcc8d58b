//! Request bodies. They are read within a size limit and a timeout. The handler parses them later, when it
//! knows whether the caller may see a parse error.

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

use crate::{
    auth::Caller, core::model::FieldErrors, error::ApiError, services::checked::Checked, state::AppState,
};

/// Largest body of most requests, in bytes.
const MAX_BYTES: usize = 64 * 1024;

/// Timeout for reading a whole body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Content type of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
enum ContentType {
    Json,
    Form,
    Other(String),
}

/// Request body of at most `MAX` bytes. A read error fails the parse methods, not the extraction, so that a
/// handler can check permissions first. Only the second check of the credential can fail the extraction.
#[derive(Debug)]
pub struct Body<const MAX: usize = MAX_BYTES> {
    kind: ContentType,
    bytes: Result<Bytes, ApiError>,
}

impl<const MAX: usize> FromRequest for Body<MAX> {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let content_type = request.content_type();
        let kind = if content_type.eq_ignore_ascii_case("application/json") {
            ContentType::Json
        } else if content_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            ContentType::Form
        } else {
            ContentType::Other(content_type.to_owned())
        };
        let declared =
            request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        if declared.is_some_and(|length: usize| length > MAX) {
            return Box::pin(async { Ok(Self { kind, bytes: Err(ApiError::BodyTooLarge) }) });
        }
        let payload = payload.take();
        let caller = request.extensions().get::<Arc<Caller>>().cloned();
        let state = request.app_data::<Data<AppState>>().cloned();
        Box::pin(async move {
            let bytes = timeout(BODY_TIMEOUT, read(payload, MAX)).await.unwrap_or(Err(ApiError::BodyTooSlow));
            // The credential may have been revoked while the body was read.
            if let (Some(caller), Some(state)) = (caller, state) {
                let current = state.identities.caller(&caller.credential).await?;
                current.ok_or_else(|| ApiError::ended(&caller.credential))?;
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
    /// Parses a JSON object. A missing body counts as an empty object.
    pub fn json<T: DeserializeOwned>(self) -> Result<T, ApiError> {
        let bytes = self.bytes?;
        match self.kind {
            _ if bytes.is_empty() => parse_json(b"{}"),
            ContentType::Json => parse_json(&bytes),
            ContentType::Form => {
                Err(ApiError::UnsupportedMediaType("application/x-www-form-urlencoded".to_owned()))
            }
            ContentType::Other(kind) => Err(ApiError::UnsupportedMediaType(kind)),
        }
    }

    /// Parses and validates a JSON object.
    pub fn checked<F: DeserializeOwned, T>(
        self,
        check: impl FnOnce(F) -> Result<T, FieldErrors>,
    ) -> Checked<T> {
        Checked::of(self.json(), check)
    }

    /// Parses a JSON object or an HTML form.
    pub fn json_or_form<T: DeserializeOwned>(self) -> Result<T, ApiError> {
        if self.kind != ContentType::Form {
            return self.json();
        }
        serde_urlencoded::from_bytes(&self.bytes?).map_err(|error| not_parsed(&error.to_string()))
    }
}

fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    // serde would also accept a list, as the fields in order.
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    if first != Some(&b'{') {
        return Err(not_parsed("a JSON object is expected"));
    }
    serde_json::from_slice(bytes).map_err(|error| not_parsed(&error.to_string()))
}

fn not_parsed(why: &str) -> ApiError {
    FieldErrors::whole(format!("The request body cannot be read: {why}.")).into()
}
