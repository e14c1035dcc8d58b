//! Has attachments scanned, and shows in the messages what was found.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
    time::Duration,
};

use actix_web::web::Data;
use futures_util::{StreamExt, stream};

use crate::{
    config::ScanFailure,
    core::model::{AttachmentState, ChatId, Command, FileId, MessageId, Refusal, Timestamp, command::Action},
    files::{
        FileStore,
        scanner::{self, Finding, ScannerUrl},
    },
    state::AppState,
    storage::{
        commands::scanning,
        tables::scans::{self, Waiting},
    },
};

/// Interval of looking for work, beside the notifications. Another node may have left some.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Most attachments that one look at the database brings.
const FOUND: i64 = 100;

/// Files that are scanned at a time.
const AT_ONCE: usize = 4;

/// How long a node may scan without extending its right. Other nodes wait so long after a crash.
const SCAN_FOR: Duration = Duration::from_secs(30);

/// Interval of extending that right.
const EXTEND_EVERY: Duration = Duration::from_secs(10);

/// Delay of the next attempt for a file that could not be scanned.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// Scans at the start, on notification, and at an interval. A failure is retried for ever.
pub(super) async fn scan(state: Data<AppState>) {
    let Some(store) = state.files.clone() else { return };
    loop {
        match scan_some(&state, &store).await {
            Ok(true) => continue,
            Ok(false) => {}
            Err(refusal) => {
                tracing::warn!(?refusal, "attachments could not be scanned; the next try is in 2 s");
            }
        }
        let _ = tokio::time::timeout(LOOK_EVERY, store.to_scan.notified()).await;
    }
}

/// Scans what waits now. Returns whether there may be more.
async fn scan_some(state: &AppState, store: &Arc<FileStore>) -> Result<bool, Refusal> {
    let found = state.readers.query_one(|conn| scans::waiting(conn, FOUND)).await?;
    let mut files: BTreeMap<FileId, Option<AttachmentState>> = BTreeMap::new();
    for waiting in &found {
        files.insert(waiting.file_id, waiting.verdict());
    }
    let done: Vec<Result<bool, Refusal>> = stream::iter(files)
        .map(|(file, verdict)| settle_file(state, store, file, verdict))
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let mut is_any_settled = false;
    for result in done {
        is_any_settled |= result?;
    }
    Ok(is_any_settled)
}

/// Has a file scanned, unless it was, and shows the result. Returns whether there is one.
async fn settle_file(
    state: &AppState,
    store: &FileStore,
    file: FileId,
    verdict: Option<AttachmentState>,
) -> Result<bool, Refusal> {
    if verdict.is_none() {
        let until = Timestamp::now().after(SCAN_FOR);
        let claim = move |conn: &mut _, _: &_| scans::claim(conn, file, until);
        if !state.writer.run("claim_scan", claim).await? {
            return Ok(false);
        }
        let Some(verdict) = verdict_of(state, store, file).await? else {
            let until = Timestamp::now().after(RETRY_AFTER);
            let put_off = move |conn: &mut _, _: &_| scans::wait_until(conn, file, until);
            state.writer.run("put_off_scan", put_off).await?;
            return Ok(false);
        };
        let set = move |conn: &mut _, _: &_| scans::set_verdict(conn, file, verdict);
        state.writer.run("set_scan_verdict", set).await?;
    }
    show(state, file).await?;
    store.wake.notify_one();
    Ok(true)
}

/// Returns the result for a file; `None`: it is to be scanned later.
async fn verdict_of(
    state: &AppState,
    store: &FileStore,
    file: FileId,
) -> Result<Option<AttachmentState>, Refusal> {
    let Some(scanner) = &state.config.files.scan else { return Ok(Some(AttachmentState::Clean)) };
    let scanning = scan_file(store, scanner, file);
    tokio::pin!(scanning);
    let scanned = loop {
        tokio::select! {
            scanned = &mut scanning => break scanned,
            () = tokio::time::sleep(EXTEND_EVERY) => {
                let until = Timestamp::now().after(SCAN_FOR);
                let extend = move |conn: &mut _, _: &_| scans::wait_until(conn, file, until);
                state.writer.run("extend_scan", extend).await?;
            }
        }
    };
    Ok(match scanned {
        Ok(Finding::Clean) => Some(AttachmentState::Clean),
        Ok(Finding::Blocked(reason)) => {
            tracing::warn!(%file, reason, "the scanner blocked an attachment");
            Some(AttachmentState::Blocked)
        }
        Err(error) => match state.config.files.scan_failure {
            ScanFailure::Hold => {
                tracing::warn!(%error, %file, %scanner, "an attachment could not be scanned; the next try is in 2 s");
                None
            }
            ScanFailure::Allow => {
                tracing::warn!(%error, %file, %scanner, "an attachment could not be scanned; taking it for clean");
                Some(AttachmentState::Clean)
            }
        },
    })
}

async fn scan_file(store: &FileStore, scanner: &ScannerUrl, file: FileId) -> std::io::Result<Finding> {
    let opened = store.work("be read", move |folder| folder.open(file)).await;
    match opened {
        Ok(Some(bytes)) => scanner::scan(scanner, bytes).await,
        _ => Err(std::io::Error::other("its bytes could not be read")),
    }
}

/// Shows the result for a file wherever it is attached.
async fn show(state: &AppState, file: FileId) -> Result<(), Refusal> {
    let found = state.readers.query_one(move |conn| scans::of_file(conn, file)).await?;
    let (sent, unsent): (Vec<Waiting>, Vec<Waiting>) =
        found.into_iter().partition(|waiting| waiting.message_id.is_some());
    settle(state, unsent).await?;
    let mut shown: HashSet<(ChatId, MessageId)> = HashSet::new();
    for waiting in sent {
        let Some(message) = waiting.message_id else { continue };
        if !shown.insert((waiting.chat_id, message)) {
            continue;
        }
        let action = Action::ShowScanned { message };
        let command = Command { chat: waiting.chat_id, by: waiting.user_id, action };
        match state.directory.command(command).await {
            Ok(_) => {}
            // The chat or the message is deleted, and its attachments go.
            Err(Refusal::NotFound) => settle(state, vec![waiting]).await?,
            Err(refusal) => return Err(refusal),
        }
    }
    Ok(())
}

async fn settle(state: &AppState, waiting: Vec<Waiting>) -> Result<(), Refusal> {
    if waiting.is_empty() {
        return Ok(());
    }
    let settle = move |conn: &mut _, _: &_| waiting.iter().try_for_each(|one| scanning::settle(conn, one));
    state.writer.run("settle_scanned", settle).await
}
