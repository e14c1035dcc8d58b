//! Catalogue of API errors: status, message and headers of each.

use std::{borrow::Cow, fmt};

use actix_web::{
    HttpResponse, ResponseError,
    http::{
        StatusCode,
        header::{ALLOW, CONTENT_RANGE, RETRY_AFTER, WWW_AUTHENTICATE},
    },
};
use serde_json::{Map, Value, json};

use crate::core::model::{Credential, FieldErrors, Refusal, UserId};

/// Error response of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiError {
    /// The model or storage refused the request.
    Refused(Refusal),
    /// The account with this name was registered by its user, whose identity is unknown, and not created by
    /// staff.
    Registered(UserId),
    /// No valid credentials.
    Unauthenticated,
    /// The JSON Web Token is invalid, has expired or was revoked.
    InvalidJwt,
    /// Sign-in failed. An unknown name gives the same error.
    WrongPassword,
    /// A cross-site request that is authenticated by a cookie; with the reason.
    CrossSite(&'static str),
    /// A page past the end, or an invalid page number.
    InvalidPage,
    /// The path exists, but only for the methods in `allow`.
    MethodNotAllowed {
        method: String,
        allow: String,
    },
    /// The body did not arrive in time.
    BodyTooSlow,
    BodyTooLarge,
    /// An attachment has more bytes than the settings allow.
    FileTooLarge {
        max: i64,
    },
    /// So many bytes are left for the attachments of the caller, or of all users.
    OverQuota {
        left: i64,
    },
    /// The file of so many bytes does not have the range that was asked for.
    NoSuchRange {
        length: u64,
    },
    /// An upload is not in the state that the request needs; with the reason.
    UploadState(&'static str),
    /// The content type of the body is not supported here.
    UnsupportedMediaType(String),
    /// Rate limit exceeded. Retry after this many seconds.
    Throttled {
        seconds: u64,
    },
    /// Not a WebSocket handshake of version 13.
    UpgradeRequired,
}

/// `Retry-After` if a queue was full, in seconds.
const BUSY_RETRY_AFTER_SECONDS: u64 = 1;

/// `Retry-After` if storage was unavailable, in seconds.
const STORAGE_RETRY_AFTER_SECONDS: u64 = 5;

/// Error for an invalid body or query.
const INVALID: &str = "Invalid request";

/// Error for an object that does not exist, or that the caller may not see.
const NOT_FOUND: &str = "Not found.";

/// Error for an action that the caller may not do.
const FORBIDDEN: &str = "You do not have permission to perform this action.";

/// Error for a caller without a valid credential.
const UNAUTHENTICATED: &str = "Authentication credentials were not provided.";

/// Error for a JSON Web Token that is not accepted. The log says why.
const INVALID_JWT: &str = "The token is invalid or has expired.";

impl ApiError {
    /// Returns whether the request is invalid in one field alone.
    pub fn is_about(&self, field: &str) -> bool {
        matches!(self, Self::Refused(Refusal::Invalid(errors)) if errors.is_about(field))
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Throttled => Self::Throttled { seconds: BUSY_RETRY_AFTER_SECONDS },
            refusal => Self::Refused(refusal),
        }
    }
}

impl From<FieldErrors> for ApiError {
    fn from(errors: FieldErrors) -> Self {
        Self::Refused(errors.into())
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.body().fmt(f)
    }
}

impl ApiError {
    /// The object does not exist, or the caller may not know of it.
    pub const NOT_FOUND: Self = Self::Refused(Refusal::NotFound);
    /// The caller may not do this.
    pub const FORBIDDEN: Self = Self::Refused(Refusal::Forbidden);

    /// There is no store of attachments.
    pub const UPLOADS_OFF: Self = Self::Refused(Refusal::NotAllowed("This server takes no attachments."));
    /// The bytes of an upload are not there yet.
    pub const NOT_RECEIVED: Self = Self::UploadState("Not all bytes of the upload have arrived.");
    /// An upload is complete, and its bytes stay as they are.
    pub const IS_COMPLETE: Self = Self::UploadState("The upload is complete.");
    /// Another request works on the upload, or it was cancelled.
    pub const IS_BUSY: Self = Self::UploadState("Another request has taken over the upload.");

    /// Returns the error for a credential that has ended during the request.
    pub fn ended(credential: &Credential) -> Self {
        if credential.jwt().is_some() { Self::InvalidJwt } else { Self::Unauthenticated }
    }

    /// Returns the JSON body, which REST responses and WebSocket errors share.
    pub fn body(&self) -> Value {
        match self {
            Self::Refused(Refusal::Invalid(errors)) => {
                json!({ "error": INVALID, "details": details(errors) })
            }
            Self::Refused(Refusal::Internal) => json!({ "error": "Internal server error" }),
            Self::Refused(Refusal::Busy | Refusal::StorageAway) => json!({ "error": "Service unavailable" }),
            Self::OverQuota { left } => json!({ "detail": self.detail(), "left": left }),
            _ => json!({ "detail": self.detail() }),
        }
    }

