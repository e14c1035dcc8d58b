//! News of ended credentials, so that every running server, and not only the process that ended them, checks again.

use std::collections::{BTreeMap, BTreeSet};

use diesel::{ExpressionMethods, RunQueryDsl};

use crate::{
    core::model::{Timestamp, UserId, time::DAY},
    storage::{
        AnyConn, StorageError,
        db::{sql::sql, steps::SWEEP_STEP},
        schema::revocations,
    },
};

/// Notes that some credential of a user ended, or that what a server remembers of the user is out of date.
pub fn record(conn: &mut AnyConn, user: UserId) -> Result<(), StorageError> {
    diesel::insert_into(revocations::table)
        .values((revocations::user_id.eq(user.0), revocations::created_at.eq(Timestamp::now().0)))
        .execute(conn)?;
    Ok(())
}

/// Notes what the command line did to a user, for the log of the servers that run.
pub fn record_deed(conn: &mut AnyConn, user: UserId, deed: &str) -> Result<(), StorageError> {
    let row = (
        revocations::user_id.eq(user.0),
        revocations::created_at.eq(Timestamp::now().0),
        revocations::deed.eq(deed),
    );
    diesel::insert_into(revocations::table).values(row).execute(conn)?;
    Ok(())
}

/// For so many looks a number that was passed over is looked for.
const LOOKS: u32 = 60;

/// Most numbers below the latest that are looked for.
const REACH: i64 = 1_000;

/// How far a server has followed the news. PostgreSQL shows a number when its transaction ends, which may be after higher
/// ones: so those that are missing below the latest are looked for too, until nobody can be writing them any more.
#[derive(Debug, Clone, Default)]
pub struct Followed {
    latest: i64,
    /// With the looks that are left for each.
    missing: BTreeMap<i64, u32>,
}

/// A piece of news.
#[derive(Debug, Clone)]
pub struct News {
    pub number: i64,
    /// Whom it is about.
    pub user: UserId,
    /// What the command line did; empty for all else.
    pub deed: String,
}

impl Followed {
    /// Where somebody begins who knows of nothing yet that could be out of date.
    pub fn from_now(conn: &mut AnyConn) -> Result<Self, StorageError> {
        let rows = sql!("SELECT id FROM revocations ORDER BY id DESC LIMIT ?", REACH).rows::<(i64,)>(conn)?;
        let latest = rows.first().map_or(0, |(id,)| *id);
        let mut followed = Self { latest: (latest - REACH).max(0), missing: BTreeMap::new() };
        followed.pass(rows.into_iter().map(|(id,)| id).collect());
        Ok(followed)
    }

    /// The news since, oldest first.
    pub fn look(&self, conn: &mut AnyConn) -> Result<Vec<News>, StorageError> {
        let missing: Vec<i64> = self.missing.keys().copied().collect();
        let rows = sql!(
            "SELECT id, user_id, deed FROM revocations WHERE id > ? \
             UNION ALL SELECT id, user_id, deed FROM revocations WHERE id IN ? ORDER BY id",
            self.latest,
            missing.as_slice()
        )
        .rows::<(i64, i64, String)>(conn)?;
        let news = |(number, user, deed)| News { number, user: UserId(user), deed };
        Ok(rows.into_iter().map(news).collect())
    }

    /// Goes on to behind what a look has brought.
    pub fn pass(&mut self, found: BTreeSet<i64>) {
        self.missing.retain(|id, looks| {
            *looks -= 1;
            *looks > 0 && !found.contains(id)
        });
        let Some(last) = found.last().copied().filter(|last| *last > self.latest) else { return };
        let new = (self.latest + 1).max(last - REACH)..last;
        self.missing.extend(new.filter(|id| !found.contains(id)).map(|id| (id, LOOKS)));
        self.latest = last;
    }
}

/// Deletes some of what every server has long seen. Returns whether there may be more.
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
        followed.pass(BTreeSet::from([5, 8]));
        assert_eq!(followed.latest, 8);
        assert!(followed.missing.keys().eq(&[6, 7]));
        followed.pass(BTreeSet::from([7]));
        assert!(followed.missing.keys().eq(&[6]));
        (0..LOOKS).for_each(|_| followed.pass(BTreeSet::new()));
        assert!(followed.missing.is_empty());
        followed.pass(BTreeSet::from([1_000_000]));
        assert_eq!((followed.latest, followed.missing.len()), (1_000_000, REACH as usize));
    }
}
