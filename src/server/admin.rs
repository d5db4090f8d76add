//! The admin address: sockets for [`crate::admin`].

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use pingora_core::protocols::http::ServerSession;
use pingora_core::protocols::l4::stream::Stream;
use pingora_http::ResponseHeader;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};

use super::control::ReloadRequest;
use super::reload::Reloaded;
use crate::admin::{self, Admin, Answer, Asked, Reload};

/// Connections at once: Prometheus, an operator or two, and their scripts.
const CONNECTIONS: usize = 64;
/// How long a request may take to arrive (idle time before it included), and an answer to be sent.
const PATIENCE: Duration = Duration::from_secs(30);

/// Serves the admin address until it is dropped.
pub(super) async fn serve(
    listener: TcpListener,
    admin: Rc<Admin>,
    reloads: mpsc::Sender<ReloadRequest>,
) {
    let places = std::sync::Arc::new(tokio::sync::Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let (admin, reloads) = (admin.clone(), reloads.clone());
                tokio::task::spawn_local(async move {
                    converse(stream, &admin, &reloads).await;
                    drop(place);
                });
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn converse(stream: TcpStream, admin: &Admin, reloads: &mpsc::Sender<ReloadRequest>) {
    let mut stream: pingora_core::protocols::Stream = Box::new(Stream::from(stream));
    loop {
        let mut session = ServerSession::new_http1(stream);
        session.set_read_timeout(Some(PATIENCE));
        let read = tokio::time::timeout(PATIENCE, session.read_request()).await;
        if !matches!(read, Ok(Ok(true))) {
            return;
        }
        let answer = answer(&session, admin, reloads).await;
        let sent = tokio::time::timeout(PATIENCE, send(session, answer)).await;
        let Ok(Some(next)) = sent else { return };
        stream = next;
    }
}

async fn answer(
    session: &ServerSession,
    admin: &Admin,
    reloads: &mpsc::Sender<ReloadRequest>,
) -> Answer {
    let head = session.req_header();
    let field = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    let asked = Asked {
        method: head.method.as_str(),
        path: head.uri.path(),
        host: field("host"),
        origin: field("origin"),
        authorization: field("authorization"),
    };
    match admin::answer(admin, &asked) {
        Reload::No(answer) => answer,
        Reload::Wanted => {
            let (tell, outcome) = oneshot::channel();
            drop(reloads.send(tell).await);
            match outcome.await {
                Ok(Reloaded::Swapped { generation }) => Answer::reloaded(generation, true),
                Ok(Reloaded::Unchanged) => Answer::reloaded(admin.generation(), false),
                Ok(Reloaded::Refused { report }) => Answer::refused(&report),
                Err(_) => Answer::text(503, "the control thread is stopping\n"),
            }
        }
    }
}

async fn send(
    mut session: ServerSession,
    answer: Answer,
) -> Option<pingora_core::protocols::Stream> {
    let mut head = ResponseHeader::build(answer.status, Some(4)).ok()?;
    head.insert_header("Content-Type", answer.media_type).ok()?;
    head.insert_header("Content-Length", answer.body.len().to_string()).ok()?;
    head.insert_header("Cache-Control", "no-store").ok()?;
    head.insert_header("X-Content-Type-Options", "nosniff").ok()?;
    session.write_response_header(Box::new(head)).await.ok()?;
    session.write_response_body(Bytes::from(answer.body), true).await.ok()?;
    let (stream, _) = session.finish().await.ok()??.into_parts();
    Some(stream)
}
