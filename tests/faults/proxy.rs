//! A TCP proxy to PostgreSQL's Unix socket that can break connections.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    os::unix::net::UnixStream,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    thread,
};

/// What to do at the next commit.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum AtCommit {
    PassOn = 0,
    /// Cut the connection before the server receives the commit.
    CutBefore = 1,
    /// Let the server commit, and cut the connection before the answer.
    CutAfter = 2,
}

/// The commit as our writer sends it.
const COMMIT: &[u8] = b"; COMMIT\0";

/// The proxy. It accepts connections as long as the process lives.
pub(crate) struct Proxy {
    port: u16,
    road: Arc<Road>,
}

struct Road {
    at_commit: AtomicU8,
    is_blocked: AtomicBool,
    /// Both ends of all connections so far.
    open: Mutex<Vec<(TcpStream, UnixStream)>>,
}

impl Proxy {
    /// Starts a proxy to the cluster with this URL.
    pub(crate) fn to(cluster: &str) -> Self {
        let folder = cluster.rsplit_once('@').unwrap().1.split('/').next().unwrap().replace("%2F", "/");
        let socket = PathBuf::from(folder).join(".s.PGSQL.5432");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let road = Arc::new(Road {
            at_commit: AtomicU8::new(AtCommit::PassOn as u8),
            is_blocked: AtomicBool::new(false),
            open: Mutex::default(),
        });
        let taken = road.clone();
        thread::spawn(move || {
            for client in listener.incoming() {
                taken.clone().carry(client.unwrap(), UnixStream::connect(&socket).unwrap());
            }
        });
        Self { port, road }
    }

    /// Returns the URL of a database behind the proxy.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// Sets what to do at the next commit, once.
    pub(crate) fn at_commit(&self, at_commit: AtCommit) {
        self.road.at_commit.store(at_commit as u8, Ordering::SeqCst);
    }

    /// Accepts data from now on without forwarding it.
    pub(crate) fn block(&self) {
        self.road.is_blocked.store(true, Ordering::SeqCst);
    }

    /// Cuts all connections and forwards new ones again.
    pub(crate) fn mend(&self) {
        self.road.is_blocked.store(false, Ordering::SeqCst);
        for (client, server) in self.road.open.lock().unwrap().drain(..) {
            cut(&client, &server);
        }
    }
}

fn cut(client: &TcpStream, server: &UnixStream) {
    let _ = client.shutdown(Shutdown::Both);
    let _ = server.shutdown(Shutdown::Both);
}

impl Road {
    fn carry(self: Arc<Self>, client: TcpStream, server: UnixStream) {
        let ends = || (client.try_clone().unwrap(), server.try_clone().unwrap());
        self.open.lock().unwrap().push(ends());
        let (there, back) = (ends(), ends());
        let road = self.clone();
        thread::spawn(move || road.carry_there(there.0, there.1));
        thread::spawn(move || self.carry_back(back.0, back.1));
    }

    fn carry_there(&self, mut client: TcpStream, mut server: UnixStream) {
        let mut buffer = [0; 64 << 10];
        while let Ok(count @ 1..) = client.read(&mut buffer) {
            if self.is_blocked.load(Ordering::SeqCst) {
                continue;
            }
            let is_commit = buffer[..count].windows(COMMIT.len()).any(|words| words == COMMIT);
            let what = if is_commit { self.at_commit.swap(0, Ordering::SeqCst) } else { 0 };
            if what == AtCommit::CutBefore as u8 {
                break;
            }
            if what == AtCommit::CutAfter as u8 {
                // The client must not receive the answer.
                let _ = client.shutdown(Shutdown::Both);
            }
            if server.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        cut(&client, &server);
    }

    fn carry_back(&self, mut client: TcpStream, mut server: UnixStream) {
        let mut buffer = [0; 64 << 10];
        while let Ok(count @ 1..) = server.read(&mut buffer) {
            if !self.is_blocked.load(Ordering::SeqCst) && client.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        cut(&client, &server);
    }
}