    /// Returns the seconds until a retry makes sense, if known.
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Throttled { seconds } => Some(*seconds),
            Self::Refused(Refusal::Busy) => Some(BUSY_RETRY_AFTER_SECONDS),
            Self::Refused(Refusal::StorageAway) => Some(STORAGE_RETRY_AFTER_SECONDS),
            _ => None,
        }
    }

    fn detail(&self) -> Cow<'static, str> {
        match self {
            Self::Refused(Refusal::NotFound) => NOT_FOUND.into(),
            Self::Refused(Refusal::Forbidden) => FORBIDDEN.into(),
            Self::Refused(Refusal::NotAllowed(why)) => (*why).into(),
            Self::Refused(Refusal::Conflict) => {
                "This client_id was used for a message with other content.".into()
            }
            Self::Refused(_) => INVALID.into(),
            Self::Registered(id) => format!(
                "This account was registered by its user, not made by staff. To take it over, which ends its password, \
                 sessions and tokens, send PATCH users/{id}/ with {{\"is_registered\": false}}."
            )
            .into(),
            Self::Unauthenticated => UNAUTHENTICATED.into(),
            Self::InvalidJwt => INVALID_JWT.into(),
            Self::WrongPassword => "Invalid username or password.".into(),
            Self::CrossSite(why) => format!("CSRF Failed: {why}").into(),
            Self::InvalidPage => "Invalid page.".into(),
            Self::MethodNotAllowed { method, .. } => format!("Method \"{method}\" not allowed.").into(),
            Self::BodyTooSlow => "The request body did not arrive in time.".into(),
            Self::BodyTooLarge => "The request body is too large.".into(),
            Self::FileTooLarge { max } => format!("The file has more than {max} bytes.").into(),
            Self::OverQuota { .. } => "There is not enough space for the file.".into(),
            Self::NoSuchRange { .. } => "The file does not have this range.".into(),
            Self::UploadState(why) => (*why).into(),
            Self::UnsupportedMediaType(kind) => {
                format!("Unsupported media type \"{kind}\" in request.").into()
            }
            Self::Throttled { seconds } => {
                let unit = if *seconds == 1 { "second" } else { "seconds" };
                format!("Request was throttled. Expected available in {seconds} {unit}.").into()
            }
            Self::UpgradeRequired => "Expected a WebSocket handshake of version 13.".into(),
        }
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Refused(refusal) => match refusal {
                Refusal::NotFound => StatusCode::NOT_FOUND,
                Refusal::Forbidden | Refusal::NotAllowed(_) => StatusCode::FORBIDDEN,
                Refusal::Invalid(_) => StatusCode::BAD_REQUEST,
                Refusal::Conflict => StatusCode::CONFLICT,
                Refusal::Throttled => StatusCode::TOO_MANY_REQUESTS,
                Refusal::Busy | Refusal::StorageAway => StatusCode::SERVICE_UNAVAILABLE,
                Refusal::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            },
            Self::Unauthenticated | Self::InvalidJwt | Self::WrongPassword => StatusCode::UNAUTHORIZED,
            Self::Registered(_) => StatusCode::CONFLICT,
            Self::CrossSite(_) => StatusCode::FORBIDDEN,
            Self::InvalidPage => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyTooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::BodyTooLarge | Self::FileTooLarge { .. } | Self::OverQuota { .. } => {
                StatusCode::PAYLOAD_TOO_LARGE
            }
            Self::NoSuchRange { .. } => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::UploadState(_) => StatusCode::CONFLICT,
            Self::UnsupportedMediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Throttled { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::UpgradeRequired => StatusCode::UPGRADE_REQUIRED,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        if let Some(seconds) = self.retry_after() {
            response.insert_header((RETRY_AFTER, seconds.to_string()));
        }
        match self {
            Self::Unauthenticated | Self::WrongPassword => {
                response.insert_header((WWW_AUTHENTICATE, "Session"));
            }
            Self::InvalidJwt => {
                response.insert_header((WWW_AUTHENTICATE, "Bearer"));
            }
            Self::MethodNotAllowed { allow, .. } => {
                response.insert_header((ALLOW, allow.as_str()));
            }
            Self::UpgradeRequired => {
                response
                    .insert_header(("Sec-WebSocket-Version", "13"))
                    .insert_header(("Upgrade", "websocket"));
            }
            Self::NoSuchRange { length } => {
                response.insert_header((CONTENT_RANGE, format!("bytes */{length}")));
            }
            // Otherwise the rest of the body would be parsed as the next request.
            Self::BodyTooSlow | Self::BodyTooLarge | Self::FileTooLarge { .. } => {
                response.force_close();
            }
            _ => {}
        }
        response.json(self.body())
    }
}

/// `{"field": ["sentence", ...], ...}`
fn details(errors: &FieldErrors) -> Value {
    let mut details = Map::new();
    for (field, sentence) in errors.iter() {
        let sentences = details.entry(field).or_insert_with(|| json!([]));
        if let Value::Array(sentences) = sentences {
            sentences.push(sentence.into());
        }
    }
    Value::Object(details)
}
