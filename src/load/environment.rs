//! The environment of a run: a server with users and chats, from set-up to teardown.

use std::{
    cell::RefCell,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    client::target::Target,
    error::LoadError,
    fixtures::{
        in_database::Storage,
        jwt,
        over_rest::Admin,
        plan::{Fixtures, Names, Plan, SignIn},
    },
    measure::{clock::Clock, process::Process},
    options::Options,
    output::progress::progress_bar,
    run::interrupt::Interrupt,
    server_program::ServerProgram,
    spawned_server::{DatabaseFolder, SpawnedServer, migrate},
};
use crate::{core::sync::Mutex, storage::DatabaseUrl};

/// Open files allowed for besides connections.
const OTHER_FILES: u64 = 256;

/// A server that is ready to be loaded, and the fixtures on it.
pub(crate) struct Environment {
    pub(crate) options: Options,
    pub(crate) target: Rc<Target>,
    pub(crate) fixtures: Fixtures,
    pub(crate) clock: Clock,
    /// Time from the start of a spawned server until it listened; `None` for an external server.
    pub(crate) started_in: Option<Duration>,
    teardown: Teardown,
}

/// What `tear_down` has to stop and remove.
enum Teardown {
    Spawned {
        program: ServerProgram,
        server: RefCell<Option<SpawnedServer>>,
        storage: Box<Storage>,
        folder: Option<DatabaseFolder>,
        jwt_secret: Option<&'static str>,
    },
    External {
        admin: Admin,
        pid: Option<Process>,
    },
}

impl Environment {
    /// Finds or spawns the server, and creates the planned users and chats.
    pub(crate) async fn set_up(
        options: &Options,
        plan: &Plan,
        interrupt: &Interrupt,
    ) -> Result<Self, LoadError> {
        let names = Names::draw();
        match options.credential() {
            None => Self::set_up_spawned(options, plan, interrupt, names).await,
            Some(credential) => {
                let target = Rc::new(Target::find(&options.url)?);
                let admin = Admin::sign_in(target.clone(), &credential, names, interrupt.clone()).await?;
                Self::set_up_external(options, plan, target, admin).await
            }
        }
    }

