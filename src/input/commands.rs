//! Fields of commands, shared by REST and WebSockets.

use serde::Deserialize;
use utoipa::ToSchema;

use super::{CustomField, Field, MentionsField};
use crate::core::model::{
    AttachmentId, FieldErrors, MessageId, NewDraft, NewMessage, NotifyLevel, Timestamp,
    command::{MeChange, MessageEdit, Mute, UnreadMark},
    emoji::Emoji,
    ids::MAX_ID,
    mentions::{Mentions, NewMentions},
    text::{ClientId, DraftText, MessageBody},
};

/// Fields of a new message.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewMessage)]
pub struct PostFields {
    /// Text. Leading and trailing white space is removed. Control characters other than newline, carriage
    /// return and tab are rejected. Required, except with `forward` or `attachments`.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 5000)]
    pub content: Field,
    /// Idempotency key chosen by the sender, such as a UUID. With it the request can be retried safely.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 64)]
    pub client_id: Field,
    /// The message of the same chat that is quoted. It must not be deleted.
    #[serde(default)]
    #[schema(value_type = Option<MessageId>)]
    pub reply_to: Field,
    /// The mentions: `users` by name, with the place in the text where there is one, `everyone`, or the members
    /// that are connected now (`here`). For `everyone` and `here` an admin is needed in chats of more than 25 members.
    #[serde(default)]
    #[schema(value_type = Option<Mentions>)]
    pub mentions: MentionsField,
    /// The root of the thread that the message replies in. It may be deleted, and is no reply itself.
    #[serde(default)]
    #[schema(value_type = Option<MessageId>)]
    pub thread: Field,
    /// Whether the timeline of the chat shows the reply too.
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    pub also_in_chat: Field,
    /// A message that the sender may read, in any chat: its text is copied.
    #[serde(default)]
    #[schema(value_type = Option<MessageId>)]
    pub forward: Field,
    /// Ids of the sender's complete uploads for this chat, each once. The content may then be empty.
    #[serde(default)]
    #[schema(value_type = Option<Vec<AttachmentId>>, max_items = 30)]
    pub attachments: Field,
    /// Data of the host.
    #[serde(default)]
    #[schema(value_type = Option<HashMap<String, serde_json::Value>>)]
    pub custom: CustomField,
}

impl PostFields {
    pub fn check(self) -> Result<NewMessage, FieldErrors> {
        let mut errors = FieldErrors::default();
        let forward = errors.note("forward", message_id(&self.forward));
        let attachments = errors.note("attachments", self.attachments.attachment_ids());
        // A list that is refused says enough.
        let has_files = attachments.as_ref().is_none_or(|list| !list.is_empty());
        let has_more = has_files || matches!(forward, Some(Some(_)));
        let content = match self.content.optional_text() {
            Ok(text) if has_more && text.as_deref().is_none_or(|text| text.trim().is_empty()) => {
                Ok(MessageBody::empty())
            }
            _ => self.content.text().and_then(|text| MessageBody::parse(&text)),
        };
        let content = errors.note("content", content);
        let client_id = self.client_id.optional_text();
        let client_id = client_id.and_then(|text| text.map(|text| ClientId::parse(&text)).transpose());
        let client_id = errors.note("client_id", client_id);
        let reply_to = errors.note("reply_to", message_id(&self.reply_to));
        let custom = errors.note("custom", self.custom.new_data());
        let thread = errors.note("thread", message_id(&self.thread));
        let also_in_chat = match &self.also_in_chat {
            Field::Missing | Field::Null => Ok(false),
            given => given.boolean(),
        };
        let also_in_chat = also_in_chat.and_then(|also| match thread {
            Some(None) if also => Err("Only a reply in a thread can be shown in the chat too.".to_owned()),
            _ => Ok(also),
        });
        let also_in_chat = errors.note("also_in_chat", also_in_chat);
        let mentions = self.mentions.check().and_then(|mentions| match (mentions, &content) {
            (Some(mentions), Some(body)) => mentions.check(body.as_str()).map(|()| Some(mentions)),
            (mentions, _) => Ok(mentions),
        });
        let mentions = errors.note("mentions", mentions);
        match (content, client_id, (reply_to, forward, attachments), (thread, also_in_chat), mentions, custom)
        {
            (
                Some(body),
                Some(client_id),
                (Some(reply_to), Some(forward), Some(attachments)),
                (Some(thread), Some(also_in_chat)),
                Some(mentions),
                Some(custom),
            ) => {
                let mentions = mentions.filter(|mentions| !mentions.is_empty()).map(new_mentions);
                Ok(NewMessage {
                    body,
                    client_id,
                    reply_to,
                    mentions,
                    thread,
                    also_in_chat,
                    forward,
                    attachments,
                    custom,
                })
            }
            _ => Err(errors),
        }
    }
}

