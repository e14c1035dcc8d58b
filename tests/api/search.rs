//! Message search: what it finds, in any script, and what it never returns.

use greenroom::rate_limit::Rates;
use serde_json::{Value, json};

use crate::support::{Server, User, encoded};

/// Returns the texts of the messages found, newest first.
async fn finds(user: &User, query: &str) -> Vec<String> {
    texts(&user.get(&format!("search/?q={}", encoded(query))).await.expect(200).json)
}

fn texts(page: &Value) -> Vec<String> {
    let results = page["results"].as_array().unwrap();
    results.iter().map(|message| message["content"].as_str().unwrap().to_owned()).collect()
}

#[actix_rt::test(system = "crate::System")]
async fn every_word_must_be_found_in_any_case() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.dm(&bob).await;
    for text in ["The deployment is done", "deploy the WIKI", "Nothing to see"] {
        ann.posts(chat, text).await;
    }
    assert_eq!(finds(&bob, "deploy").await, ["deploy the WIKI", "The deployment is done"]);
    for query in ["DEPLOY wiki", "wiki\u{3000}Deploy", " iki  epl ", "the the wiki"] {
        assert_eq!(finds(&bob, query).await, ["deploy the WIKI"], "{query}");
    }
    for query in ["deploy nothing", "wikis", "deploythe", "deployx"] {
        assert!(finds(&bob, query).await.is_empty(), "{query}");
    }
}

#[actix_rt::test(system = "crate::System")]
async fn words_of_any_script_are_found() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.dm(&bob).await;
    let said = [
        ("我们明天在北京见面", ["北京", "见", "明天 面"]),
        ("会議は東京タワーで", ["東京", "ﾀﾜｰ", "議は"]),
        ("안녕하세요 서울", ["서울", "하세", "안"]),
        ("سنلتقي في القاهرة", ["القاهرة", "في", "ي"]),
        ("Ёлка на ПЛОЩАДИ", ["ёлка", "площади", "Щ"]),
        ("Die Straße nach Größe", ["STRASSE", "größ", "ẞ"]),
        ("İstanbul'da ışık", ["istanbul", "IŞIK", "ISTANBUL"]),
        ("ΟΔΥΣΣΕΑΣ", ["οδυσσεας", "οδυσσεασ", "ς"]),
        ("cafe\u{301} crème", ["CAFÉ", "crème", "caf\u{e9} m"]),
        ("Ｆｕｌｌ ｗｉｄｔｈ ﬁsh", ["full width", "fi", "ISH"]),
        ("👩‍👩‍👧 and 🎉🎉", ["🎉", "👩‍👩‍👧", "👧"]),
    ];
    for (text, _) in said {
        ann.posts(chat, text).await;
    }
    for (text, queries) in said {
        for query in queries {
            assert_eq!(finds(&bob, query).await, [text], "{query}");
        }
    }
    for query in ["上海", "京北", "東京タワー2", "울서", "🦀", "cafe\u{301}\u{301}"] {
        assert!(finds(&bob, query).await.is_empty(), "{query}");
    }
}

#[actix_rt::test(system = "crate::System")]
async fn nothing_stands_for_anything_but_itself() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.dm(&bob).await;
    let odd = "100% of a_b \\ 'quoted' \"twice\" {x} [y] (z) * ? ^ a-b NEAR/2 x:y -no +yes & | ! ; --";
    ann.posts(chat, odd).await;
    ann.posts(chat, "plain words, ab, and near OR not").await;
    let found = [
        "%",
        "0%",
        "_",
        "a_b",
        "\\",
        "'",
        "'quoted'",
        "\"",
        "\"twice\"",
        "*",
        "?",
        "^",
        "{x}",
        "[",
        "(z)",
        "a-b",
        "NEAR/2",
        "x:y",
        "-no",
        "+yes",
        "&",
        "|",
        "!",
        ";",
        "--",
        "' \" \\ %",
    ];
    for query in found {
        assert_eq!(finds(&bob, query).await, [odd], "{query}");
    }
    let absent = [
        "%%",
        "a%b",
        "__",
        "'quoted\"",
        "\\\\",
        "words*",
        "p?ain",
        "NOT plain*",
        "a_b\u{0}",
        "\u{0}",
        "$$",
        "x' OR 1=1--",
    ];
    for query in absent {
        assert!(finds(&bob, query).await.is_empty(), "{query}");
    }
    assert_eq!(finds(&bob, "plain OR").await, ["plain words, ab, and near OR not"]);
}

