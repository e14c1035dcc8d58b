//! The session cookie beside cookies that other sites of the domain have set, and under a configured name.

use std::io::Write;

use serde_json::json;

use crate::{
    raw::{Raw, connect},
    support::{PASSWORD, Reply, Server, User},
};

/// Signs in with the user's cookies. Returns the reply, which sets the new one.
async fn signs_in(user: &User) -> Reply {
    let body = json!({"username": "ann", "password": PASSWORD});
    user.send("POST", "/login/", Some(body)).await.expect(200)
}

/// Sends a request with raw `Cookie` lines. Returns the status.
fn asks(server: &Server, lines: &[&[u8]]) -> u16 {
    let mut request = b"GET /messages/api/users/me/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n".to_vec();
    for line in lines {
        request.extend_from_slice(b"Cookie: ");
        request.extend_from_slice(line);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    Raw::send(server, &request).status
}

#[actix_rt::test(system = "crate::System")]
async fn the_first_cookie_that_belongs_to_a_session_counts() {
    let server = Server::start().await;
    server.user("ann").await;
    let valid = signs_in(&server.anonymous()).await.cookie();
    let ended = signs_in(&server.anonymous()).await.cookie();
    server.anonymous().with("Cookie", &ended).send("POST", "/logout/", None).await.expect(204);
    let quoted = format!("sessionid=\"{}\"", valid.split_once('=').unwrap().1);
    let forged = valid.replace("sessionid=", "sessionid=x");
    for cookies in [
        format!("sessionid=foreign; {valid}"),
        format!("{valid}; sessionid=foreign"),
        format!("sessionid=; sessionid=\"\"; {valid}"),
        format!("{ended}; {valid}"),
        format!("{forged};{valid}"),
        format!("flag; =x; ; a=b=c; {valid}; sessionid"),
        format!("SESSIONID={valid}; {valid}"),
        format!("sessionid=foreign; {quoted}"),
        quoted.clone(),
        format!("sessionid=%ff; {valid}"),
    ] {
        assert_eq!(asks(&server, &[cookies.as_bytes()]), 200, "{cookies}");
    }
    for cookies in
        ["sessionid=foreign".to_owned(), format!("{ended}; sessionid=foreign; {forged}"), String::new()]
    {
        assert_eq!(asks(&server, &[cookies.as_bytes()]), 401, "{cookies}");
    }
    assert_eq!(asks(&server, &[b"sessionid=foreign", b"theme=dark", valid.as_bytes()]), 200);
}

#[actix_rt::test(system = "crate::System")]
async fn bytes_of_other_cookies_do_not_matter() {
    let server = Server::start().await;
    server.user("ann").await;
    let valid = signs_in(&server.anonymous()).await.cookie();
    let beside = |before: &[u8], after: &[u8]| [before, valid.as_bytes(), after].concat();
    assert_eq!(asks(&server, &[&beside(b"name=Andr\xe9; ", b"")]), 200);
    assert_eq!(asks(&server, &[&beside(b"", b"; \xff\xfe=1")]), 200);
    assert_eq!(asks(&server, &[&beside(b"sessionid=\xe9; ", b"")]), 200);
    assert_eq!(asks(&server, &[b"name=\xe9", valid.as_bytes()]), 200);
    assert_eq!(asks(&server, &[b"name=\xe9; sessionid=foreign"]), 401);
}

#[actix_rt::test(system = "crate::System")]
async fn sockets_pages_and_signing_out_know_such_cookies_too() {
    let server = Server::start().await;
    server.user("ann").await;
    let valid = signs_in(&server.anonymous()).await.cookie();
    let cookies = format!("sessionid=foreign; {valid}; sessionid=another");
    assert_eq!(Raw::upgrade(&server, &format!("Cookie: {cookies}\r\n")).status, 101);
    let mut stream = connect(&server);
    let page = format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nCookie: {cookies}\r\n\r\n");
    stream.write_all(page.as_bytes()).unwrap();
    assert_eq!(Raw::read_head(&mut stream).status, 200);
    // A new sign-in ends the previous session; a sign-out ends the current one.
    let ann = server.anonymous().with("Cookie", &cookies);
    let next = signs_in(&ann).await.cookie();
    assert_eq!(asks(&server, &[cookies.as_bytes()]), 401);
    let cookies = format!("sessionid=foreign; {valid}; {next}");
    assert_eq!(asks(&server, &[cookies.as_bytes()]), 200);
    let signed_out = ann.with("Cookie", &cookies).send("POST", "/logout/", None).await.expect(204);
    assert!(signed_out.header("set-cookie").starts_with("sessionid=;"), "{signed_out:?}");
    assert_eq!(asks(&server, &[cookies.as_bytes()]), 401);
}

#[actix_rt::test(system = "crate::System")]
async fn the_cookies_name_is_a_setting() {
    let server = Server::start_with(|config| config.cookie_name = "__Host-greenroom".to_owned()).await;
    server.user("ann").await;
    let reply = signs_in(&server.anonymous()).await;
    let cookie = reply.header("set-cookie").split(';').next().unwrap();
    assert!(cookie.starts_with("__Host-greenroom="), "{cookie}");
    assert_eq!(asks(&server, &[format!("sessionid=foreign; {cookie}").as_bytes()]), 200);
    assert_eq!(asks(&server, &[cookie.replace("__Host-greenroom", "sessionid").as_bytes()]), 401);
    let schema = server.anonymous().get("schema/").await.expect(200).json;
    assert_eq!(schema["components"]["securitySchemes"]["session"]["name"], "__Host-greenroom");
    let signed_out =
        server.anonymous().with("Cookie", cookie).send("POST", "/logout/", None).await.expect(204);
    assert!(signed_out.header("set-cookie").starts_with("__Host-greenroom=;"), "{signed_out:?}");
}
