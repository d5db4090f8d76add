//! The admin address: sockets for [`crate::admin`].

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use pingora_core::protocols::http::ServerSession;
use pingora_core::protocols::l4::stream::Stream;
use pingora_http::ResponseHeader;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::aside::aside;
use super::control::ReloadRequest;
use super::reload::Reloaded;
use crate::admin::{self, Admin, Answer, Asked, Head, Reply, Wish};

/// Connections at once: Prometheus, an operator or two, and their scripts.
const CONNECTIONS: usize = 64;
/// How long a head may take to arrive (idle time before it included), and an answer to be sent.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a body may take.
const BODY_PATIENCE: Duration = Duration::from_secs(120);
/// Bytes of a target at the most.
const TARGET_BYTES: usize = 16 << 10;

/// Serves the admin address until it is dropped.
pub(super) async fn serve(
    listener: TcpListener,
    admin: Arc<Admin>,
    reloads: mpsc::Sender<ReloadRequest>,
) {
    let places = Arc::new(tokio::sync::Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, from)) => {
                let desk = Desk { admin: admin.clone(), reloads: reloads.clone(), from };
                tokio::task::spawn_local(async move {
                    desk.converse(stream).await;
                    drop(place);
                });
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

/// What one connection needs.
struct Desk {
    admin: Arc<Admin>,
    reloads: mpsc::Sender<ReloadRequest>,
    from: SocketAddr,
}

/// What comes after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// A part of the request was not read: nothing after it can be.
    Close,
    /// The next request.
    Keep,
}

impl Desk {
    async fn converse(&self, stream: TcpStream) {
        let mut stream: pingora_core::protocols::Stream = Box::new(Stream::from(stream));
        loop {
            let mut session = ServerSession::new_http1(stream);
            session.set_read_timeout(Some(PATIENCE));
            let read = timeout(PATIENCE, session.read_request()).await;
            if !matches!(read, Ok(Ok(true))) {
                return;
            }
            let (answer, then) = self.answer(&mut session).await;
            let sent = timeout(PATIENCE, send(session, answer, then)).await;
            let Ok(Some(next)) = sent else { return };
            stream = next;
        }
    }

    async fn answer(&self, session: &mut ServerSession) -> (Answer, Then) {
        let mut asked = match self.admit(session) {
            Ok(asked) => asked,
            Err(answer) => return (answer, after_unread(session)),
        };
        match timeout(BODY_PATIENCE, body(session, asked.endpoint.body)).await {
            Ok(Ok(body)) => asked.body = body,
            Ok(Err(answer)) => return self.conclude(&asked, answer, Then::Close),
            Err(_) => {
                let help = "send it within two minutes";
                let answer = Answer::error(408, "the body took too long", help);
                return self.conclude(&asked, answer, Then::Close);
            }
        }
        let asked = Arc::new(asked);
        let answer = match admin::answer(&self.admin, &asked) {
            Reply::Now(answer) => answer,
            Reply::Aside(work) => aside(work).await.unwrap_or_else(failed),
            Reply::Policy(wish) => self.policy(&asked, wish).await,
        };
        self.conclude(&asked, answer, Then::Keep)
    }

    fn admit(&self, session: &ServerSession) -> Result<Asked, Answer> {
        let head = session.req_header();
        if head.uri.path().len() + head.uri.query().map_or(0, str::len) > TARGET_BYTES {
            let help = format!("{TARGET_BYTES} bytes at the most");
            return Err(Answer::error(414, "the target is too long", help));
        }
        let field = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
        let head = Head {
            method: head.method.as_str(),
            path: head.uri.path(),
            query: head.uri.query(),
            from: self.from,
            host: field("host"),
            origin: field("origin"),
            authorization: field("authorization"),
            if_match: field("if-match"),
            if_none_match: field("if-none-match"),
            content_type: field("content-type"),
        };
        admin::admit(&self.admin, &head)
    }

