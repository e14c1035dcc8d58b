//! Random walks: the results of random actions must equal those of a simple model.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

use crate::support::{Server, User};

const USERS: usize = 5;
const STEPS: usize = 600;
const MUTED_UNTIL: &str = "2031-05-01T10:00:00Z";
const EMOJI: [&str; 3] = ["👍", "❤️", "🎉"];

#[actix_rt::test(system = "crate::System")]
async fn random_walks_come_to_what_the_model_says() {
    let given = std::env::var("GREENROOM_WALK_SEED").ok().and_then(|seed| seed.parse().ok());
    let seeds: Vec<u64> = given.map_or_else(|| (0..3).map(|_| rand::random()).collect(), |seed| vec![seed]);
    for seed in seeds {
        println!("walk with GREENROOM_WALK_SEED={seed}");
        Walk::start(seed).await.run().await;
    }
}

/// A simple model of all chats.
#[derive(Default)]
struct Model {
    chats: BTreeMap<i64, Chat>,
    /// Counter that rises with every action that moves a chat up in the lists.
    activity: u64,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Dm,
    Group,
    /// A public room.
    Room,
}

struct Chat {
    kind: Kind,
    title: Option<String>,
    /// Members in the order of joining.
    members: Vec<Member>,
    messages: Vec<Message>,
    activity: u64,
}

#[derive(Clone)]
struct Member {
    user: usize,
    is_admin: bool,
    /// Number of messages read, and number of messages when the user joined.
    read: usize,
    from: usize,
    is_pinned: bool,
    is_muted: bool,
    /// The level that was chosen.
    notify: Option<&'static str>,
    /// First message that is marked as unread.
    unread_from: Option<usize>,
    /// When the member joined. Members of one request are ordered by id.
    joined: u64,
}

impl Member {
    /// Returns a member who joins when there are `there` messages.
    fn new(user: usize, joined: u64, there: usize) -> Self {
        let (is_admin, is_pinned, is_muted, notify, unread_from) = (false, false, false, None, None);
        Self { user, is_admin, read: there, from: there, is_pinned, is_muted, notify, unread_from, joined }
    }
}

struct Message {
    id: i64,
    sender: usize,
    content: String,
    is_edited: bool,
    is_deleted: bool,
    reactions: Vec<(&'static str, Vec<usize>)>,
}

impl Chat {
    fn member(&self, user: usize) -> Option<&Member> {
        self.members.iter().find(|member| member.user == user)
    }

    fn is_admin(&self, user: usize) -> bool {
        self.member(user).is_some_and(|member| member.is_admin)
    }

    /// Returns the status that forbids a user to manage the chat; `None` if allowed. A room is visible to
    /// non-members.
    fn manager_status(&self, user: usize) -> Option<u16> {
        match self.member(user) {
            None if self.kind != Kind::Room => Some(404),
            Some(member) if member.is_admin => None,
            _ => Some(403),
        }
    }

    fn live(&self) -> impl Iterator<Item = (usize, &Message)> {
        self.messages.iter().enumerate().filter(|(_, message)| !message.is_deleted)
    }

    /// Returns a member's unread count, including messages marked as unread.
    fn shown_unread(&self, member: &Member) -> usize {
        self.unread(member.user, member.unread_from.map_or(member.read, |from| from.min(member.read)))
    }

    fn unread(&self, user: usize, read: usize) -> usize {
        self.live().filter(|(index, message)| *index >= read && message.sender != user).count()
    }

    /// Returns the members in the order of joining.
    fn sorted_members(&self) -> Vec<Member> {
        let mut members = self.members.clone();
        members.sort_by_key(|member| (member.joined, member.user));
        members
    }

