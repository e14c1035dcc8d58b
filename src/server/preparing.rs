//! Preparation of the database before the server starts: migrations, stored keys, connections.

use std::{os::unix::fs::MetadataExt, sync::Arc, time::Duration};

use actix_rt::task::spawn_blocking;
use actix_web::cookie::Key;
use tokio::time::timeout;

use super::error::StartError;
use crate::{
    config::Config,
    core::{
        model::{Contacts, Pictures, Seq, history::MessageHistory},
        secrets::{self, cookie_key},
        sync::Mutex,
    },
    files::FileStore,
    storage::{
        Access, AnyConn, DatabaseUrl, ReadPool, ServingLock, StorageMeter, StoragePolicy, Writer,
        db::migrations,
        maintenance::{restore_epoch, schema_check},
        tables::{scans, settings, stored_files},
        transaction,
    },
    view::{AddressKey, Links},
};

/// A prepared database.
pub(super) struct Prepared {
    pub exclusive: ServingLock,
    pub kept: StoredKeys,
    pub policy: StoragePolicy,
    pub writer: Writer,
    pub readers: ReadPool,
    /// Connection of the background indexer. Metrics do not count it, because its reads are long.
    pub indexing: ReadPool,
    /// Connection that polls for revocations, so that a busy read pool does not delay them.
    pub watching: ReadPool,
}

/// Delay before the log first says what a slow start waits for.
const SLOW_START_AFTER: Duration = Duration::from_secs(3);

/// Interval of further log lines about a slow start.
const SLOW_START_LOG_EVERY: Duration = Duration::from_secs(30);

/// Prepares the database, and logs what a slow start waits for. If the future is dropped, the work continues
/// on its thread.
pub(super) async fn prepare(
    config: &Config,
    meter: Option<Arc<StorageMeter>>,
) -> Result<Prepared, StartError> {
    let stage = StartupStage::default();
    let mut preparing = spawn_blocking({
        let (config, stage) = (config.clone(), stage.clone());
        move || Prepared::of(&config, meter, &stage)
    });
    let mut pause = SLOW_START_AFTER;
    loop {
        match timeout(pause, &mut preparing).await {
            Ok(prepared) => return prepared.map_err(|error| StartError::Prepare(error.to_string()))?,
            Err(_) => tracing::warn!("the start is slow; still waiting for {}", stage.get()),
        }
        pause = SLOW_START_LOG_EVERY;
    }
}

/// Description of what the start waits for.
#[derive(Debug, Clone, Default)]
struct StartupStage(Arc<Mutex<String>>);

impl StartupStage {
    fn set(&self, what: String) {
        *self.0.lock() = what;
    }

    fn get(&self) -> String {
        self.0.lock().clone()
    }
}

impl Prepared {
    fn of(
        config: &Config,
        meter: Option<Arc<StorageMeter>>,
        stage: &StartupStage,
    ) -> Result<Self, StartError> {
        let url = &config.database.database_url;
        stage.set(format!("{} to answer, or to be brought up to date", url.name()));
        let exclusive = ServingLock::take(url)?;
        migrations::migrate_reporting(url, &|what| {
            tracing::warn!("waiting for {what}");
            stage.set(what);
        })?;
        stage.set(format!("{} to answer", url.name()));
        warn_of_file(url)?;
        let kept = StoredKeys::load(config)?;
        let policy = StoragePolicy {
            receipts_max_members: config.receipts_max_members,
            contacts: config.contacts,
            object_rooms: config.object_rooms,
            max_chats_per_user: config.max_chats_per_user,
            attachments_max: usize::from(config.files.attachments_max),
            keeps_history: config.message_history != MessageHistory::Off,
            content_key: kept.content_key.clone().into_bytes(),
            restored_from: kept.restored_from,
        };
        let writer = Writer::start(url, policy.clone(), meter.clone())?;
        let readers = ReadPool::open(url, config.readers(), config.reads_per_user(), meter)?;
        let indexing = ReadPool::open(url, 1, 1, None)?;
        let watching = ReadPool::open(url, 1, 1, None)?;
        Ok(Self { exclusive, kept, policy, writer, readers, indexing, watching })
    }
}

