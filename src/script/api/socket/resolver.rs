//! Names of hosts to addresses: by the system, or by servers that the settings name, as nginx's own
//! resolver asks them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::net::UdpSocket;

use crate::config::{NameServers, Resolver};

/// How long one server has to answer before it, or the next, is asked again.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest answer over UDP.
const ANSWER: usize = 4096;
/// Names that a thread remembers.
const REMEMBERED: usize = 1024;
/// How long an address is believed at the least, lest a name is asked for with each connect.
const SHORTEST: Duration = Duration::from_secs(1);
/// Kinds of records.
const A: u16 = 1;
const AAAA: u16 = 28;
/// What servers answer for a name that is not there.
const NOT_FOUND: u16 = 3;

/// A name in lower case, and who was asked for it.
type Asked = (String, Vec<SocketAddr>);

thread_local! {
    /// Addresses of names, and until when they are believed.
    static KNOWN: RefCell<HashMap<Asked, (Instant, Vec<IpAddr>)>> = RefCell::default();
}

/// Why a name has no address; the words are the script's.
#[derive(Debug, thiserror::Error)]
pub enum Unresolved {
    #[error("{name} could not be resolved ({code}: {})", told(*code))]
    Answer { name: String, code: u16 },
    #[error("no resolver defined to resolve \"{0}\"")]
    NoResolver(String),
}

/// nginx's words for what a server answers.
fn told(code: u16) -> &'static str {
    match code {
        1 => "Format error",
        2 => "Server failure",
        3 => "Host not found",
        4 => "Unimplemented",
        5 => "Operation refused",
        110 => "Operation timed out",
        _ => "Unknown error",
    }
}

/// The addresses of a host, which may be one itself.
pub async fn resolve(resolver: &Resolver, host: &str) -> Result<Vec<IpAddr>, Unresolved> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = bare.parse() {
        return Ok(vec![address]);
    }
    let failed = |code| Unresolved::Answer { name: host.to_owned(), code };
    match resolver {
        Resolver::None => Err(Unresolved::NoResolver(host.to_owned())),
        Resolver::System => {
            let found = tokio::net::lookup_host((bare, 0)).await;
            let found: Vec<IpAddr> =
                found.map(|all| all.map(|one| one.ip()).collect()).unwrap_or_default();
            if found.is_empty() { Err(failed(NOT_FOUND)) } else { Ok(found) }
        }
        // No server has to be asked for that one (RFC 6761, 6.3).
        Resolver::Servers(servers) if bare.eq_ignore_ascii_case("localhost") => {
            let own = if servers.ipv4 {
                IpAddr::from(Ipv4Addr::LOCALHOST)
            } else {
                Ipv6Addr::LOCALHOST.into()
            };
            Ok(vec![own])
        }
        Resolver::Servers(servers) => remembered(servers, bare).await.map_err(failed),
    }
}

async fn remembered(servers: &NameServers, name: &str) -> Result<Vec<IpAddr>, u16> {
    let key = (name.to_ascii_lowercase(), servers.addresses.clone());
    let known = KNOWN.with_borrow(|known| known.get(&key).cloned());
    if let Some((_, addresses)) = known.filter(|(until, _)| *until > Instant::now()) {
        return Ok(addresses);
    }
    let asked = tokio::time::timeout(servers.timeout, ask(servers, name)).await;
    let (addresses, lives) = asked.map_err(|_| 110_u16)??;
    let until = Instant::now() + servers.valid.unwrap_or(lives).max(SHORTEST);
    KNOWN.with_borrow_mut(|known| {
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(key, (until, addresses.clone()));
    });
    Ok(addresses)
}

/// What a name is found to be, and for how long that may be believed.
type Found = (Vec<IpAddr>, Duration);

async fn ask(servers: &NameServers, name: &str) -> Result<Found, u16> {
    let four =
        async { if servers.ipv4 { ask_all(servers, name, A).await } else { Err(NOT_FOUND) } };
    let six =
        async { if servers.ipv6 { ask_all(servers, name, AAAA).await } else { Err(NOT_FOUND) } };
    match tokio::join!(four, six) {
        (Ok((mut four, lives)), Ok((six, also))) => {
            four.extend(six);
            Ok((four, lives.min(also)))
        }
        (Ok(found), Err(_)) | (Err(_), Ok(found)) => Ok(found),
        (Err(code), Err(_)) => Err(code),
    }
}

/// Asks one server after the other, and again, until one answers.
async fn ask_all(servers: &NameServers, name: &str, kind: u16) -> Result<Found, u16> {
    loop {
        for server in &servers.addresses {
            let began = tokio::time::Instant::now();
            match tokio::time::timeout(PATIENCE, ask_one(*server, name, kind)).await {
                Ok(Ok(answered)) => return answered,
                // It cannot be reached; it may be that it starts just now.
                Ok(Err(_)) => tokio::time::sleep_until(began + PATIENCE).await,
                Err(_) => {}
            }
        }
    }
}