    /// Returns the readers of a message, the sender first.
    fn readers(&self, index: usize) -> Vec<usize> {
        let message = &self.messages[index];
        if message.is_deleted {
            return Vec::new();
        }
        let read =
            |member: &Member| member.from <= index && index < member.read && member.user != message.sender;
        let others = self.sorted_members().into_iter().filter(read).map(|member| member.user);
        std::iter::once(message.sender).chain(others).collect()
    }
}

struct Walk {
    server: Server,
    users: Vec<User>,
    ids: Vec<i64>,
    model: Model,
    random: StdRng,
    joins: u64,
}

impl Walk {
    async fn start(seed: u64) -> Self {
        let server = Server::start().await;
        let mut users = Vec::new();
        for number in 0..USERS {
            users.push(server.user(&format!("user{number}")).await);
        }
        let ids = users.iter().map(|user| user.id).collect();
        Self { server, users, ids, model: Model::default(), random: StdRng::seed_from_u64(seed), joins: 0 }
    }

    async fn run(mut self) {
        for step in 1..=STEPS {
            self.step().await;
            if step % 100 == 0 {
                self.compare().await;
            }
        }
        let report = self.server.checks_database().await;
        assert_eq!(report.differences, Vec::<String>::new());
    }

    fn pick(&mut self, below: usize) -> usize {
        self.random.random_range(0..below)
    }

    fn pick_chat(&mut self) -> Option<i64> {
        let chats: Vec<i64> = self.model.chats.keys().copied().collect();
        (!chats.is_empty()).then(|| chats[self.pick(chats.len())])
    }

    fn pick_message(&mut self, chat: i64) -> Option<usize> {
        let count = self.model.chats[&chat].messages.len();
        (count > 0).then(|| self.pick(count))
    }

    async fn step(&mut self) {
        let user = self.pick(USERS);
        let Some(chat) = self.pick_chat() else { return self.create(user).await };
        match self.pick(100) {
            0..4 => self.create(user).await,
            4..40 => self.post(user, chat).await,
            40..48 => self.edit(user, chat).await,
            48..58 => self.delete(user, chat).await,
            58..72 => self.react(user, chat).await,
            72..80 => self.mark(user, chat).await,
            80..84 => self.set(user, chat).await,
            84..87 => self.add(user, chat).await,
            87..90 => self.remove(user, chat).await,
            90..92 => self.join(user, chat).await,
            92..94 => self.leave(user, chat).await,
            94..97 => self.change_role(user, chat).await,
            97..99 => self.rename(user, chat).await,
            _ => self.delete_chat(user, chat).await,
        }
    }

    async fn create(&mut self, user: usize) {
        if self.pick(3) == 0 {
            return self.create_room(user).await;
        }
        let is_dm = self.pick(2) == 0;
        let others: Vec<usize> =
            if is_dm { vec![self.pick(USERS)] } else { (0..3).map(|_| self.pick(USERS)).collect() };
        let ids: Vec<i64> = others.iter().map(|other| self.ids[*other]).collect();
        let kind = if is_dm { "dm" } else { "group" };
        let reply = self.users[user].post("chats/", json!({"chat_type": kind, "member_ids": ids})).await;
        let mut members = others;
        members.push(user);
        members.sort();
        members.dedup();
        let existing = self.model.chats.iter().find(|(_, chat)| {
            let mut there: Vec<usize> = chat.members.iter().map(|member| member.user).collect();
            there.sort();
            is_dm && chat.kind == Kind::Dm && there == members
        });
        if let Some((id, _)) = existing {
            assert_eq!((reply.status, reply.id()), (200, *id));
            return;
        }
        let kind = if is_dm { Kind::Dm } else { Kind::Group };
        self.begin(user, reply.expect(201).id(), kind, None, members);
    }

    async fn create_room(&mut self, user: usize) {
        let title = format!("title {}", self.random.random_range(0..4));
        let id = self.users[user].room(&title).await;
        self.begin(user, id, Kind::Room, Some(title), vec![user]);
    }

    fn begin(&mut self, by: usize, id: i64, kind: Kind, title: Option<String>, members: Vec<usize>) {
        self.joins += 1;
        self.model.activity += 1;
        let joined = self.joins;
        let member = |user| Member { is_admin: user == by, ..Member::new(user, joined, 0) };
        let members = members.into_iter().map(member).collect();
        let activity = self.model.activity;
        self.model.chats.insert(id, Chat { kind, title, members, messages: Vec::new(), activity });
    }