/// Logs problems of a SQLite file that do not prevent the start: its mode, and foreign objects in its schema.
fn warn_of_file(url: &DatabaseUrl) -> Result<(), StartError> {
    let DatabaseUrl::Sqlite(path) = url else { return Ok(()) };
    let mode = std::fs::metadata(path).map_or(0, |file| file.mode() & 0o777);
    if mode & 0o007 != 0 {
        tracing::warn!("everybody on this machine can open {path} (mode {mode:03o}): run chmod o-rwx {path}");
    }
    let found = schema_check::differences(&mut url.open(Access::Read)?);
    for difference in found.map_err(|error| StartError::Prepare(error.to_string()))? {
        tracing::warn!("{path}: {difference}; run `greenroom check`");
    }
    Ok(())
}

/// Builds the configuration of links. All nodes of a database sign links with its stored key.
pub(super) fn links(config: &Config, kept: &StoredKeys) -> Links {
    let public_url = config.public_url.clone().unwrap_or_default();
    let key = AddressKey::new(kept.content_key.as_bytes());
    Links {
        pictures: Arc::new(Pictures {
            own: public_url.clone(),
            hosts: config.picture_hosts.clone(),
            any_port: false,
        }),
        public_url,
        avatar_key: (config.contacts != Contacts::All).then(|| key.clone()),
        picture_key: config.picture_proxy.then_some(key.clone()),
        preview_key: config.link_previews.then(|| key.clone()),
        file_key: config.files.folder(&config.database.database_url).map(|_| key),
    }
}

/// Opens the store of attachments; `None`: there is none. Fails if its folder belongs to another database.
pub(super) async fn file_store(
    config: &Config,
    kept: &StoredKeys,
) -> Result<Option<Arc<FileStore>>, StartError> {
    let Some(folder) = config.files.folder(&config.database.database_url) else { return Ok(None) };
    let name = folder.display().to_string();
    let store = FileStore::new(folder, kept.file_mark.clone().into(), config.workers());
    let found = store.folder.clone();
    let looked = spawn_blocking(move || found.look()).await;
    let looked = looked.map_err(|error| StartError::Prepare(error.to_string()))?;
    looked.map_err(|reason| StartError::Files { folder: name, reason })?;
    Ok(Some(Arc::new(store)))
}

/// Keys and settings that are stored in the database.
pub(super) struct StoredKeys {
    pub cookie_key: Key,
    pub content_key: String,
    /// Identifies the nodes of this database among others that share a Redis.
    pub deployment: String,
    /// The mark of the folder of attachments.
    pub file_mark: String,
    pub restored_from: Seq,
}

impl StoredKeys {
    /// Loads the keys, or creates them at the first start. The setting `secret_key` overrides the key of the
    /// cookie.
    fn load(config: &Config) -> Result<Self, StartError> {
        let url = &config.database.database_url;
        let mut conn = url.open(Access::Write)?;
        let kept = transaction(&mut conn, |conn| {
            let session = settings::get_or_create(conn, "session_key", secrets::draw)?;
            let content = settings::get_or_create(conn, "content_key", secrets::draw)?;
            let restored_from = restore_epoch::number(conn)?;
            let deployment = settings::get_or_create(conn, settings::DEPLOYMENT, secrets::draw)?;
            let file_mark = settings::get_or_create(conn, settings::FILE_MARK, secrets::draw)?;
            if let AnyConn::Sqlite(_) = conn {
                // Requests of an earlier process have ended with it.
                stored_files::end_all_writing(conn)?;
                scans::end_claims(conn)?;
            }
            Ok((session, content, deployment, file_mark, restored_from))
        });
        let (session, content_key, deployment, file_mark, restored_from) =
            kept.map_err(|error| StartError::Prepare(error.to_string()))?;
        let secret = config.secret_key.as_deref().unwrap_or(&session);
        Ok(Self {
            cookie_key: Key::from(&cookie_key(secret)),
            content_key,
            deployment,
            file_mark,
            restored_from,
        })
    }
}
