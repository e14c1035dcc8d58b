//! The members of a chat that its actor knows, so that it can permit their posts.

use std::collections::HashMap;

use prometheus::IntGauge;

use crate::core::model::{
    Change, Chat, Role, Seq, UserId,
    event::Standing,
    permission::{Ability, Subject, authorize},
};

/// Most members that one actor knows: those of the latest posts. Each takes about 24 bytes.
const MAX_MEMBERS: usize = 1_000;

/// Known members and their roles. All of it holds at one `members_seq` of the chat: the storage confirms it
/// with each post, so it may be out of date, but never let a removed member post.
#[derive(Debug, Default)]
pub(super) struct Roster {
    /// The chat as the latest lookup found it.
    chat: Option<Box<Chat>>,
    roles: HashMap<UserId, Role>,
    /// The number of known members of all chats of the node.
    gauge: Option<IntGauge>,
}

impl Roster {
    pub(super) fn new(gauge: Option<IntGauge>) -> Self {
        Self { chat: None, roles: HashMap::new(), gauge }
    }

    /// Decides whether a user may post. Returns the `members_seq` at which that holds; `None` if it is unknown
    /// here, or if the storage must refuse it.
    pub(super) fn permits_post(&self, user: UserId) -> Option<Seq> {
        let chat = self.chat.as_ref()?;
        let role = Some(*self.roles.get(&user)?);
        authorize(chat, Subject { role, ..Subject::default() }, Ability::Write).ok()?;
        Some(chat.members_seq)
    }

    /// Adds a member whom the storage has looked up.
    pub(super) fn learn(&mut self, standing: &Standing) {
        let is_new = |known: &Chat| standing.chat.members_seq > known.members_seq;
        match &self.chat {
            Some(known) if standing.chat.members_seq < known.members_seq => return,
            Some(known) if is_new(known) => self.forget(),
            Some(_) if self.roles.len() >= MAX_MEMBERS => self.forget(),
            _ => {}
        }
        self.chat.get_or_insert_with(|| Box::new(standing.chat.clone()));
        if self.roles.insert(standing.user, standing.role).is_none()
            && let Some(gauge) = &self.gauge
        {
            gauge.inc();
        }
    }

    /// Forgets all members if a change ends what is known of them.
    pub(super) fn note(&mut self, change: &Change) {
        if matches!(change, Change::MembersChanged(_) | Change::ChatDeleted) {
            self.forget();
        }
    }

    pub(super) fn forget(&mut self) {
        if let Some(gauge) = &self.gauge {
            gauge.sub(self.roles.len() as i64);
        }
        self.roles.clear();
        self.chat = None;
    }
}

impl Drop for Roster {
    fn drop(&mut self) {
        self.forget();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::{ChatId, ChatKind, event::MembersChanged};

    fn standing(members_seq: Seq, user: i64) -> Standing {
        let chat = Chat { members_seq, ..Chat::fixture(ChatId(1), ChatKind::Group) };
        Standing { chat, user: UserId(user), role: Role::Member }
    }

    #[test]
    fn a_member_may_post_until_the_members_change() {
        let gauge = IntGauge::new("known", "known").unwrap();
        let mut roster = Roster::new(Some(gauge.clone()));
        assert_eq!(roster.permits_post(UserId(1)), None);
        roster.learn(&standing(7, 1));
        roster.learn(&standing(7, 2));
        assert_eq!(roster.permits_post(UserId(1)), Some(7));
        assert_eq!((roster.permits_post(UserId(3)), gauge.get()), (None, 2));
        roster.note(&Change::MembersChanged(MembersChanged::none(1)));
        assert_eq!((roster.permits_post(UserId(1)), gauge.get()), (None, 0));
    }

    #[test]
    fn members_of_an_earlier_state_are_not_mixed_with_those_of_a_later_one() {
        let mut roster = Roster::default();
        roster.learn(&standing(7, 1));
        roster.learn(&standing(9, 2));
        assert_eq!((roster.permits_post(UserId(1)), roster.permits_post(UserId(2))), (None, Some(9)));
        roster.learn(&standing(8, 1));
        assert_eq!((roster.permits_post(UserId(1)), roster.permits_post(UserId(2))), (None, Some(9)));
    }

    #[test]
    fn it_knows_a_bounded_number_of_members() {
        let gauge = IntGauge::new("known", "known").unwrap();
        let mut roster = Roster::new(Some(gauge.clone()));
        (0..=MAX_MEMBERS as i64).for_each(|user| roster.learn(&standing(7, user)));
        assert_eq!((roster.permits_post(UserId(MAX_MEMBERS as i64)), gauge.get()), (Some(7), 1));
        drop(roster);
        assert_eq!(gauge.get(), 0);
    }
}
