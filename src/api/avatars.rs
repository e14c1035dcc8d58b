//! `avatars/{user}.svg`: generated pictures for users without one. They show the initials on a colour derived
//! from the id.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CACHE_CONTROL, ETAG},
    web::Data,
};

use super::{HandlerResult, is_known, query::Query, users::known};
use crate::{
    core::{
        model::{UserCard, UserId},
        secrets,
    },
    error::ApiError,
    middleware::authenticate::caller,
    state::AppState,
    storage::tables::users,
};

/// `GET /messages/avatars/{user}.svg`
///
/// A public URL needs no authentication, so that pages of other sites can embed the image. Where the contact
/// policy hides users, the public URL is signed. Without a valid signature only callers that may see the user
/// get the image.
pub async fn show(state: Data<AppState>, request: HttpRequest) -> HandlerResult {
    let id = request.match_info().get("user").and_then(UserId::parse).ok_or(ApiError::NOT_FOUND)?;
    let query = Query::of(&request);
    let is_open = state.links.open_avatar(id, query.get("key"));
    let user = if is_open {
        state.readers.query_one(move |conn| users::find(conn, id)).await?
    } else {
        let caller = caller(&request, &state).await?.ok_or(ApiError::NOT_FOUND)?;
        Some(known(&state, caller.id(), id).await?)
    };
    let svg = draw(&user.ok_or(ApiError::NOT_FOUND)?.card());
    let etag = format!("\"{}\"", &secrets::hash(&svg)[..16]);
    let is_known = is_known(&request, &etag);
    let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header((ETAG, etag))
        .insert_header((CACHE_CONTROL, if is_open { "public, max-age=300" } else { "private, max-age=300" }))
        .insert_header(("Cross-Origin-Resource-Policy", "cross-origin"));
    if is_known {
        return Ok(response.finish());
    }
    Ok(response.content_type("image/svg+xml").body(svg))
}

fn draw(user: &UserCard) -> String {
    // The golden angle gives neighbouring ids distinct colours.
    let hue = (user.id.0 as f64 * 137.508).rem_euclid(360.0).round();
    let initials = escape(&initials(&user.display_name));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 64 64\" width=\"64\" height=\"64\">\
         <rect width=\"64\" height=\"64\" fill=\"hsl({hue} 45% 38%)\"/>\
         <text x=\"32\" y=\"33\" fill=\"#fff\" font-family=\"system-ui,sans-serif\" font-size=\"26\" \
         text-anchor=\"middle\" dominant-baseline=\"central\">{initials}</text></svg>"
    )
}

/// Returns the first letters of the first and the last word.
fn initials(name: &str) -> String {
    let mut words = name.split_whitespace().filter_map(|word| word.chars().find(|c| c.is_alphanumeric()));
    let (first, last) = (words.next(), words.next_back());
    first.into_iter().chain(last).flat_map(char::to_uppercase).collect()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initials_are_of_the_first_and_the_last_word() {
        assert_eq!(initials("Ann Mary Smith"), "AS");
        assert_eq!(initials("bob"), "B");
        assert_eq!(initials("王 小明"), "王小");
        assert_eq!(initials("<b>"), "B");
        assert_eq!(initials("..."), "");
    }
}
