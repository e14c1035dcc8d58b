//! The JavaScript client and its types, as pages of this site and of others get them.

use crate::{raw::Raw, support::Server};

const CLIENT: &str = "/messages/greenroom.js";
const TYPES: &str = "/messages/greenroom.d.ts";

#[actix_web::test]
async fn the_client_and_its_types_are_served_to_anybody() {
    let server = Server::start().await;
    let nobody = server.anonymous();
    let client = nobody.send("GET", CLIENT, None).await.expect(200);
    assert_eq!(client.header("content-type"), "text/javascript; charset=utf-8");
    assert_eq!(client.body, include_bytes!("../../web/greenroom.js"));
    let types = nobody.send("GET", TYPES, None).await.expect(200);
    assert_eq!(types.header("content-type"), "application/typescript; charset=utf-8");
    assert_eq!(types.body, include_bytes!("../../web/greenroom.d.ts"));
    for reply in [client, types] {
        assert_eq!(reply.header("cache-control"), "no-cache");
        assert_eq!(reply.header("x-content-type-options"), "nosniff");
        assert_eq!(reply.header("cross-origin-resource-policy"), "cross-origin");
        assert!(reply.header("content-security-policy").starts_with("default-src 'none'"), "{reply:?}");
    }
}

#[actix_web::test]
async fn who_has_the_client_already_does_not_get_it_again() {
    let server = Server::start().await;
    let nobody = server.anonymous();
    let etag = nobody.send("GET", CLIENT, None).await.expect(200).header("etag").to_owned();
    for known in [etag.clone(), format!("W/{etag}"), format!("\"other\", {etag}"), "*".to_owned()] {
        let reply = nobody.clone().with("If-None-Match", &known).send("GET", CLIENT, None).await.expect(304);
        assert_eq!((reply.body.len(), reply.header("etag")), (0, etag.as_str()), "{known}");
        assert_eq!(reply.header("cache-control"), "no-cache");
        assert_eq!(reply.header("cross-origin-resource-policy"), "cross-origin");
    }
    for other in ["\"other\"", "", &etag[1..]] {
        nobody.clone().with("If-None-Match", other).send("GET", CLIENT, None).await.expect(200);
    }
    let types = nobody.with("If-None-Match", &etag).send("GET", TYPES, None).await.expect(200);
    assert_ne!(types.header("etag"), etag);
}

#[actix_web::test]
async fn pages_of_allowed_sites_may_import_the_client() {
    let site = "https://shop.example.com";
    let server = Server::start_with(|config| config.allowed_origins = vec![site.to_owned()]).await;
    let nobody = server.anonymous().with("Sec-Fetch-Site", "cross-site");
    let theirs = nobody.clone().with("Origin", site).send("GET", CLIENT, None).await.expect(200);
    assert_eq!(theirs.header("access-control-allow-origin"), site);
    assert_eq!(theirs.header("vary"), "Origin");
    let others =
        nobody.with("Origin", "https://evil.example.com").send("GET", CLIENT, None).await.expect(200);
    assert_eq!(others.header("access-control-allow-origin"), "");
}

#[actix_web::test]
async fn the_client_can_be_asked_for_without_its_body_and_not_changed() {
    let server = Server::start().await;
    let nobody = server.anonymous();
    for path in [CLIENT, TYPES] {
        let get = nobody.send("GET", path, None).await.expect(200);
        let head = Raw::request(&server, &format!("HEAD {path} HTTP/1.1"));
        assert_eq!((head.status, head.body.len()), (200, 0));
        assert_eq!(head.header("content-length"), get.body.len().to_string());
        assert_eq!(head.header("etag"), get.header("etag"));
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            let reply = nobody.send(method, path, None).await.expect(405);
            assert_eq!(reply.header("allow"), "GET, HEAD");
        }
    }
}
