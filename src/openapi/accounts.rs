//! Operations for sign-in, sign-out and registration.

use serde_json::{Value, json};

use super::{builder::Reference, examples, operation::text};
use crate::{
    api::{
        UserFields,
        guests::{ClaimFields, ClaimView, GuestFields, GuestView},
        sign_in::LoginFields,
    },
    view::OwnUserView,
};

const TAG: &str = "Authentication";

pub(crate) fn describe(reference: &mut Reference) {
    reference
        .open(TAG, "/login/")
        .post("signIn", "Sign in", |operation| {
            operation
                .description(
                    "Sets the cookie of a new session and ends the session of an old cookie. In a minute, five attempts \
                     on an account from one address may fail, or twenty from one address by default. An HTML form \
                     with the same fields is accepted too.",
                )
                .query("next", text(), "Path on this site that a browser is redirected to.")
                .takes_part::<LoginFields>(
                    "SignIn",
                    "username! password! next",
                    json!({ "username": "alice", "password": "greenroom" }),
                )
                .answers::<OwnUserView>(200, "Signed in.", examples::own_user())
                .response_header(200, "Set-Cookie", "The session cookie, `sessionid` by default.")
                .answers_nothing(303, "Signed in, if `Accept` contains `text/html`.")
                .response_header(303, "Location", "The path in `next`, or `/`.")
                .errors(&[401, 429])
        })
        .get("getSignInPage", "The sign-in page", |operation| {
            operation
                .query("next", text(), "The path to open after signing in.")
                .answers_with("The page.", "text/html", text(), Value::Null)
                .answers_nothing(302, "The caller is signed in already.")
        });
    reference.open(TAG, "/logout/").post("signOut", "Sign out", |operation| {
        operation
            .description("Ends the session of the cookie and closes its sockets.")
            .answers_nothing(204, "Signed out. Also without a session.")
    });
    reference.open(TAG, "/register/").post("register", "Register an account", |operation| {
        operation
            .description(
                "Only if `GREENROOM_REGISTRATION=open`, else 403. Does not sign in. The accounts that one address may create, \
                 and the taken names that it may probe, are limited. An HTML form with the same fields is accepted too.",
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
            .errors(&[429])
    });
    reference.open(TAG, "/guests/").post("createGuest", "Become a guest", |operation| {
        let guest = json!({
            "user": examples::guest(),
            "key": "_W9jAQe63YVr0SCdeNOTDpdWafDsMj92CT4rLEz5Cio",
            "expires_in": 86_400,
        });
        operation
            .description(
                "Only if `GREENROOM_GUESTS=open`, else 403. The key is a token, which each use prolongs. One address may create \
                 ten guests a minute on a node.",
            )
            .takes::<GuestFields>(json!({ "display_name": "Vera" }))
            .answers::<GuestView>(201, "The guest.", guest)
            .errors(&[429])
    });
    reference.api(TAG, "guests/claim/").post("claimGuest", "Take over a guest", |operation| {
        let taken = |is_done| json!({ "merged_from": 6, "is_done": is_done });
        operation
            .description(
                "What the guest has becomes the caller's: chats, read markers and messages. The guest's key ends at once. Chats \
                 get `user_merged`. Repeat the request until it answers 200. 403 for guests.",
            )
            .takes::<ClaimFields>(json!({ "key": "_W9jAQe63YVr0SCdeNOTDpdWafDsMj92CT4rLEz5Cio" }))
            .answers::<ClaimView>(200, "Everything is the caller's.", taken(true))
            .answers::<ClaimView>(202, "Some of it is. Repeat the request.", taken(false))
            .errors(&[400, 403])
    });
}
