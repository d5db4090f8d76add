//! Active checks: peers are asked before clients find out.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

use super::peer::Peer;
use super::tls::Tls;
use super::{Group, Upstreams};
use crate::config::{Address, HealthCheck};

/// To be run while these upstreams are in force. Tells operators how every peer is judged, then asks
/// those of all groups that have [`HealthCheck::path`], each in its own interval. Never ends;
/// dropping it ends all checks.
///
/// A peer is as it was judged before (at first: healthy) until it has given enough answers in a row
/// to the contrary.
pub async fn watch_health(upstreams: Arc<Upstreams>) {
    let mut checks = JoinSet::new();
    for group in upstreams.iter() {
        for (index, peer) in group.peers().iter().enumerate() {
            peer.adopt(&group.config().health);
            if let Some(path) = &group.config().health.path {
                checks.spawn(watch(group, peer, path, index));
            }
        }
    }
    while checks.join_next().await.is_some() {}
    std::future::pending::<()>().await;
}

/// Asks one peer for ever. Peers are asked one after the other within the interval, not all at once:
/// they often share what they answer from.
fn watch(
    group: &Group,
    peer: &Arc<Peer>,
    path: &str,
    index: usize,
) -> impl Future<Output = ()> + use<> {
    let request = request(path, group.config().host.as_deref().unwrap_or(peer.name()));
    let (health, peer) = (group.config().health.clone(), Arc::clone(peer));
    let tls = group.tls().cloned();
    let every = health.interval.max(Duration::from_millis(1));
    let offset = every.mul_f64(index as f64 / group.peers().len() as f64);
    async move {
        let mut ticks = interval_at(Instant::now() + offset, every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut row = Row::default();
        loop {
            ticks.tick().await;
            let answer =
                timeout(health.timeout, ask(peer.address(), tls.as_deref(), &request)).await;
            let good = matches!(answer, Ok(Ok(status)) if is_good(&health, status));
            if row.is_long_enough(good, &health) {
                peer.checked(good);
            }
        }
    }
}

/// Answers of one kind, one after the other.
#[derive(Default)]
struct Row {
    good: bool,
    length: u32,
}

impl Row {
    fn is_long_enough(&mut self, good: bool, health: &HealthCheck) -> bool {
        let length = if good == self.good { self.length.saturating_add(1) } else { 1 };
        *self = Self { good, length };
        length >= if good { health.rise } else { health.fall }
    }
}

fn is_good(health: &HealthCheck, status: u16) -> bool {
    health.status.map_or((200..400).contains(&status), |good| status == good)
}

fn request(path: &str, host: &str) -> Vec<u8> {
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: moongate-health\r\n\
         Accept: */*\r\nConnection: close\r\n\r\n"
    )
    .into_bytes()
}

/// The status of the answer. Nothing past its first line matters.
async fn ask(address: &Address, tls: Option<&Tls>, request: &[u8]) -> io::Result<u16> {
    let tcp = match address {
        Address::Socket(address) => TcpStream::connect(address).await?,
        Address::Name(host, port) => TcpStream::connect((host.as_str(), *port)).await?,
        Address::Unix(path) => {
            return ask_on(UnixStream::connect(path).await?, address, tls, request).await;
        }
    };
    ask_on(tcp, address, tls, request).await
}

async fn ask_on(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    peer: &Address,
    tls: Option<&Tls>,
    request: &[u8],
) -> io::Result<u16> {
    match tls {
        None => talk(stream, request).await,
        Some(tls) => {
            let shaken = tls.shake(peer, stream).await.map_err(io::Error::other)?;
            talk(shaken, request).await
        }
    }
}

async fn talk(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &[u8]) -> io::Result<u16> {
    stream.write_all(request).await?;
    stream.flush().await?;
    // What comes with the first line is read along with it, lest closing over it be a reset.
    let mut answer = [0; 8192];
    let mut filled = 0;
    while !answer.iter().take(filled).any(|byte| *byte == b'\n') {
        match stream.read(answer.get_mut(filled..).unwrap_or_default()).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => filled += read,
        }
    }
    status(&answer).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// The number in `HTTP/1.1 200 OK`.
fn status(answer: &[u8]) -> Option<u16> {
    let [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0' | b'1', b' ', code @ ..] = answer else {
        return None;
    };
    match code {
        [a, b, c, b' ' | b'\r' | b'\n', ..] if [a, b, c].iter().all(|d| d.is_ascii_digit()) => {
            Some([a, b, c].iter().fold(0, |code, digit| code * 10 + u16::from(**digit - b'0')))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_judgement_changes_after_a_row_of_answers() {
        let health = HealthCheck { rise: 2, fall: 3, ..HealthCheck::default() };
        let mut row = Row::default();
        let answers = [false, false, true, false, false, false, true, true];
        let long_enough = answers.map(|good| row.is_long_enough(good, &health));
        assert_eq!(long_enough, [false, false, false, false, false, true, false, true]);
    }

    #[test]
    fn a_good_status_is_the_one_wanted_or_any_below_400() {
        let any = HealthCheck::default();
        assert_eq!([199, 200, 399, 400].map(|s| is_good(&any, s)), [false, true, true, false]);
        let one = HealthCheck { status: Some(204), ..any };
        assert_eq!([200, 204].map(|s| is_good(&one, s)), [false, true]);
    }

    #[test]
    fn a_status_is_read_from_the_first_line_only_as_http_writes_it() {
        for (line, expected) in [
            ("HTTP/1.1 200 OK\r\n", Some(200)),
            ("HTTP/1.0 503\r\n", Some(503)),
            ("HTTP/1.1 2000 OK\r\n", None),
            ("HTTP/1.1 20\r\n", None),
            ("HTTP/2 200\r\n", None),
            ("SSH-2.0-OpenSSH_9.6\r\n", None),
            ("", None),
        ] {
            assert_eq!(status(line.as_bytes()), expected, "{line}");
        }
    }
}
