//! Lines as RFC 5424 messages: in datagrams, or on a TCP stream with octet counts (RFC 6587).

use std::fs;
use std::io::{self, Write};
use std::net::{TcpStream, ToSocketAddrs, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use bytes::Bytes;

use super::destination::{Destination, Failure, PATIENCE, checked_address};
use super::json::write_time;

/// Facility local7, severity informational, as nginx sends.
const PRIORITY: u8 = 23 * 8 + 6;
/// The first pause after a lost connection; each next one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest.
const LAST_PAUSE: Duration = Duration::from_secs(30);

/// What stands before each message.
struct Header {
    host: String,
    message_id: &'static str,
}

impl Header {
    fn new(message_id: &'static str) -> Self {
        let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let name = name.trim();
        let host = if name.is_empty() { "-".to_owned() } else { name.to_owned() };
        Self { host, message_id }
    }

    fn message(&self, line: &[u8]) -> Vec<u8> {
        let mut message = Vec::with_capacity(line.len() + 96);
        let _ = write!(message, "<{PRIORITY}>1 ");
        write_time(&mut message, SystemTime::now());
        let (host, process, id) = (&self.host, std::process::id(), self.message_id);
        let _ = write!(message, " {host} moongate {process} {id} - ");
        message.extend_from_slice(line);
        message
    }
}

/// A syslog server that takes datagrams.
pub(super) struct Datagrams {
    header: Header,
    peer: DatagramPeer,
    socket: Option<DatagramSocket>,
}

enum DatagramPeer {
    Udp(String),
    Unix(PathBuf),
}

enum DatagramSocket {
    Udp(UdpSocket),
    Unix(UnixDatagram),
}

impl Datagrams {
    /// Over UDP.
    ///
    /// # Errors
    /// If the address is not `host:port`.
    pub(super) fn udp(name: &'static str, address: &str) -> io::Result<Self> {
        let peer = DatagramPeer::Udp(checked_address(address)?);
        Ok(Self { header: Header::new(name), peer, socket: None })
    }

    /// To a unix socket, which may come into being later.
    pub(super) fn unix(name: &'static str, path: &Path) -> Self {
        let peer = DatagramPeer::Unix(path.to_owned());
        Self { header: Header::new(name), peer, socket: None }
    }

    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        let sent = self.socket()?.send(message);
        if sent.is_err() {
            // The server may have begun anew, or moved: the next message looks again.
            self.socket = None;
        }
        sent.map(drop)
    }

    fn socket(&mut self) -> io::Result<&DatagramSocket> {
        match &mut self.socket {
            Some(socket) => Ok(socket),
            none => Ok(none.insert(self.peer.connect()?)),
        }
    }
}

impl DatagramPeer {
    fn connect(&self) -> io::Result<DatagramSocket> {
        match self {
            Self::Udp(address) => connect_udp(address).map(DatagramSocket::Udp),
            Self::Unix(path) => {
                let socket = UnixDatagram::unbound()?;
                socket.set_write_timeout(Some(PATIENCE))?;
                socket.connect(path)?;
                Ok(DatagramSocket::Unix(socket))
            }
        }
    }
}

fn connect_udp(address: &str) -> io::Result<UdpSocket> {
    let peer = address.to_socket_addrs()?.next().ok_or(io::ErrorKind::NotFound)?;
    let own = if peer.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(own)?;
    socket.set_write_timeout(Some(PATIENCE))?;
    socket.connect(peer)?;
    Ok(socket)
}

impl DatagramSocket {
    fn send(&self, message: &[u8]) -> io::Result<usize> {
        match self {
            Self::Udp(socket) => socket.send(message),
            Self::Unix(socket) => socket.send(message),
        }
    }
}

impl Destination for Datagrams {
    /// Each line is tried twice: an error may be about the datagram before it.
    fn write(&mut self, lines: &[Bytes]) -> Result<(), Failure> {
        for (written, line) in lines.iter().enumerate() {
            let message = self.header.message(line);
            let sent = self.send(&message).or_else(|_| self.send(&message));
            sent.map_err(|error| Failure { error, written, again: None })?;
        }
        Ok(())
    }

    fn reopen(&mut self) -> io::Result<()> {
        self.socket = None;
        Ok(())
    }
}

/// A syslog server at the other end of a TCP connection.
pub(super) struct Stream {
    header: Header,
    address: String,
    open: Option<TcpStream>,
    pause: Duration,
}

impl Stream {
    /// # Errors
    /// If the address is not `host:port`.
    pub(super) fn new(name: &'static str, address: &str) -> io::Result<Self> {
        let address = checked_address(address)?;
        Ok(Self { header: Header::new(name), address, open: None, pause: FIRST_PAUSE })
    }

    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        let mut frame = format!("{} ", message.len()).into_bytes();
        frame.extend_from_slice(message);
        let sent = self.stream()?.write_all(&frame);
        if sent.is_err() {
            self.open = None;
        }
        sent
    }

    fn stream(&mut self) -> io::Result<&mut TcpStream> {
        if self.open.as_ref().is_some_and(has_ended) {
            self.open = None;
        }
        match &mut self.open {
            Some(stream) => Ok(stream),
            none => Ok(none.insert(connect(&self.address)?)),
        }
    }
}

impl Destination for Stream {
    fn write(&mut self, lines: &[Bytes]) -> Result<(), Failure> {
        for (written, line) in lines.iter().enumerate() {
            let message = self.header.message(line);
            if let Err(error) = self.send(&message) {
                let again = Some(self.pause);
                self.pause = (self.pause * 2).min(LAST_PAUSE);
                return Err(Failure { error, written, again });
            }
            self.pause = FIRST_PAUSE;
        }
        Ok(())
    }

    fn reopen(&mut self) -> io::Result<()> {
        self.open = None;
        Ok(())
    }
}

/// Connects to the first of a name's addresses that answers, with timeouts on everything after.
pub(super) fn connect(address: &str) -> io::Result<TcpStream> {
    let mut error = io::Error::from(io::ErrorKind::NotFound);
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Err(fault) => error = fault,
            Ok(stream) => {
                stream.set_write_timeout(Some(PATIENCE))?;
                stream.set_read_timeout(Some(PATIENCE))?;
                return Ok(stream);
            }
        }
    }
    Err(error)
}

/// Whether the other end is gone: a write would seem to succeed once more, and its line be lost.
fn has_ended(stream: &TcpStream) -> bool {
    if stream.set_nonblocking(true).is_err() {
        return true;
    }
    let ended = match stream.peek(&mut [0]) {
        Ok(count) => count == 0,
        Err(error) => error.kind() != io::ErrorKind::WouldBlock,
    };
    stream.set_nonblocking(false).is_err() || ended
}