    async fn set_up_spawned(
        options: &Options,
        plan: &Plan,
        interrupt: &Interrupt,
        names: Names,
    ) -> Result<Self, LoadError> {
        let this = ServerProgram::this().map_err(|error| error.to_string())?;
        let is_for_another_build = options.server_binary.is_some();
        let program = options.server_binary.clone().unwrap_or(this);
        let (folder, url) = match &options.database_url {
            Some(url) => (None, url.clone()),
            None => {
                let folder = DatabaseFolder::make()
                    .map_err(|error| format!("cannot create a folder for the database: {error}"))?;
                let url = folder.database();
                (Some(folder), url)
            }
        };
        if is_for_another_build {
            migrate(&program, &url).await?;
        }
        let progress = progress_bar("Creating users and chats", plan.steps());
        let fixtures = Arc::new(Mutex::new(Fixtures::default()));
        let interrupt = interrupt.clone();
        let storage = Storage { url, is_for_another_build, names, interrupt, progress, fixtures };
        let made = in_background(&storage, {
            let plan = plan.clone();
            move |storage| storage.make(&plan)
        })
        .await;
        storage.progress.finish_and_clear();
        let jwt_secret = (plan.sign_in == SignIn::Jwt).then(|| jwt::SECRET.as_str());
        let begun = Instant::now();
        let started = match made {
            Ok(()) => SpawnedServer::start(&program, &storage.url, 0, jwt_secret).await,
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
        let base = base.parse().map_err(|_| "the spawned server printed an invalid address".to_owned())?;
        let target = Rc::new(Target::find(&[base])?);
        let fixtures = storage.fixtures.lock().clone();
        let teardown = Teardown::Spawned {
            program,
            server: RefCell::new(Some(server)),
            storage: Box::new(storage),
            folder,
            jwt_secret,
        };
        Ok(Self { options: options.clone(), target, fixtures, clock: Clock::start(), started_in, teardown })
    }

    async fn set_up_external(
        options: &Options,
        plan: &Plan,
        target: Rc<Target>,
        mut admin: Admin,
    ) -> Result<Self, LoadError> {
        admin.progress = progress_bar("Creating users and chats", plan.steps());
        let made = admin.make(plan).await;
        admin.progress.finish_and_clear();
        let fixtures = admin.fixtures.borrow().clone();
        let teardown = Teardown::External { admin, pid: options.pid };
        let clock = Clock::start();
        let environment =
            Self { options: options.clone(), target, fixtures, clock, started_in: None, teardown };
        match made {
            Ok(()) => Ok(environment),
            Err(error) => {
                environment.tear_down().await?;
                Err(error.into())
            }
        }
    }

    /// Returns the server's process; `None` for an external server without `--pid`.
    pub(crate) fn server(&self) -> Option<Process> {
        match &self.teardown {
            Teardown::Spawned { server, .. } => server.borrow().as_ref().and_then(SpawnedServer::process),
            Teardown::External { pid, .. } => *pid,
        }
    }

    /// Kills the spawned server and starts it again on the same port and database.
    pub(crate) async fn restart(&self) -> Result<(), LoadError> {
        let Teardown::Spawned { program, server, storage, jwt_secret, .. } = &self.teardown else {
            return Err("only a spawned server can be restarted: give --spawn".to_owned().into());
        };
        let Some(old) = server.take() else { return Ok(()) };
        let port = old.address.port();
        old.kill().await;
        let new = SpawnedServer::start(program, &storage.url, port, *jwt_secret).await?;
        *server.borrow_mut() = Some(new);
        Ok(())
    }

    /// Stops a spawned server, deletes the chats of the run and deactivates its users.
    pub(crate) async fn tear_down(self) -> Result<(), LoadError> {
        match self.teardown {
            Teardown::Spawned { server, storage, folder, .. } => {
                if let Some(server) = server.take() {
                    server.stop().await;
                }
                clean_up(&storage, folder.as_ref()).await
            }
            Teardown::External { mut admin, .. } => {
                let steps = (self.fixtures.people.len() + self.fixtures.chats.len()) as u64;
                admin.progress = progress_bar("Cleaning up", steps);
                let cleaned = admin.clean_up().await;
                admin.progress.finish_and_clear();
                cleaned.map_err(|error| {
                    format!("could not remove all users and chats of the run: {error}").into()
                })
            }
        }
    }
}

/// Removes the fixtures from the database, except from a temporary one: its folder is deleted as a whole.
async fn clean_up(storage: &Storage, folder: Option<&DatabaseFolder>) -> Result<(), LoadError> {
    if folder.is_some()
        || matches!(&storage.url, DatabaseUrl::Sqlite(path) if !std::path::Path::new(path).exists())
    {
        return Ok(());
    }
    let steps = {
        let fixtures = storage.fixtures.lock();
        (fixtures.people.len() + fixtures.chats.len()) as u64
    };
    let mut storage = storage.clone();
    storage.progress = progress_bar("Cleaning up", steps);
    let cleaned = in_background(&storage, Storage::clean_up).await;
    storage.progress.finish_and_clear();
    cleaned.map_err(|error| format!("could not remove all users and chats of the run: {error}").into())
}

/// Runs blocking work on another thread, so that the runtime can still handle Ctrl-C.
async fn in_background(
    storage: &Storage,
    work: impl FnOnce(&Storage) -> Result<(), String> + Send + 'static,
) -> Result<(), String> {
    let storage = storage.clone();
    let done = tokio::task::spawn_blocking(move || work(&storage)).await;
    done.map_err(|error| error.to_string())?
}

/// Raises the limit of open files to the hard limit and returns it. Fails if `connections` need more.
/// A spawned server inherits the limit.
pub(crate) fn raise_open_file_limit(connections: usize) -> Result<u64, LoadError> {
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