    async fn join(&mut self, user: usize, id: i64) {
        let reply = self.users[user].post(&format!("chats/{id}/join/"), json!({})).await;
        let chat = self.model.chats.get_mut(&id).unwrap();
        if chat.kind != Kind::Room {
            return drop(reply.expect(404));
        }
        reply.expect(200);
        if chat.member(user).is_none() {
            self.joins += 1;
            let there = chat.messages.len();
            let joined = self.joins;
            chat.members.push(Member::new(user, joined, there));
        }
    }

    async fn leave(&mut self, user: usize, id: i64) {
        let reply = self.users[user].post(&format!("chats/{id}/leave/"), json!({})).await;
        let chat = &self.model.chats[&id];
        match () {
            () if chat.member(user).is_none() => drop(reply.expect(404)),
            () if chat.kind == Kind::Dm => drop(reply.expect(400)),
            () => {
                reply.expect(204);
                self.take_out(user, id);
            }
        }
    }

    /// Removes a user from a chat. The last admin gets a successor. A chat without members is deleted unless
    /// it is a room.
    fn take_out(&mut self, user: usize, id: i64) {
        let chat = self.model.chats.get_mut(&id).unwrap();
        let was_admin = chat.is_admin(user);
        chat.members.retain(|member| member.user != user);
        if was_admin && !chat.members.iter().any(|member| member.is_admin) {
            let heir = chat.members.iter_mut().min_by_key(|member| (member.joined, member.user));
            heir.into_iter().for_each(|heir| heir.is_admin = true);
        }
        if chat.members.is_empty() && chat.kind != Kind::Room {
            self.model.chats.remove(&id);
        }
    }

    async fn post(&mut self, user: usize, id: i64) {
        let text = format!("message {}", self.random.random_range(0..1000));
        let reply = self.users[user].post(&format!("chats/{id}/messages/"), json!({"content": text})).await;
        self.model.activity += 1;
        let chat = self.model.chats.get_mut(&id).unwrap();
        if chat.member(user).is_none() {
            return drop(reply.expect(404));
        }
        chat.activity = self.model.activity;
        chat.messages.push(Message {
            id: reply.expect(201).id(),
            sender: user,
            content: text,
            is_edited: false,
            is_deleted: false,
            reactions: Vec::new(),
        });
    }

    /// Returns the status that forbids an action on a message: 404 if it is not visible, 403 if it is another
    /// user's.
    fn message_status(&self, user: usize, chat: i64, index: usize, own: bool) -> Option<u16> {
        let chat = &self.model.chats[&chat];
        let message = &chat.messages[index];
        match () {
            () if chat.member(user).is_none() || message.is_deleted => Some(404),
            () if own && message.sender != user => Some(403),
            () => None,
        }
    }

    async fn edit(&mut self, user: usize, chat: i64) {
        let Some(index) = self.pick_message(chat) else { return };
        let text = format!("edited {}", self.pick(3));
        let path = format!("messages/{}/", self.model.chats[&chat].messages[index].id);
        let reply = self.users[user].patch(&path, json!({"content": text})).await;
        if let Some(status) = self.message_status(user, chat, index, true) {
            return drop(reply.expect(status));
        }
        reply.expect(200);
        let message = &mut self.model.chats.get_mut(&chat).unwrap().messages[index];
        message.is_edited |= message.content != text;
        message.content = text;
    }

    async fn delete(&mut self, user: usize, chat: i64) {
        let Some(index) = self.pick_message(chat) else { return };
        let path = format!("messages/{}/", self.model.chats[&chat].messages[index].id);
        let reply = self.users[user].delete(&path).await;
        if let Some(status) = self.message_status(user, chat, index, true) {
            return drop(reply.expect(status));
        }
        reply.expect(204);
        let message = &mut self.model.chats.get_mut(&chat).unwrap().messages[index];
        message.is_deleted = true;
        message.content.clear();
        message.reactions.clear();
    }

