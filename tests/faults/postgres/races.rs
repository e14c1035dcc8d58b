//! Concurrent operations of two servers on one database.

use futures_util::future::{join, join_all};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::json;

use crate::{
    program::greenroom,
    support::{Reply, Server, User, database::Database},
};

const ROUNDS: usize = 20;

async fn two_servers() -> [Server; 2] {
    let one = Server::start_on(Database::postgres(), |_| {}).await;
    let other = one.beside().await;
    [one, other]
}

/// Asserts that of two equal requests one creates the object and the other returns it.
#[track_caller]
fn is_made_once((one, other): (Reply, Reply)) {
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 201], "{one:?} {other:?}");
    assert_eq!(one.id(), other.id());
}

#[actix_rt::test(system = "crate::System")]
#[ignore = "needs PostgreSQL: make postgres"]
async fn the_dm_of_two_who_ask_for_it_at_once_is_one() {
    let [one, other] = two_servers().await;
    let ann = one.user("ann").await;
    for bob in one.crowd(ROUNDS).await {
        let ask = |ids: [i64; 1]| json!({"chat_type": "dm", "member_ids": ids});
        let bob = bob.at(&other);
        is_made_once(join(ann.post("chats/", ask([bob.id])), bob.post("chats/", ask([ann.id]))).await);
    }
}

#[actix_rt::test(system = "crate::System")]
#[ignore = "needs PostgreSQL: make postgres"]
async fn the_room_of_an_object_that_is_asked_for_twice_at_once_is_one() {
    let [one, other] = two_servers().await;
    let [ann, bob] = one.users(["ann", "bob"]).await;
    let bob = bob.at(&other);
    for number in 0..ROUNDS {
        let object = number.to_string();
        let room = json!({"chat_type": "room", "title": "Page", "object_type": "page", "object_id": object});
        is_made_once(join(ann.post("chats/", room.clone()), bob.post("chats/", room)).await);
    }
}

#[actix_rt::test(system = "crate::System")]
#[ignore = "needs PostgreSQL: make postgres"]
async fn a_user_that_is_brought_twice_at_once_is_one() {
    let [one, other] = two_servers().await;
    let eve = one.staff("eve").await;
    for number in 0..ROUNDS {
        let user = json!({"username": format!("ann{number}")});
        let elsewhere = eve.at(&other);
        is_made_once(join(eve.post("users/", user.clone()), elsewhere.post("users/", user)).await);
    }
}

#[actix_rt::test(system = "crate::System")]
#[ignore = "needs PostgreSQL: make postgres"]
async fn a_message_that_is_sent_to_two_servers_at_once_is_stored_once() {
    let [one, other] = two_servers().await;
    let ann = one.user("ann").await;
    let elsewhere = ann.at(&other);
    let path = format!("chats/{}/messages/", ann.group("Team", &[]).await);
    for number in 0..ROUNDS {
        let message = json!({"content": "hi", "client_id": number.to_string()});
        is_made_once(join(ann.post(&path, message.clone()), elsewhere.post(&path, message)).await);
    }
    assert_eq!(ann.get(&path).await.json["count"], ROUNDS);
}

#[actix_rt::test(system = "crate::System")]
#[ignore = "needs PostgreSQL: make postgres"]
async fn of_two_admins_who_demote_each_other_at_once_one_stays() {
    let [one, other] = two_servers().await;
    let [ann, bob] = one.users(["ann", "bob"]).await;
    let bob = bob.at(&other);
    for _ in 0..ROUNDS {
        let chat = ann.group("Team", &[&bob]).await;
        let of = |user: &User| format!("chats/{chat}/members/{}/", user.id);
        ann.patch(&of(&bob), json!({"role": "admin"})).await.expect(200);
        let demotion = json!({"role": "member"});
        let (ann_reply, bob_reply) =
            join(ann.patch(&of(&bob), demotion.clone()), bob.patch(&of(&ann), demotion)).await;
        let (stays, demoted) = if ann_reply.status == 200 { (&ann, bob_reply) } else { (&bob, ann_reply) };
        assert_eq!(demoted.status, 403);
        assert_eq!(ann.sees(chat).await["admins"], json!([stays.id]));
    }
}

#[actix_rt::test(system = "crate::System")]
#[ignore = "needs PostgreSQL: make postgres"]
async fn when_all_admins_leave_at_once_somebody_else_becomes_one() {
    let [one, other] = two_servers().await;
    let [ann, bob, cat] = one.users(["ann", "bob", "cat"]).await;
    let bob = bob.at(&other);
    for _ in 0..ROUNDS {
        let chat = ann.group("Team", &[&bob, &cat]).await;
        let path = format!("chats/{chat}/members/{}/", bob.id);
        ann.patch(&path, json!({"role": "admin"})).await.expect(200);
        let leave = format!("chats/{chat}/leave/");
        let (ann_reply, bob_reply) = join(ann.post(&leave, json!({})), bob.post(&leave, json!({}))).await;
        assert_eq!((ann_reply.status, bob_reply.status), (204, 204));
        let seen = cat.sees(chat).await;
        assert_eq!((&seen["admins"], &seen["member_count"]), (&json!([cat.id]), &json!(1)));
    }
}

