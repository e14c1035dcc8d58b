//! A connection that speaks TLS.

use std::{
    ffi::{CString, c_void},
    io::{ErrorKind, Read, Write},
    mem,
    net::{IpAddr, Ipv4Addr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use rustls::{
    ClientConfig, ClientConnection, Error, SignatureScheme,
    client::{ResolvesClientCert, Resumption},
    crypto::ring,
    pki_types::{CertificateDer, ServerName},
    sign::CertifiedKey,
};

use crate::{
    bio::Socket,
    context::{CertificateRequested, Context, Versions},
    errors::{fail, fail_in_tls},
    verifier::{Roots, Verifier},
};

/// What `SSL_get_error` returns, by OpenSSL's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum State {
    Done = 0,
    Failed = 1,
    WantsRead = 2,
    WantsWrite = 3,
    /// The connection failed, or ended without the peer's goodbye. The reason is in `errno`.
    Broken = 5,
    /// The server has closed the connection.
    Closed = 6,
}

/// `SSL`: one connection of libpq.
pub struct Session {
    versions: Versions,
    roots: Roots,
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: Option<Arc<CertifiedKey>>,
    pub(crate) on_certificate_request: Option<(CertificateRequested, *mut c_void)>,
    pub(crate) is_certificate_requested: Arc<AtomicBool>,
    pub(crate) verifies: bool,
    /// Whether an authority of the server's chain limits names.
    pub(crate) limits_names: Arc<AtomicBool>,
    /// The name for the server, if it should get one.
    pub(crate) host: Option<ServerName<'static>>,
    pub(crate) protocols: Vec<Vec<u8>>,
    pub(crate) socket: Option<Socket>,
    /// Since the first call of `SSL_connect`.
    pub(crate) connection: Option<ClientConnection>,
    /// Bytes that rustls has taken over while the socket was full. libpq offers them again.
    taken: usize,
    pub(crate) state: State,
    pub(crate) cipher: CString,
}

/// Has the client's certificate, and notices that the server asks for it.
#[derive(Debug)]
struct Identity {
    key: Option<Arc<CertifiedKey>>,
    is_requested: Arc<AtomicBool>,
}

impl ResolvesClientCert for Identity {
    fn resolve(&self, _authorities: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.is_requested.store(true, Ordering::Relaxed);
        self.key.clone()
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl Session {
    /// Makes a session of all that a context has.
    pub(crate) fn new(context: &mut Context) -> Self {
        Self {
            versions: context.versions,
            roots: context.roots.take(),
            chain: mem::take(&mut context.chain),
            key: None,
            on_certificate_request: context.on_certificate_request,
            is_certificate_requested: Arc::default(),
            verifies: false,
            limits_names: Arc::default(),
            host: None,
            protocols: Vec::new(),
            socket: None,
            connection: None,
            taken: 0,
            state: State::Done,
            cipher: CString::default(),
        }
    }

    /// Returns the connection of rustls, which begins with the first call.
    fn begin(&mut self) -> Result<ClientConnection, Error> {
        let provider = Arc::new(ring::default_provider());
        let algorithms = provider.signature_verification_algorithms;
        let roots = self.verifies.then(|| self.roots.take());
        let identity =
            Identity { key: self.key.clone(), is_requested: self.is_certificate_requested.clone() };
        let verifier = Verifier { roots, algorithms, limits_names: self.limits_names.clone() };
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&self.versions.supported())?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_client_cert_resolver(Arc::new(identity));
        config.alpn_protocols.clone_from(&self.protocols);
        config.resumption = Resumption::disabled();
        config.enable_sni = self.host.is_some();
        // Only for the server: libpq compares the name in the certificate.
        let name = self.host.clone().unwrap_or(ServerName::from(IpAddr::V4(Ipv4Addr::UNSPECIFIED)));
        ClientConnection::new(Arc::new(config), name)
    }

    /// Continues the handshake until it is complete or needs the socket.
    pub(crate) fn connect(&mut self) -> State {
        if self.connection.is_none() {
            match self.begin() {
                Ok(connection) => self.connection = Some(connection),
                Err(error) => return failed(&error),
            }
        }
        loop {
            match self.flush() {
                State::Done => {}
                state => return state,
            }
            let Some(connection) = &self.connection else { return State::Failed };
            if !connection.is_handshaking() {
                let suite = connection.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str());
                self.cipher = CString::new(suite.unwrap_or_default()).unwrap_or_default();
                return State::Done;
            }
            match self.receive() {
                State::Done => {}
                state => return state,
            }
        }
    }

    /// Sends what rustls has encrypted.
    pub(crate) fn flush(&mut self) -> State {
        let (Some(connection), Some(socket)) = (&mut self.connection, &mut self.socket) else {
            return State::Failed;
        };
        while connection.wants_write() {
            match connection.write_tls(socket) {
                Ok(0) => return State::Broken,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return State::WantsWrite,
                Err(_) => return State::Broken,
            }
        }
        State::Done
    }

    /// Receives once, and decrypts all that is complete.
    fn receive(&mut self) -> State {
        let (Some(connection), Some(socket)) = (&mut self.connection, &mut self.socket) else {
            return State::Failed;
        };
        let is_at_end = match connection.read_tls(socket) {
            Ok(count) => count == 0,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return State::WantsRead,
            Err(_) => return State::Broken,
        };
        match connection.process_new_packets() {
            Ok(_) if is_at_end && connection.is_handshaking() => State::Closed,
            Ok(_) => State::Done,
            Err(error) => {
                // Tells the server why, if the socket has room.
                let _ = self.flush();
                failed(&error)
            }
        }
    }

    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, State> {
        loop {
            let Some(connection) = &mut self.connection else { return Err(State::Failed) };
            match connection.reader().read(buffer) {
                Ok(0) => return Err(State::Closed),
                Ok(count) => return Ok(count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Err(State::Broken),
                Err(error) => {
                    fail(error);
                    return Err(State::Failed);
                }
            }
            // Answers of rustls to the server. A full socket sends them with the next call.
            let _ = self.flush();
            match self.receive() {
                State::Done => {}
                State::Failed => return self.read_before_failure(buffer).ok_or(State::Failed),
                state => return Err(state),
            }
        }
    }

    /// Reads what was decrypted before a fatal error, such as the server's reason for it. The next call meets the error.
    fn read_before_failure(&mut self, buffer: &mut [u8]) -> Option<usize> {
        let count = self.connection.as_mut()?.reader().read(buffer).ok()?;
        (count > 0).then_some(count)
    }

    pub(crate) fn write(&mut self, data: &[u8]) -> Result<usize, State> {
        if self.taken == 0 {
            let Some(connection) = &mut self.connection else { return Err(State::Failed) };
            self.taken = connection.writer().write(data).map_err(|error| {
                fail(error);
                State::Failed
            })?;
        }
        match self.flush() {
            State::Done => Ok(mem::take(&mut self.taken)),
            state => Err(state),
        }
    }
}

fn failed(error: &Error) -> State {
    fail_in_tls(error);
    State::Failed
}
