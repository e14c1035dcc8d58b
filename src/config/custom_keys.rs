//! The setting of names in custom data by which requests may filter.

use crate::core::model::custom::MAX_NAME_CHARS;

/// Most names of chats, and most of users.
const MAX_KEYS: usize = 8;

/// The names, without duplicates.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CustomKeys {
    pub chat: Vec<String>,
    pub user: Vec<String>,
}

impl CustomKeys {
    /// Parses `chat.order,user.tenant`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut keys = Self::default();
        for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            let (list, name) = match entry.split_once('.') {
                Some(("chat", name)) => (&mut keys.chat, name),
                Some(("user", name)) => (&mut keys.user, name),
                _ => return Err(format!("give names such as chat.order and user.tenant, not {entry}")),
            };
            if name.is_empty() || name.chars().count() > MAX_NAME_CHARS {
                return Err(format!("give names of 1 to {MAX_NAME_CHARS} characters, not {entry}"));
            }
            if !list.iter().any(|known| known == name) {
                list.push(name.to_owned());
            }
        }
        if keys.chat.len().max(keys.user.len()) > MAX_KEYS {
            return Err(format!("give at most {MAX_KEYS} names of chats and {MAX_KEYS} of users"));
        }
        Ok(keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_of_chats_and_users() {
        let keys = CustomKeys::parse(" chat.order, user.tenant,chat.a.b,chat.order ").unwrap();
        assert_eq!((keys.chat, keys.user), (vec!["order".into(), "a.b".into()], vec!["tenant".to_owned()]));
        assert_eq!(CustomKeys::parse(""), Ok(CustomKeys::default()));
        let nine = (0..9).map(|name| format!("chat.{name}")).collect::<Vec<_>>().join(",");
        for bad in ["order", "message.a", "chat.", &format!("chat.{}", "a".repeat(41)), &nine] {
            assert!(CustomKeys::parse(bad).is_err(), "{bad}");
        }
    }
}
