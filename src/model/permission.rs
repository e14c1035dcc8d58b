//! Who may do what in a chat: the one function that REST, sockets and the storage transaction ask.

use super::{ChatKind, FieldErrors, Refusal, Role};

/// Something that a person may want to do in a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ability {
    /// Read, write, react, mark as read, type.
    TakePart,
    /// Edit or delete a message that the caller sent, or that somebody else did.
    ChangeMessage {
        own: bool,
    },
    Rename,
    DeleteChat,
    AddMembers,
    /// Remove somebody else.
    RemoveMember,
    /// Remove oneself.
    Leave,
    ChangeRole,
}

/// Decides. `role` is the caller's in the chat, `None` where the caller is not in it: such a chat does not exist for
/// them, whatever they want. What one sees but may not do is forbidden; what a kind of chat does not have is invalid.
pub fn authorize(kind: ChatKind, role: Option<Role>, ability: Ability) -> Result<(), Refusal> {
    let role = role.ok_or(Refusal::NotFound)?;
    let is_dm = kind == ChatKind::Dm;
    let allowed = match ability {
        Ability::TakePart | Ability::Leave => true,
        Ability::ChangeMessage { own } => own,
        Ability::Rename => is_dm || role == Role::Admin,
        Ability::DeleteChat | Ability::AddMembers | Ability::RemoveMember | Ability::ChangeRole => {
            role == Role::Admin
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outsiders_learn_nothing_and_plain_members_take_part() {
        let group = |role, ability| authorize(ChatKind::Group, role, ability);
        assert_eq!(group(None, Ability::DeleteChat), Err(Refusal::NotFound));
        assert_eq!(group(Some(Role::Member), Ability::TakePart), Ok(()));
        assert_eq!(group(Some(Role::Member), Ability::Rename), Err(Refusal::Forbidden));
        assert_eq!(group(Some(Role::Admin), Ability::ChangeMessage { own: false }), Err(Refusal::Forbidden));
        assert_eq!(authorize(ChatKind::Dm, Some(Role::Member), Ability::Rename), Ok(()));
        let leave = authorize(ChatKind::Dm, Some(Role::Member), Ability::Leave);
        assert!(matches!(leave, Err(Refusal::Invalid(_))));
    }
}
