//! What statements cost as a database grows: each question and each command is put to the same world at two sizes, and must
//! cost about the same, unless it says what it grows with.
//!
//! SQLite counts the steps of its virtual machine, PostgreSQL the pages that it looks at: both are the same on every machine.
//! A statement of the storage that no action here runs fails the test, so a new one comes with a bound.

mod actions;
#[path = "../support/database.rs"]
#[allow(dead_code)]
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

/// How many times as much something may cost in the large world. A tree is higher there.
const FLAT: f64 = 1.6;
/// The same where it says what it grows with: not more than that grows, with another way to the same there.
const LINEAR: f64 = 1.5 * GROWTH as f64;
/// What it may cost for each thing that it grows with, whatever the small world's takes: steps, and pages.
const STEPS_FOR_ONE: i64 = 160;
const PAGES_FOR_ONE: i64 = 10;

/// What may be added to it: a step down a tree here and there.
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
                // PostgreSQL may be at it by itself.
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

/// Puts all actions to both worlds. Returns what grew more than it may, and notes which statements were run.
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

/// What an action costs; on SQLite the second time, as the first brings the schema into memory. Nothing of it stays.
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
        // What is refused was looked at before.
        if let Err(error) = done
            && !matches!(error, StorageError::Refused(_))
        {
            panic!("{}: {error}", action.name);
        }
        last = cost;
    }
    last
}
