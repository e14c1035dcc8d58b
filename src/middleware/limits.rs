//! Rate limits of authenticated requests.

use std::sync::Arc;

use actix_web::{HttpMessage, dev::ServiceRequest, web::Data};

use crate::{auth::Caller, error::ApiError, rate_limit::RouteLimits, state::AppState};

/// Counts a request against its caller's rate limit, by the classes of its route. Requests without an
/// authenticated caller are not counted.
pub fn within_limits(request: &ServiceRequest) -> Result<(), ApiError> {
    let Some(state) = request.app_data::<Data<AppState>>().filter(|state| state.rate_limiter.is_on()) else {
        return Ok(());
    };
    let caller = request.extensions().get::<Arc<Caller>>().map(|caller| caller.id());
    let (Some(caller), Some(route)) = (caller, request.app_data::<RouteLimits>()) else { return Ok(()) };
    let class = route.class(request.method(), request.query_string());
    state.rate_limiter.take(caller, class).map_err(|seconds| ApiError::Throttled { seconds })
}
