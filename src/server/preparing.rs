//! What a server needs of its database before it serves: the schema brought up to date, keys, connections.

use std::{
    os::unix::fs::MetadataExt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use actix_rt::task::spawn_blocking;
use actix_web::cookie::Key;
use tokio::time::timeout;

use super::error::StartError;
use crate::{
    config::Config,
    core::{
        model::{Contacts, Pictures, Seq},
        secrets::{self, cookie_key},
    },
    storage::{
        Access, DatabaseUrl, Exclusive, Readers, Rules, StorageMeter, Writer,
        db::migrations,
        maintenance::{foreign, restore_epoch},
        tables::settings,
        transaction,
    },
    view::{AddressKey, Links},
};

/// All of it.
pub(super) struct Prepared {
    pub exclusive: Exclusive,
    pub kept: Kept,
    pub rules: Rules,
    pub writer: Writer,
    pub readers: Readers,
    /// A connection that no metrics count: it reads for longer than anybody should wait.
    pub indexing: Readers,
    /// Another one, so that whoever reads much does not keep a node from seeing which credentials have ended.
    pub watching: Readers,
}

/// After so long it says what it waits for, and again whenever so long has passed.
const FIRST_WORD: Duration = Duration::from_secs(3);
const FURTHER_WORDS: Duration = Duration::from_secs(30);

/// Prepares a server, and says in the log what it waits for. Where this is dropped, nobody waits for it any more.
pub(super) async fn prepare(
    config: &Config,
    meter: Option<Arc<StorageMeter>>,
) -> Result<Prepared, StartError> {
    let stage = Stage::default();
    let mut preparing = spawn_blocking({
        let (config, stage) = (config.clone(), stage.clone());
        move || Prepared::of(&config, meter, &stage)
    });
    let mut pause = FIRST_WORD;
    loop {
        match timeout(pause, &mut preparing).await {
            Ok(prepared) => return prepared.map_err(|error| StartError::Prepare(error.to_string()))?,
            Err(_) => tracing::warn!("the start takes long: it waits for {}", stage.get()),
        }
        pause = FURTHER_WORDS;
    }
}

/// What a start waits for.
#[derive(Debug, Clone, Default)]
struct Stage(Arc<Mutex<String>>);

impl Stage {
    fn set(&self, what: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = what;
    }

    fn get(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Prepared {
    fn of(config: &Config, meter: Option<Arc<StorageMeter>>, stage: &Stage) -> Result<Self, StartError> {
        let url = &config.database.database_url;
        stage.set(format!("{} to answer, or to be brought up to date", url.name()));
        let exclusive = Exclusive::take(url)?;
        migrations::migrate_telling(url, &|what| {
            tracing::warn!("waiting for {what}");
            stage.set(what);
        })?;
        stage.set(format!("{} to answer", url.name()));
        warn_of_file(url)?;
        let kept = Kept::load(config)?;
        let rules = Rules {
            receipts_max_members: config.receipts_max_members,
            contacts: config.contacts,
            object_rooms: config.object_rooms,
            max_chats_per_user: config.max_chats_per_user,
            content_key: kept.content_key.clone().into_bytes(),
            restored_from: kept.restored_from,
        };
        let writer = Writer::start(url, rules.clone(), meter.clone())?;
        let readers = Readers::open(url, config.readers(), config.reads_per_user(), meter)?;
        let indexing = Readers::open(url, 1, 1, None)?;
        let watching = Readers::open(url, 1, 1, None)?;
        Ok(Self { exclusive, kept, rules, writer, readers, indexing, watching })
    }
}

/// Says in the log what is wrong with a SQLite file and yet no reason not to serve it.
fn warn_of_file(url: &DatabaseUrl) -> Result<(), StartError> {
    let DatabaseUrl::Sqlite(path) = url else { return Ok(()) };
    let mode = std::fs::metadata(path).map_or(0, |file| file.mode() & 0o777);
    if mode & 0o007 != 0 {
        tracing::warn!("everybody on this machine can open {path} (mode {mode:03o}): run chmod o-rwx {path}");
    }
    let found = foreign::differences(&mut url.open(Access::Read)?);
    for difference in found.map_err(|error| StartError::Prepare(error.to_string()))? {
        tracing::warn!("{path}: {difference}; see greenroom check");
    }
    Ok(())
}

/// What the addresses are made of that are shown. All nodes of a database sign with the key that it keeps.
pub(super) fn links(config: &Config, kept: &Kept) -> Links {
    let public_url = config.public_url.clone().unwrap_or_default();
    let key = AddressKey::new(kept.content_key.as_bytes());
    Links {
        pictures: Arc::new(Pictures { own: public_url.clone(), hosts: config.picture_hosts.clone() }),
        public_url,
        avatar_key: (config.contacts != Contacts::All).then(|| key.clone()),
        picture_key: config.picture_proxy.then_some(key),
    }
}

/// What a database keeps for its servers.
pub(super) struct Kept {
    pub cookie_key: Key,
    pub content_key: String,
    /// Names the nodes of this database among others on the same Redis.
    pub deployment: String,
    pub restored_from: Seq,
}

impl Kept {
    /// Keys are made at the first start; the cookie's may be given by setting.
    fn load(config: &Config) -> Result<Self, StartError> {
        let url = &config.database.database_url;
        let mut conn = url.open(Access::Write)?;
        let kept = transaction(&mut conn, |conn| {
            let session = settings::get_or_make(conn, "session_key", secrets::draw)?;
            let content = settings::get_or_make(conn, "content_key", secrets::draw)?;
            let restored_from = restore_epoch::number(conn)?;
            let deployment = settings::get_or_make(conn, settings::DEPLOYMENT, secrets::draw)?;
            Ok((session, content, deployment, restored_from))
        });
        let (session, content_key, deployment, restored_from) =
            kept.map_err(|error| StartError::Prepare(error.to_string()))?;
        let secret = config.secret_key.as_deref().unwrap_or(&session);
        Ok(Self { cookie_key: Key::from(&cookie_key(secret)), content_key, deployment, restored_from })
    }
}
