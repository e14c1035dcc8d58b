//! Operations for users, credentials, settings and administration.

use serde_json::json;

use super::{builder::Reference, examples, operation::text};
use crate::{
    api::{
        UserFields,
        revocations::RevocationFields,
        settings::SettingsView,
        tokens::{TokenFields, TokenView},
        users::FoundView,
    },
    view::{AccessTokenView, OwnUserView, ProfileView, SessionView, UserView},
};

const TAG: &str = "Users";
const STAFF: &str = "Administration";

pub(crate) fn describe(reference: &mut Reference) {
    reference
        .api(TAG, "users/me/")
        .get("getMe", "The caller's account", |operation| {
            operation.answers::<OwnUserView>(200, "The caller.", examples::own_user())
        })
        .patch("updateMe", "Change the caller's profile", |operation| {
            operation
                .description("A new password needs the old one, and ends all other sessions.")
                .takes_part::<UserFields>(
                    "ProfileUpdate",
                    "first_name last_name avatar_url password old_password custom",
                    json!({ "first_name": "Alice", "last_name": "Adams" }),
                )
                .answers::<OwnUserView>(200, "The caller.", examples::own_user())
                .errors(&[429])
        });
    for_oneself(reference);
    reference.api(TAG, "users/{user}/").get("getUser", "A user", |operation| {
        operation
            .description("The user and staff get all fields. Deactivated users are included.")
            .answers_one_of::<OwnUserView, ProfileView>("The user.", examples::profile())
    });
    reference
        .api(TAG, "users/{user}/block/")
        .post("blockUser", "Block a user", |operation| {
            operation
                .description("The user can neither open a dm with the caller nor write in an existing one. They see no other difference.")
                .answers::<UserView>(200, "The blocked user, even if blocked already.", examples::user())
                .errors(&[400])
        })
        .delete("unblockUser", "Unblock a user", |operation| {
            operation.answers_nothing(204, "The user is not blocked, even if never blocked before.")
        });
    reference.api(TAG, "users/blocked/").get(
        "listBlockedUsers",
        "Users that the caller has blocked",
        |operation| {
            operation
                .description("Latest first.")
                .paged(100)
                .answers_page::<UserView>("A page of users.", examples::user())
        },
    );
    reference.api(TAG, "users/search/").get("searchUsers", "Search users", |operation| {
        operation
            .description(
                "Active users other than the caller whose display name, username or e-mail contains every word. If \
                 `GREENROOM_CONTACTS` is not `all`, staff find all users, and others find users that they share a chat with.",
            )
            .query("q", json!({ "type": "string", "minLength": 1 }), "The words. Required, and not blank.")
            .matches()
            .answers::<FoundView>(200, "The users found.", json!({ "results": [examples::found_user()] }))
            .errors(&[400])
    });
    reference.api(TAG, "settings/").get("getSettings", "The server's settings", |operation| {
        let settings = json!({
            "allow_editing": true,
            "allow_deleting": true,
            "allow_reactions": true,
            "allow_renaming_dms": true,
            "allow_renaming_rooms": true,
            "show_deleted": true,
            "message_history": "off",
            "contacts": "all",
            "receipts_max_members": 100,
            "max_message_length": 5000,
            "max_title_length": 255,
            "uploads": true,
            "file_max_bytes": 26_214_400,
            "uploads_pending_max": 5,
            "attachments_max": 10,
            "file_types": [],
            "server_version": env!("CARGO_PKG_VERSION"),
        });
        operation.description("For clients, to show the right controls.").answers::<SettingsView>(
            200,
            "The settings.",
            settings,
        )
    });
    for_staff(reference);
}