#[actix_rt::test(system = "crate::System")]
#[ignore = "needs PostgreSQL: make postgres"]
async fn who_is_removed_on_one_server_says_nothing_more_on_another() {
    let [one, other] = two_servers().await;
    let [ann, bob] = one.users(["ann", "bob"]).await;
    for _ in 0..ROUNDS / 2 {
        let chat = ann.group("Team", &[&bob]).await;
        let path = format!("chats/{chat}/messages/");
        let talks = |bob: User| async move {
            let mut said = 0;
            loop {
                match bob.post(&format!("chats/{chat}/messages/"), json!({"content": "hi"})).await.status {
                    201 => said += 1,
                    status => return (said, status),
                }
            }
        };
        let talking = join_all((0..6).map(|number| talks(bob.at([&one, &other][number % 2]))));
        let removing = async {
            while ann.get(&path).await.json["count"].as_i64().unwrap() < 20 {}
            ann.removes(chat, &bob).await;
            bob.at(&other).post(&path, json!({"content": "hi"})).await.status
        };
        let (talked, afterwards) = join(talking, removing).await;
        assert!(talked.iter().all(|(_, status)| *status == 404), "{talked:?}");
        assert_eq!(afterwards, 404);
        let said: i64 = talked.iter().map(|(said, _)| said).sum();
        // The creation, the messages, and finally the removal.
        assert_eq!(ann.sees(chat).await["seq"], 1 + said + 1);
        let page = ann.get(&path).await;
        assert_eq!((&page.json["count"], &page.results()[0]["seq"]), (&json!(said), &json!(1 + said)));
    }
}

/// Performs a random action of a user in a random chat. Returns the reply, successful or not.
async fn does_something(user: &User, chats: &[i64], others: &[User], random: &mut StdRng) -> Reply {
    let chat = chats[random.random_range(0..chats.len())];
    let other = others[random.random_range(0..others.len())].id;
    let message = random.random_range(1..200);
    match random.random_range(0..16) {
        0..5 => user.post(&format!("chats/{chat}/messages/"), json!({"content": "hi"})).await,
        5 | 6 => {
            let client_id = random.random_range(0..50).to_string();
            let message = json!({"content": "hi", "client_id": client_id});
            user.post(&format!("chats/{chat}/messages/"), message).await
        }
        7 => user.patch(&format!("messages/{message}/"), json!({"content": "ho"})).await,
        8 => user.delete(&format!("messages/{message}/")).await,
        9 => user.post(&format!("messages/{message}/reactions/"), json!({"emoji": "👍"})).await,
        10 | 11 => user.post(&format!("chats/{chat}/mark-as-read/"), json!({})).await,
        12 => {
            let ids = others.iter().map(|user| user.id).collect::<Vec<_>>();
            user.post(&format!("chats/{chat}/members/add/"), json!({"user_ids": ids})).await
        }
        13 => user.delete(&format!("chats/{chat}/members/{other}/remove/")).await,
        14 => user.patch(&format!("chats/{chat}/members/{other}/"), json!({"role": "admin"})).await,
        _ => user.post("chats/", json!({"chat_type": "dm", "member_ids": [other]})).await,
    }
}

#[actix_rt::test(system = "crate::System")]
#[ignore = "needs PostgreSQL: make postgres"]
async fn what_two_servers_do_at_once_adds_up() {
    let seed = rand::rng().random_range(0..1_000_000_u64);
    println!("seed {seed}");
    let servers = two_servers().await;
    let people = servers[0].crowd(5).await;
    let mut chats = Vec::new();
    for person in &people {
        chats.push(person.group("Team", &people.iter().collect::<Vec<_>>()).await);
    }
    let (people, chats) = (&people, &chats);
    let acting = (0..10).map(|number| {
        let person = people[number % people.len()].at(&servers[number % 2]);
        let mut random = StdRng::seed_from_u64(seed + number as u64);
        async move {
            for _ in 0..80 {
                let reply = does_something(&person, chats, people, &mut random).await;
                assert!(reply.status < 500, "{reply:?}");
            }
        }
    });
    join_all(acting).await;
    let report = greenroom(&servers[0].database_url(), &["check"]);
    assert!(report.ends_with(" 0 differences found\n"), "{report}");
}
