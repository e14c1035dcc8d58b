//! Revocations: notices that a credential of a user ended, or that cached data of a user is stale. Every
//! server polls for them, not only the process that made the change, and invalidates its caches.

use std::collections::{BTreeMap, BTreeSet};

use diesel::{ExpressionMethods, RunQueryDsl};

use crate::{
    core::model::{
        Timestamp, UserId,
        time::{DAY, MINUTE},
    },
    storage::{
        AnyConn, StorageError,
        db::{sql::sql, steps::SWEEP_STEP},
        schema::revocations,
    },
};

/// Age, in microseconds, at which a revocation of the same user is replaced by a new one. Every running
/// server has seen it by then. A server that was suspended for longer sees the new one, which says the same.
const REPLACED_AFTER: i64 = MINUTE;

/// Maximum number of revocations that one call of [`record`] replaces. It bounds the time of the write.
const REPLACED_AT_ONCE: i64 = 64;

/// Records that a credential of a user ended, or that cached data of the user is stale. Replaces earlier
/// revocations of the user, so that one user cannot fill the table.
pub fn record(conn: &mut AnyConn, user: UserId) -> Result<(), StorageError> {
    let now = Timestamp::now();
    sql!(
        "DELETE FROM revocations WHERE id IN \
         (SELECT id FROM revocations WHERE user_id = ? AND created_at < ? AND deed = '' ORDER BY created_at LIMIT ?)",
        user.0,
        now.plus(-REPLACED_AFTER),
        REPLACED_AT_ONCE
    )
    .run(conn)?;
    diesel::insert_into(revocations::table)
        .values((revocations::user_id.eq(user.0), revocations::created_at.eq(now.0)))
        .execute(conn)?;
    Ok(())
}

/// Records a change that the command line made to a user, which the running servers log.
pub fn record_cli_change(conn: &mut AnyConn, user: UserId, change: &str) -> Result<(), StorageError> {
    let row = (
        revocations::user_id.eq(user.0),
        revocations::created_at.eq(Timestamp::now().0),
        revocations::deed.eq(change),
    );
    diesel::insert_into(revocations::table).values(row).execute(conn)?;
    Ok(())
}

/// Changes of the command line that may have handed over chats of the user.
pub const ACTIVATED: &str = "activated a user";
pub const DEACTIVATED: &str = "deactivated a user";

/// Number of polls that include a skipped number.
const POLLS: u32 = 60;

/// How far below the latest number polls include skipped numbers.
const REACH: i64 = 1_000;

/// Position of a server in the revocations. PostgreSQL shows a number when its transaction commits, which may
/// be after higher ones. So polls include skipped numbers, until no transaction can still be writing them.
#[derive(Debug, Clone, Default)]
pub struct Followed {
    latest: i64,
    /// Skipped numbers, with the polls left for each.
    missing: BTreeMap<i64, u32>,
}

/// A notice about one user.
#[derive(Debug, Clone)]
pub struct Revocation {
    pub number: i64,
    /// The user whose credential ended, or whose cached data is stale.
    pub user: UserId,
    /// The change that the command line made; empty for any other revocation.
    pub change: String,
}

impl Revocation {
    /// Whether chats of the user may have been handed over.
    pub fn may_concern_chats(&self) -> bool {
        ["", ACTIVATED, DEACTIVATED].contains(&self.change.as_str())
    }
}

impl Followed {
    /// Creates a position at the current end, for a server that has not cached anything yet.
    pub fn from_now(conn: &mut AnyConn) -> Result<Self, StorageError> {
        let rows = sql!("SELECT id FROM revocations ORDER BY id DESC LIMIT ?", REACH).rows::<i64>(conn)?;
        let latest = rows.first().copied().unwrap_or(0);
        let mut followed = Self { latest: (latest - REACH).max(0), missing: BTreeMap::new() };
        followed.advance(rows.into_iter().collect());
        Ok(followed)
    }

    /// Loads the revocations after this position, oldest first.
    pub fn poll(&self, conn: &mut AnyConn) -> Result<Vec<Revocation>, StorageError> {
        let missing: Vec<i64> = self.missing.keys().copied().collect();
        let rows = sql!(
            "SELECT id, user_id, deed FROM revocations WHERE id > ? \
             UNION ALL SELECT id, user_id, deed FROM revocations WHERE id IN ? ORDER BY id",
            self.latest,
            missing.as_slice()
        )
        .rows(conn)?;
        let revocation = |(number, user, change)| Revocation { number, user, change };
        Ok(rows.into_iter().map(revocation).collect())
    }

    /// Advances the position past the numbers that a poll found.
    pub fn advance(&mut self, found: BTreeSet<i64>) {
        self.missing.retain(|id, polls| {
            *polls -= 1;
            *polls > 0 && !found.contains(id)
        });
        let Some(last) = found.last().copied().filter(|last| *last > self.latest) else { return };
        let new = (self.latest + 1).max(last - REACH)..last;
        self.missing.extend(new.filter(|id| !found.contains(id)).map(|id| (id, POLLS)));
        self.latest = last;
    }
}

/// Deletes up to `SWEEP_STEP` revocations older than a day, which every server has seen. Returns whether
/// there may be more.
pub fn sweep(conn: &mut AnyConn) -> Result<bool, StorageError> {
    let deleted = sql!(
        "DELETE FROM revocations WHERE id IN (SELECT id FROM revocations WHERE created_at < ? LIMIT ?)",
        Timestamp::now().plus(-DAY),
        SWEEP_STEP
    )
    .run(conn)?;
    Ok(deleted as i64 == SWEEP_STEP)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_was_passed_over_is_looked_for_for_a_while() {
        let mut followed = Followed { latest: 4, missing: BTreeMap::new() };
        followed.advance(BTreeSet::from([5, 8]));
        assert_eq!(followed.latest, 8);
        assert!(followed.missing.keys().eq(&[6, 7]));
        followed.advance(BTreeSet::from([7]));
        assert!(followed.missing.keys().eq(&[6]));
        (0..POLLS).for_each(|_| followed.advance(BTreeSet::new()));
        assert!(followed.missing.is_empty());
        followed.advance(BTreeSet::from([1_000_000]));
        assert_eq!((followed.latest, followed.missing.len()), (1_000_000, REACH as usize));
    }
}
