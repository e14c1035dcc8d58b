//! Users and chats made in the database itself, before its server starts: ten thousand take seconds.

use std::sync::{Arc, Mutex, PoisonError};

use actix_web::cookie::{Cookie, CookieJar, Key};
use indicatif::ProgressBar;

use super::{
    cast::{Cast, Chat, Names, Person, Plan, REACTION, old_content},
    stop::Stop,
};
use crate::{
    core::{
        model::{
            ChatId, ChatKind, Command, Contacts, FieldErrors, MessageId, ObjectRooms, Origin, Refusal,
            Timestamp, UserCard, UserId,
            command::{Action, NewChat, ReactIntent},
            emoji::Emoji,
            event::Change,
            text::{MessageBody, Title, Username},
            time::DAY,
        },
        secrets::{self, cookie_key},
    },
    storage::{
        Access, AnyConn, DatabaseUrl, Rules, StorageError,
        commands::{Made, apply, create_chat},
        db::migrations,
        maintenance::purge,
        tables::{
            sessions, settings, tokens,
            users::{self, NO_PASSWORD, NewUser},
        },
        transaction,
    },
};

/// Users, or messages, in one transaction.
const AT_ONCE: usize = 500;

/// A database that is made ready, or cleaned up.
#[derive(Clone)]
pub(super) struct Storage {
    pub(super) url: DatabaseUrl,
    pub(super) names: Names,
    pub(super) stop: Stop,
    pub(super) progress: ProgressBar,
    pub(super) cast: Arc<Mutex<Cast>>,
}

/// No message of these has a client id, so no key is needed.
fn rules() -> Rules {
    Rules {
        receipts_max_members: 100,
        content_key: Vec::new(),
        restored_from: 0,
        contacts: Contacts::All,
        object_rooms: ObjectRooms::Anyone,
        max_chats_per_user: u32::MAX,
    }
}

impl Storage {
    /// Makes what is planned. What was made when it fails, or is interrupted, is in the cast.
    pub(super) fn make(&self, plan: &Plan) -> Result<(), String> {
        migrations::migrate(&self.url).map_err(|error| error.to_string())?;
        let mut conn = self.url.open(Access::Write).map_err(|error| error.to_string())?;
        let key = session_key(&mut conn).map_err(said)?;
        for from in (0..plan.users).step_by(AT_ONCE) {
            let to = plan.users.min(from + AT_ONCE);
            let key = plan.with_sessions.then_some(&key);
            self.step((to - from) as u64)?;
            let people = transaction(&mut conn, |conn| {
                (from..to)
                    .map(|place| person(conn, &self.names.user(place), key))
                    .collect::<Result<Vec<_>, _>>()
            });
            self.cast().people.extend(people.map_err(said)?);
        }
        for (place, members) in plan.chats.iter().enumerate() {
            self.step(1)?;
            let users: Vec<UserId> = {
                let cast = self.cast();
                members.iter().map(|member| UserId(cast.people[*member as usize].id)).collect()
            };
            let title = self.names.chat(place);
            let id = transaction(&mut conn, |conn| chat(conn, &title, &users)).map_err(said)?;
            self.cast().chats.push(Chat { id: id.0, members: members.clone() });
            self.fill(&mut conn, id, &users, plan)?;
        }
        Ok(())
    }

    fn cast(&self) -> std::sync::MutexGuard<'_, Cast> {
        self.cast.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn step(&self, steps: u64) -> Result<(), String> {
        self.progress.inc(steps);
        if self.stop.is_wanted() { Err("interrupted".to_owned()) } else { Ok(()) }
    }

    /// What was said before.
    fn fill(&self, conn: &mut AnyConn, chat: ChatId, users: &[UserId], plan: &Plan) -> Result<(), String> {
        let cards = transaction(conn, |conn| users::active_cards(conn, &users[..users.len().min(AT_ONCE)]));
        let cards: Vec<Arc<UserCard>> = cards.map_err(said)?.into_iter().map(Arc::new).collect();
        for from in (0..plan.history).step_by(AT_ONCE) {
            let to = plan.history.min(from + AT_ONCE);
            self.step((to - from) as u64)?;
            let posted = transaction(conn, |conn| {
                (from..to).try_for_each(|number| {
                    let sender = &cards[plan.writer(number, cards.len())];
                    let message = post(conn, chat, sender, &old_content(number, plan.size))?;
                    let fan = &cards[(number + 1) % cards.len()];
                    match plan.deletes(number) {
                        true => delete(conn, chat, sender.id, message),
                        false if plan.is_lively => react(conn, chat, fan.id, message),
                        false => Ok(()),
                    }
                })
            });
            posted.map_err(said)?;
        }
        if plan.is_lively {
            // Every second member has read it all.
            let readers = cards.iter().skip(1).step_by(2);
            let read = |conn: &mut AnyConn| readers.clone().try_for_each(|card| mark(conn, chat, card.id));
            transaction(conn, read).map_err(said)?;
        }
        Ok(())
    }