async fn ask_one(server: SocketAddr, name: &str, kind: u16) -> io::Result<Result<Found, u16>> {
    let own: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let mut number = [0; 2];
    getrandom::fill(&mut number).map_err(io::Error::other)?;
    let Some(question) = question(number, name, kind) else { return Ok(Err(NOT_FOUND)) };
    let socket = UdpSocket::bind((own, 0)).await?;
    socket.connect(server).await?;
    socket.send(&question).await?;
    let mut answer = [0; ANSWER];
    loop {
        let length = socket.recv(&mut answer).await?;
        let bytes = answer.get(..length).unwrap_or_default();
        // What is no answer to this may come from somebody else.
        if let Some(found) = read(bytes, &question, kind) {
            return Ok(found);
        }
    }
}

/// A question for one name; none where it cannot be one.
fn question(number: [u8; 2], name: &str, kind: u16) -> Option<Vec<u8>> {
    let mut bytes = number.to_vec();
    // Recursion is wanted; one question.
    bytes.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.len() > 253 {
        return None;
    }
    for label in name.split('.') {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..64).contains(length))?;
        bytes.push(length);
        bytes.extend_from_slice(label.as_bytes());
    }
    bytes.push(0);
    bytes.extend(kind.to_be_bytes());
    bytes.extend(1_u16.to_be_bytes());
    Some(bytes)
}

/// What an answer says; none: it is no answer to this question.
fn read(answer: &[u8], question: &[u8], kind: u16) -> Option<Result<Found, u16>> {
    let flags = number(answer, 2)?;
    let same = answer.get(..2) == question.get(..2)
        && answer.get(12..question.len()).is_some_and(|asked| {
            asked.eq_ignore_ascii_case(question.get(12..).unwrap_or_default())
        });
    if !same || flags & 0x8000 == 0 {
        return None;
    }
    match flags & 0xf {
        0 => {}
        code => return Some(Err(code)),
    }
    let (mut addresses, mut lives) = (Vec::new(), u32::MAX);
    let mut at = question.len();
    for _ in 0..number(answer, 6)? {
        let Some(next) = record(answer, at) else { break };
        if next.kind == kind
            && let Some(address) = address(next.data)
        {
            addresses.push(address);
        }
        lives = lives.min(next.lives);
        at = next.end;
    }
    if addresses.is_empty() {
        return Some(Err(NOT_FOUND));
    }
    Some(Ok((addresses, Duration::from_secs(lives.into()))))
}

/// One record of an answer.
struct Record<'a> {
    kind: u16,
    /// Seconds for which it may be believed.
    lives: u32,
    data: &'a [u8],
    end: usize,
}

fn record(answer: &[u8], at: usize) -> Option<Record<'_>> {
    let at = after_name(answer, at)?;
    let length = usize::from(number(answer, at + 8)?);
    let lives = u32::from(number(answer, at + 4)?) << 16 | u32::from(number(answer, at + 6)?);
    let end = at + 10 + length;
    Some(Record { kind: number(answer, at)?, lives, data: answer.get(at + 10..end)?, end })
}

/// Where what comes after a name begins; a name may end by pointing to another.
fn after_name(answer: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *answer.get(at)? {
            0 => return Some(at + 1),
            length @ 1..64 => at += 1 + usize::from(length),
            0xc0.. => return Some(at + 2),
            _ => return None,
        }
    }
}

fn number(answer: &[u8], at: usize) -> Option<u16> {
    answer.get(at..at + 2)?.try_into().ok().map(u16::from_be_bytes)
}

fn address(data: &[u8]) -> Option<IpAddr> {
    if let Ok(four) = <[u8; 4]>::try_from(data) {
        return Some(four.into());
    }
    <[u8; 16]>::try_from(data).ok().map(IpAddr::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An alias, and the address of what it stands for.
    fn answer(question: &[u8]) -> Vec<u8> {
        let mut bytes = question.to_vec();
        bytes[2..8].copy_from_slice(&[0x81, 0x80, 0, 1, 0, 2]);
        bytes.extend([0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 60, 0, 4, 1, b'b', 0xc0, 14]);
        bytes.extend([0xc0, 40, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4, 192, 0, 2, 7]);
        bytes
    }

    #[test]
    fn an_answer_is_read_behind_its_aliases() {
        let question = question([1, 2], "a.example", A).unwrap();
        let (addresses, lives) = read(&answer(&question), &question, A).unwrap().unwrap();
        assert_eq!(addresses, ["192.0.2.7".parse::<IpAddr>().unwrap()]);
        assert_eq!(lives, Duration::from_secs(30));
    }

    #[test]
    fn what_is_no_answer_to_the_question_is_nobodys_word() {
        let asked = question([1, 2], "a.example", A).unwrap();
        let sound = answer(&asked);
        let other = question([1, 2], "b.example", A).unwrap();
        assert!(read(&answer(&other), &asked, A).is_none(), "another name");
        assert!(read(&answer(&question([9, 9], "a.example", A).unwrap()), &asked, A).is_none());
        assert!(read(&asked, &asked, A).is_none(), "a question");
        let mut refused = sound.clone();
        refused[3] = 0x83;
        assert_eq!(read(&refused, &asked, A), Some(Err(NOT_FOUND)));
        // Cut anywhere, it says nothing or less, and nobody is hurt.
        for end in 0..sound.len() {
            let _ = read(&sound[..end], &asked, A);
        }
    }

    #[test]
    fn a_name_that_no_server_could_know_is_not_asked_for() {
        for name in ["", "a..b", &"a".repeat(64), &"a.".repeat(130)] {
            assert_eq!(question([0, 0], name, A), None, "{name}");
        }
    }
}
