//! Users of an identity provider: authentication with its tokens, and their profiles.

use std::{net::IpAddr, sync::Arc};

use crate::{
    auth::{
        Caller, JwtVerifier,
        audit::{self, AuditUser},
        jwt::{ClaimedProfile, Claims, JwtError},
    },
    core::{
        model::{Credential, Pictures, Refusal, text::Username},
        secrets,
    },
    error::ApiError,
    services::accounts,
    state::AppState,
    storage::{
        Principal,
        commands::external_users::{self as commands, ProvidedProfile, Taken},
        tables::external_users,
    },
};

/// Returns the user of a JSON Web Token. The first token of a user creates them. `from`: the client's address, for
/// the audit log.
pub async fn authenticate(
    state: &AppState,
    verifier: &JwtVerifier,
    token: &str,
    from: impl FnOnce() -> IpAddr,
) -> Result<Arc<Caller>, ApiError> {
    let hash = secrets::hash(token);
    if let Some(known) = verifier.remembered(&hash) {
        return state.identities.caller(&Credential::Jwt(known)).await?.ok_or(ApiError::InvalidJwt);
    }
    let (claims, jwt) = verifier.verify(token).await.map_err(refused)?;
    // Many users may come at once from one address, behind a proxy. The provider has signed for all of them.
    let use_it = async {
        take_profile(state, claims, from).await?;
        let jwt = Arc::new(jwt);
        verifier.remember(jwt.clone());
        state.identities.caller(&Credential::Jwt(jwt)).await?.ok_or(ApiError::InvalidJwt)
    };
    let used = Principal::Server.scope(verifier.first_use(use_it)).await;
    used.unwrap_or_else(|| Err(Refusal::Busy.into()))
}

fn refused(error: JwtError) -> ApiError {
    match error {
        JwtError::Bad(why) => {
            tracing::debug!(%why, "a JSON Web Token was refused");
            ApiError::InvalidJwt
        }
        JwtError::NoKeys => Refusal::Busy.into(),
    }
}

/// Creates the user of a token, or takes its profile if it is newer than the last one. The profile of an inactive
/// user, and one of a revoked token, are ignored.
async fn take_profile(
    state: &AppState,
    claims: Claims,
    from: impl FnOnce() -> IpAddr,
) -> Result<(), Refusal> {
    let profile = provided(state, claims);
    let external_id = profile.external_id.clone();
    let known = state.readers.query_one(move |conn| external_users::find(conn, &external_id)).await?;
    let is_settled = known.is_some_and(|user| {
        !user.is_active || user.has_revoked(profile.issued_at) || !profile.is_news_for(&user)
    });
    if is_settled {
        return Ok(());
    }
    let taken =
        state.writer.run("take_profile", move |conn, _| commands::take_profile(conn, &profile)).await?;
    let Taken { user, is_new, is_changed, news, staff_change } = &taken;
    if *is_new || staff_change.is_some() {
        let from = from();
        if *is_new {
            audit::note("made by a first token", AuditUser::from(user), from);
        }
        if let Some(is_staff) = staff_change {
            let deed = if *is_staff { "made staff by a token" } else { "no longer staff by a token" };
            audit::note(deed, AuditUser::from(user), from);
        }
    }
    if *is_changed && !*is_new {
        state.identities.invalidate(user.id()).await;
    }
    if let Some(custom) = news {
        accounts::publish_profile(state, user, custom);
    }
    Ok(())
}

/// Checks the host of the picture, and brings the profile into its stored form.
fn provided(state: &AppState, claims: Claims) -> ProvidedProfile {
    let ClaimedProfile { username, first_name, last_name, picture, email, is_staff } = claims.profile;
    let pictures = &state.links.pictures;
    let is_allowed = |address: &String| {
        !state.links.is_proxied(address) && (address.is_empty() || pictures.allow(address))
    };
    ProvidedProfile {
        external_id: claims.subject,
        issued_at: claims.issued_at,
        username: username.and_then(|name| Username::parse(&name).ok()),
        first_name,
        last_name,
        avatar_url: picture.filter(is_allowed).map(|address| Pictures::chosen(&address)),
        email,
        is_staff,
    }
}
