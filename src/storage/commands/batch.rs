//! Commands that are carried out together: their chats are locked and loaded at once, what is posted is stored at once, and
//! everything else is done one by one. What happens in a chat happens in the order of asking.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    time::{Duration, Instant},
};

use super::{
    carry_out,
    messages::Post,
    outcome::{Outcome, unless_failed},
    post::post_together,
};
use crate::{
    core::model::{Chat, ChatId, Command, Refusal, command::Action},
    storage::{
        AnyConn, Rules, StorageError,
        tables::{
            chats,
            locks::{self, Contested},
        },
    },
};

/// How long commands took that were carried out together.
#[derive(Debug, Default)]
pub struct Times {
    /// Finding and locking their chats.
    pub locking: Duration,
    /// Each of them, `None` for one that was not begun. Messages that were stored at once share the time that it took.
    pub each: Vec<Option<Duration>>,
}

/// Carries out commands. Where it fails as a whole the transaction has to go.
pub fn apply_together(
    conn: &mut AnyConn,
    rules: &Rules,
    commands: &[&Command],
    contested: Contested,
    times: &mut Times,
) -> Result<Vec<Outcome>, StorageError> {
    times.each = vec![None; commands.len()];
    let ids: BTreeSet<ChatId> = commands.iter().map(|command| command.chat).collect();
    let begun = Instant::now();
    let chats = locks::chats(conn, &ids, contested);
    times.locking = begun.elapsed();
    let (chats, outcomes) = (chats?, commands.iter().map(|_| None).collect());
    let mut batch = Batch { commands, outcomes, chats, times };
    let mut waiting = batch.turn_away(conn, &ids, contested)?;
    while !waiting.is_empty() {
        waiting = batch.go_on(conn, rules, waiting)?;
    }
    Ok(batch.outcomes.into_iter().map(|outcome| outcome.unwrap_or(Err(Refusal::Internal.into()))).collect())
}

struct Batch<'a> {
    commands: &'a [&'a Command],
    /// As they are now; one that was changed behind their back is loaded again.
    chats: HashMap<ChatId, Chat>,
    outcomes: Vec<Option<Outcome>>,
    times: &'a mut Times,
}

impl Batch<'_> {
    /// Answers those who named a chat that could not be locked, and returns the others. What somebody is just making is
    /// not there yet, even if it is by now: nothing is decided about what is not locked.
    fn turn_away(
        &mut self,
        conn: &mut AnyConn,
        ids: &BTreeSet<ChatId>,
        contested: Contested,
    ) -> Result<Vec<usize>, StorageError> {
        let missing: Vec<ChatId> = ids.iter().copied().filter(|id| !self.chats.contains_key(id)).collect();
        let held = match contested {
            Contested::LeftOut if !missing.is_empty() => chats::existing(conn, &missing)?,
            _ => Vec::new(),
        };
        let mut rest = Vec::with_capacity(self.commands.len());
        for (index, command) in self.commands.iter().enumerate() {
            if self.chats.contains_key(&command.chat) {
                rest.push(index);
            } else if held.contains(&command.chat) {
                self.outcomes[index] =
                    Some(Err(StorageError::Locked("a chat is locked elsewhere".to_owned())));
            } else {
                self.outcomes[index] = Some(Err(Refusal::NotFound.into()));
            }
        }
        Ok(rest)
    }

    /// Carries out as much as can be without one command overtaking another in its chat, and returns what is left.
    fn go_on(
        &mut self,
        conn: &mut AnyConn,
        rules: &Rules,
        waiting: Vec<usize>,
    ) -> Result<Vec<usize>, StorageError> {
        let round = Round::of(self.commands, waiting);
        let posts: Vec<Post> = round.posts.iter().map(|(_, post)| *post).collect();
        let begun = Instant::now();
        self.load(conn, &posts)?;
        let outcomes = post_together(conn, rules, &mut self.chats, &posts);
        let time = begun.elapsed() / posts.len().max(1) as u32;
        round.posts.iter().for_each(|(index, _)| self.times.each[*index] = Some(time));
        for ((index, _), outcome) in round.posts.iter().zip(outcomes?) {
            self.outcomes[*index] = Some(outcome);
        }
        for index in round.others {
            let command = self.commands[index];
            self.chats.remove(&command.chat);
            let begun = Instant::now();
            let outcome = carry_out(conn, rules, command);
            self.times.each[index] = Some(begun.elapsed());
            self.outcomes[index] = Some(unless_failed(outcome)?);
        }
        Ok(round.rest)
    }

    fn load(&mut self, conn: &mut AnyConn, posts: &[Post]) -> Result<(), StorageError> {
        let unknown: BTreeSet<ChatId> =
            posts.iter().map(|post| post.chat).filter(|chat| !self.chats.contains_key(chat)).collect();
        if !unknown.is_empty() {
            self.chats.extend(locks::chats(conn, &unknown, Contested::WaitedFor)?);
        }
        Ok(())
    }
}

/// Commands that can be carried out now: what is posted, and after it at most one other command in each chat.
#[derive(Default)]
struct Round<'a> {
    posts: Vec<(usize, Post<'a>)>,
    others: Vec<usize>,
    rest: Vec<usize>,
}

impl<'a> Round<'a> {
    fn of(commands: &[&'a Command], waiting: Vec<usize>) -> Self {
        let mut round = Self::default();
        // Chats in which something has to be done first, and those who have used a client id.
        let (mut closed, mut posters) = (HashSet::new(), HashSet::new());
        for index in waiting {
            let command = commands[index];
            let post = Post::of(command);
            // Under the same client id the second message is compared with the first, which must be there by then.
            let mut is_new = |post: &Post<'a>| post.client_id.is_none() || posters.insert(post.poster());
            if closed.contains(&command.chat) {
                round.rest.push(index);
            } else if let Some(post) = post {
                if is_new(&post) {
                    round.posts.push((index, post));
                } else {
                    closed.insert(command.chat);
                    round.rest.push(index);
                }
            } else {
                closed.insert(command.chat);
                round.others.push(index);
            }
        }
        round
    }
}

/// Whether a command can be carried out with others. One that lets people in or out changes what is kept of them as well;
/// alone it locks them after its chat, as everybody does.
pub fn can_share(command: &Command) -> bool {
    match command.action {
        Action::PostMessage { .. }
        | Action::EditMessage { .. }
        | Action::DeleteMessage { .. }
        | Action::React { .. }
        | Action::MarkAsRead { .. }
        | Action::ChangeMe(_)
        | Action::Rename { .. }
        | Action::Open { .. }
        | Action::ChangeRole { .. } => true,
        Action::AddMembers { .. }
        | Action::RemoveMember { .. }
        | Action::Join
        | Action::Leave
        | Action::DeleteChat => false,
    }
}