    async fn react(&mut self, user: usize, chat: i64) {
        let Some(index) = self.pick_message(chat) else { return };
        let emoji = EMOJI[self.pick(EMOJI.len())];
        let path = format!("messages/{}/reactions/", self.model.chats[&chat].messages[index].id);
        let reply = self.users[user].post(&path, json!({"emoji": emoji})).await;
        if let Some(status) = self.message_status(user, chat, index, false) {
            return drop(reply.expect(status));
        }
        let reactions = &mut self.model.chats.get_mut(&chat).unwrap().messages[index].reactions;
        let action = match reactions.iter_mut().find(|(other, _)| *other == emoji) {
            Some((_, users)) if users.contains(&user) => {
                users.retain(|other| *other != user);
                "removed"
            }
            Some((_, users)) => {
                users.push(user);
                "added"
            }
            None => {
                reactions.push((emoji, vec![user]));
                "added"
            }
        };
        reactions.retain(|(_, users)| !users.is_empty());
        assert_eq!(reply.expect(200).json["action"], action);
    }

    async fn mark(&mut self, user: usize, id: i64) {
        let up_to = if self.pick(2) == 0 { None } else { self.pick_message(id) };
        let chat = self.model.chats.get_mut(&id).unwrap();
        let body = up_to.map_or(json!({}), |index| json!({"message_id": chat.messages[index].id}));
        let reply = self.users[user].post(&format!("chats/{id}/mark-as-read/"), body).await;
        let Some(read) = chat.member(user).map(|member| member.read) else { return drop(reply.expect(404)) };
        let now = read.max(up_to.map_or(chat.messages.len(), |index| index + 1));
        let marked = chat.unread(user, read) - chat.unread(user, now);
        for member in chat.members.iter_mut().filter(|member| member.user == user) {
            (member.read, member.unread_from) = (now, None);
        }
        assert_eq!(reply.expect(200).json["marked_count"], marked);
    }

    /// Pins, mutes, marks as unread or changes the level, or resets one of these.
    async fn set(&mut self, user: usize, id: i64) {
        let (what, is_on) = (self.pick(4), self.pick(3) > 0);
        let level = ["all", "mentions", "none"][self.pick(3)];
        let from = if is_on { self.pick_message(id) } else { None };
        let chat = self.model.chats.get_mut(&id).unwrap();
        let body = match what {
            0 => json!({"is_pinned": is_on}),
            1 => json!({"muted_until": is_on.then_some(MUTED_UNTIL)}),
            2 => json!({"notify": level}),
            _ => json!({"unread_from": from.map(|index| chat.messages[index].id)}),
        };
        let reply = self.users[user].patch(&format!("chats/{id}/me/"), body).await;
        let Some(member) = chat.members.iter_mut().find(|member| member.user == user) else {
            return drop(reply.expect(404));
        };
        match what {
            0 => member.is_pinned = is_on,
            1 => member.is_muted = is_on,
            2 => member.notify = Some(level),
            _ => member.unread_from = from,
        }
        reply.expect(200);
    }

    async fn add(&mut self, user: usize, id: i64) {
        let mut new = vec![self.pick(USERS), self.pick(USERS)];
        new.sort();
        new.dedup();
        let ids: Vec<i64> = new.iter().map(|user| self.ids[*user]).collect();
        let reply =
            self.users[user].post(&format!("chats/{id}/members/add/"), json!({"user_ids": ids})).await;
        if let Some(status) = self.admin_status(user, id) {
            return drop(reply.expect(status));
        }
        let chat = self.model.chats.get_mut(&id).unwrap();
        new.retain(|user| chat.member(*user).is_none());
        assert_eq!(reply.expect(200).json["added_count"], new.len());
        self.joins += 1;
        let (joined, there) = (self.joins, chat.messages.len());
        chat.members.extend(new.into_iter().map(|user| Member::new(user, joined, there)));
    }

