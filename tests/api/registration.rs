//! Open registration and many sign-ins at once: one client with many requests does not block others.

use futures_util::future::join_all;
use greenroom::{config::Registration, rate_limit::Rate};
use serde_json::{Value, json};

use crate::support::{PASSWORD, Reply, Server, User};

async fn open(rate: &str) -> Server {
    let rate = Rate::parse(rate).unwrap();
    Server::start_with(|config| {
        config.registration = Registration::Open;
        config.registrations_per_address = rate;
        config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await
}

/// Returns a client with an address, of the first node, since each node counts separately.
fn visitor(server: &Server, address: &str) -> User {
    server.anonymous().at(server).with("X-Forwarded-For", address)
}

async fn register(visitor: &User, name: &str, password: &str) -> Reply {
    let body = json!({"username": name, "password": password});
    visitor.send("POST", "/register/", Some(body)).await
}

async fn login(visitor: &User, name: &str, password: &str) -> Reply {
    let body = json!({"username": name, "password": password});
    visitor.send("POST", "/login/", Some(body)).await
}

fn count(replies: &[Reply], status: u16) -> usize {
    replies.iter().filter(|reply| reply.status == status).count()
}

#[actix_rt::test(system = "crate::System")]
async fn names_that_are_taken_may_be_tried_only_so_often_and_others_are_let_in_meanwhile() {
    let server = open("100/h").await;
    server.user("ann").await;
    let (attacker, other) = (visitor(&server, "203.0.113.1"), visitor(&server, "203.0.113.2"));
    let tries = async {
        let mut tried = Vec::new();
        for _ in 0..3 {
            tried.extend(join_all((0..50).map(|_| register(&attacker, "Ann", PASSWORD))).await);
        }
        tried
    };
    let others = async {
        login(&other, "ann", PASSWORD).await.expect(200);
        register(&other, "dave", PASSWORD).await.expect(201);
    };
    let (tried, ()) = futures_util::future::join(tries, others).await;
    assert_eq!((count(&tried, 400), count(&tried, 429)), (100, 50));
    let taken = json!({"username": ["A user with that username already exists."]});
    assert!(tried.iter().filter(|reply| reply.status == 400).all(|reply| reply.json["details"] == taken));
    let refused = tried.iter().find(|reply| reply.status == 429).unwrap();
    assert!(refused.header("retry-after").parse::<u64>().unwrap() >= 1);
    // Sign-ins are counted separately: the attacker can still create an account.
    register(&attacker, "erin", PASSWORD).await.expect(201);
}

#[actix_rt::test(system = "crate::System")]
async fn an_address_makes_only_so_many_accounts_and_what_was_not_made_does_not_count() {
    let server = open("3/h").await;
    let here = visitor(&server, "203.0.113.1");
    for bad in ["password", "12345678", "short", "dave1234"] {
        register(&here, "dave", bad).await.expect(400);
    }
    for name in ["dave", "erin", "frank"] {
        register(&here, name, PASSWORD).await.expect(201);
    }
    let refused = register(&here, "grace", PASSWORD).await.expect(429);
    assert!(refused.header("retry-after").parse::<u64>().unwrap() > 60);
    login(&here, "grace", PASSWORD).await.expect(401);
    register(&visitor(&server, "203.0.113.2"), "grace", PASSWORD).await.expect(201);
    for name in ["dave", "erin", "frank", "grace"] {
        login(&here, name, PASSWORD).await.expect(200);
    }
}

#[actix_rt::test(system = "crate::System")]
async fn who_hangs_up_makes_no_more_accounts_than_who_waits() {
    let server = open("3/h").await;
    let here = visitor(&server, "203.0.113.1");
    for number in 0..60 {
        let body = json!({"username": format!("dave{number}"), "password": PASSWORD});
        here.hangs_up_on("POST", "/register/", &body, number * 200).await;
    }
    for number in 0..6 {
        register(&here, &format!("erin{number}"), PASSWORD).await;
    }
    let boss = server.staff("boss").await;
    let made = [boss.get("users/search/?q=dave").await, boss.get("users/search/?q=erin").await];
    let made: usize =
        made.into_iter().map(|reply| reply.expect(200).json["results"].as_array().unwrap().len()).sum();
    // Clients that disconnected before they were accepted have no address, and count as one.
    assert!((1..=6).contains(&made), "{made}");
}

#[actix_rt::test(system = "crate::System")]
async fn a_customer_with_many_people_behind_one_address_signs_all_of_them_in_at_once() {
    let server = Server::start().await;
    // More than may fail.
    let people = server.crowd(24).await;
    let browser = server.anonymous().at(&server);
    let replies = join_all(people.iter().map(|person| login(&browser, &person.name, PASSWORD))).await;
    assert_eq!(
        count(&replies, 200),
        24,
        "{:?}",
        replies.iter().map(|reply| reply.status).collect::<Vec<_>>()
    );
    // Many programs may also share one account.
    let replies = join_all((0..12).map(|_| login(&browser, &people[0].name, PASSWORD))).await;
    assert_eq!(count(&replies, 200), 12);
}

#[actix_rt::test(system = "crate::System")]
async fn guesses_in_parallel_get_no_further_than_one_after_the_other() {
    let server = Server::start().await;
    server.user("ann").await;
    let nobody = server.anonymous().at(&server);
    let replies = join_all((0..30).map(|_| login(&nobody, "ann", "wrong"))).await;
    assert_eq!((count(&replies, 401), count(&replies, 429)), (5, 25));
}

#[actix_rt::test(system = "crate::System")]
async fn guesses_at_many_accounts_in_parallel_are_limited_by_setting() {
    let server = Server::start_with(|config| config.failed_sign_ins_per_address = 12).await;
    let nobody = server.anonymous().at(&server);
    let names: Vec<String> = (0..30).map(|number| format!("user{number}")).collect();
    let replies = join_all(names.iter().map(|name| login(&nobody, name, "wrong"))).await;
    assert_eq!((count(&replies, 401), count(&replies, 429)), (12, 18));
}

#[actix_rt::test(system = "crate::System")]
async fn somebody_who_changes_their_own_password_without_end_keeps_nobody_out() {
    let server = Server::start().await;
    let (ann, _) = (server.user("ann").await.at(&server), server.user("bob").await);
    let body = |new: &str| json!({"old_password": PASSWORD, "password": new});
    let changes = join_all((0..20).map(|_| ann.patch("users/me/", body(PASSWORD))));
    let browser = server.anonymous().at(&server);
    let (changed, signed_in) = futures_util::future::join(changes, login(&browser, "bob", PASSWORD)).await;
    assert_eq!(signed_in.status, 200);
    assert!(changed.iter().all(|reply| reply.status == 200));
    let name: Value = ann.get("users/me/").await.json["username"].clone();
    assert_eq!(name, "ann");
}
