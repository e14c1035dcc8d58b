//! Cost of statements as a database grows. Each query and each command runs on the same data in two sizes.
//! Its cost must be about the same, unless its bound names what it grows with.
//!
//! SQLite counts steps of its virtual machine, PostgreSQL page accesses; both are the same on every machine.
//! A statement of the storage that no action here runs fails the test, so every new statement needs a bound.

mod actions;
#[path = "../support/database.rs"]
#[allow(dead_code, reason = "the other suites use the rest")]
mod database;
mod meter;
mod statements;
mod world;

use std::collections::BTreeSet;

use diesel::connection::SimpleConnection;
use greenroom::storage::{Access, AnyConn, StorageError};

use actions::{Action, Bound};
use database::Database;
use meter::{Cost, cost};
use world::{GROWTH, World};

/// Maximum ratio of the cost in the large world to that in the small one. Its B-trees are deeper.
const FLAT: f64 = 1.6;
/// Maximum ratio for a cost that grows in proportion. The plan may be a different one in the large world.
const LINEAR: f64 = 1.5 * GROWTH as f64;
/// Cost allowed for each thing that an action grows with, whatever its cost in the small world: steps, and
/// pages.
const STEPS_FOR_ONE: i64 = 160;
const PAGES_FOR_ONE: i64 = 10;

/// Returns a constant that is always allowed, for a few more levels of B-trees.
fn slack(conn: &AnyConn) -> i64 {
    match conn {
        AnyConn::Sqlite(_) => 200,
        AnyConn::Postgres(_) => 50,
    }
}

#[test]
fn what_statements_cost_does_not_grow_on_sqlite() {
    meter::count_steps();
    let (small, large) = (Database::sqlite(), Database::sqlite());
    let worlds = [World::fill(&small.url(), 1), World::fill(&large.url(), GROWTH)];
    let mut seen = BTreeSet::new();
    let faults = compare(&worlds, None, &mut seen);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
#[ignore = "needs PostgreSQL; make postgres runs it"]
fn what_statements_cost_does_not_grow_on_postgres() {
    meter::count_steps();
    let mut seen = BTreeSet::new();
    let (small, large) = (Database::sqlite(), Database::sqlite());
    compare(&[World::fill(&small.url(), 1), World::fill(&large.url(), 1)], None, &mut seen);

    let (small, large) = (Database::postgres(), Database::postgres());
    let worlds = [World::fill(&small.url(), 1), World::fill(&large.url(), GROWTH)];
    let mut faults = Vec::new();
    for has_statistics in [false, true] {
        if has_statistics {
            for world in &worlds {
                let mut conn = world.url.open(Access::Write).unwrap();
                // Autovacuum may hold the lock.
                conn.batch_execute("SET lock_timeout = 0").unwrap();
                conn.batch_execute("VACUUM ANALYZE").unwrap();
            }
        }
        faults.extend(compare(&worlds, Some(has_statistics), &mut seen));
    }
    let missing = statements::all().into_iter().filter(|place| !seen.contains(place.as_str()));
    faults.extend(missing.map(|place| format!("{place}: no action runs this statement, so it has no bound")));
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Runs all actions in both worlds. Returns those that exceed their bounds, and records which statements ran.
fn compare(
    [small, large]: &[World; 2],
    has_statistics: Option<bool>,
    seen: &mut BTreeSet<&'static str>,
) -> Vec<String> {
    let mut faults = Vec::new();
    for action in actions::all() {
        let [before, after] = [small, large].map(|world| cost_of(&action, world));
        seen.extend(before.statements.keys().chain(after.statements.keys()));
        let conn = small.url.open(Access::Read).unwrap();
        let may_cost = |cost: i64| match (action.bound, &conn) {
            (Bound::Flat, _) => (cost as f64 * FLAT) as i64 + slack(&conn),
            (Bound::AtMost(count, _), _) => count,
            (Bound::Grows(_), AnyConn::Sqlite(_)) => {
                ((cost as f64 * LINEAR) as i64 + slack(&conn)).max(large.people * STEPS_FOR_ONE)
            }
            (Bound::Grows(_), AnyConn::Postgres(_)) => {
                ((cost as f64 * LINEAR) as i64 + slack(&conn)).max(large.people * PAGES_FOR_ONE)
            }
        };
        let mut lines = Vec::new();
        for (place, (cost, times)) in &after.statements {
            let (cost_before, times_before) = before.statements.get(place).copied().unwrap_or_default();
            if *cost > may_cost(cost_before) {
                lines.push(format!("    {place}: {cost_before} ({times_before}x) -> {cost} ({times}x)"));
            }
        }
        if after.all > may_cost(before.all) || !lines.is_empty() {
            let how = match has_statistics {
                None => "",
                Some(true) => ", with statistics",
                Some(false) => ", without statistics",
            };
            let head = format!("{}{how}: {} -> {}", action.name, before.all, after.all);
            faults.push([vec![head], lines].concat().join("\n"));
        }
        if std::env::var_os("GREENROOM_TEST_SHOW_COSTS").is_some() {
            println!("{:>9} {:>9}  {}", before.all, after.all, action.name);
        }
    }
    faults
}

/// Returns the cost of an action, and rolls it back. SQLite runs it twice and counts the second run, since
/// the first one loads the schema.
fn cost_of(action: &Action, world: &World) -> Cost {
    let mut conn = world.url.open_to_serve(action.access).unwrap();
    let begin = match (&conn, action.access) {
        (AnyConn::Postgres(_), Access::Read) => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        (_, Access::Read) => "BEGIN",
        (AnyConn::Sqlite(_), Access::Write) => "BEGIN IMMEDIATE",
        (AnyConn::Postgres(_), Access::Write) => "BEGIN",
    };
    let times = if let AnyConn::Sqlite(_) = conn { 2 } else { 1 };
    let mut last = Cost::default();
    for _ in 0..times {
        conn.batch_execute(begin).unwrap();
        let (done, cost) = cost(&mut conn, |conn| (action.work)(conn, world));
        conn.batch_execute("ROLLBACK").unwrap();
        // A refused action has run its statements.
        if let Err(error) = done
            && !matches!(error, StorageError::Refused(_))
        {
            panic!("{}: {error}", action.name);
        }
        last = cost;
    }
    last
}
