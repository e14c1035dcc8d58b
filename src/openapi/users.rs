//! Users, and what staff may do for them.

use serde_json::json;

use super::{builder::Reference, examples};
use crate::{
    api::{
        UserFields,
        settings::SettingsView,
        tokens::{TokenFields, TokenView},
        users::FoundView,
    },
    view::{AccessTokenView, OwnUserView, SessionView, UserView},
};

const TAG: &str = "Users";
const STAFF: &str = "Administration";

pub(crate) fn describe(reference: &mut Reference) {
    reference
        .api(TAG, "users/me/")
        .get("getMe", "Oneself", |operation| {
            operation.answers::<OwnUserView>(200, "The caller.", examples::own_user())
        })
        .patch("updateMe", "Change one's profile", |operation| {
            operation
                .says("A new password needs the old one, and ends all other sessions.")
                .takes_part::<UserFields>(
                    "ProfileUpdate",
                    "first_name last_name avatar_url password old_password",
                    json!({ "first_name": "Alice", "last_name": "Adams" }),
                )
                .answers::<OwnUserView>(200, "The caller.", examples::own_user())
                .refuses(&[429])
        });
    for_oneself(reference);
    reference.api(TAG, "users/{user}/").get("getUser", "A user", |operation| {
        operation
            .says("To themselves and to staff with the rest. Deactivated ones are there too.")
            .answers_one_of::<OwnUserView, UserView>("The user.", examples::user())
    });
    reference
        .api(TAG, "users/{user}/block/")
        .post("blockUser", "Block somebody", |operation| {
            operation
                .says("They cannot open a dm with the caller or write in the one that there is, and see no other difference.")
                .answers::<UserView>(200, "Who is blocked, also where they were already.", examples::user())
                .refuses(&[400])
        })
        .delete("unblockUser", "Block somebody no more", |operation| {
            operation.answers_nothing(204, "They are not blocked, perhaps never were.")
        });
    reference.api(TAG, "users/blocked/").get("listBlockedUsers", "Whom one has blocked", |operation| {
        operation
            .says("The latest first.")
            .paged(100)
            .answers_page::<UserView>("A page of users.", examples::user())
    });
    reference.api(TAG, "users/search/").get("searchUsers", "Find users", |operation| {
        operation
            .says(
                "Active users other than the caller in whose display name, username or e-mail every word is found. Where \
                 `GREENROOM_CONTACTS` is not `all`, staff find everybody and others those with whom they share a chat.",
            )
            .query("q", json!({ "type": "string", "minLength": 1 }), "The words. Needed, and not blank.")
            .matches()
            .answers::<FoundView>(200, "Who was found.", json!({ "results": [examples::found_user()] }))
            .refuses(&[400])
    });
    reference.api(TAG, "settings/").get("getSettings", "What this server allows", |operation| {
        let settings = json!({
            "allow_editing": true,
            "allow_deleting": true,
            "allow_reactions": true,
            "allow_renaming_dms": true,
            "allow_renaming_rooms": true,
            "show_deleted": true,
            "contacts": "all",
            "receipts_max_members": 100,
            "max_message_length": 5000,
            "max_title_length": 255,
            "server_version": env!("CARGO_PKG_VERSION"),
        });
        operation.says("For clients that draw buttons.").answers::<SettingsView>(
            200,
            "The settings.",
            settings,
        )
    });
    for_staff(reference);
}

/// Where one is signed in.
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
        .get("listSessions", "Where one is signed in", |operation| {
            operation.says("The latest sign-in first.").paged(100).answers_page::<SessionView>(
                "A page of sessions.",
                used(2_893_041_882_411_071, "2026-12-07T09:02:07.804116Z"),
            )
        })
        .delete("deleteOtherSessions", "End all other sessions", |operation| {
            operation
                .says("All but the one that asks, and the sockets that were opened with them.")
                .answers_nothing(204, "They are ended.")
        });
    reference.api(TAG, "users/me/sessions/{session}/").delete(
        "deleteSession",
        "End a session",
        |operation| operation.says("And its sockets.").answers_nothing(204, "It is ended."),
    );
    reference
        .api(TAG, "users/me/tokens/")
        .get("listTokens", "One's access tokens", |operation| {
            operation
                .says("Those that work, the latest first, without their keys.")
                .paged(100)
                .answers_page::<AccessTokenView>("A page of tokens.", used(7, "2027-11-23T09:02:07.804116Z"))
        })
        .delete("deleteOtherTokens", "End all other tokens", |operation| {
            operation
                .says("All but the one that asks, and the sockets that were opened with them.")
                .answers_nothing(204, "They are ended.")
        });
    reference.api(TAG, "users/me/tokens/{token}/").delete("deleteToken", "End a token", |operation| {
        operation.says("And its sockets.").answers_nothing(204, "It is ended.")
    });
}

fn for_staff(reference: &mut Reference) {
    reference.api(STAFF, "users/").post("createUser", "Make a user", |operation| {
        operation
            .says(
                "Without a password the user cannot sign in with one. Refused with 409 where the one who has the username \
                 registered the account: it may be anybody's.",
            )
            .takes_part::<UserFields>(
                "NewUser",
                "username! password email first_name last_name avatar_url",
                json!({ "username": "dave", "first_name": "Dave" }),
            )
            .answers::<OwnUserView>(201, "The new user.", examples::new_user())
            .answers::<OwnUserView>(200, "The one who has the username, unchanged.", examples::new_user())
            .refuses(&[409])
            .leads_to(201, "user", &["updateUser", "createToken", "deleteTokens"])
    });
    reference.api(STAFF, "users/{user}/").patch("updateUser", "Change a user", |operation| {
        operation
            .takes_part::<UserFields>(
                "UserUpdate",
                "email first_name last_name avatar_url password is_active is_registered",
                json!({ "last_name": "Doe" }),
            )
            .answers::<OwnUserView>(200, "The user.", examples::new_user())
    });
    reference
        .api(STAFF, "users/{user}/tokens/")
        .post("createToken", "Make a token", |operation| {
            let token = json!({
                "id": 1,
                "key": "_W9jAQe63YVr0SCdeNOTDpdWafDsMj92CT4rLEz5Cio",
                "expires_at": "2026-11-23T09:02:07.804116Z",
            });
            operation
                .says(
                    "For example one that the host's page uses in its user's browser. Not for a deactivated \
                     user, nor for one for whom so many work already as are allowed, 400.",
                )
                .takes::<TokenFields>(json!({ "expires_in": 3600 }))
                .answers::<TokenView>(201, "The token.", token)
        })
        .delete("deleteTokens", "End all tokens", |operation| {
            operation
                .says("And the sockets that were opened with them.")
                .answers_nothing(204, "They are ended.")
        });
}
