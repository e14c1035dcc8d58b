//! Has attachments scanned, and shows in the messages what was found.

use std::{collections::HashSet, sync::Arc, time::Duration};

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
        tables::scans::{self, DueFile, Waiting},
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

/// Works on the files that are due. Returns whether there may be more.
async fn scan_some(state: &AppState, store: &Arc<FileStore>) -> Result<bool, Refusal> {
    let due = state.readers.query_one(|conn| scans::due(conn, FOUND)).await?;
    let work = due.into_iter().map(|file| settle_file(state, store, file));
    let done: Vec<Result<bool, Refusal>> = stream::iter(work).buffer_unordered(AT_ONCE).collect().await;
    done.into_iter().try_fold(false, |is_any, settled| Ok(settled? || is_any))
}

/// Has a file scanned, unless it was, and shows the result. Returns whether there is one.
async fn settle_file(state: &AppState, store: &FileStore, file: DueFile) -> Result<bool, Refusal> {
    let Some(mut claim) = Claim::of(state, file.id).await? else { return Ok(false) };
    if file.verdict.is_none() {
        let Some(verdict) = verdict_of(state, store, &mut claim).await? else {
            claim.put_off(RETRY_AFTER).await?;
            return Ok(false);
        };
        let id = file.id;
        state.writer.run("set_scan_verdict", move |conn, _| scans::set_verdict(conn, id, verdict)).await?;
    }
    if let Err(refusal) = show(state, file.id).await {
        claim.put_off(RETRY_AFTER).await?;
        return Err(refusal);
    }
    claim.finish().await?;
    store.wake.notify_one();
    Ok(true)
}

/// The right of this node to work on a file.
struct Claim<'a> {
    state: &'a AppState,
    file: FileId,
    until: Timestamp,
}

impl<'a> Claim<'a> {
    /// Claims a file, unless another node has.
    async fn of(state: &'a AppState, file: FileId) -> Result<Option<Self>, Refusal> {
        let until = Timestamp::now().after(SCAN_FOR);
        let claim = move |conn: &mut _, _: &_| scans::claim(conn, file, until);
        let is_given = state.writer.run("claim_scan", claim).await?;
        Ok(is_given.then_some(Self { state, file, until }))
    }

    /// Extends the claim, or has the file wait for its next attempt.
    async fn put_off(&mut self, time: Duration) -> Result<(), Refusal> {
        let (file, claimed, until) = (self.file, self.until, Timestamp::now().after(time));
        let put_off = move |conn: &mut _, _: &_| scans::put_off(conn, file, (claimed, until));
        if self.state.writer.run("put_off_scan", put_off).await? {
            self.until = until;
        }
        Ok(())
    }

    async fn finish(self) -> Result<(), Refusal> {
        let (file, claimed) = (self.file, self.until);
        let finish = move |conn: &mut _, _: &_| scans::finish(conn, file, claimed);
        self.state.writer.run("finish_scan", finish).await
    }
}

/// Returns the result for a file; `None`: it is to be scanned later.
async fn verdict_of(
    state: &AppState,
    store: &FileStore,
    claim: &mut Claim<'_>,
) -> Result<Option<AttachmentState>, Refusal> {
    let file = claim.file;
    let Some(scanner) = &state.config.files.scan else { return Ok(Some(AttachmentState::Clean)) };
    let scanning = scan_file(store, scanner, file);
    tokio::pin!(scanning);
    let scanned = loop {
        tokio::select! {
            scanned = &mut scanning => break scanned,
            () = tokio::time::sleep(EXTEND_EVERY) => claim.put_off(SCAN_FOR).await?,
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