/// Fields of a draft.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewDraft)]
pub struct DraftFields {
    /// The text, kept as it is. It may be empty. Control characters other than newline, carriage return and tab
    /// are rejected.
    #[serde(default)]
    #[schema(value_type = String, max_length = 5000, required)]
    pub content: Field,
    /// The message of the same chat that it replies to. It must not be deleted.
    #[serde(default)]
    #[schema(value_type = Option<MessageId>)]
    pub reply_to: Field,
    /// The message whose thread the draft belongs to, if the query has none.
    #[serde(default)]
    #[schema(value_type = Option<MessageId>)]
    pub thread: Field,
    /// The mentions, as of a message.
    #[serde(default)]
    #[schema(value_type = Option<Mentions>)]
    pub mentions: MentionsField,
}

impl DraftFields {
    /// Returns the thread and the draft.
    pub fn check(self) -> Result<(Option<MessageId>, NewDraft), FieldErrors> {
        let mut errors = FieldErrors::default();
        let thread = errors.note("thread", message_id(&self.thread));
        let content = self.content.text().and_then(|text| DraftText::parse(&text));
        let content = errors.note("content", content);
        let mentions = errors.note("mentions", self.mentions.check()).map(Option::unwrap_or_default);
        match (thread, content, errors.note("reply_to", message_id(&self.reply_to)), mentions) {
            (Some(thread), Some(content), Some(reply_to), Some(mut mentions)) => {
                mentions.fit(content.as_str().chars().count() as i64);
                Ok((thread, NewDraft { content, reply_to, mentions }))
            }
            _ => Err(errors),
        }
    }
}

/// Fields of an edit of a message.
#[derive(Deserialize, ToSchema)]
pub struct EditFields {
    /// The new text.
    #[serde(default)]
    #[schema(value_type = String, min_length = 1, max_length = 5000)]
    pub content: Field,
    /// The new mentions. Without them the mentions stay; places that no longer fit are dropped.
    #[serde(default)]
    #[schema(value_type = Option<Mentions>)]
    pub mentions: MentionsField,
    /// Data of the host, merged into the message's: `null` removes a name, and instead of the object all names.
    #[serde(default)]
    #[schema(value_type = Option<HashMap<String, serde_json::Value>>)]
    pub custom: CustomField,
}

impl EditFields {
    /// Validates the change. With `is_whole` the text is required.
    pub fn check(self, is_whole: bool) -> Result<MessageEdit, FieldErrors> {
        let mut errors = FieldErrors::default();
        let body = match &self.content {
            Field::Missing if !is_whole => Ok(None),
            // A comment on a forwarded text or on attachments may be removed.
            Field::Text(text) if text.trim().is_empty() => Ok(Some(MessageBody::empty())),
            content => content.text().and_then(|text| MessageBody::parse(&text)).map(Some),
        };
        let (body, mentions) = (errors.note("content", body), errors.note("mentions", self.mentions.check()));
        match (body, mentions, errors.note("custom", self.custom.change())) {
            (Some(body), Some(mentions), Some(custom)) => {
                Ok(MessageEdit { body, mentions: mentions.map(new_mentions), custom })
            }
            _ => Err(errors),
        }
    }
}

/// Returns mentions whose connected members are not known yet.
fn new_mentions(mentions: Mentions) -> Box<NewMentions> {
    Box::new(NewMentions { mentions, connected: Vec::new() })
}

/// Fields of a reaction.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewReaction)]
pub struct ReactFields {
    /// Exactly one emoji recommended for general interchange (RGI) by Unicode.
    #[serde(default)]
    #[schema(value_type = String, required)]
    pub emoji: Field,
}