    fn conclude(&self, asked: &Asked, answer: Answer, then: Then) -> (Answer, Then) {
        admin::conclude(&self.admin, asked, &answer);
        (answer, then)
    }

    async fn policy(&self, asked: &Asked, wish: Wish) -> Answer {
        let before = self.admin.store.current().digest.clone();
        let what = wish.what();
        let (tell, outcome) = oneshot::channel();
        drop(self.reloads.send((wish, tell)).await);
        let answer = match outcome.await {
            Ok(Some(Reloaded::Swapped { generation })) => Answer::reloaded(generation, true),
            Ok(Some(Reloaded::Tried { generation })) => Answer::tried(generation),
            Ok(Some(Reloaded::Unchanged)) => Answer::reloaded(self.admin.generation(), false),
            Ok(Some(Reloaded::Refused { report })) => {
                return refused(self.admin.generation(), &report);
            }
            Ok(None) => {
                let help = "`POST /policy/reload?canary=5` tries the files on disk";
                return Answer::error(409, "no policy is being tried", help);
            }
            Err(_) => return Answer::error(503, "it is stopping", "ask again when it has started"),
        };
        let tried = self.admin.store.tried().as_ref().map(|tried| tried.policy.clone());
        let after = tried.unwrap_or_else(|| self.admin.store.current());
        let target = format!("policy {}", after.generation);
        self.admin.audit(asked, what, &target, before, after.digest.clone());
        answer
    }
}

fn refused(generation: u64, report: &str) -> Answer {
    let help = format!("mend the files; policy {generation} stays in force");
    Answer::faults("the policy was refused", help, report)
}

fn failed() -> Answer {
    let help = "this is a bug in Moongate: please report it with what was asked";
    Answer::error(500, "answering it failed", help)
}

/// A request without a body is read to its end.
fn after_unread(session: &mut ServerSession) -> Then {
    if session.is_body_empty() { Then::Keep } else { Then::Close }
}

/// The whole body, or what to say where it is too long or breaks off.
async fn body(session: &mut ServerSession, most: usize) -> Result<Bytes, Answer> {
    let too_long = || {
        let help = format!("{most} bytes at the most: send it in parts");
        Answer::error(413, "the body is too long", help)
    };
    let head = session.req_header();
    let field = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    let announced = field("content-length").and_then(|length| length.parse::<usize>().ok());
    if announced.is_some_and(|length| length > most) {
        return Err(too_long());
    }
    let waits = field("expect").is_some_and(|text| text.eq_ignore_ascii_case("100-continue"));
    if waits && !session.is_body_empty() {
        drop(session.write_continue_response().await);
    }
    let mut body = BytesMut::new();
    loop {
        match session.read_request_body().await {
            Ok(Some(piece)) if body.len() + piece.len() > most => return Err(too_long()),
            Ok(Some(piece)) => body.extend_from_slice(&piece),
            Ok(None) => return Ok(body.freeze()),
            Err(_) => {
                let help = "send as many bytes as `Content-Length` says, or whole chunks";
                return Err(Answer::error(400, "the body cannot be read", help));
            }
        }
    }
}

async fn send(
    mut session: ServerSession,
    answer: Answer,
    then: Then,
) -> Option<pingora_core::protocols::Stream> {
    let mut head = ResponseHeader::build(answer.status, Some(8)).ok()?;
    if answer.status != 204 {
        head.insert_header("Content-Type", answer.media_type).ok()?;
        head.insert_header("Content-Length", answer.body.len().to_string()).ok()?;
    }
    head.insert_header("Cache-Control", "no-store").ok()?;
    head.insert_header("X-Content-Type-Options", "nosniff").ok()?;
    for (name, value) in answer.fields {
        head.insert_header(name, value).ok()?;
    }
    if then == Then::Close {
        session.set_keepalive(None);
    }
    session.write_response_header(Box::new(head)).await.ok()?;
    session.write_response_body(answer.body, true).await.ok()?;
    let (stream, _) = session.finish().await.ok()??.into_parts();
    Some(stream)
}
