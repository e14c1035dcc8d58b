//! `/healthz` and `/readyz`, for supervisors and load balancers.

use actix_web::{HttpResponse, web::Data};
use serde::Serialize;
use utoipa::ToSchema;

use super::HandlerResult;
use crate::{
    core::model::Refusal,
    state::AppState,
    storage::{Principal, maintenance::health},
};

#[derive(Serialize, ToSchema)]
#[schema(as = Health)]
pub(crate) struct HealthView {
    status: &'static str,
}

const OK: HealthView = HealthView { status: "ok" };

/// `GET /healthz`: liveness; always 200 while the process serves requests.
pub async fn health() -> HandlerResult {
    Ok(HttpResponse::Ok().json(OK))
}

/// `GET /readyz`: readiness; 200 while the database responds and the server is not draining.
pub async fn ready(state: Data<AppState>) -> HandlerResult {
    if state.is_draining() {
        return Err(Refusal::Busy.into());
    }
    Principal::Server.scope(health::answers(&state.readers, &state.writer)).await?;
    Ok(HttpResponse::Ok().json(OK))
}