#[actix_rt::test(system = "crate::System")]
async fn queries_may_be_long() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.dm(&bob).await;
    let solid = "abcdefghij".repeat(500);
    let words: Vec<String> = (0..800).map(|number| format!("w{number}")).collect();
    let words = words.join(" ");
    ann.posts(chat, &solid).await;
    ann.posts(chat, &words).await;
    assert_eq!(finds(&bob, &solid).await, [solid.as_str()]);
    assert_eq!(finds(&bob, &words).await, [words.as_str()]);
    for absent in
        [format!("{solid}a"), format!("{words} w800"), "x".repeat(10_240), "ab ".repeat(3_000) + "cx"]
    {
        assert!(finds(&bob, &absent).await.is_empty());
    }
    assert_eq!(finds(&bob, &"abc ".repeat(2_000)).await, [solid]);
}

#[actix_rt::test(system = "crate::System")]
async fn hits_are_messages_with_highlights_newest_first() {
    let server = Server::start().await;
    let [ann, bob, eve] = server.users(["ann", "bob", "eve"]).await;
    let (dm, group) = (ann.dm(&bob).await, ann.group("Team", &[&bob, &eve]).await);
    let first = ann.posts(dm, "😀 Lunch? lunch!").await;
    let second = eve.posts(group, "No lunch, die Straße ruft").await;
    let third = bob.posts(dm, "LUNCHTIME").await;
    ann.post(&format!("messages/{}/reactions/", third["id"]), json!({"emoji": "👍"})).await.expect(200);
    ann.marks_as_read(dm).await;

    let page = ann.get("search/?q=lunch").await.expect(200).json;
    let mut expected = Vec::new();
    for (message, highlights) in
        [(&third, json!([[0, 5]])), (&second, json!([[3, 8]])), (&first, json!([[2, 7], [9, 14]]))]
    {
        let mut message = ann.get(&format!("messages/{}/", message["id"])).await.expect(200).json;
        message["highlights"] = highlights;
        expected.push(message);
    }
    assert_eq!(
        page,
        json!({"count": 3, "next": null, "previous": null, "results": expected, "is_complete": true})
    );
    assert_eq!(page["results"][0]["read_by"], json!([bob.id, ann.id]));

    let highlights = async |query: &str| {
        let page = ann.get(&format!("search/?q={}", encoded(query))).await.expect(200);
        page.results()[0]["highlights"].clone()
    };
    assert_eq!(highlights("strasse no").await, json!([[0, 2], [14, 20]]));
    assert_eq!(highlights("unch lunc time").await, json!([[0, 5], [5, 9]]), "what overlaps is one");
}

#[actix_rt::test(system = "crate::System")]
async fn a_search_may_keep_to_the_beginnings_of_words() {
    // The test searches more often than the limit allows.
    let server = Server::start_with(|config| config.rate_limit = Rates::parse("off").unwrap()).await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.dm(&bob).await;
    let said = [
        ("start the party", &["start", "part", "THE par"][..], &["art", "tart", "arty", "the art"][..]),
        ("l'artiste, state-of-the-art", &["art", "l'art", "of", "-the", "'"], &["rt", "ate"]),
        ("我们在北京见面", &["北京", "京", "见面"], &["京北"]),
        ("会議は東京タワーで", &["東京", "ワー", "で"], &["東で"]),
        ("พบกันที่กรุงเทพ", &["กรุงเทพ", "พบ", "ที่"], &["กรุงพบ"]),
        ("Die Straße: größer", &["strass", "GRÖ"], &["rasse", "ße", "ößer"]),
        ("नमस्ते दुनिया", &["नम", "दु"], &["स्ते", "ते"]),
        ("版本v2👍done 4130", &["v2", "👍", "done", "30"], &["one"]),
    ];
    for (text, ..) in said {
        ann.posts(chat, text).await;
    }
    let finds = async |path: String, query: &str| {
        let separator = if path.contains('?') { '&' } else { '?' };
        let name = if path.starts_with("search") { "q" } else { "search" };
        let path = format!("{path}{separator}{name}={}&match=prefix", encoded(query));
        bob.get(&path).await.expect(200).json
    };
    for (text, found, absent) in said {
        for path in ["search/".to_owned(), format!("search/?chat={chat}"), format!("chats/{chat}/messages/")]
        {
            for query in found {
                let page = finds(path.clone(), query).await;
                assert!(texts(&page).contains(&text.to_owned()), "{path} {query}");
            }
            for query in absent {
                let page = finds(path.clone(), query).await;
                assert!(!texts(&page).contains(&text.to_owned()), "{path} {query}");
            }
        }
    }
    let page = bob.get("search/?q=art&match=prefix").await.expect(200).json;
    assert_eq!(
        (page["count"].clone(), page["results"][0]["highlights"].clone()),
        (json!(1), json!([[2, 5], [24, 27]]))
    );
    for path in ["search/?q=art", "search/?q=art&match=", "search/?q=art&match=substring"] {
        assert_eq!(bob.get(path).await.expect(200).json["count"], 2, "{path}");
    }
    let problem = json!(["\"words\" is not a valid choice."]);
    for path in [
        "search/?q=x".to_owned(),
        format!("chats/{chat}/messages/?search=x"),
        format!("chats/{chat}/members/?search=x"),
        "chats/?search=x".to_owned(),
        "rooms/?search=x".to_owned(),
        "users/search/?q=x".to_owned(),
    ] {
        assert_eq!(bob.get(&format!("{path}&match=words")).await.invalid("match"), problem, "{path}");
    }
}

