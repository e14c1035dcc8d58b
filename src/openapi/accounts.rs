//! Signing in and out, and making an account.

use serde_json::{Value, json};

use super::{builder::Reference, examples, operation::text};
use crate::{
    api::{UserFields, sign_in::LoginFields},
    view::OwnUserView,
};

const TAG: &str = "Authentication";

pub(crate) fn describe(reference: &mut Reference) {
    reference
        .open(TAG, "/login/")
        .post("signIn", "Sign in", |operation| {
            operation
                .says(
                    "Sets the cookie of a new session and ends that of an old cookie. Five attempts on an account from one \
                     address, or twenty from one address unless it is set otherwise, may fail in a minute. An HTML form with the same fields is taken \
                     too.",
                )
                .query("next", text(), "Where a browser is sent then: a path of this site.")
                .takes_part::<LoginFields>(
                    "SignIn",
                    "username! password! next",
                    json!({ "username": "alice", "password": "greenroom" }),
                )
                .answers::<OwnUserView>(200, "Signed in.", examples::own_user())
                .bears(200, "Set-Cookie", "The session, `sessionid` unless it is set otherwise.")
                .answers_nothing(303, "Signed in, where `Accept` contains `text/html`.")
                .bears(303, "Location", "The path in `next`, or `/`.")
                .refuses(&[401, 429])
        })
        .get("getSignInPage", "The sign-in page", |operation| {
            operation
                .query("next", text(), "Where to go once signed in.")
                .answers_with("The page.", "text/html", text(), Value::Null)
                .answers_nothing(302, "Somebody is signed in already.")
        });
    reference.open(TAG, "/logout/").post("signOut", "Sign out", |operation| {
        operation
            .says("Ends the session of the cookie and closes its sockets.")
            .answers_nothing(204, "Signed out, also where there was no session.")
    });
    reference.open(TAG, "/register/").post("register", "Make an account", |operation| {
        operation
            .says(
                "Where `GREENROOM_REGISTRATION=open`, else 403. It does not sign in. One address may make so many accounts, \
                 and find so many names taken, in an hour. An HTML form with the same fields is taken too.",
            )
            .takes_part::<UserFields>(
                "Registration",
                "username! password! email first_name last_name avatar_url",
                json!({
                    "username": "dave",
                    "password": "long enough",
                    "email": "dave@example.com",
                    "first_name": "Dave",
                }),
            )
            .answers::<OwnUserView>(201, "The account.", examples::new_user())
            .refuses(&[429])
    });
}
