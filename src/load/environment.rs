//! A server with the users and chats of a run, from its making to its cleaning up.

use std::{
    cell::RefCell,
    rc::Rc,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::{
    client::target::Target,
    error::LoadError,
    fixtures::{
        in_database::Storage,
        over_rest::Admin,
        plan::{Cast, Names, Plan},
    },
    measure::{clock::Clock, process::Process},
    options::Options,
    output::progress::making,
    run::interrupt::Stop,
    spawned_server::{Folder, Spawned},
};
use crate::storage::DatabaseUrl;

/// Files that are open besides connections.
const OTHER_FILES: u64 = 256;

/// A server that is ready to be put under load.
pub(crate) struct Stage {
    pub(crate) options: Options,
    pub(crate) target: Rc<Target>,
    pub(crate) cast: Cast,
    pub(crate) clock: Clock,
    /// How long the run's own server took from its start until it listened.
    pub(crate) started_in: Option<Duration>,
    props: Props,
}

/// What is to be put away afterwards.
enum Props {
    Own { server: RefCell<Option<Spawned>>, storage: Storage, folder: Option<Folder> },
    Others { admin: Admin, pid: Option<Process> },
}

impl Stage {
    /// Finds or starts the server, and makes what is planned.
    pub(crate) async fn set(options: &Options, plan: &Plan, stop: &Stop) -> Result<Self, LoadError> {
        let names = Names::draw();
        match options.proof() {
            None => Self::set_own(options, plan, stop, names).await,
            Some(proof) => {
                let target = Rc::new(Target::find(&options.url)?);
                let admin = Admin::sign_in(target.clone(), &proof, names, stop.clone()).await?;
                Self::set_others(options, plan, target, admin).await
            }
        }
    }

    async fn set_own(options: &Options, plan: &Plan, stop: &Stop, names: Names) -> Result<Self, LoadError> {
        let (folder, url) = match &options.database_url {
            Some(url) => (None, url.clone()),
            None => {
                let folder =
                    Folder::make().map_err(|error| format!("there is no place for a database: {error}"))?;
                let url = folder.database();
                (Some(folder), url)
            }
        };
        let progress = making("Making users and chats", plan.steps());
        let cast = Arc::new(Mutex::new(Cast::default()));
        let storage = Storage { url: url.clone(), names, stop: stop.clone(), progress, cast };
        let made = in_background(&storage, {
            let plan = plan.clone();
            move |storage| storage.make(&plan)
        })
        .await;
        storage.progress.finish_and_clear();
        let begun = Instant::now();
        let started = match made {
            Ok(()) => Spawned::start(&url, 0).await,
            Err(error) => Err(error),
        };
        let started_in = Some(begun.elapsed());
        let server = match started {
            Ok(server) => server,
            Err(error) => {
                clean_up(&storage, folder.as_ref()).await?;
                return Err(error.into());
            }
        };
        let base = format!("http://{}", server.address);
        let target =
            Rc::new(Target::find(&base.parse().map_err(|_| "the server's address is none".to_owned())?)?);
        let cast = storage.cast.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let props = Props::Own { server: RefCell::new(Some(server)), storage, folder };
        Ok(Self { options: options.clone(), target, cast, clock: Clock::start(), started_in, props })
    }

    async fn set_others(
        options: &Options,
        plan: &Plan,
        target: Rc<Target>,
        mut admin: Admin,
    ) -> Result<Self, LoadError> {
        admin.progress = making("Making users and chats", plan.steps());
        let made = admin.make(plan).await;
        admin.progress.finish_and_clear();
        let cast = admin.cast.borrow().clone();
        let props = Props::Others { admin, pid: options.pid };
        let clock = Clock::start();
        let stage = Self { options: options.clone(), target, cast, clock, started_in: None, props };
        match made {
            Ok(()) => Ok(stage),
            Err(error) => {
                stage.strike().await?;
                Err(error.into())
            }
        }
    }

    /// The server's process, where it is known.
    pub(crate) fn server(&self) -> Option<Process> {
        match &self.props {
            Props::Own { server, .. } => server.borrow().as_ref().and_then(Spawned::process),
            Props::Others { pid, .. } => *pid,
        }
    }

    /// Kills the run's own server, and starts it again where it was once `meanwhile` is over.
    pub(crate) async fn restart(&self) -> Result<(), LoadError> {
        let Props::Own { server, storage, .. } = &self.props else {
            return Err("only a server of the run's own can be restarted: give --spawn".to_owned().into());
        };
        let Some(old) = server.take() else { return Ok(()) };
        let port = old.address.port();
        old.kill().await;
        let new = Spawned::start(&storage.url, port).await?;
        *server.borrow_mut() = Some(new);
        Ok(())
    }

    /// Puts everything away: chats are deleted, users shut out, the run's own server is stopped.
    pub(crate) async fn strike(self) -> Result<(), LoadError> {
        match self.props {
            Props::Own { server, storage, folder } => {
                if let Some(server) = server.take() {
                    server.stop().await;
                }
                clean_up(&storage, folder.as_ref()).await
            }
            Props::Others { mut admin, .. } => {
                let steps = (self.cast.people.len() + self.cast.chats.len()) as u64;
                admin.progress = making("Cleaning up", steps);
                let cleaned = admin.clean().await;
                admin.progress.finish_and_clear();
                cleaned.map_err(|error| format!("what was made could not all be removed: {error}").into())
            }
        }
    }
}

/// A database of the run's own goes as a whole.
async fn clean_up(storage: &Storage, folder: Option<&Folder>) -> Result<(), LoadError> {
    if folder.is_some()
        || matches!(&storage.url, DatabaseUrl::Sqlite(path) if !std::path::Path::new(path).exists())
    {
        return Ok(());
    }
    let steps = {
        let cast = storage.cast.lock().unwrap_or_else(PoisonError::into_inner);
        (cast.people.len() + cast.chats.len()) as u64
    };
    let mut storage = storage.clone();
    storage.progress = making("Cleaning up", steps);
    let cleaned = in_background(&storage, |storage| storage.clean()).await;
    storage.progress.finish_and_clear();
    cleaned.map_err(|error| format!("what was made could not all be removed: {error}").into())
}

/// On another thread, so that Ctrl-C is heard.
async fn in_background(
    storage: &Storage,
    work: impl FnOnce(&Storage) -> Result<(), String> + Send + 'static,
) -> Result<(), String> {
    let storage = storage.clone();
    let done = actix_rt::task::spawn_blocking(move || work(&storage)).await;
    done.map_err(|error| error.to_string())?
}

/// Has the system allow as many open files as so many connections need, and says how many it does. A server of the run's
/// own is allowed as many.
pub(crate) fn allow_files(connections: usize) -> Result<u64, LoadError> {
    let allowed = rlimit::increase_nofile_limit(u64::MAX).map_err(|error| error.to_string())?;
    let needed = connections as u64 + OTHER_FILES;
    if allowed < needed {
        let sentence = format!(
            "{connections} connections need {needed} open files, and the system allows {allowed}: raise `ulimit -n`"
        );
        return Err(sentence.into());
    }
    Ok(allowed)
}
