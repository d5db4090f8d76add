//! Where lines go: what all targets have in common.

use std::fmt;
use std::io;
use std::time::Duration;

use bytes::Bytes;

use super::file::{File, Stdout};
use super::post::Post;
use super::syslog::{Datagrams, Stream};
use crate::config::{AccessLog, LogFormat, LogTarget};

/// How long connecting to a target, and each read and write there, may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// How long a file's writer gathers lines.
const GATHER: Duration = Duration::from_millis(20);

/// Where lines go. Only its writer's thread calls it, so that it may block.
pub(super) trait Destination: Send {
    /// Writes lines (without line ends), in order.
    ///
    /// # Errors
    /// What went wrong, how many lines were written before it, and whether to try again.
    fn write(&mut self, lines: &[Bytes]) -> Result<(), Failure>;

    /// Opens it anew.
    ///
    /// # Errors
    /// Why it cannot be; then the old one is kept.
    fn reopen(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Why not all lines were written.
#[derive(Debug)]
pub(super) struct Failure {
    /// What went wrong.
    pub(super) error: io::Error,
    /// How many were written before it.
    pub(super) written: usize,
    /// After which time to try the rest again; none: give it up.
    pub(super) again: Option<Duration>,
}

/// Opens a target. Files are opened here and now; the network is met when there is a line.
pub(super) fn open(name: &'static str, log: &AccessLog) -> io::Result<Box<dyn Destination>> {
    Ok(match &log.target {
        LogTarget::File(path) => Box::new(File::open(path)?),
        LogTarget::Http { url, batch, .. } => {
            let kind = match log.format {
                LogFormat::Combined => "text/plain; charset=utf-8",
                LogFormat::Json => "application/x-ndjson",
            };
            Box::new(Post::new(url, *batch, kind)?)
        }
        LogTarget::Stdout => Box::new(Stdout),
        LogTarget::SyslogTcp(address) => Box::new(Stream::new(name, address)?),
        LogTarget::SyslogUdp(address) => Box::new(Datagrams::udp(name, address)?),
        LogTarget::SyslogUnix(path) => Box::new(Datagrams::unix(name, path)),
    })
}

/// How many lines to gather, and for how long.
pub(super) fn gathering(target: &LogTarget, queue: usize) -> (usize, Duration) {
    match target {
        LogTarget::Http { batch, every, .. } => (*batch, *every),
        _ => (queue / 2, GATHER),
    }
}

/// As in labels and messages, without what may be a secret in an address.
pub(super) struct Shown<'a>(pub(super) &'a LogTarget);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            LogTarget::File(path) => write!(f, "file:{}", path.display()),
            LogTarget::Http { url, .. } => {
                f.write_str(url.split(['?', '#']).next().unwrap_or_default())
            }
            LogTarget::Stdout => f.write_str("stdout"),
            LogTarget::SyslogTcp(address) => write!(f, "syslog+tcp://{address}"),
            LogTarget::SyslogUdp(address) => write!(f, "syslog+udp://{address}"),
            LogTarget::SyslogUnix(path) => write!(f, "syslog+unix:{}", path.display()),
        }
    }
}

/// An address as in `host:port`, `192.0.2.1:514`, `[2001:db8::1]:514`.
///
/// # Errors
/// If it has no port, or no host.
pub(super) fn checked_address(address: &str) -> io::Result<String> {
    let port = address.rsplit_once(':').filter(|(host, _)| !host.is_empty());
    match port.and_then(|(_, port)| port.parse::<u16>().ok()) {
        Some(1..) => Ok(address.to_owned()),
        _ => Err(io::Error::other("not `host:port`")),
    }
}
