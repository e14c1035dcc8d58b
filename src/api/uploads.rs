//! `uploads/`: announce, receive, complete and cancel the files of messages to come.

use std::collections::BTreeMap;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::CONTENT_LENGTH,
    web::{Data, Payload},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{HandlerResult, body::Body, path::Id};
use crate::{
    core::model::{AttachmentId, Timestamp},
    error::ApiError,
    input::{DescriptionFields, UploadFields},
    middleware::authenticate::Authenticated,
    services::{checked::Checked, receiving, uploads},
    state::AppState,
    view::AttachmentView,
};

/// An upload that was announced.
#[derive(Serialize, ToSchema)]
#[schema(as = Upload)]
pub(crate) struct UploadView {
    /// Also the id of the attachment.
    id: AttachmentId,
    /// The address to which the bytes are sent with `PUT`, without a credential. Absolute, or a path of this server.
    put_url: String,
    /// Headers to send with the bytes.
    headers: BTreeMap<&'static str, String>,
    /// When it is removed, unless sending the bytes has begun.
    expires_at: Timestamp,
}

/// The bytes of an upload have arrived.
#[derive(Serialize, ToSchema)]
#[schema(as = ReceivedBytes)]
pub(crate) struct ReceivedView {
    /// The number of bytes.
    received: u64,
}

/// `POST uploads/`
pub async fn create(state: Data<AppState>, caller: Authenticated, body: Body) -> HandlerResult {
    let fields = body.json::<UploadFields>();
    let chat = fields.as_ref().ok().and_then(UploadFields::chat);
    let fields = Checked::of(fields, UploadFields::check);
    let announced = uploads::announce(&state, &caller, chat, fields).await?;
    let put_url = state.links.upload(announced.id).ok_or(ApiError::UPLOADS_OFF)?;
    let (id, expires_at) = (announced.id, announced.expires_at);
    Ok(HttpResponse::Created().json(UploadView { id, put_url, headers: BTreeMap::new(), expires_at }))
}

/// `PUT /messages/uploads/{file}/{key}`
///
/// The address is itself the credential. The body has none of the limits of other requests.
pub async fn receive(
    state: Data<AppState>,
    request: HttpRequest,
    upload: Id<AttachmentId>,
    body: Payload,
) -> HandlerResult {
    let key = request.match_info().get("key").unwrap_or_default();
    if !state.links.open_upload(upload.0, key) {
        return Err(ApiError::NOT_FOUND);
    }
    let length = request.headers().get(CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
    let received = receiving::receive(&state, upload.0, length, body).await?;
    Ok(HttpResponse::Ok().json(ReceivedView { received }))
}

/// `POST uploads/{file}/complete/`
pub async fn complete(
    state: Data<AppState>,
    caller: Authenticated,
    upload: Id<AttachmentId>,
) -> HandlerResult {
    let attachment = uploads::complete(&state, &caller, upload.0).await?;
    Ok(HttpResponse::Ok().json(AttachmentView::new(&attachment, &state.links)))
}

/// `PATCH uploads/{file}/`
pub async fn describe(
    state: Data<AppState>,
    caller: Authenticated,
    upload: Id<AttachmentId>,
    body: Body,
) -> HandlerResult {
    let alt = Checked::of(body.json::<DescriptionFields>(), DescriptionFields::check);
    let attachment = uploads::describe(&state, &caller, upload.0, alt).await?;
    Ok(HttpResponse::Ok().json(AttachmentView::new(&attachment, &state.links)))
}

/// `DELETE uploads/{file}/`
pub async fn cancel(state: Data<AppState>, caller: Authenticated, upload: Id<AttachmentId>) -> HandlerResult {
    uploads::cancel(&state, &caller, upload.0).await?;
    Ok(HttpResponse::NoContent().finish())
}
