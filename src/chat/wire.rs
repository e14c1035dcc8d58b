//! A connection's own handle on its TCP socket, to cut it from outside.
//!
//! An actor whose client does not read is not polled, so it cannot close itself; whoever watches it can.

use std::{
    any::Any,
    io,
    net::Shutdown,
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
    time::Duration,
};

use actix_rt::net::TcpStream;
use socket2::SockRef;

/// Data that the other side does not acknowledge for so long ends the connection; a window that stays shut counts.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(30);

/// What the kernel keeps for a client that is slow, in bytes.
const SEND_BUFFER: usize = 128 * 1024;

/// A duplicate of a connection's descriptor.
#[derive(Debug, Clone)]
pub struct Wire(Arc<OwnedFd>);

impl Wire {
    /// Sets a new connection up and takes hold of it; `None` where it is not plain TCP.
    pub fn take_hold(connection: &dyn Any) -> Option<Self> {
        let tcp = connection.downcast_ref::<TcpStream>()?;
        let held = || -> io::Result<Self> {
            SockRef::from(tcp).set_tcp_user_timeout(Some(ACKNOWLEDGED_WITHIN))?;
            Ok(Self(Arc::new(tcp.as_fd().try_clone_to_owned()?)))
        };
        held().inspect_err(|error| tracing::warn!(%error, "a connection cannot be set up")).ok()
    }

    /// Gives it the small buffer of a socket, whose events can be had again.
    pub fn narrow(&self) {
        if let Err(error) = SockRef::from(&*self.0).set_send_buffer_size(SEND_BUFFER) {
            tracing::warn!(%error, "a socket's buffer cannot be set");
        }
    }

    /// Hears nothing more; what is to be sent is sent.
    pub fn stop_listening(&self) {
        let _ = SockRef::from(&*self.0).shutdown(Shutdown::Read);
    }

    /// Ends the connection at once, whatever waits in it.
    pub fn cut(&self) {
        let socket = SockRef::from(&*self.0);
        // Else the kernel would keep what waits until the other side has not acknowledged it for long enough. Both
        // fail where the connection has ended by itself.
        let _ = socket.set_linger(Some(Duration::ZERO));
        let _ = socket.shutdown(Shutdown::Both);
    }
}
