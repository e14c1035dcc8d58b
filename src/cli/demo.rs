//! `greenroom demo`: fills an empty database with sample users and chats.

use std::sync::Arc;

use clap::Args;

use super::{database::with_database, error::CliError};
use crate::{
    auth::passwords,
    config::{Database, FileSettings},
    core::model::{
        ChatId, ChatKind, Command, Custom, FieldErrors, HostObject, MessageId, NewMessage, Refusal, UserId,
        command::{Action, NewChat, NewRoom, ReactIntent},
        emoji::Emoji,
        event::Change,
        text::{MessageBody, Title, Username},
    },
    storage::{
        AnyConn, StorageError, StoragePolicy,
        commands::{Made, apply, create_chat, create_room},
        tables::users::{self, NewUser, User},
    },
};

#[derive(Debug, Args)]
pub(super) struct Demo {
    /// If there are users already, do nothing instead of failing
    #[arg(long)]
    if_empty: bool,
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    files: FileSettings,
}

const PASSWORD: &str = "greenroom";
const PEOPLE: [(&str, &str, &str); 3] =
    [("alice", "Alice", "Adams"), ("bob", "Bob", "Brown"), ("carol", "Carol", "Clark")];

impl Demo {
    pub(super) fn run(self) -> Result<(), CliError> {
        let mut is_empty = false;
        with_database(&self.database, |conn| {
            is_empty = !users::any(conn)?;
            if !is_empty {
                return Ok(String::new());
            }
            fill(conn)?;
            Ok(format!("created users alice, bob and carol with password {PASSWORD}"))
        })?;
        if !is_empty && !self.if_empty {
            let name = self.database.database_url.name();
            return Err(CliError::Refused(format!(
                "{name} has users already; the demo needs an empty database"
            )));
        }
        Ok(())
    }
}

fn fill(conn: &mut AnyConn) -> Result<(), StorageError> {
    // The demo's messages have no client ids, so no content key is needed.
    let policy = StoragePolicy::for_tools();
    let hash = passwords::hash(PASSWORD);
    let mut people = Vec::new();
    for (name, first, last) in PEOPLE {
        let new = NewUser {
            username: valid(Username::parse(name))?,
            password: hash.clone(),
            email: format!("{name}@example.com"),
            first_name: first.to_owned(),
            last_name: last.to_owned(),
            avatar_url: String::new(),
            is_staff: name == "alice",
            is_registered: false,
        };
        people.push(users::create(conn, &new)?);
    }
    let mut stage = DemoWriter { conn, policy };
    let [alice, bob, carol] = [&people[0], &people[1], &people[2]];

    let dm = stage.chat(ChatKind::Dm, None, alice, &[bob])?;
    stage.says(dm, alice, "Hi Bob, have you seen the new chat server?")?;
    let answer = stage.says(dm, bob, "I am writing to you over it.")?;
    stage.reacts(dm, alice, answer, "👍")?;

    let team = stage.chat(ChatKind::Group, Some("Project Team"), alice, &[bob, carol])?;
    stage.says(team, alice, "Welcome, everybody.")?;
    let question = stage.says(team, carol, "Thanks! Where do we keep the notes?")?;
    let notes = stage.replies(team, bob, "In the wiki, under Plans.", Some(question))?;
    stage.reacts(team, carol, notes, "🎉")?;
    stage.reacts(team, alice, notes, "🎉")?;

    let private = stage.chat(ChatKind::Dm, None, alice, &[])?;
    stage.says(private, alice, "A note to myself: buy milk.")?;

    let page = HostObject { kind: "page".to_owned(), id: "pricing".to_owned() };
    let room = stage.room("Pricing page", page, &[bob, carol])?;
    stage.says(room, carol, "Does the price include support?")?;
    stage.says(room, bob, "Yes, on working days.").map(drop)
}

/// The database being filled, with the same commands that clients send.
struct DemoWriter<'a> {
    conn: &'a mut AnyConn,
    policy: StoragePolicy,
}

impl DemoWriter<'_> {
    fn chat(
        &mut self,
        kind: ChatKind,
        title: Option<&str>,
        by: &User,
        with: &[&User],
    ) -> Result<ChatId, StorageError> {
        let title = valid(title.map_or(Ok(None), Title::parse))?;
        let members: Vec<UserId> = with.iter().map(|user| user.id()).collect();
        let new = NewChat { kind, title, creator: by.id(), members, custom: Custom::default() };
        Ok(match create_chat(self.conn, &self.policy, &new)? {
            Made::New { snapshot, .. } => snapshot.chat.id,
            Made::Existing(chat) => chat,
        })
    }

    /// Creates the public room of an object and joins users to it.
    fn room(&mut self, title: &str, object: HostObject, with: &[&User]) -> Result<ChatId, StorageError> {
        let title = valid(Title::parse(title))?.ok_or(Refusal::Internal)?;
        let (object, creator, custom) = (Some(object), with[0].id(), Custom::default());
        let new =
            NewRoom { title, is_public: true, object, creator, guest_access: Default::default(), custom };
        let room = match create_room(self.conn, &self.policy, &new)? {
            Made::New { snapshot, .. } => snapshot.chat.id,
            Made::Existing(room) => room,
        };
        for user in with {
            apply(self.conn, &self.policy, &Command { chat: room, by: user.id(), action: Action::Join })?;
        }
        Ok(room)
    }

    fn says(&mut self, chat: ChatId, by: &User, text: &str) -> Result<MessageId, StorageError> {
        self.replies(chat, by, text, None)
    }

    fn replies(
        &mut self,
        chat: ChatId,
        by: &User,
        text: &str,
        reply_to: Option<MessageId>,
    ) -> Result<MessageId, StorageError> {
        let new = NewMessage { reply_to, ..valid(MessageBody::parse(text))?.into() };
        let action = Action::PostMessage { sender: Arc::new(by.card()), new };
        let done = apply(self.conn, &self.policy, &Command { chat, by: by.id(), action })?;
        match done.event.map(|event| event.change.clone()) {
            Some(Change::MessagePosted { message, .. }) => Ok(message.id),
            _ => Err(Refusal::Internal.into()),
        }
    }

    fn reacts(
        &mut self,
        chat: ChatId,
        by: &User,
        message: MessageId,
        emoji: &str,
    ) -> Result<(), StorageError> {
        let emoji = valid(Emoji::parse(emoji))?;
        let action = Action::React { message, emoji, intent: ReactIntent::Add };
        apply(self.conn, &self.policy, &Command { chat, by: by.id(), action }).map(drop)
    }
}

fn valid<T>(result: Result<T, String>) -> Result<T, StorageError> {
    result.map_err(|sentence| FieldErrors::whole(sentence).into())
}