    /// Returns the status that forbids a user to change the members; `None` if allowed.
    fn admin_status(&self, user: usize, chat: i64) -> Option<u16> {
        let chat = &self.model.chats[&chat];
        chat.manager_status(user).or((chat.kind == Kind::Dm).then_some(400))
    }

    async fn remove(&mut self, user: usize, id: i64) {
        let whom = if self.pick(3) == 0 { user } else { self.pick(USERS) };
        let reply = self.users[user].delete(&format!("chats/{id}/members/{}/remove/", self.ids[whom])).await;
        let chat = &self.model.chats[&id];
        let leaves = whom == user && chat.member(user).is_some();
        let status = match chat.manager_status(user).filter(|_| !leaves) {
            Some(status) => status,
            None if chat.kind == Kind::Dm => 400,
            None if chat.member(whom).is_none() => 404,
            None => 204,
        };
        reply.expect(status);
        if status == 204 {
            self.take_out(whom, id);
        }
    }

    async fn change_role(&mut self, user: usize, id: i64) {
        let (whom, is_admin) = (self.pick(USERS), self.pick(2) == 0);
        let role = if is_admin { "admin" } else { "member" };
        let path = format!("chats/{id}/members/{}/", self.ids[whom]);
        let reply = self.users[user].patch(&path, json!({"role": role})).await;
        if let Some(status) = self.admin_status(user, id) {
            return drop(reply.expect(status));
        }
        let chat = self.model.chats.get_mut(&id).unwrap();
        let admins = chat.members.iter().filter(|member| member.is_admin).count();
        let Some(member) = chat.members.iter_mut().find(|member| member.user == whom) else {
            return drop(reply.expect(404));
        };
        if member.is_admin && !is_admin && admins == 1 {
            return drop(reply.expect(400));
        }
        reply.expect(200);
        member.is_admin = is_admin;
    }

    async fn rename(&mut self, user: usize, id: i64) {
        let title = (self.pick(3) > 0).then(|| format!("title {}", self.random.random_range(0..4)));
        let reply = self.users[user].patch(&format!("chats/{id}/"), json!({"title": title})).await;
        self.model.activity += 1;
        let chat = self.model.chats.get_mut(&id).unwrap();
        match chat.manager_status(user).filter(|status| *status == 404 || chat.kind != Kind::Dm) {
            Some(status) => return drop(reply.expect(status)),
            None if chat.kind == Kind::Room && title.is_none() => return drop(reply.expect(400)),
            None => drop(reply.expect(200)),
        }
        if chat.title != title {
            chat.activity = self.model.activity;
            chat.title = title;
        }
    }

    async fn delete_chat(&mut self, user: usize, id: i64) {
        let reply = self.users[user].delete(&format!("chats/{id}/")).await;
        match self.model.chats[&id].manager_status(user) {
            Some(status) => drop(reply.expect(status)),
            None => {
                reply.expect(204);
                self.model.chats.remove(&id);
            }
        }
    }

    /// Compares everything that each user sees with the model.
    async fn compare(&self) {
        for user in 0..USERS {
            let page = self.users[user].get("chats/?page_size=100").await.expect(200);
            let mut own: Vec<(&i64, &Chat)> =
                self.model.chats.iter().filter(|(_, chat)| chat.member(user).is_some()).collect();
            own.sort_by_key(|(_, chat)| {
                std::cmp::Reverse((chat.member(user).unwrap().is_pinned, chat.activity))
            });
            let shown: Vec<i64> = page.results().iter().map(|chat| chat["id"].as_i64().unwrap()).collect();
            assert_eq!(shown, own.iter().map(|(id, _)| **id).collect::<Vec<_>>());
            let mut total = 0;
            for ((id, chat), shown) in own.iter().zip(page.results()) {
                assert_eq!(*shown, self.users[user].sees(id).await);
                self.compare_chat(user, chat, shown);
                total += chat.shown_unread(chat.member(user).unwrap());
                let path = format!("chats/{id}/messages/?page_size=100");
                self.compare_messages(chat, &self.users[user].get(&path).await.expect(200).json);
            }
            assert_eq!(self.users[user].get("unread/").await.json["total"], total);
            self.compare_rooms(user).await;
        }
    }