/// Describes the operations for the caller's own credentials.
fn for_oneself(reference: &mut Reference) {
    let used = |id: i64, expires_at: &str| {
        json!({
            "id": id,
            "created_at": "2026-11-23T09:02:07.804116Z",
            "last_seen": "2026-11-23T09:41:12.082461Z",
            "address": "203.0.113.7",
            "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
            "is_current": true,
            "expires_at": expires_at,
        })
    };
    reference
        .api(TAG, "users/me/sessions/")
        .get("listSessions", "The caller's sessions", |operation| {
            operation.description("Latest sign-in first.").paged(100).answers_page::<SessionView>(
                "A page of sessions.",
                used(2_893_041_882_411_071, "2026-12-07T09:02:07.804116Z"),
            )
        })
        .delete("deleteOtherSessions", "End all other sessions", |operation| {
            operation
                .description("Ends all but the one in use, and closes the sockets opened with them.")
                .answers_nothing(204, "Ended.")
        });
    reference.api(TAG, "users/me/sessions/{session}/").delete(
        "deleteSession",
        "End a session",
        |operation| operation.description("Also closes its sockets.").answers_nothing(204, "Ended."),
    );
    reference
        .api(TAG, "users/me/tokens/")
        .get("listTokens", "The caller's access tokens", |operation| {
            operation
                .description("Valid ones, latest first, without their keys.")
                .paged(100)
                .answers_page::<AccessTokenView>("A page of tokens.", used(7, "2027-11-23T09:02:07.804116Z"))
        })
        .delete("deleteOtherTokens", "End all other tokens", |operation| {
            operation
                .description("Ends all but the one in use, and closes the sockets opened with them.")
                .answers_nothing(204, "Ended.")
        });
    reference.api(TAG, "users/me/tokens/{token}/").delete("deleteToken", "End a token", |operation| {
        operation.description("Also closes its sockets.").answers_nothing(204, "Ended.")
    });
}

fn for_staff(reference: &mut Reference) {
    let users = reference.api(STAFF, "users/").get("listUsers", "All users", |operation| {
        operation
            .description("By id. Deactivated users are included. `custom.NAME=VALUE` finds users by the names in `GREENROOM_CUSTOM_KEYS`.")
            .query("external_id", text(), "Only the user with this id.")
            .paged(50)
            .answers_page::<OwnUserView>("A page of users.", examples::new_user())
            .errors(&[400, 403])
    });
    users.post("createUser", "Create a user", |operation| {
        operation
            .description(
                "Without a password the user cannot sign in with one. If there is a user with the `external_id`, it is the \
                 answer. A user of the name without one gets it. 409 if the account of that name is self-registered: its \
                 owner is unknown.",
            )
            .takes_part::<UserFields>(
                "NewUser",
                "username! password email first_name last_name avatar_url external_id custom",
                json!({ "username": "dave", "first_name": "Dave" }),
            )
            .answers::<OwnUserView>(201, "The new user.", examples::new_user())
            .answers::<OwnUserView>(200, "The existing user of that `external_id` or name.", examples::new_user())
            .errors(&[409])
            .link(201, "user", &["updateUser", "createToken", "deleteTokens"])
    });
    reference.api(STAFF, "users/{user}/").patch("updateUser", "Change a user", |operation| {
        operation
            .takes_part::<UserFields>(
                "UserUpdate",
                "email first_name last_name avatar_url password is_active is_registered custom",
                json!({ "last_name": "Doe" }),
            )
            .answers::<OwnUserView>(200, "The user.", examples::new_user())
    });
    reference.api(STAFF, "users/{user}/revoke/").post(
        "revokeUser",
        "End a user's credentials",
        |operation| {
            operation
                .description("On all nodes, within a second. Closes the sockets that were opened with them.")
                .takes::<RevocationFields>(json!({ "before": "2026-11-30T09:00:00Z" }))
                .answers_nothing(204, "Ended.")
        },
    );
    reference
        .api(STAFF, "users/{user}/tokens/")
        .post("createToken", "Create a token", |operation| {
            let token = json!({
                "id": 1,
                "key": "_W9jAQe63YVr0SCdeNOTDpdWafDsMj92CT4rLEz5Cio",
                "expires_at": "2026-11-23T09:02:07.804116Z",
            });
            operation
                .description(
                    "For example for the host's page in its user's browser. 404 for a deactivated user, 400 if the user has the \
                     maximum number of valid tokens.",
                )
                .takes::<TokenFields>(json!({ "expires_in": 3600 }))
                .answers::<TokenView>(201, "The token.", token)
        })
        .delete("deleteTokens", "End all tokens", |operation| {
            operation
                .description("Also closes the sockets opened with them.")
                .answers_nothing(204, "Ended.")
        });
}