impl ReactFields {
    pub fn check(self) -> Result<Emoji, FieldErrors> {
        let emoji = self.emoji.text().and_then(|text| Emoji::parse(&text));
        emoji.map_err(|sentence| FieldErrors::of("emoji", sentence))
    }
}

/// Fields of a read marker.
#[derive(Deserialize, ToSchema)]
#[schema(as = ReadMark)]
pub struct MarkFields {
    /// The last message that is read. Missing or null: all messages are.
    #[serde(default)]
    #[schema(value_type = Option<MessageId>)]
    pub message_id: Field,
}

impl MarkFields {
    pub fn check(self) -> Result<Option<MessageId>, FieldErrors> {
        message_id(&self.message_id).map_err(|sentence| FieldErrors::of("message_id", sentence))
    }
}

/// Fields of a change of the caller's preferences in a chat.
#[derive(Deserialize, ToSchema)]
#[schema(as = ChatPreferencesUpdate)]
pub struct MeFields {
    /// Clients show no notifications for the chat before this time. Any UTC offset is accepted.
    #[serde(default)]
    #[schema(value_type = Option<Timestamp>)]
    pub muted_until: Field,
    #[serde(default)]
    #[schema(value_type = bool)]
    pub is_pinned: Field,
    /// The first unread message: this one and later ones by other users count as unread.
    #[serde(default)]
    #[schema(value_type = Option<MessageId>)]
    pub unread_from: Field,
    /// The messages of which clients notify the caller.
    #[serde(default)]
    #[schema(value_type = NotifyLevel)]
    pub notify: Field,
}

impl MeFields {
    pub fn check(self) -> Result<MeChange, FieldErrors> {
        let mut errors = FieldErrors::default();
        let mute =
            given(&self.muted_until, |field| Ok(field.optional_time()?.map_or(Mute::Off, Mute::Until)));
        let is_pinned = given(&self.is_pinned, Field::boolean);
        let unread_mark = given(&self.unread_from, |field| {
            Ok(message_id(field)?.map_or(UnreadMark::Cleared, UnreadMark::From))
        });
        let notify = given(&self.notify, |field| field.choice(NotifyLevel::parse));
        let (mute, is_pinned, unread_mark, notify) = (
            errors.note("muted_until", mute),
            errors.note("is_pinned", is_pinned),
            errors.note("unread_from", unread_mark),
            errors.note("notify", notify),
        );
        match (mute, is_pinned, unread_mark, notify) {
            (Some(mute), Some(is_pinned), Some(unread_mark), Some(notify)) => {
                Ok(MeChange { mute, is_pinned, unread_mark, notify })
            }
            _ => Err(errors),
        }
    }
}

/// Validates a field if it was given; `None` if it is missing.
fn given<T>(field: &Field, judge: impl Fn(&Field) -> Result<T, String>) -> Result<Option<T>, String> {
    if field.is_given() { judge(field).map(Some) } else { Ok(None) }
}

/// Validates an optional message id.
fn message_id(field: &Field) -> Result<Option<MessageId>, String> {
    match field.optional_integer()? {
        Some(id) if !(1..=MAX_ID).contains(&id) => {
            Err(format!("Invalid pk \"{id}\" - object does not exist."))
        }
        id => Ok(id.map(MessageId)),
    }
}

/// Fields of a typing signal.
#[derive(Deserialize, ToSchema)]
#[schema(as = TypingState)]
pub struct TypingFields {
    #[serde(default)]
    #[schema(value_type = bool, required)]
    pub is_typing: Field,
    /// The root of the thread in which the caller types. Missing or null: the timeline.
    #[serde(default)]
    #[schema(value_type = Option<MessageId>)]
    pub thread: Field,
}

impl TypingFields {
    pub fn check(self) -> Result<(bool, Option<MessageId>), FieldErrors> {
        let mut errors = FieldErrors::default();
        let is_typing = errors.note("is_typing", self.is_typing.boolean());
        match (is_typing, errors.note("thread", message_id(&self.thread))) {
            (Some(is_typing), Some(thread)) => Ok((is_typing, thread)),
            _ => Err(errors),
        }
    }
}
