//! Listening sockets, shared by all workers.

use std::fs::{self, Permissions};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};

use socket2::{Domain, Protocol, Socket, Type};

use super::StartError;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 4096;

/// Opens one address. The port is ours alone: a second process gets an error, not half of the
/// connections.
pub(super) fn open(address: SocketAddr) -> Result<TcpListener, StartError> {
    bind(address).map_err(|source| StartError::Listen { address, source })
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Opens a Unix socket, for everybody who can reach its folder. One that is left of a process that is
/// no more gives way.
pub(super) fn open_path(path: &str) -> Result<UnixListener, StartError> {
    let fault = |source| StartError::ListenPath { path: path.to_owned(), source };
    let opened = match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_left(path) => {
            fs::remove_file(path).and_then(|()| UnixListener::bind(path))
        }
        opened => opened,
    };
    let listener = opened.map_err(fault)?;
    fs::set_permissions(path, Permissions::from_mode(0o666)).map_err(fault)?;
    listener.set_nonblocking(true).map_err(fault)?;
    Ok(listener)
}

/// Whether nobody listens there any more.
fn is_left(path: &str) -> bool {
    UnixStream::connect(path).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

/// The next step for a person whose address cannot be listened on.
pub(super) fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another program listens there (`ss -ltnp` shows which); stop it, or choose another port with `--listen` or `--admin`"
        }
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 need a privilege: choose a higher port, or grant CAP_NET_BIND_SERVICE"
        }
        io::ErrorKind::AddrNotAvailable => {
            "this machine has no such address; `0.0.0.0` listens on all of them"
        }
        _ => "mend the address in `listen` or `admin`",
    }
}