#[actix_rt::test(system = "crate::System")]
async fn pages_of_beginnings_hold_each_of_them_once() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.dm(&bob).await;
    for number in 0..40 {
        ann.posts(chat, &format!("{} {number}", if number % 3 == 0 { "art" } else { "start" })).await;
    }
    let expected: Vec<String> =
        (0..40).rev().filter(|number| number % 3 == 0).map(|number| format!("art {number}")).collect();
    let mut found = Vec::new();
    let mut next = Some("search/?q=art&match=prefix&page_size=5".to_owned());
    while let Some(path) = next {
        let page = bob.get(&path).await.expect(200).json;
        assert_eq!(page["count"], 14);
        found.extend(texts(&page));
        next = page["next"].as_str().map(|link| link.split("/messages/api/").nth(1).unwrap().to_owned());
    }
    assert_eq!(found, expected);
    let second = bob.get("search/?q=art&match=prefix&page_size=5&page=2").await.expect(200).json;
    assert_eq!(texts(&second), expected[5..10]);
}

#[actix_rt::test(system = "crate::System")]
async fn names_are_found_from_their_beginnings_too() {
    let server = Server::start().await;
    let [ann, bob, art] = server.users(["ann", "bob", "art"]).await;
    for (user, first, last) in [(&bob, "Martin", "Stone"), (&art, "Jean-Arthur", "Bart")] {
        user.patch("users/me/", json!({"first_name": first, "last_name": last})).await.expect(200);
    }
    let (start, arts) = (ann.group("Start", &[&bob]).await, ann.group("Fine arts", &[&bob]).await);
    let (all, beijing) = (ann.group("All", &[&bob, &art]).await, ann.group("去北京", &[&bob]).await);
    ann.room("Party").await;
    let hall = ann.room("Hall of art").await;
    let ids = async |path: &str| {
        let page = ann.get(&format!("{path}&match=prefix")).await.expect(200).json;
        let mut ids: Vec<i64> =
            page["results"].as_array().unwrap().iter().map(|found| found["id"].as_i64().unwrap()).collect();
        ids.sort_unstable();
        ids
    };
    assert_eq!(ids("chats/?search=art&chat_type=group").await, [arts, all]);
    assert_eq!(ids("chats/?search=mart&chat_type=group").await, [start, arts, all, beijing]);
    assert_eq!(ids(&format!("chats/?search={}", encoded("北京"))).await, [beijing]);
    assert_eq!(ids("chats/?search=tart").await, [0; 0]);
    assert_eq!(ids("rooms/?search=art").await, [hall]);
    assert_eq!(ids(&format!("chats/{all}/members/?search=art")).await, [art.id]);
    assert_eq!(ids("users/search/?q=art").await, [art.id]);
    assert_eq!(ids("users/search/?q=stone+mart").await, [bob.id]);
    assert_eq!(ids("users/search/?q=tone").await, [0; 0]);
}

#[actix_rt::test(system = "crate::System")]
async fn edits_and_deletions_are_followed_at_once() {
    let server = Server::start().await;
    let [ann, bob] = server.users(["ann", "bob"]).await;
    let chat = ann.dm(&bob).await;
    let message = ann.posts(chat, "the old word").await;
    ann.edits(&message, "the new word").await;
    assert!(finds(&bob, "old").await.is_empty());
    assert_eq!(finds(&bob, "new").await, ["the new word"]);
    ann.deletes(&message).await;
    for query in ["old", "new", "the"] {
        assert!(finds(&bob, query).await.is_empty(), "{query}");
    }
}

