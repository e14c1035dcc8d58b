//! Writes that share a transaction: the failure of one does not affect the others.

use diesel::connection::SimpleConnection;
use futures_util::future::{join, join_all};
use greenroom::storage::{AnyConn, DatabaseUrl, StorageError, StoragePolicy, Writer};
use serde_json::json;

use crate::support::{DEADLINE, Server, database::Database};

fn fails(conn: &mut AnyConn) -> Result<(), StorageError> {
    conn.batch_execute("INSERT INTO settings (name, value) VALUES ('half', 'done')")?;
    Ok(conn.batch_execute("INSERT INTO settings (name) VALUES ('without a value')")?)
}

/// Counts the settings with this name.
async fn count(server: &Server, name: &'static str) -> usize {
    let rows = server.readers().query(move |conn| {
        use diesel::{ExpressionMethods, QueryDsl, RunQueryDsl};
        use greenroom::storage::schema::settings;
        Ok(settings::table.filter(settings::name.eq(name)).select(settings::value).load::<String>(conn)?)
    });
    rows.await.unwrap().len()
}

#[actix_rt::test(system = "crate::System")]
async fn a_failure_takes_nothing_with_it() {
    let server = Server::start().await;
    let ann = server.user("ann").await;
    let chat = ann.group("Team", &[]).await;
    let path = format!("chats/{chat}/messages/");
    for round in 1..=2 {
        let posts = join_all((0..20).map(|number| ann.post(&path, json!({"content": format!("{number}")}))));
        let failing = join_all((0..20).map(|_| server.writer().run("fail", |conn, _| fails(conn))));
        let (posted, failed) = join(posts, failing).await;
        assert!(posted.iter().all(|reply| reply.status == 201), "{posted:?}");
        assert!(failed.iter().all(Result::is_err), "{failed:?}");
        assert_eq!(ann.get(&path).await.json["count"], 20 * round);
        assert_eq!(count(&server, "half").await, 0);
    }
}

#[actix_rt::test(system = "crate::System")]
async fn what_was_not_stored_is_not_acknowledged() {
    let server = Server::start().await;
    // PostgreSQL aborts the transaction after a failed statement, even if the job ignores the failure.
    let write = server.writer().run("write", |conn, _| {
        let _ = fails(conn);
        Ok(())
    });
    let is_acknowledged = write.await.is_ok();
    assert_eq!(usize::from(is_acknowledged), count(&server, "half").await);
    server.user("ann").await.group("Team", &[]).await;
}

#[actix_rt::test(system = "crate::System")]
async fn a_writer_that_is_told_to_stop_with_its_last_job_ends() {
    let database = Database::new();
    let url = DatabaseUrl::parse(&database.url()).unwrap();
    let policy = StoragePolicy::for_tools();
    for _ in 0..30 {
        let writer = Writer::start(&url, policy.clone(), None).unwrap();
        let (tell, done) = std::sync::mpsc::channel();
        for _ in 0..3 {
            let tell = tell.clone();
            writer.handle().run_then("nothing", |_, _| Ok(()), move |result| tell.send(result).unwrap());
        }
        let (end, ended) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            drop(writer);
            end.send(())
        });
        assert!(ended.recv_timeout(DEADLINE).is_ok(), "the writer ends");
        assert_eq!(
            (0..3).map(|_| done.recv_timeout(DEADLINE).unwrap()).collect::<Vec<_>>(),
            [Ok(()), Ok(()), Ok(())]
        );
    }
}