    /// Compares the list of public rooms, newest first, with the model.
    async fn compare_rooms(&self, user: usize) {
        let page = self.users[user].get("rooms/?page_size=100").await.expect(200);
        let rooms = self.model.chats.iter().rev().filter(|(_, chat)| chat.kind == Kind::Room);
        let rooms: Vec<(&i64, &Chat)> = rooms.collect();
        assert_eq!(page.ids(), rooms.iter().map(|(id, _)| **id).collect::<Vec<_>>());
        for ((id, room), shown) in rooms.into_iter().zip(page.results()) {
            assert_eq!(*shown, self.users[user].sees(id).await);
            assert_eq!(shown["member_count"], room.members.len());
            assert_eq!(shown["title"], json!(room.title));
            assert_eq!(shown["is_member"], room.member(user).is_some());
            assert_eq!(shown["my_role"].is_null(), room.member(user).is_none());
        }
    }

    fn compare_chat(&self, user: usize, chat: &Chat, shown: &Value) {
        let members = chat.sorted_members();
        let ids = |admins_only: bool| -> Vec<i64> {
            members
                .iter()
                .filter(|member| member.is_admin || !admins_only)
                .map(|m| self.ids[m.user])
                .collect()
        };
        let listed: Vec<&Value> = shown["members"].as_array().unwrap().iter().map(|m| &m["id"]).collect();
        assert_eq!(json!(listed), json!(ids(false)));
        assert_eq!(shown["admins"], json!(ids(true)));
        assert_eq!(shown["member_count"], members.len());
        let own = chat.member(user).unwrap();
        assert_eq!(shown["my_role"], if own.is_admin { "admin" } else { "member" });
        assert_eq!(shown["unread_count"], chat.shown_unread(own));
        let unread_from = own.unread_from.map(|index| chat.messages[index].id);
        let muted_until = own.is_muted.then_some(MUTED_UNTIL);
        let notify = own.notify.unwrap_or(if chat.kind == Kind::Room { "mentions" } else { "all" });
        let me = json!({
            "muted_until": muted_until, "is_pinned": own.is_pinned, "unread_from": unread_from, "notify": notify,
        });
        assert_eq!(shown["me"], me);
        let marker = own.read.checked_sub(1).map(|index| chat.messages[index].id);
        assert_eq!(shown["last_read_message_id"], json!(marker));
        assert_eq!(shown["last_message"]["id"], json!(chat.live().last().map(|(_, message)| message.id)));
        if let Some(title) = &chat.title {
            assert_eq!(shown["title"], *title);
        }
    }

    fn compare_messages(&self, chat: &Chat, page: &Value) {
        assert_eq!(page["count"], chat.messages.len());
        let newest = chat.messages.iter().enumerate().rev();
        for ((index, message), shown) in newest.zip(page["results"].as_array().unwrap()) {
            assert_eq!(shown["id"], message.id);
            assert_eq!(shown["content"], message.content);
            assert_eq!(shown["is_edited"], message.is_edited);
            assert_eq!(shown["is_deleted"], message.is_deleted);
            let readers: Vec<i64> = chat.readers(index).into_iter().map(|user| self.ids[user]).collect();
            assert_eq!(shown["read_by"], json!(readers), "message {}", message.id);
            let reaction = |(emoji, users): &(&str, Vec<usize>)| {
                let users: Vec<i64> = users.iter().map(|user| self.ids[*user]).collect();
                json!({"emoji": emoji, "count": users.len(), "users": users})
            };
            assert_eq!(shown["reactions"], json!(message.reactions.iter().map(reaction).collect::<Vec<_>>()));
        }
    }
}
