//! The table of all routes.

use actix_web::{
    HttpRequest,
    middleware::from_fn,
    web::{self, ServiceConfig},
};

use crate::{
    api::{
        activity, avatars, blocks, chats, credentials, drafts, events, files, guests, health, history,
        members, mentions, messages, pictures, pins, previews, profile, reactions, revocations, rooms,
        search, settings, sign_in, sync, threads, tokens, uploads, users,
    },
    error::ApiError,
    middleware::authenticate,
    openapi,
    paths::{BASE, SOCKET},
    rate_limit::LimitClass,
    routing::at,
    telemetry::http::Route,
    web::{assets, pages},
    ws,
};

/// Registers every path with its methods.
pub fn routes(app: &mut ServiceConfig) {
    app
        // The API. Routes are matched in this order, so the most frequently requested ones are first.
        .service(at(BASE).get(pages::index).done())
        .service(at(&format!("{BASE}/schema")).get(openapi::show).done())
        .service(at(&format!("{BASE}/schema/websocket")).get(openapi::show_websocket).done())
        .service(at(&format!("{BASE}/docs")).get(pages::reference).done())
        // A link to a file opens without a credential, so these two check it themselves.
        .service(at(&format!("{BASE}/files/{{file}}/link")).get(files::link).done())
        .service(at(&format!("{BASE}/files/{{file}}/{{name}}")).get(files::show).done())
        .service(
            web::scope(BASE).wrap(from_fn(authenticate)).configure(api).default_service(web::to(unknown)),
        )
        .service(
            web::scope(SOCKET).wrap(from_fn(authenticate)).service(
                web::resource(["", "/"])
                    .app_data(Route::default())
                    .get(ws::upgrade)
                    .default_service(web::to(only_get)),
            ),
        )
        // Pages and their static files.
        .service(at("/").get(pages::messages).done())
        .service(at("/messages").get(pages::messages).done())
        .service(at("/login").get(pages::sign_in).post(sign_in::login).done())
        .service(at("/messages/static/{version}/{path:.*}").get(assets::show).done())
        .service(at("/demo").get(pages::demo).done())
        .service(at("/messages/widgets.js").get(assets::widgets).done())
        .service(at("/messages/greenroom.js").get(assets::client).done())
        .service(at("/messages/greenroom.d.ts").get(assets::client_types).done())
        // The bytes of uploads.
        .service(at("/messages/uploads/{file}/{key}").put(uploads::receive).done())
        // Accounts.
        .service(at("/logout").post(sign_in::logout).done())
        .service(at("/register").post(sign_in::register).done())
        .service(at("/guests").post(guests::create).done())
        .service(at("/healthz").get(health::health).done())
        .service(at("/readyz").get(health::ready).done())
        .service(at("/messages/avatars/{user}.svg").get(avatars::show).done())
        .service(at("/messages/pictures/{user}/{signature}").get(pictures::show).done())
        .service(at("/messages/previews/{signature}").get(previews::picture).done())
        .default_service(web::to(unknown));
}

fn api(api: &mut ServiceConfig) {
    api
        // Chats.
        .service(
            at("/chats/{chat}/messages")
                .get(messages::list)
                .post(messages::post)
                .limit(LimitClass::Send)
                .done(),
        )
        .service(at("/chats").get(chats::list).post(chats::create).done())
        .service(
            at("/chats/{chat}")
                .get(chats::detail)
                .put(chats::update)
                .patch(chats::update)
                .delete(chats::delete)
                .done(),
        )
        .service(at("/chats/{chat}/mark-as-read").post(activity::mark_as_read).done())
        .service(at("/chats/{chat}/me").patch(activity::change_me).done())
        .service(at("/chats/{chat}/draft").put(drafts::save).delete(drafts::remove).done())
        .service(at("/drafts").get(drafts::list).done())
        .service(at("/chats/{chat}/pins").get(pins::list).done())
        .service(at("/chats/{chat}/pins/{message}").put(pins::pin).delete(pins::unpin).done())
        .service(at("/chats/{chat}/files").get(files::list).done())
        .service(at("/uploads").post(uploads::create).done())
        .service(at("/uploads/{file}").patch(uploads::describe).delete(uploads::cancel).done())
        .service(at("/uploads/{file}/complete").post(uploads::complete).done())
        .service(at("/chats/{chat}/typing").post(activity::typing).limit(LimitClass::Typing).done())
        .service(at("/chats/{chat}/join").post(members::join).done())
        .service(at("/chats/{chat}/leave").post(members::leave).done())
        .service(at("/chats/{chat}/members").get(members::list).done())
        .service(at("/chats/{chat}/members/add").post(members::add).done())
        .service(at("/chats/{chat}/members/{user}").patch(members::change_role).done())
        .service(at("/chats/{chat}/members/{user}/remove").delete(members::remove).done())
        .service(at("/rooms").get(rooms::list).done())
        .service(at("/unread").get(activity::unread).done())
        // The feed.
        .service(at("/sync").get(sync::start).post(sync::since).done())
        .service(at("/events").get(events::stream).done())
        // Messages.
        .service(
            at("/messages/{message}")
                .get(messages::detail)
                .put(messages::update)
                .patch(messages::update)
                .delete(messages::delete)
                .done(),
        )
        .service(at("/messages/{message}/replies").get(threads::replies).done())
        .service(at("/messages/{message}/follow").put(threads::follow).delete(threads::unfollow).done())
        .service(at("/messages/{message}/mark-as-read").post(threads::mark_as_read).done())
        .service(at("/threads").get(threads::list).done())
        .service(at("/mentions").get(mentions::list).done())
        .service(at("/threads/{message}").get(threads::detail).done())
        .service(at("/messages/{message}/history").get(history::list).done())
        .service(at("/messages/{message}/previews/{index}").delete(previews::remove).done())
        .service(at("/messages/{message}/reactions").post(reactions::toggle).done())
        .service(
            at("/messages/{message}/reactions/{emoji}").put(reactions::put).delete(reactions::delete).done(),
        )
        .service(at("/search").get(search::search).limit(LimitClass::Search).done())
        // Users.
        .service(at("/users").get(users::list).post(users::create).done())
        .service(at("/settings").get(settings::show).done())
        .service(at("/guests/claim").post(guests::claim).done())
        .service(at("/users/me").get(profile::show).patch(profile::update).done())
        .service(at("/users/me/sessions").get(credentials::sessions).delete(credentials::end_sessions).done())
        .service(at("/users/me/sessions/{session}").delete(credentials::end_session).done())
        .service(at("/users/me/tokens").get(credentials::tokens).delete(credentials::end_tokens).done())
        .service(at("/users/me/tokens/{token}").delete(credentials::end_token).done())
        .service(at("/users/search").get(users::search).limit(LimitClass::Search).done())
        .service(at("/users/blocked").get(blocks::list).done())
        .service(at("/users/{user}/block").post(blocks::block).delete(blocks::unblock).done())
        .service(at("/users/{user}").get(users::detail).patch(users::update).done())
        .service(at("/users/{user}/revoke").post(revocations::revoke).done())
        .service(at("/users/{user}/tokens").post(tokens::create_token).delete(tokens::delete_tokens).done());
}

async fn unknown() -> Result<String, ApiError> {
    Err(ApiError::NOT_FOUND)
}

async fn only_get(request: HttpRequest) -> Result<String, ApiError> {
    Err(ApiError::MethodNotAllowed { method: request.method().to_string(), allow: "GET".to_owned() })
}
