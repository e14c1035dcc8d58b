//! The pages and their files, as browsers load them on this site and on others.

use std::io::Read;

use flate2::read::GzDecoder;

use crate::{
    raw::Raw,
    support::{Server, User},
};

const CLIENT: &str = "/messages/greenroom.js";
const TYPES: &str = "/messages/greenroom.d.ts";

/// Asserts that a script is served as it was written, except for its comments.
fn assert_comments_only_are_gone(served: &[u8], source: &str) {
    let served = std::str::from_utf8(served).unwrap();
    assert_eq!(served.lines().count(), source.lines().count());
    for (served, source) in served.lines().zip(source.lines()) {
        let is_comment = ["//", "/*", "*"].iter().any(|start| source.trim().starts_with(start));
        assert_eq!(served, if is_comment { "" } else { source });
    }
}

#[actix_rt::test(system = "crate::System")]
async fn the_client_and_its_types_are_served_to_anybody() {
    let server = Server::start().await;
    let nobody = server.anonymous();
    let client = nobody.send("GET", CLIENT, None).await.expect(200);
    assert_eq!(client.header("content-type"), "text/javascript; charset=utf-8");
    let script = std::str::from_utf8(&client.body).unwrap();
    assert!(
        script.lines().any(|line| line == "class GreenroomError extends Error {"),
        "the modules are in it"
    );
    let others = ["import", "export", "/*", "//"]
        .map(|start| script.lines().filter(|line| line.starts_with(start)).count());
    assert_eq!(others, [0, 1, 0, 0], "no imports, one export, no comments");
    assert!(script.ends_with("\nexport { Api, Greenroom, GreenroomError };\n"));
    let types = nobody.send("GET", TYPES, None).await.expect(200);
    assert_eq!(types.header("content-type"), "application/typescript; charset=utf-8");
    assert_eq!(types.body, include_bytes!("../../web/greenroom.d.ts"));
    for reply in [client, types] {
        assert_eq!(reply.header("cache-control"), "no-cache");
        assert_eq!(reply.header("x-content-type-options"), "nosniff");
        assert_eq!(reply.header("cross-origin-resource-policy"), "cross-origin");
        assert_eq!(reply.header("referrer-policy"), "no-referrer");
    }
}

#[actix_rt::test(system = "crate::System")]
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

#[actix_rt::test(system = "crate::System")]
async fn pages_of_allowed_sites_may_import_the_client() {
    let site = "https://shop.example.com";
    let server = Server::start_with(|config| config.allowed_origins = vec![site.to_owned()]).await;
    let nobody = server.anonymous().with("Sec-Fetch-Site", "cross-site");
    let theirs = nobody.clone().with("Origin", site).send("GET", CLIENT, None).await.expect(200);
    assert_eq!(theirs.header("access-control-allow-origin"), site);
    let vary: Vec<_> = theirs.headers.get_all("vary").collect();
    assert_eq!(vary, ["Accept-Encoding", "Origin"]);
    let others =
        nobody.with("Origin", "https://evil.example.com").send("GET", CLIENT, None).await.expect(200);
    assert_eq!(others.header("access-control-allow-origin"), "*");
    assert_eq!(others.header("access-control-allow-credentials"), "");
}

#[actix_rt::test(system = "crate::System")]
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

/// Returns the URL of the sign-in page's script, as the page has it.
async fn script_of_a_page(nobody: &User) -> String {
    let page = nobody.send("GET", "/login/", None).await.expect(200);
    let page = String::from_utf8(page.body).unwrap();
    let address = page.split('"').find(|part| part.ends_with("/login.js")).unwrap();
    assert!(address.starts_with("/messages/static/"), "{address}");
    address.to_owned()
}

#[actix_rt::test(system = "crate::System")]
async fn what_a_page_is_made_of_is_kept_for_good() {
    let server = Server::start().await;
    let nobody = server.anonymous();
    let address = script_of_a_page(&nobody).await;
    let script = nobody.send("GET", &address, None).await.expect(200);
    assert_comments_only_are_gone(&script.body, include_str!("../../web/login.js"));
    assert_eq!(script.header("cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(script.header("content-type"), "text/javascript; charset=utf-8");
    assert_eq!(script.header("cross-origin-resource-policy"), "cross-origin");
    // Only what a browser could show as a document needs the headers of documents.
    let picture = nobody.send("GET", &address.replace("login.js", "icon.svg"), None).await.expect(200);
    for name in ["content-security-policy", "cross-origin-opener-policy", "x-frame-options"] {
        assert_eq!(script.header(name), "", "{name}");
        assert_ne!(picture.header(name), "", "{name}");
    }
    // A page of an older server names another version: it gets the current file, without caching.
    let version = address.split('/').nth(3).unwrap();
    let older = nobody.send("GET", &address.replace(version, "0123456789abcdef"), None).await.expect(200);
    assert_eq!((older.header("cache-control"), &older.body), ("no-cache", &script.body));
    for nothing in
        ["nothing.js", "client/greenroom.js", "", "../Cargo.toml", "..%2f..%2fCargo.toml", "pages", "%00"]
    {
        let path = address.replace("login.js", nothing);
        let reply = nobody.send("GET", &path, None).await.expect(404);
        assert_eq!(reply.json["detail"], "Not found.", "{path}");
    }
}

#[actix_rt::test(system = "crate::System")]
async fn files_are_compressed_for_who_takes_that() {
    let server = Server::start().await;
    let nobody = server.anonymous();
    let address = script_of_a_page(&nobody).await;
    let plain = nobody.send("GET", &address, None).await.expect(200);
    for accepted in ["gzip", "br;q=1.0, GZIP;q=0.8", "deflate,gzip, br, zstd"] {
        let lines = format!("GET {address} HTTP/1.1\r\nAccept-Encoding: {accepted}");
        let reply = Raw::request(&server, &lines);
        assert_eq!(reply.header("content-encoding"), "gzip", "{accepted}");
        assert_eq!(reply.header("vary"), "Accept-Encoding");
        assert_eq!(reply.header("etag"), format!("W/{}", plain.header("etag")));
        let mut content = Vec::new();
        GzDecoder::new(&reply.body[..]).read_to_end(&mut content).unwrap();
        assert_eq!(content, plain.body);
        assert!(reply.body.len() * 3 < content.len() * 2, "it is a good deal shorter");
    }
    for refused in ["identity", "gzip;q=0", "br", "gzipped"] {
        let reply = Raw::request(&server, &format!("GET {address} HTTP/1.1\r\nAccept-Encoding: {refused}"));
        assert_eq!((reply.header("content-encoding"), &reply.body), ("", &plain.body), "{refused}");
    }
}
