//! A client's TLS handshake: its first message, the scripts that have a say, the certificate.

use std::future::poll_fn;
use std::io::{self, Read};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWriteExt as _, ReadBuf};
use tokio_rustls::StartHandshake;
use tokio_rustls::rustls::server::{Accepted, AcceptedAlert, Acceptor};
use tokio_rustls::rustls::{Error, HandshakeKind, ProtocolVersion, ServerConnection};
use tokio_rustls::server::TlsStream;

use crate::config::Limits;
use crate::phases;
use crate::policy::Live;
use crate::proxy::{ClientStream, Site};
use crate::script::{Above, Handshake};
use crate::shared::tls::{Secure, Terms};
use crate::shared::{Socket, within};
use crate::telemetry::events;
use crate::transaction::{Client, ClientHello, LONGEST_HELLO, Phase, Secured};

/// The first byte of TLS: a record of a handshake.
const HANDSHAKE: u8 = 22;
/// How long a client may take to be told why its handshake failed.
const FAREWELL: Duration = Duration::from_secs(1);

/// A connection that goes on with TLS.
pub(super) struct Shaken {
    pub(super) stream: ClientStream,
    pub(super) secured: Arc<Secured>,
    /// What scripts of the handshake keep for the requests.
    pub(super) above: Option<Above>,
}

/// Why a handshake failed: what metrics call it, and a few words.
struct Failed {
    outcome: &'static str,
    reason: String,
}

/// What became of the first bytes.
enum Begun {
    /// Somebody speaks HTTP without TLS.
    Plain(Socket),
    Hello(Box<(Accepted, Vec<u8>, Socket)>),
}

/// Answers a client that speaks no TLS where TLS is spoken.
pub(super) const PLAIN_HTTP: &str = "The plain HTTP request was sent to HTTPS port";

/// Shakes hands under these terms; none: that failed, and everybody who should know was told.
pub(super) async fn shake(
    site: &Site,
    socket: Socket,
    client: &Client,
    terms: Arc<Terms>,
    limits: &Limits,
) -> Option<Shaken> {
    let began = Instant::now();
    let shaking = handshake(site, socket, client, terms);
    let shaken = within(limits.handshake_time, shaking).await.unwrap_or_else(|_| Err(too_slow()));
    let (outcome, reason) = match &shaken {
        Ok(shaken) if shaken.secured.resumed => ("resumed", None),
        Ok(_) => ("ok", None),
        Err(failed) => (failed.outcome, Some(&*failed.reason)),
    };
    events::HandshakeEnded { client, outcome, took: began.elapsed(), reason }.emit();
    shaken.ok()
}

fn too_slow() -> Failed {
    Failed { outcome: "timeout", reason: "it took too long".to_owned() }
}

async fn handshake(
    site: &Site,
    socket: Socket,
    client: &Client,
    terms: Arc<Terms>,
) -> Result<Shaken, Failed> {
    let (accepted, bytes, socket) = match begin(socket).await? {
        Begun::Plain(socket) => return Err(answer_plain(socket).await),
        Begun::Hello(hello) => *hello,
    };
    let hello = ClientHello::read(&bytes).unwrap_or_default();
    let named = accepted.client_hello().server_name().map(str::to_ascii_lowercase);
    let live = site.current();
    let place = live.policy.router.site_of(client, named.as_deref());
    let terms = chosen(&live, client, place, terms);
    let shaking = Handshake::new(client.clone(), hello, named, terms);
    let config = match decided(&live, place, &shaking).await {
        Ok(config) => config,
        Err(failed) => {
            refuse(accepted, socket).await;
            return Err(failed);
        }
    };
    drop(live);
    let start = StartHandshake::from_parts(accepted, socket);
    let stream = start.into_stream(config).await.map_err(|error| failed(&error))?;
    Ok(finished(stream, &shaking))
}

/// The terms of the site; if it has none, those of the address where it was listened on, or of the site
/// that serves what none names.
fn chosen(live: &Live, client: &Client, place: Option<usize>, terms: Arc<Terms>) -> Arc<Terms> {
    let handshakes = &live.policy.handshakes;
    let default = || handshakes.of_site(live.policy.router.site_of(client, None));
    match handshakes.of_site(place) {
        Some(own) => own.clone(),
        None if terms.have_certificates() => terms,
        None => default().cloned().unwrap_or(terms),
    }
}

/// What scripts and settings make of the handshake.
async fn decided(
    live: &Live,
    place: Option<usize>,
    shaking: &Rc<Handshake>,
) -> Result<Arc<tokio_rustls::rustls::ServerConfig>, Failed> {
    if let Err(phases::Ended(phase)) = phases::handshake(live, place, shaking).await {
        let reason = match phase {
            Phase::SslCertificate => "cert cb error: a script ended it",
            _ => "callback failed: a script ended it",
        };
        return Err(Failed { outcome: "refused", reason: reason.to_owned() });
    }
    let config = shaking.terms.config(&shaking.wishes());
    config.map_err(|reason| Failed { outcome: "no_certificate", reason })
}