#[actix_rt::test(system = "crate::System")]
async fn nothing_is_found_of_a_chat_that_one_is_not_in() {
    let server = Server::start().await;
    let [ann, bob, eve] = server.users(["ann", "bob", "eve"]).await;
    let (group, other) = (ann.group("Team", &[&bob]).await, eve.dm(&ann).await);
    let room = ann.room("Hall").await;
    ann.posts(group, "secret plans").await;
    ann.posts(room, "secret of the hall").await;
    eve.posts(other, "secret of ours").await;
    assert_eq!(finds(&eve, "secret").await, ["secret of ours"]);
    assert_eq!(finds(&bob, "secret").await, ["secret plans"]);
    assert_eq!(finds(&ann, "secret").await.len(), 3);
    eve.joins(room).await;
    ann.adds(group, &[&eve]).await;
    assert_eq!(finds(&eve, "secret").await, ["secret of ours", "secret of the hall", "secret plans"]);
    eve.leaves(room).await;
    ann.removes(group, &eve).await;
    assert_eq!(finds(&eve, "secret").await, ["secret of ours"]);
    ann.delete(&format!("chats/{group}/")).await.expect(204);
    assert!(finds(&bob, "secret").await.is_empty());
}

#[actix_rt::test(system = "crate::System")]
async fn a_search_may_keep_to_one_chat() {
    let server = Server::start().await;
    let [ann, bob, eve] = server.users(["ann", "bob", "eve"]).await;
    let (dm, group) = (ann.dm(&bob).await, ann.group("Team", &[&eve]).await);
    ann.posts(dm, "lunch with bob").await;
    ann.posts(group, "lunch with eve").await;
    for (chat, expected) in [(dm, "lunch with bob"), (group, "lunch with eve")] {
        let by_query = ann.get(&format!("search/?q=LUNCH&chat={chat}")).await.expect(200).json;
        assert_eq!(texts(&by_query), [expected]);
        let in_chat = ann.get(&format!("chats/{chat}/messages/?search=LUNCH")).await.expect(200).json;
        assert_eq!(in_chat, by_query);
        assert_eq!(in_chat["results"][0]["highlights"], json!([[0, 5]]));
    }
    assert_eq!(texts(&ann.get("search/?q=lunch&chat=").await.expect(200).json).len(), 2);
    // An empty search returns the chat's messages unfiltered.
    let plain = ann.get(&format!("chats/{dm}/messages/")).await.expect(200).json;
    for blank in ["", "%20"] {
        assert_eq!(ann.get(&format!("chats/{dm}/messages/?search={blank}")).await.expect(200).json, plain);
    }
    let unknown = ann.get("search/?q=lunch&chat=999").await.expect(404);
    for chat in [group.to_string(), "x".to_owned(), "0".to_owned(), "-1".to_owned()] {
        let foreign = bob.get(&format!("search/?q=lunch&chat={chat}")).await.expect(404);
        assert_eq!(foreign.body, unknown.body);
        let without_words = bob.get(&format!("search/?chat={chat}")).await.expect(404);
        assert_eq!(without_words.body, unknown.body);
    }
    assert_eq!(
        bob.get(&format!("chats/{group}/messages/?search=lunch")).await.expect(404).body,
        unknown.body
    );
    assert_eq!(
        bob.get(&format!("chats/{group}/messages/?search=x&before=y")).await.expect(404).body,
        unknown.body
    );
}

#[actix_rt::test(system = "crate::System")]
async fn a_search_needs_words_and_someone_who_asks() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let required = json!({"error": "Invalid request", "details": {"q": ["This field is required."]}});
    let blank = json!({"error": "Invalid request", "details": {"q": ["This field may not be blank."]}});
    assert_eq!(ann.get("search/").await.expect(400).json, required);
    for query in ["", "%20", "+%09%0A", "%E3%80%80"] {
        assert_eq!(ann.get(&format!("search/?q={query}")).await.expect(400).json, blank, "{query}");
    }
    let integer = json!(["A valid integer is required."]);
    assert_eq!(ann.get("search/?q=x&before=y").await.invalid("before"), integer);
    server.anonymous().get("search/?q=x").await.expect(401);
    assert_eq!(ann.post("search/", json!({})).await.expect(405).header("allow"), "GET, HEAD");
}
