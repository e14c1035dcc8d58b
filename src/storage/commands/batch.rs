//! Batched commands: several commands in one transaction.
//!
//! Their chats are locked and loaded in one query, and new messages are stored in one. All other commands run
//! one by one. The commands of a chat keep their order.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    time::{Duration, Instant},
};

use super::{
    messages::Post,
    outcome::{Outcome, unless_failed},
    post::post_together,
    run_command,
};
use crate::{
    core::model::{Chat, ChatId, Command, Refusal, Seq, command::Action},
    storage::{
        AnyConn, StorageError, StoragePolicy,
        tables::{
            chats,
            locks::{self, LockedRows},
        },
    },
};

/// Durations of the commands of a batch.
#[derive(Debug, Default)]
pub struct Times {
    /// Time to find and lock the chats.
    pub locking: Duration,
    /// Duration of each command; `None` if it was not started. Messages stored together share their time
    /// equally.
    pub each: Vec<Option<Duration>>,
}

/// A command of a batch.
#[derive(Debug, Clone, Copy)]
pub struct Batched<'a> {
    pub command: &'a Command,
    /// The chat's `members_seq` at which its actor has permitted the command. `None`: the transaction decides.
    pub decided_at: Option<Seq>,
}

/// Runs a batch of commands. An error is of the whole batch: the caller must roll back the transaction.
pub fn apply_together(
    conn: &mut AnyConn,
    policy: &StoragePolicy,
    commands: &[Batched],
    locked_rows: LockedRows,
    times: &mut Times,
) -> Result<Vec<Outcome>, StorageError> {
    times.each = vec![None; commands.len()];
    let ids: BTreeSet<ChatId> = commands.iter().map(|batched| batched.command.chat).collect();
    let begun = Instant::now();
    let chats = locks::chats(conn, &ids, locked_rows);
    times.locking = begun.elapsed();
    let (chats, outcomes) = (chats?, commands.iter().map(|_| None).collect());
    let mut batch = Batch { commands, outcomes, chats, times };
    let mut waiting = batch.answer_unlocked(conn, &ids, locked_rows)?;
    while !waiting.is_empty() {
        waiting = batch.run_round(conn, policy, waiting)?;
    }
    Ok(batch.outcomes.into_iter().map(|outcome| outcome.unwrap_or(Err(Refusal::Internal.into()))).collect())
}

struct Batch<'a> {
    commands: &'a [Batched<'a>],
    /// Current state of the locked chats. A command other than a post removes its chat, which is loaded again
    /// if needed.
    chats: HashMap<ChatId, Chat>,
    outcomes: Vec<Option<Outcome>>,
    times: &'a mut Times,
}

impl Batch<'_> {
    /// Answers the commands whose chat is not locked: `Locked` if another transaction holds it, else
    /// `NotFound`. Returns the indices of the other commands. A chat that was created after the locking
    /// counts as missing, since nothing is decided without the lock.
    fn answer_unlocked(
        &mut self,
        conn: &mut AnyConn,
        ids: &BTreeSet<ChatId>,
        locked_rows: LockedRows,
    ) -> Result<Vec<usize>, StorageError> {
        let missing: Vec<ChatId> = ids.iter().copied().filter(|id| !self.chats.contains_key(id)).collect();
        let held = match locked_rows {
            LockedRows::SkipLocked if !missing.is_empty() => chats::existing(conn, &missing)?,
            _ => Vec::new(),
        };
        let mut rest = Vec::with_capacity(self.commands.len());
        for (index, Batched { command, .. }) in self.commands.iter().enumerate() {
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

    /// Runs as many commands as possible without reordering those of a chat. Returns the indices of the rest.
    fn run_round(
        &mut self,
        conn: &mut AnyConn,
        policy: &StoragePolicy,
        waiting: Vec<usize>,
    ) -> Result<Vec<usize>, StorageError> {
        let round = Round::of(self.commands, waiting);
        let posts: Vec<Post> = round.posts.iter().map(|(_, post)| *post).collect();
        let begun = Instant::now();
        self.load(conn, &posts)?;
        let outcomes = post_together(conn, policy, &mut self.chats, &posts);
        let time = begun.elapsed() / posts.len().max(1) as u32;
        round.posts.iter().for_each(|(index, _)| self.times.each[*index] = Some(time));
        for ((index, _), outcome) in round.posts.iter().zip(outcomes?) {
            self.outcomes[*index] = Some(outcome);
        }
        for index in round.others {
            let command = self.commands[index].command;
            self.chats.remove(&command.chat);
            let begun = Instant::now();
            let outcome = run_command(conn, policy, command);
            self.times.each[index] = Some(begun.elapsed());
            self.outcomes[index] = Some(unless_failed(outcome)?);
        }
        Ok(round.rest)
    }

    fn load(&mut self, conn: &mut AnyConn, posts: &[Post]) -> Result<(), StorageError> {
        let unknown: BTreeSet<ChatId> =
            posts.iter().map(|post| post.chat).filter(|chat| !self.chats.contains_key(chat)).collect();
        if !unknown.is_empty() {
            self.chats.extend(locks::chats(conn, &unknown, LockedRows::Wait)?);
        }
        Ok(())
    }
}

/// Commands of one round: all posts, and after them at most one other command in each chat.
#[derive(Default)]
struct Round<'a> {
    posts: Vec<(usize, Post<'a>)>,
    others: Vec<usize>,
    rest: Vec<usize>,
}

impl<'a> Round<'a> {
    fn of(commands: &[Batched<'a>], waiting: Vec<usize>) -> Self {
        let mut round = Self::default();
        // Chats whose further commands wait for the next round, and the client ids used in this one.
        let (mut closed, mut posters) = (HashSet::new(), HashSet::new());
        for index in waiting {
            let Batched { command, decided_at } = commands[index];
            let post = Post::of(command).map(|post| Post { decided_at, ..post });
            // A second post under the same client id is compared with the first, which must be stored first.
            let mut is_new = |post: &Post<'a>| post.new.client_id.is_none() || posters.insert(post.poster());
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

/// Returns whether a command may be batched with others. One with custom data takes many statements. One that adds or removes members also changes user
/// rows. Alone in its transaction it locks these after its chat, which is the lock order of all transactions.
pub fn can_share(command: &Command) -> bool {
    match command.action {
        Action::PostMessage { .. }
        | Action::EditMessage { .. }
        | Action::DeleteMessage { .. }
        | Action::ShowScanned { .. }
        | Action::ShowPreviews { .. }
        | Action::RemovePreview { .. }
        | Action::Pin { .. }
        | Action::React { .. }
        | Action::FollowThread { .. }
        | Action::MarkThreadAsRead { .. }
        | Action::MarkAsRead { .. }
        | Action::ChangeMe(_)
        | Action::SaveDraft { .. }
        | Action::RemoveDraft { .. }
        | Action::Rename { .. }
        | Action::ChangeGuestAccess(_)
        | Action::Open { .. }
        | Action::ChangeRole { .. } => true,
        Action::AddMembers { .. }
        | Action::RemoveMember { .. }
        | Action::Join
        | Action::Leave
        | Action::ChangeCustom(_)
        | Action::DeleteChat
        | Action::TakeOver { .. } => false,
    }
}
