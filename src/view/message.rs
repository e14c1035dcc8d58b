//! JSON of messages.

use std::{borrow::Cow, iter, sync::LazyLock};

use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::schema::{Array, ArrayBuilder},
};

use super::{AttachmentView, Links, Part, PreviewView, UserView, render_raw};
use crate::core::model::{
    ChatId, Forwarded, Message, MessageId, Quote, Reaction, Seq, ThreadInfo, Timestamp, UserCard, UserId,
    mentions::Mentions,
};

/// A message, over REST and in events.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Message)]
pub struct MessageView<'a> {
    id: MessageId,
    chat: ChatId,
    /// Up to 5,000 characters, never escaped: show it as text. Empty in a tombstone, and where a text is forwarded
    /// without a comment.
    content: &'a str,
    created_at: Timestamp,
    updated_at: Timestamp,
    is_edited: bool,
    /// Whether it is a tombstone.
    is_deleted: bool,
    #[schema(value_type = UserView)]
    sender: Part<'a, UserView<'a>>,
    /// In the order in which each emoji was first used.
    #[schema(value_type = Vec<Reaction>)]
    reactions: &'a RawValue,
    /// Ids of the first 100 readers, the sender first; in large chats only the sender.
    read_by: &'a [UserId],
    /// Number of readers.
    read_count: i64,
    /// The sender's idempotency key for the message.
    #[schema(required)]
    client_id: Option<&'a str>,
    /// Data of the host. Names that begin with `_` are for staff only, over REST.
    #[schema(value_type = HashMap<String, serde_json::Value>)]
    custom: Cow<'a, RawValue>,
    /// The message of the chat that it replies to, as that one is now.
    #[schema(required)]
    reply_to: Option<QuoteView<'a>>,
    /// The text of another message that it forwards. `content` may then be empty.
    #[schema(required)]
    forwarded_from: Option<ForwardedView<'a>>,
    /// The mentions.
    #[schema(value_type = Mentions)]
    mentions: &'a RawValue,
    /// The files that it shows; empty in a tombstone.
    attachments: Vec<AttachmentView<'a>>,
    /// Previews of the pages that its text links to. They come after it is sent, as an event `message_updated`.
    previews: Vec<PreviewView<'a>>,
    /// Only in the answer to a request: ids of mentioned users who are not active members. They are not stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    mentions_ignored: Option<&'a [UserId]>,
    /// The root of the thread that it replies in. A root is in no thread itself.
    #[schema(required)]
    thread: Option<MessageId>,
    /// Whether the timeline of the chat shows the reply too.
    also_in_chat: bool,
    /// On roots the state of the thread; null if no reply is left.
    #[schema(required, value_type = Option<ThreadInfo>)]
    thread_info: Option<&'a RawValue>,
    /// The number of its latest change: of two copies, keep the one with the higher number.
    seq: Seq,
}

/// What a message shows of the message that it replies to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Quote)]
struct QuoteView<'a> {
    id: MessageId,
    #[schema(value_type = UserView)]
    sender: Part<'a, UserView<'a>>,
    /// The first 200 characters of the content, never escaped. Empty if the message is deleted.
    excerpt: &'a str,
    is_deleted: bool,
}

/// The text that a message forwards, as it was then.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Forwarded)]
struct ForwardedView<'a> {
    #[schema(value_type = UserView)]
    sender: Part<'a, UserView<'a>>,
    /// Never escaped.
    content: &'a str,
}

impl<'a> MessageView<'a> {
    pub fn new(message: &'a Message, links: &Links) -> Self {
        Self::by(message, links, |user| Part::New(UserView::new(user, links)))
    }

    /// Creates the view of a message with its sender already rendered.
    pub fn said(message: &'a Message, senders: &'a Senders) -> Self {
        Self::by(message, &senders.links, |user| senders.get(user))
    }

