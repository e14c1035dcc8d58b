//! Checks that the events a client receives are in order and without duplicates, by the `seq` of each chat.

/// The newest `seq` received of a chat.
#[derive(Debug, Clone, Default)]
struct ChatHead {
    chat: i64,
    seq: i64,
    /// Ranges of numbers that were skipped, both ends inclusive.
    skipped: Vec<(i64, i64)>,
}

/// The heads of a client's chats. It outlives a socket, so that it also covers events after a resume.
#[derive(Debug, Default)]
pub(crate) struct SequenceCheck {
    /// Sorted by chat.
    heads: Vec<ChatHead>,
    has_begun: bool,
}

/// The verdict on a received event.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    New,
    /// A later event was received before it.
    OutOfOrder,
    /// The event was received before.
    Duplicate,
    /// The client is not a member of the event's chat.
    UnknownChat,
}

impl SequenceCheck {
    /// Sets the heads from the first `hello`; later ones are ignored.
    pub(crate) fn begin(&mut self, chats: &[(i64, i64)]) {
        if !self.has_begun {
            self.has_begun = true;
            self.heads = chats
                .iter()
                .map(|(chat, seq)| ChatHead { chat: *chat, seq: *seq, skipped: Vec::new() })
                .collect();
            self.heads.sort_unstable_by_key(|head| head.chat);
        }
    }

    /// Returns whether a `hello` was received.
    pub(crate) fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// Iterates over the newest received `seq` of each chat.
    pub(crate) fn heads(&self) -> impl Iterator<Item = (i64, i64)> {
        self.heads.iter().map(|head| (head.chat, head.seq))
    }

    /// Checks an event by its number. Numbers rise. A skipped number may belong to an event that is not for
    /// this client, but that event must not arrive later.
    pub(crate) fn check(&mut self, chat: i64, seq: i64) -> Verdict {
        let Some(head) = self.head(chat) else { return Verdict::UnknownChat };
        if seq > head.seq {
            if seq > head.seq + 1 {
                head.skipped.push((head.seq + 1, seq - 1));
            }
            head.seq = seq;
            return Verdict::New;
        }
        head.classify_old(seq)
    }

    /// Resets a chat that was reloaded: only events above `seq` are new.
    pub(crate) fn reset(&mut self, chat: i64, seq: i64) {
        if let Some(head) = self.head(chat) {
            head.seq = seq;
            head.skipped.clear();
        }
    }

    fn head(&mut self, chat: i64) -> Option<&mut ChatHead> {
        let index = self.heads.binary_search_by_key(&chat, |head| head.chat).ok()?;
        Some(&mut self.heads[index])
    }
}

impl ChatHead {
    fn classify_old(&mut self, seq: i64) -> Verdict {
        let gap = self.skipped.iter().position(|(from, to)| (*from..=*to).contains(&seq));
        let Some(gap) = gap else { return Verdict::Duplicate };
        let (from, to) = self.skipped.swap_remove(gap);
        let rest = [(from, seq - 1), (seq + 1, to)];
        self.skipped.extend(rest.into_iter().filter(|(from, to)| from <= to));
        Verdict::OutOfOrder
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_duplicate_and_late_events_are_distinguished() {
        let mut sequence_check = SequenceCheck::default();
        sequence_check.begin(&[(9, 1), (7, 4)]);
        let mut verdicts =
            |seqs: &[i64]| seqs.iter().map(|seq| sequence_check.check(7, *seq)).collect::<Vec<_>>();
        assert_eq!(
            verdicts(&[5, 6, 6, 4]),
            [Verdict::New, Verdict::New, Verdict::Duplicate, Verdict::Duplicate]
        );
        assert_eq!(
            verdicts(&[10, 8, 8, 7, 9, 11]),
            [
                Verdict::New,
                Verdict::OutOfOrder,
                Verdict::Duplicate,
                Verdict::OutOfOrder,
                Verdict::OutOfOrder,
                Verdict::New
            ]
        );
        assert_eq!(sequence_check.check(8, 1), Verdict::UnknownChat);
        assert_eq!(sequence_check.heads().collect::<Vec<_>>(), [(7, 11), (9, 1)]);
    }
}
