//! Permissions: the single check that REST, WebSocket and the storage transaction call.
//!
//! The settings `allow_editing`, `allow_deleting` and `allow_reactions` are not part of it. They switch an
//! action off for all users, and `services/messages.rs` applies them.

use super::{Chat, ChatKind, FieldErrors, GuestAccess, Refusal, Role};

/// An action in a chat that needs permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ability {
    /// View the chat itself, without its messages.
    See,
    /// Join without an invitation.
    Join,
    /// Read messages. Only guests can do so without being members.
    Read,
    /// Mark as read, list members, change one's own preferences.
    TakePart,
    /// Post, react, type: everything that is delivered to other members.
    Write,
    /// Edit a message. `own`: the caller sent it.
    EditMessage {
        own: bool,
    },
    /// Delete a message. `own`: the caller sent it.
    DeleteMessage {
        own: bool,
    },
    /// Change the custom data of a message. `own`: the caller sent it.
    ChangeMessageCustom {
        own: bool,
    },
    /// Pin and unpin messages.
    Pin,
    /// Mention everyone, or all who are connected.
    MentionAll,
    Rename,
    /// Change the custom data of the chat.
    ChangeCustom,
    /// Decide what guests may do in the room.
    ChangeGuestAccess,
    /// Make a private room public.
    Open,
    DeleteChat,
    AddMembers,
    /// Remove another member.
    RemoveMember,
    /// Remove oneself.
    Leave,
    ChangeRole,
}

/// Most members of a group whose plain members may do what concerns all.
const SMALL_GROUP: i64 = 25;

/// The caller's relation to a chat.
#[derive(Debug, Clone, Copy, Default)]
pub struct Subject {
    /// `None`: not a member.
    pub role: Option<Role>,
    pub is_staff: bool,
    /// Whether the chat is a dm whose other member has blocked the caller.
    pub is_blocked: bool,
    /// Whether the chat has no active admin.
    pub is_unattended: bool,
    pub is_guest: bool,
}

impl Ability {
    /// Returns whether the ability belongs to managing a chat.
    pub fn is_managing(self) -> bool {
        matches!(
            self,
            Self::Rename
                | Self::ChangeCustom
                | Self::ChangeGuestAccess
                | Self::Open
                | Self::DeleteChat
                | Self::AddMembers
                | Self::RemoveMember
                | Self::ChangeRole
        )
    }
}

/// Decides whether the caller may act. An ability that the caller may not know of yields `NotFound`. A known
/// one without permission yields `Forbidden`. One that this kind of chat does not have yields `Invalid`. A
/// blocked user may still read and delete their own messages, but cannot post, edit or rename.
pub fn authorize(chat: &Chat, subject: Subject, ability: Ability) -> Result<(), Refusal> {
    if subject.is_guest {
        expect_open_to_guest(chat, subject.role, ability)?;
        if matches!(ability, Ability::See | Ability::Read) {
            return Ok(());
        }
    }
    let Subject { role, is_staff, is_blocked, is_unattended, .. } = subject;
    let is_dm = chat.kind == ChatKind::Dm;
    // Staff manage chats without an active admin. In an unattended dm its remaining member may delete it.
    let by_staff = is_staff && !is_dm && (is_unattended || chat.is_unowned());
    let helps = by_staff && is_unattended && (ability == Ability::See || ability.is_managing());
    // Rooms represent objects of the host. Staff can find, join, rename, open and delete every one of them.
    let keeps = is_staff && chat.kind == ChatKind::Room;
    let is_found = keeps && (matches!(ability, Ability::See | Ability::Join) || ability.is_managing());
    if !helps && !is_found && !is_known(chat, role, ability) {
        return Err(Refusal::NotFound);
    }
    let is_left = is_dm && is_unattended && ability == Ability::DeleteChat;
    let manages = role == Some(Role::Admin) || by_staff || is_left;
    let allowed = match ability {
        Ability::See | Ability::Join | Ability::Read | Ability::TakePart | Ability::Leave => true,
        Ability::Write => !is_blocked,
        Ability::EditMessage { own } => own && !is_blocked,
        Ability::DeleteMessage { own } => own,
        Ability::ChangeMessageCustom { own } => (own || is_staff) && !is_blocked,
        Ability::Pin => match chat.kind {
            ChatKind::Dm => !is_blocked,
            ChatKind::Group => manages || chat.member_count <= SMALL_GROUP,
            ChatKind::Room => manages,
        },
        Ability::MentionAll => (manages || chat.member_count <= SMALL_GROUP) && !is_blocked,
        Ability::ChangeCustom => (manages || keeps || (is_staff && role.is_some())) && !is_blocked,
        Ability::Rename => (is_dm || manages || keeps) && !is_blocked,
        Ability::Open => keeps,
        Ability::ChangeGuestAccess => manages || keeps,
        Ability::DeleteChat => manages || keeps,
        Ability::AddMembers | Ability::RemoveMember | Ability::ChangeRole => manages,
    };
    if !allowed {
        return Err(Refusal::Forbidden);
    }
    let changes_members =
        matches!(ability, Ability::AddMembers | Ability::RemoveMember | Ability::Leave | Ability::ChangeRole);
    if is_dm && changes_members {
        let sentence = "The members of a direct message chat do not change.";
        return Err(FieldErrors::whole(sentence).into());
    }
    Ok(())
}

