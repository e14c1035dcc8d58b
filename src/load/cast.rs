//! Who and what a run needs: users, who is in which chat, and what was said before.

use crate::core::secrets;

/// What is to be made.
#[derive(Debug, Clone, Default)]
pub(super) struct Plan {
    pub(super) users: usize,
    /// The members of each chat, as places in the list of users. The first makes it.
    pub(super) chats: Vec<Vec<u32>>,
    /// Messages that are in each chat before the run.
    pub(super) history: usize,
    /// These have reactions, and members have read some of them.
    pub(super) is_lively: bool,
    /// The first member of each chat has written all of them.
    pub(super) is_one_sided: bool,
    /// So many of a hundred of them are deleted.
    pub(super) deleted: usize,
    /// Characters of a message.
    pub(super) size: usize,
    /// Users sign in with sessions, as browsers do, instead of tokens.
    pub(super) with_sessions: bool,
}

impl Plan {
    /// The place, among so many members, of who has written a message of the history.
    pub(super) fn writer(&self, number: usize, members: usize) -> usize {
        if self.is_one_sided { 0 } else { number % members }
    }

    /// Whether a message of the history is deleted.
    pub(super) fn deletes(&self, number: usize) -> bool {
        number % 100 < self.deleted
    }

    /// Chats of so many users, of whom each is in about as many as any other.
    pub(super) fn chats_among(users: u32, chats: u32, members: u32) -> Vec<Vec<u32>> {
        let chat = |chat: u64| {
            let first = chat * u64::from(members);
            (0..u64::from(members)).map(|place| ((first + place) % u64::from(users)) as u32).collect()
        };
        (0..u64::from(chats)).map(chat).collect()
    }

    /// How much there is to make.
    pub(super) fn steps(&self) -> u64 {
        (self.users + self.chats.len() * (1 + self.history)) as u64
    }
}

/// A user of the run.
#[derive(Debug, Clone)]
pub(super) struct Person {
    pub(super) id: i64,
    /// The header line that says who asks.
    pub(super) header: String,
}

/// A chat of the run.
#[derive(Debug, Clone)]
pub(super) struct Chat {
    pub(super) id: i64,
    /// Places in the list of people.
    pub(super) members: Vec<u32>,
}

/// What was made.
#[derive(Debug, Clone, Default)]
pub(super) struct Cast {
    pub(super) people: Vec<Person>,
    pub(super) chats: Vec<Chat>,
}

/// Names that no other run has used.
#[derive(Debug, Clone)]
pub(super) struct Names {
    run: String,
}

impl Names {
    pub(super) fn draw() -> Self {
        Self { run: secrets::hex(&secrets::random::<5>()) }
    }

    /// A user's, by place.
    pub(super) fn user(&self, place: usize) -> String {
        format!("load-{}-{place}", self.run)
    }

    /// A chat's.
    pub(super) fn chat(&self, place: usize) -> String {
        format!("Load {} {place}", self.run)
    }
}

/// With what people react.
pub(super) const REACTION: &str = "👍";

/// What a message says: its number, and then enough to be as long as wanted.
pub(crate) fn content(number: u32, size: usize) -> String {
    const WORDS: &str = "the quick brown fox jumps over the lazy dog and then has a rest in the shade ";
    let mut content = format!("{number} ");
    while content.len() < size {
        let left = size - content.len();
        content.push_str(&WORDS[..left.min(WORDS.len())]);
    }
    content.truncate(size.max(content.trim_end().len()));
    // What ends in a space would be trimmed, and be no longer as long.
    if content.ends_with(' ') {
        content.pop();
        if content.len() + 1 == size {
            content.push('.');
        }
    }
    content
}

/// What was said before the run, which no number begins.
pub(super) fn old_content(number: usize, size: usize) -> String {
    let content = content(number as u32, size);
    format!("#{}", &content[..content.len().saturating_sub(1).max(1)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{core::model::text::MessageBody, load::event::number};

    #[test]
    fn messages_are_as_long_as_wanted_and_begin_with_their_number() {
        for size in 1..200 {
            let text = content(123, size);
            assert_eq!(text.len(), size.max(3), "{text:?}");
            assert_eq!(number(&text), Some(123));
            assert_eq!(MessageBody::parse(&text).unwrap().as_str(), text);
            assert_eq!(number(&old_content(123, size)), None);
        }
    }
}
