//! `settings/`: the server settings that a client needs to show the right controls.

use actix_web::{HttpResponse, web::Data};
use serde::Serialize;
use utoipa::ToSchema;

use super::HandlerResult;
use crate::{
    core::model::{
        Contacts,
        history::MessageHistory,
        text::{MessageBody, Title},
    },
    state::AppState,
};

#[derive(Serialize, ToSchema)]
#[schema(as = Settings)]
pub(crate) struct SettingsView<'a> {
    allow_editing: bool,
    allow_deleting: bool,
    allow_reactions: bool,
    allow_renaming_dms: bool,
    allow_renaming_rooms: bool,
    show_deleted: bool,
    message_history: MessageHistory,
    contacts: Contacts,
    receipts_max_members: i64,
    max_message_length: usize,
    max_title_length: usize,
    /// Whether messages may have attachments.
    uploads: bool,
    file_max_bytes: i64,
    uploads_pending_max: u16,
    attachments_max: u8,
    /// Content types that are allowed; empty: all.
    file_types: &'a [String],
    server_version: &'static str,
}

/// `GET settings/`
pub async fn show(state: Data<AppState>) -> HandlerResult {
    let config = &state.config;
    Ok(HttpResponse::Ok().json(SettingsView {
        allow_editing: config.allow_editing,
        allow_deleting: config.allow_deleting,
        allow_reactions: config.allow_reactions,
        allow_renaming_dms: config.allow_renaming_dms,
        allow_renaming_rooms: config.allow_renaming_rooms,
        show_deleted: config.show_deleted,
        message_history: config.message_history,
        contacts: config.contacts,
        receipts_max_members: config.receipts_max_members,
        max_message_length: MessageBody::MAX_CHARS,
        max_title_length: Title::MAX_CHARS,
        uploads: state.files.is_some(),
        file_max_bytes: config.files.file_max_bytes,
        uploads_pending_max: config.files.uploads_pending_max,
        attachments_max: config.files.attachments_max,
        file_types: config.files.file_types.names(),
        server_version: env!("CARGO_PKG_VERSION"),
    }))
}