/// Reads the client's first message, and nothing behind it.
async fn begin(mut socket: Socket) -> Result<Begun, Failed> {
    let mut acceptor = Acceptor::default();
    let mut bytes = Vec::new();
    loop {
        let read = poll_fn(|context| {
            let mut reader = Recording { socket: &mut socket, context, bytes: &mut bytes };
            match acceptor.read_tls(&mut reader) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
                read => Poll::Ready(read),
            }
        });
        let read = read.await.map_err(|error| gone(&error))?;
        if bytes.first().is_some_and(u8::is_ascii_alphabetic) {
            return Ok(Begun::Plain(socket));
        }
        if read == 0 || bytes.len() > LONGEST_HELLO {
            return Err(gone(&io::ErrorKind::UnexpectedEof.into()));
        }
        match acceptor.accept() {
            Ok(None) => {}
            Ok(Some(accepted)) => return Ok(Begun::Hello(Box::new((accepted, bytes, socket)))),
            Err((error, alert)) => {
                tell(&mut socket, alert).await;
                return Err(bad_hello(&error, &bytes));
            }
        }
    }
}

fn gone(error: &io::Error) -> Failed {
    Failed { outcome: "gone", reason: format!("the client is gone: {error}") }
}

fn bad_hello(error: &Error, bytes: &[u8]) -> Failed {
    let reason = match bytes.first() {
        Some(&HANDSHAKE) => format!("error in the client's first message: {error}"),
        _ => "what came is no TLS".to_owned(),
    };
    Failed { outcome: "bad_hello", reason }
}

/// A socket's bytes, for rustls, which are remembered.
struct Recording<'a, 'b> {
    socket: &'a mut Socket,
    context: &'a mut Context<'b>,
    bytes: &'a mut Vec<u8>,
}

impl Read for Recording<'_, '_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let mut room = ReadBuf::new(room);
        match Pin::new(&mut *self.socket).poll_read(self.context, &mut room) {
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
            Poll::Ready(read) => {
                read?;
                self.bytes.extend_from_slice(room.filled());
                Ok(room.filled().len())
            }
        }
    }
}

/// Ends a handshake for which there is nothing to go on with, as TLS says it.
async fn refuse(accepted: Accepted, mut socket: Socket) {
    const HANDSHAKE_FAILURE: [u8; 7] = [21, 3, 3, 0, 2, 2, 40];
    drop(accepted);
    let telling = async {
        socket.write_all(&HANDSHAKE_FAILURE).await?;
        socket.shutdown().await
    };
    drop(within(FAREWELL, telling).await);
}

async fn tell(socket: &mut Socket, mut alert: AcceptedAlert) {
    let mut bytes = Vec::new();
    // It is written to memory.
    let _ = alert.write_all(&mut bytes);
    drop(within(FAREWELL, socket.write_all(&bytes)).await);
}

async fn answer_plain(mut socket: Socket) -> Failed {
    let body = format!(
        "<html>\r\n<head><title>400 {PLAIN_HTTP}</title></head>\r\n<body>\r\n<center><h1>400 Bad Request</h1></center>\r\n<center>{PLAIN_HTTP}</center>\r\n</body>\r\n</html>\r\n"
    );
    let head = format!(
        "HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let telling = async {
        socket.write_all(head.as_bytes()).await?;
        socket.write_all(body.as_bytes()).await?;
        socket.shutdown().await
    };
    drop(within(FAREWELL, telling).await);
    Failed { outcome: "plain_http", reason: "the client speaks no TLS".to_owned() }
}

/// Why the handshake failed after the client's first message.
fn failed(error: &io::Error) -> Failed {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    let outcome = match inner {
        Some(Error::InvalidCertificate(_) | Error::NoCertificatesPresented) => "certificate",
        Some(_) => "failed",
        None => "gone",
    };
    Failed { outcome, reason: error.to_string() }
}

fn finished(stream: TlsStream<Socket>, shaking: &Handshake) -> Shaken {
    let session = stream.get_ref().1;
    let secured = Arc::new(secured(session, shaking));
    let socket = Socket::Tls(Box::new(Secure::new(stream)));
    Shaken { stream: ClientStream::new(socket), secured, above: shaking.above() }
}

fn secured(session: &ServerConnection, shaking: &Handshake) -> Secured {
    let certificates = session.peer_certificates();
    let first = certificates.and_then(<[_]>::first);
    Secured {
        protocol: match session.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
            _ => "TLSv1.2",
        },
        cipher: session
            .negotiated_cipher_suite()
            .map(|suite| openssl_name(suite.suite()))
            .unwrap_or_default(),
        server_name: shaking.server_name.clone(),
        resumed: session.handshake_kind() == Some(HandshakeKind::Resumed),
        verdict: shaking.terms.verdict(&shaking.wishes(), certificates),
        certificate: first.map(|first| Bytes::copy_from_slice(first)),
    }
}

/// `TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256` as `ECDHE-RSA-AES128-GCM-SHA256`; those of TLS 1.3 are the
/// same to both.
fn openssl_name(suite: tokio_rustls::rustls::CipherSuite) -> String {
    let name = suite.as_str().unwrap_or_default();
    let Some((exchange, cipher)) = name.split_once("_WITH_") else {
        return name.replacen("TLS13_", "TLS_", 1);
    };
    let exchange = exchange.trim_start_matches("TLS_").replace('_', "-");
    let cipher =
        cipher.replace("AES_", "AES").replace("CHACHA20_POLY1305_SHA256", "CHACHA20-POLY1305");
    format!("{exchange}-{}", cipher.replace('_', "-"))
}
