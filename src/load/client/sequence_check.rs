//! How far a client has heard of each of its chats, and whether what comes is what comes next.

/// How far a chat was heard.
#[derive(Debug, Clone, Default)]
struct Head {
    chat: i64,
    seq: i64,
    /// Numbers that were skipped, from and to.
    skipped: Vec<(i64, i64)>,
}

/// A client as its server's events find it, over one socket or over several that follow each other.
#[derive(Debug, Default)]
pub(crate) struct Listener {
    /// By chat.
    heads: Vec<Head>,
    has_begun: bool,
}

/// What an event is to who hears it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Note {
    New,
    /// It should have come before one that was heard already.
    Late,
    /// It was heard already.
    Again,
    /// It is of a chat that the client is not in.
    Strange,
}

impl Listener {
    /// Takes the heads of a first `hello`.
    pub(crate) fn begin(&mut self, chats: &[(i64, i64)]) {
        if !self.has_begun {
            self.has_begun = true;
            self.heads = chats
                .iter()
                .map(|(chat, seq)| Head { chat: *chat, seq: *seq, skipped: Vec::new() })
                .collect();
            self.heads.sort_unstable_by_key(|head| head.chat);
        }
    }

    /// Whether there was a first `hello`.
    pub(crate) fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// How far each chat was heard.
    pub(crate) fn heads(&self) -> impl Iterator<Item = (i64, i64)> {
        self.heads.iter().map(|head| (head.chat, head.seq))
    }

    /// An event of a chat with its number. Numbers rise; where one is skipped it may be that of an event that is not for
    /// this client, but it must not come later.
    pub(crate) fn note(&mut self, chat: i64, seq: i64) -> Note {
        let Some(head) = self.head(chat) else { return Note::Strange };
        if seq > head.seq {
            if seq > head.seq + 1 {
                head.skipped.push((head.seq + 1, seq - 1));
            }
            head.seq = seq;
            return Note::New;
        }
        head.late(seq)
    }

    /// The chat was loaded anew: only what is above this number is news.
    pub(crate) fn jump(&mut self, chat: i64, seq: i64) {
        if let Some(head) = self.head(chat) {
            head.seq = seq;
            head.skipped.clear();
        }
    }

    fn head(&mut self, chat: i64) -> Option<&mut Head> {
        let place = self.heads.binary_search_by_key(&chat, |head| head.chat).ok()?;
        Some(&mut self.heads[place])
    }
}

impl Head {
    fn late(&mut self, seq: i64) -> Note {
        let hole = self.skipped.iter().position(|(from, to)| (*from..=*to).contains(&seq));
        let Some(hole) = hole else { return Note::Again };
        let (from, to) = self.skipped.swap_remove(hole);
        let rest = [(from, seq - 1), (seq + 1, to)];
        self.skipped.extend(rest.into_iter().filter(|(from, to)| from <= to));
        Note::Late
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_next_twice_and_late_is_told_apart() {
        let mut listener = Listener::default();
        listener.begin(&[(9, 1), (7, 4)]);
        let mut notes = |seqs: &[i64]| seqs.iter().map(|seq| listener.note(7, *seq)).collect::<Vec<_>>();
        assert_eq!(notes(&[5, 6, 6, 4]), [Note::New, Note::New, Note::Again, Note::Again]);
        assert_eq!(
            notes(&[10, 8, 8, 7, 9, 11]),
            [Note::New, Note::Late, Note::Again, Note::Late, Note::Late, Note::New]
        );
        assert_eq!(listener.note(8, 1), Note::Strange);
        assert_eq!(listener.heads().collect::<Vec<_>>(), [(7, 11), (9, 1)]);
    }
}
