//! `/healthz` and `/readyz`, for supervisors and load balancers.

use actix_web::{HttpResponse, web::Data};
use serde::Serialize;
use utoipa::ToSchema;

use super::Answer;
use crate::{
    core::model::Refusal,
    state::State,
    storage::{Asker, maintenance::health},
};

#[derive(Serialize, ToSchema)]
#[schema(as = Health)]
pub(crate) struct HealthView {
    status: &'static str,
}

const OK: HealthView = HealthView { status: "ok" };

/// `GET /healthz`: the process lives.
pub async fn health() -> Answer {
    Ok(HttpResponse::Ok().json(OK))
}

/// `GET /readyz`: requests can be sent here, because the database answers and the server is not on its way down.
pub async fn ready(state: Data<State>) -> Answer {
    if state.is_draining() {
        return Err(Refusal::Busy.into());
    }
    Asker::Server.asks(health::answers(&state.readers, &state.writer)).await?;
    Ok(HttpResponse::Ok().json(OK))
}