/// Refuses what guests may not do. They see, read and join rooms as far as these are open to guests, and write in
/// them. In other chats they are like members. They manage nothing.
fn expect_open_to_guest(chat: &Chat, role: Option<Role>, ability: Ability) -> Result<(), Refusal> {
    let is_room = chat.kind == ChatKind::Room;
    let access = if is_room { chat.guest_access } else { GuestAccess::None };
    if role.is_none() && access == GuestAccess::None {
        return Err(Refusal::NotFound);
    }
    let is_writing = matches!(
        ability,
        Ability::Write
            | Ability::EditMessage { .. }
            | Ability::ChangeMessageCustom { .. }
            | Ability::Pin
            | Ability::MentionAll
            | Ability::Join
    );
    let is_known = role.is_some() || matches!(ability, Ability::Join) || ability.is_managing();
    if is_writing && is_room && access != GuestAccess::Write && is_known || ability.is_managing() {
        return Err(Refusal::Forbidden);
    }
    Ok(())
}

/// Returns whether the caller may know of the ability. A public room is visible to all users, its messages to
/// members only.
fn is_known(chat: &Chat, role: Option<Role>, ability: Ability) -> bool {
    match ability {
        Ability::Join => chat.is_public,
        Ability::Read
        | Ability::TakePart
        | Ability::Write
        | Ability::EditMessage { .. }
        | Ability::DeleteMessage { .. }
        | Ability::ChangeMessageCustom { .. }
        | Ability::Pin
        | Ability::MentionAll
        | Ability::Leave => role.is_some(),
        _ => role.is_some() || chat.is_public,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::{ChatId, HostObject};

    fn chat(kind: ChatKind, is_public: bool, object: Option<HostObject>) -> Chat {
        Chat { is_public, object, ..Chat::fixture(ChatId(1), kind) }
    }

    const MEMBER: Option<Role> = Some(Role::Member);
    const ADMIN: Option<Role> = Some(Role::Admin);

    fn plain(role: Option<Role>) -> Subject {
        Subject { role, ..Subject::default() }
    }

    fn staff(role: Option<Role>) -> Subject {
        Subject { is_staff: true, ..plain(role) }
    }

    #[test]
    fn who_is_blocked_reads_and_takes_back_and_writes_nothing() {
        let blocked = Subject { is_blocked: true, ..plain(ADMIN) };
        let dm = |ability| authorize(&chat(ChatKind::Dm, false, None), blocked, ability);
        for ability in [Ability::Write, Ability::EditMessage { own: true }, Ability::Rename] {
            assert_eq!(dm(ability), Err(Refusal::Forbidden));
        }
        for ability in [Ability::See, Ability::TakePart, Ability::DeleteMessage { own: true }] {
            assert_eq!(dm(ability), Ok(()));
        }
    }

    #[test]
    fn members_of_small_groups_pin_and_otherwise_admins() {
        let allows = |kind, member_count, role| {
            authorize(&Chat { member_count, ..chat(kind, false, None) }, plain(role), Ability::Pin)
        };
        assert_eq!(allows(ChatKind::Dm, 2, MEMBER), Ok(()));
        assert_eq!(allows(ChatKind::Group, 25, MEMBER), Ok(()));
        assert_eq!(allows(ChatKind::Group, 26, MEMBER), Err(Refusal::Forbidden));
        assert_eq!(allows(ChatKind::Room, 2, MEMBER), Err(Refusal::Forbidden));
        assert_eq!(allows(ChatKind::Group, 26, ADMIN), Ok(()));
        assert_eq!(allows(ChatKind::Room, 26, ADMIN), Ok(()));
        assert_eq!(allows(ChatKind::Group, 2, None), Err(Refusal::NotFound));
    }

    #[test]
    fn outsiders_learn_nothing_and_plain_members_take_part() {
        let group = |role, ability| authorize(&chat(ChatKind::Group, false, None), staff(role), ability);
        assert_eq!(group(None, Ability::DeleteChat), Err(Refusal::NotFound));
        assert_eq!(group(None, Ability::See), Err(Refusal::NotFound));
        assert_eq!(group(MEMBER, Ability::Join), Err(Refusal::NotFound));
        assert_eq!(group(MEMBER, Ability::TakePart), Ok(()));
        assert_eq!(group(MEMBER, Ability::Rename), Err(Refusal::Forbidden));
        assert_eq!(group(ADMIN, Ability::DeleteMessage { own: false }), Err(Refusal::Forbidden));
        let dm = |ability| authorize(&chat(ChatKind::Dm, false, None), plain(MEMBER), ability);
        assert_eq!(dm(Ability::Rename), Ok(()));
        assert!(matches!(dm(Ability::Leave), Err(Refusal::Invalid(_))));
    }

    #[test]
    fn a_public_room_is_seen_by_all_and_taken_part_in_by_its_members() {
        let room = |role, ability| authorize(&chat(ChatKind::Room, true, None), staff(role), ability);
        for ability in [Ability::See, Ability::Join] {
            assert_eq!((room(None, ability), room(MEMBER, ability)), (Ok(()), Ok(())));
        }
        let room = |role, ability| authorize(&chat(ChatKind::Room, true, None), plain(role), ability);
        for ability in [Ability::Rename, Ability::DeleteChat, Ability::AddMembers, Ability::RemoveMember] {
            assert_eq!(room(None, ability), Err(Refusal::Forbidden));
            assert_eq!((room(MEMBER, ability), room(ADMIN, ability)), (Err(Refusal::Forbidden), Ok(())));
        }
        for ability in [Ability::TakePart, Ability::Leave, Ability::EditMessage { own: true }] {
            assert_eq!(room(None, ability), Err(Refusal::NotFound));
        }
    }

    #[test]
    fn staff_help_where_no_admin_is_active_and_read_nothing() {
        let unattended = |role, is_staff, ability| {
            let subject = Subject { role, is_staff, is_unattended: true, ..Subject::default() };
            authorize(&chat(ChatKind::Group, false, None), subject, ability)
        };
        let managing = [Ability::Rename, Ability::DeleteChat, Ability::AddMembers, Ability::ChangeRole];
        for ability in managing {
            assert_eq!(unattended(None, true, ability), Ok(()));
            assert_eq!(unattended(MEMBER, true, ability), Ok(()));
            assert_eq!(unattended(None, false, ability), Err(Refusal::NotFound));
            assert_eq!(unattended(MEMBER, false, ability), Err(Refusal::Forbidden));
        }
        assert_eq!(unattended(None, true, Ability::See), Ok(()));
        for ability in [Ability::TakePart, Ability::Write, Ability::Join, Ability::Leave] {
            assert_eq!(unattended(None, true, ability), Err(Refusal::NotFound));
        }
    }

    #[test]
    fn who_is_left_in_a_dm_may_delete_it() {
        let dm = |role, is_staff, ability| {
            let subject = Subject { role, is_staff, is_unattended: true, ..Subject::default() };
            authorize(&chat(ChatKind::Dm, false, None), subject, ability)
        };
        assert_eq!(dm(MEMBER, false, Ability::DeleteChat), Ok(()));
        assert_eq!(dm(MEMBER, false, Ability::AddMembers), Err(Refusal::Forbidden));
        for ability in [Ability::See, Ability::DeleteChat, Ability::Rename] {
            assert_eq!(dm(None, true, ability), Err(Refusal::NotFound));
        }
    }

    #[test]
    fn staff_keep_every_room_and_manage_those_that_nobody_began() {
        let object = || Some(HostObject { kind: "course".to_owned(), id: "7".to_owned() });
        let (public, private) = (chat(ChatKind::Room, true, object()), chat(ChatKind::Room, false, object()));
        for role in [None, MEMBER] {
            assert_eq!(authorize(&public, staff(role), Ability::DeleteChat), Ok(()));
            assert_eq!(authorize(&public, plain(role), Ability::DeleteChat), Err(Refusal::Forbidden));
        }
        assert_eq!(authorize(&public, staff(None), Ability::TakePart), Err(Refusal::NotFound));
        for role in [None, MEMBER, ADMIN] {
            for ability in [Ability::See, Ability::Join, Ability::Rename, Ability::Open, Ability::DeleteChat]
            {
                assert_eq!(authorize(&private, staff(role), ability), Ok(()));
            }
            assert_ne!(authorize(&private, plain(role), Ability::Open), Ok(()));
        }
        for ability in [Ability::AddMembers, Ability::ChangeRole, Ability::RemoveMember] {
            assert_eq!(authorize(&private, staff(None), ability), Err(Refusal::Forbidden));
        }
        for ability in [Ability::TakePart, Ability::Write, Ability::Leave] {
            assert_eq!(authorize(&private, staff(None), ability), Err(Refusal::NotFound));
        }
    }

    #[test]
    fn guests_go_as_far_as_a_room_is_open_to_them() {
        let guest = |role, guest_access, ability| {
            let room = Chat { guest_access, ..chat(ChatKind::Room, true, None) };
            authorize(&room, Subject { is_guest: true, ..plain(role) }, ability)
        };
        use GuestAccess::{None as Closed, Read, Write};
        for ability in [Ability::See, Ability::Read, Ability::Join, Ability::Write, Ability::DeleteChat] {
            assert_eq!(guest(None, Closed, ability), Err(Refusal::NotFound));
        }
        for ability in [Ability::See, Ability::Read] {
            assert_eq!((guest(None, Read, ability), guest(None, Write, ability)), (Ok(()), Ok(())));
        }
        assert_eq!(guest(None, Read, Ability::Join), Err(Refusal::Forbidden));
        assert_eq!(guest(None, Write, Ability::Join), Ok(()));
        for ability in [Ability::TakePart, Ability::Write, Ability::EditMessage { own: true }, Ability::Leave]
        {
            assert_eq!(guest(None, Write, ability), Err(Refusal::NotFound));
            assert_eq!(guest(MEMBER, Write, ability), Ok(()));
        }
        // A room that was closed to guests again.
        for access in [Closed, Read] {
            for ability in [Ability::Write, Ability::EditMessage { own: true }] {
                assert_eq!(guest(MEMBER, access, ability), Err(Refusal::Forbidden));
            }
            for ability in
                [Ability::Read, Ability::TakePart, Ability::Leave, Ability::DeleteMessage { own: true }]
            {
                assert_eq!(guest(MEMBER, access, ability), Ok(()));
            }
        }
        for ability in [Ability::Rename, Ability::AddMembers, Ability::DeleteChat, Ability::ChangeGuestAccess]
        {
            assert_eq!(guest(ADMIN, Write, ability), Err(Refusal::Forbidden));
        }
        let group = |ability| {
            authorize(
                &chat(ChatKind::Group, false, None),
                Subject { is_guest: true, ..plain(MEMBER) },
                ability,
            )
        };
        assert_eq!((group(Ability::Write), group(Ability::Read)), (Ok(()), Ok(())));
    }

    #[test]
    fn only_guests_read_without_joining() {
        let room = Chat { guest_access: GuestAccess::Write, ..chat(ChatKind::Room, true, None) };
        assert_eq!(authorize(&room, plain(None), Ability::Read), Err(Refusal::NotFound));
        assert_eq!(authorize(&room, staff(None), Ability::Read), Err(Refusal::NotFound));
        assert_eq!(authorize(&room, plain(MEMBER), Ability::Read), Ok(()));
    }
}
