//! Mentions: of users by name, of all members, or of those who are connected.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{MessageId, UserId};

/// Most different users that a message mentions by name.
pub const MAX_MENTIONED: usize = 100;

/// Error for a place that is not within the text.
pub const NO_PLACE: &str = "at must be two numbers within the text, the start before the end.";

/// The mentions of a message, as its sender said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Mentions {
    pub users: Vec<Mention>,
    /// Whether all members are mentioned.
    pub everyone: bool,
    /// Whether the members are mentioned that were connected when the message was stored.
    pub here: bool,
}

/// A mention of a user by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Mention {
    pub id: UserId,
    /// Where the text names the user, in code points; the end is exclusive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<i64>>, nullable = false, min_items = 2, max_items = 2)]
    pub at: Option<(i64, i64)>,
}

impl Mentions {
    /// Returns whether there are no mentions.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty() && !self.concerns_all()
    }

    /// Returns whether more than named users are mentioned.
    pub fn concerns_all(&self) -> bool {
        self.everyone || self.here
    }

    /// Returns the different users mentioned by name, sorted.
    pub fn named(&self) -> Vec<UserId> {
        let mut ids: Vec<UserId> = self.users.iter().map(|mention| mention.id).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// Checks that all places are within a text.
    pub fn check(&self, text: &str) -> Result<(), String> {
        let length = text.chars().count() as i64;
        let fits = self.users.iter().all(|mention| mention.at.is_none_or(|(_, end)| end <= length));
        if fits { Ok(()) } else { Err(NO_PLACE.to_owned()) }
    }

    /// Drops the places that do not fit into a text of this length, in code points.
    pub fn fit(&mut self, length: i64) {
        for mention in &mut self.users {
            mention.at = mention.at.filter(|(_, end)| *end <= length);
        }
    }

    /// Parses what is stored with a message.
    pub fn from_stored(json: Option<&str>) -> Self {
        json.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default()
    }

    /// Renders the mentions. `None` if there are none.
    pub fn stored(&self) -> Option<String> {
        (!self.is_empty()).then(|| serde_json::to_string(self).expect("mentions are always JSON"))
    }
}

/// Whom a changed message mentions from now on, or no longer, where they are too many to count their mentions in the
/// transaction. Each node counts those of its connected users before it publishes the event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MentionsChange {
    pub message: MessageId,
    /// Single users, by id: whether they are mentioned now; `None`: as before.
    pub users: Vec<(UserId, Option<bool>)>,
    /// Whether all other members are mentioned now; `None`: as before.
    pub others: Option<bool>,
}

impl MentionsChange {
    /// Returns whether a user is mentioned now; `None`: as before.
    pub fn of(&self, user: UserId) -> Option<bool> {
        let found = self.users.binary_search_by_key(&user, |(id, _)| *id);
        found.map_or(self.others, |index| self.users[index].1)
    }
}

/// The mentions of a new message or of an edit.
#[derive(Debug, Clone, Default)]
pub struct NewMentions {
    pub mentions: Mentions,
    /// The members that are connected, if the mentions are of them.
    pub connected: Vec<UserId>,
}