    /// Adds the private part of the custom data, for staff.
    pub fn seen_by(mut self, is_staff: bool, message: &'a Message) -> Self {
        if is_staff {
            self.custom = message.custom.shown(true);
        }
        self
    }

    fn by(
        message: &'a Message,
        links: &Links,
        card: impl Fn(&'a UserCard) -> Part<'a, UserView<'a>>,
    ) -> Self {
        let quoted = |quote: &'a Quote| QuoteView {
            id: quote.id,
            sender: card(&quote.sender),
            excerpt: &quote.excerpt,
            is_deleted: quote.is_deleted,
        };
        let forwarded = |forwarded: &'a Forwarded| ForwardedView {
            sender: card(&forwarded.sender),
            content: &forwarded.content,
        };
        Self {
            id: message.id,
            chat: message.chat,
            content: &message.content,
            created_at: message.created_at,
            updated_at: message.updated_at,
            is_edited: message.is_edited,
            is_deleted: message.is_deleted,
            sender: card(&message.sender),
            reactions: serde_json::from_str(&message.reactions).unwrap_or(RawValue::NULL),
            read_by: &message.read_by,
            read_count: message.read_count,
            client_id: message.client_id.as_deref(),
            custom: message.custom.shown(false),
            reply_to: message.reply_to.as_deref().map(quoted),
            forwarded_from: message.forwarded_from.as_deref().map(forwarded),
            mentions: raw(message.mentions.as_deref()).unwrap_or(&NO_MENTIONS),
            attachments: message.attachments.iter().map(|shown| AttachmentView::new(shown, links)).collect(),
            previews: message.previews.shown.iter().map(|shown| PreviewView::new(shown, links)).collect(),
            mentions_ignored: None,
            thread: message.thread,
            also_in_chat: message.is_also_in_chat(),
            thread_info: raw(message.thread_info.as_deref()),
            seq: message.seq,
        }
    }
}

/// The mentions of a message without any.
static NO_MENTIONS: LazyLock<Box<RawValue>> = LazyLock::new(|| render_raw(&Mentions::default()));

/// Returns JSON that was stored rendered.
pub(super) fn raw(json: Option<&str>) -> Option<&RawValue> {
    json.and_then(|json| serde_json::from_str(json).ok())
}

/// Rendered senders of a page of messages and of what they quote, each rendered once.
pub struct Senders {
    rendered: Vec<(UserId, Box<RawValue>)>,
    links: Links,
}

impl Senders {
    pub fn of<'a>(messages: impl IntoIterator<Item = &'a Message>, links: &Links) -> Self {
        let mut senders: Vec<(UserId, Box<RawValue>)> = Vec::new();
        let quoted = |message: &'a Message| {
            let quoted = message.reply_to.as_deref().map(|quote| &quote.sender);
            quoted.into_iter().chain(message.forwarded_from.as_deref().map(|forwarded| &forwarded.sender))
        };
        for sender in
            messages.into_iter().flat_map(|message| iter::once(&message.sender).chain(quoted(message)))
        {
            if senders.iter().all(|(id, _)| *id != sender.id) {
                senders.push((sender.id, render_raw(&UserView::new(sender, links))));
            }
        }
        Self { rendered: senders, links: links.clone() }
    }

    fn get(&self, user: &UserCard) -> Part<'_, UserView<'_>> {
        let found = self.rendered.iter().find(|(id, _)| *id == user.id);
        Part::Json(found.map_or(RawValue::NULL, |(_, json)| json))
    }
}

/// A message found by a search.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FoundMessage)]
pub struct FoundMessageView<'a> {
    #[serde(flatten)]
    pub message: MessageView<'a>,
    #[schema(schema_with = highlights)]
    pub highlights: Vec<(usize, usize)>,
}

fn highlights() -> Array {
    let pair = ArrayBuilder::new().items(i32::schema()).min_items(Some(2)).max_items(Some(2));
    let about = "Ranges of the matches in the content, in characters; the end is exclusive.";
    ArrayBuilder::new().items(pair).description(Some(about)).build()
}