    /// Deletes the chats of the cast, and shuts its users out.
    pub(super) fn clean(&self) -> Result<(), String> {
        let cast = std::mem::take(&mut *self.cast());
        let mut conn = self.url.open(Access::Write).map_err(|error| error.to_string())?;
        for chat in &cast.chats {
            let by = UserId(cast.people[chat.members[0] as usize].id);
            let command = Command { chat: ChatId(chat.id), by, action: Action::DeleteChat };
            transaction(&mut conn, |conn| apply(conn, &rules(), &command).map(drop)).map_err(said)?;
            self.progress.inc(1);
        }
        while transaction(&mut conn, purge::step).map_err(said)? {}
        for people in cast.people.chunks(AT_ONCE) {
            let shut_out = |conn: &mut AnyConn| people.iter().try_for_each(|person| shut_out(conn, person));
            transaction(&mut conn, shut_out).map_err(said)?;
            self.progress.inc(people.len() as u64);
        }
        Ok(())
    }
}

fn person(conn: &mut AnyConn, name: &str, key: Option<&Key>) -> Result<Person, StorageError> {
    let user = users::create(
        conn,
        &NewUser {
            username: valid(Username::parse(name))?,
            password: NO_PASSWORD.to_owned(),
            email: String::new(),
            first_name: String::new(),
            last_name: String::new(),
            avatar_url: String::new(),
            is_staff: false,
            is_registered: false,
        },
    )?;
    let secret = secrets::draw();
    let hash = secrets::hash(&secret);
    let header = match key {
        Some(key) => {
            sessions::create(conn, &hash, user.id(), NO_PASSWORD, &Origin::default(), u32::MAX)?;
            format!("Cookie: {}\r\n", signed(secret, key))
        }
        None => {
            tokens::create(conn, user.id(), &hash, Some(Timestamp::now().plus(DAY)))?;
            format!("Authorization: Token {secret}\r\n")
        }
    };
    Ok(Person { id: user.id, header })
}

/// The key that the server will sign its sessions' cookies with.
fn session_key(conn: &mut AnyConn) -> Result<Key, StorageError> {
    let secret = transaction(conn, |conn| settings::get_or_make(conn, "session_key", secrets::draw))?;
    Ok(Key::from(&cookie_key(&secret)))
}

/// The cookie of a session, signed as at sign-in.
fn signed(secret: String, key: &Key) -> String {
    let mut jar = CookieJar::new();
    jar.signed_mut(key).add(Cookie::new("sessionid", secret));
    jar.get("sessionid").map(|cookie| cookie.stripped().encoded().to_string()).unwrap_or_default()
}

fn chat(conn: &mut AnyConn, title: &str, users: &[UserId]) -> Result<ChatId, StorageError> {
    let title = valid(Title::parse(title))?;
    let new = NewChat { kind: ChatKind::Group, title, creator: users[0], members: users.to_vec() };
    Ok(match create_chat(conn, &rules(), &new)? {
        Made::New { snapshot, .. } => snapshot.chat.id,
        Made::Existing(chat) => chat,
    })
}

fn post(
    conn: &mut AnyConn,
    chat: ChatId,
    sender: &Arc<UserCard>,
    text: &str,
) -> Result<MessageId, StorageError> {
    let body = valid(MessageBody::parse(text))?;
    let action = Action::PostMessage { sender: sender.clone(), body, client_id: None };
    let done = apply(conn, &rules(), &Command { chat, by: sender.id, action })?;
    match done.event.map(|event| event.change.clone()) {
        Some(Change::MessagePosted { message }) => Ok(message.id),
        _ => Err(Refusal::Internal.into()),
    }
}

fn react(conn: &mut AnyConn, chat: ChatId, by: UserId, message: MessageId) -> Result<(), StorageError> {
    let emoji = valid(Emoji::parse(REACTION))?;
    let action = Action::React { message, emoji, intent: ReactIntent::Add };
    apply(conn, &rules(), &Command { chat, by, action }).map(drop)
}

fn delete(conn: &mut AnyConn, chat: ChatId, by: UserId, message: MessageId) -> Result<(), StorageError> {
    apply(conn, &rules(), &Command { chat, by, action: Action::DeleteMessage { message } }).map(drop)
}

fn mark(conn: &mut AnyConn, chat: ChatId, by: UserId) -> Result<(), StorageError> {
    let action = Action::MarkAsRead { up_to: None };
    apply(conn, &rules(), &Command { chat, by, action }).map(drop)
}

fn shut_out(conn: &mut AnyConn, person: &Person) -> Result<(), StorageError> {
    let Some(mut user) = users::hold(conn, UserId(person.id))? else { return Ok(()) };
    user.is_active = false;
    users::update(conn, &user)?;
    sessions::end_all(conn, user.id(), None)?;
    tokens::revoke_all(conn, user.id())
}

fn valid<T>(result: Result<T, String>) -> Result<T, StorageError> {
    result.map_err(|sentence| FieldErrors::whole(sentence).into())
}

#[allow(clippy::needless_pass_by_value)]
fn said(error: StorageError) -> String {
    error.to_string()
}
