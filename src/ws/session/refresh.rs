//! The end of a socket's credential: the warning before it, and its replacement by `refresh`.

use std::{sync::Arc, time::Duration};

use actix::{ActorFutureExt, AsyncContext, WrapFuture};

use super::{Context, Session};
use crate::{
    auth::Caller,
    core::model::{FieldErrors, Timestamp},
    error::ApiError,
    hub::CloseReason,
    rate_limit::LimitClass,
    services::external_users,
    view::frames,
    ws::{
        client_frame::ClientFrame,
        server_frame::{Ack, ack_frame},
    },
};

/// Shortest time between two checks of the credential's expiry.
const MIN_CHECK: Duration = Duration::from_millis(100);

/// Longest time between two checks of the credential's expiry, since timers do not run for weeks.
const MAX_CHECK: Duration = Duration::from_secs(60 * 60);

impl Session {
    /// Warns the client before its token ends. Checks the credential when it is due to expire; it may have been
    /// renewed.
    pub(super) fn watch_expiry(&mut self, ctx: &mut Context) {
        let caller = self.caller();
        let Some(expires_at) = caller.expires_at else { return };
        let now = Timestamp::now();
        let mut next = expires_at;
        if let Some(jwt) = caller.credential.jwt().filter(|_| !self.expiry.is_warned) {
            next = jwt.warned_at();
            if next <= now {
                self.expiry.is_warned = true;
                ctx.text(frames::token_expiring(jwt.seconds_left(now)));
                next = expires_at;
            }
        }
        let left = Duration::from_micros((next.0 - now.0).max(0) as u64).clamp(MIN_CHECK, MAX_CHECK);
        let timer = ctx.run_later(left, Self::check_expiry);
        if let Some(earlier) = self.expiry.timer.replace(timer) {
            ctx.cancel_future(earlier);
        }
    }

    fn check_expiry(&mut self, ctx: &mut Context) {
        let caller = self.caller();
        if caller.expires_at.is_some_and(|at| Timestamp::now() < at) {
            return self.watch_expiry(ctx);
        }
        let (state, credential) = (self.state.clone(), caller.credential.clone());
        let look = async move { state.identities.caller(&credential).await };
        ctx.spawn(self.principal().scope(look).into_actor(self).map(|found, session, ctx| match found {
            // A newer token may have replaced the credential meanwhile.
            Ok(None) if session.caller().expires_at.is_none_or(|at| at <= Timestamp::now()) => {
                session.socket.close(CloseReason::SignedOut);
            }
            Ok(Some(found)) if found.credential == session.socket.credential() => {
                session.caller.replace(found);
                session.watch_expiry(ctx);
            }
            // If storage fails at that moment, the check is retried after the shortest interval.
            _ => session.watch_expiry(ctx),
        }));
    }

    /// Replaces the token of a socket that was opened with one.
    pub(super) fn on_refresh(&mut self, frame: ClientFrame, ctx: &mut Context) {
        let token = match (self.caller().credential.jwt(), frame.refresh()) {
            (Some(_), Ok(token)) => token,
            (None, _) => {
                let error =
                    FieldErrors::whole("Only a socket opened with a JSON Web Token has one to refresh.");
                return ctx.text(frame.error(&error.into()));
            }
            (_, Err(error)) => return ctx.text(frame.error(&error)),
        };
        let limited = self.state.rate_limiter.take(self.socket.user, LimitClass::Other);
        if let Err(seconds) = limited {
            return ctx.text(frame.error(&ApiError::Throttled { seconds }));
        }
        let (state, from) = (self.state.clone(), self.from);
        let verify = async move {
            let verifier = state.jwt.as_ref().ok_or(ApiError::InvalidJwt)?;
            external_users::authenticate(&state, verifier, &token, || from).await
        };
        ctx.spawn(self.principal().scope(verify).into_actor(self).map(move |verified, session, ctx| {
            match verified {
                Err(error) => ctx.text(frame.error(&error)),
                Ok(caller) if caller.id() != session.socket.user => {
                    session.socket.close(CloseReason::SignedOut);
                }
                Ok(caller) => {
                    ctx.text(ack_frame(frame.id.as_deref(), Ack::Done {}));
                    session.take(caller, ctx);
                }
            }
        }));
    }

    /// Takes a newer token, unless it ends before the present one: refreshes may overtake each other.
    fn take(&mut self, caller: Arc<Caller>, ctx: &mut Context) {
        if caller.expires_at <= self.caller().expires_at {
            return;
        }
        self.socket.replace_credential(caller.credential.clone());
        self.caller.replace(caller);
        self.expiry.is_warned = false;
        self.close_if_ended();
        self.watch_expiry(ctx);
    }

    /// Closes the socket if its token has ended. A key may leave its set just before the hub knows the socket.
    pub(super) fn close_if_ended(&self) {
        let credential = self.socket.credential();
        if credential.jwt().is_some_and(|jwt| !jwt.is_current(Timestamp::now())) {
            self.socket.close(CloseReason::SignedOut);
        }
    }
}
