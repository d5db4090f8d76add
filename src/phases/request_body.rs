//! The request's body before rule phase 2: read to its end, and looked into as the rules want.

use bytes::Bytes;
use tokio::io::AsyncReadExt as _;

use super::{Exchange, Flow, rules};
use crate::config::Engine;
use crate::detection::{BodyPlan, Overflow};
use crate::telemetry::events;
use crate::transaction::args::{Format, Parsed, Parser};
use crate::transaction::{Body, Transaction, Verdict};

/// Bytes that are looked into at once; between two pieces others have their turn.
const PIECE: usize = 64 << 10;

/// Reads the body and gives it to the rules. What cannot be read cannot be sent on either: it ends
/// the exchange, also where the rules only tell.
pub(super) async fn inspect(exchange: &Exchange) -> Flow {
    let Some(plan) = plan(exchange) else { return unread_refused(exchange) };
    let body = match whole(exchange).await {
        Ok(body) => body,
        Err(status) => return refused(exchange, status, reason(status)),
    };
    let length = body.length().unwrap_or_default();
    let cut = length > plan.limit;
    if cut && plan.overflow == Overflow::Reject && rules::engine(exchange) == Engine::On {
        return refused(exchange, 413, "rules::body_too_long");
    }
    let Ok((bytes, parsed)) = read(exchange, &body, &plan).await else {
        return refused(exchange, 503, "rules::body_lost");
    };
    let (bytes_seen, error) = (length.min(plan.limit), parsed.error.is_some());
    events::BodyInspected { of: "request", bytes: bytes_seen, error }.emit();
    if let Some(inspection) = exchange.subject.inspection.borrow_mut().as_mut() {
        inspection.take_body(bytes, parsed, length, cut);
    }
    unread_refused(exchange)
}

/// Also where bodies are not looked at: the query may be too long.
fn unread_refused(exchange: &Exchange) -> Flow {
    if rules::engine(exchange) == Engine::On && is_unread(exchange) {
        return refused(exchange, 400, "rules::body_not_understood");
    }
    Flow::Continue
}

/// The route's scripts want the body: it is read before any of them runs.
pub(super) async fn fetch(exchange: &Exchange) -> Flow {
    match whole(exchange).await {
        Ok(_) => Flow::Continue,
        Err(status) => refused(exchange, status, reason(status)),
    }
}

fn plan(exchange: &Exchange) -> Option<BodyPlan> {
    let inspection = exchange.subject.inspection.borrow();
    inspection.as_ref()?.body_plan(&exchange.subject.transaction.borrow())
}

/// Whether something of query or body could not be read, and no rule would say so.
fn is_unread(exchange: &Exchange) -> bool {
    let inspection = exchange.subject.inspection.borrow();
    let transaction = exchange.subject.transaction.borrow();
    inspection.as_ref().is_some_and(|inspection| inspection.unread(&transaction).is_some())
}

/// The body as scripts left it, else as the client sends it.
async fn whole(exchange: &Exchange) -> Result<Body, u16> {
    let known = exchange.subject.transaction.borrow().body.clone();
    if !matches!(known, Body::Unread) {
        return Ok(known);
    }
    let body = exchange.subject.host.read_body().await?;
    exchange.subject.transaction.borrow_mut().body = body.clone();
    Ok(body)
}

/// What the body's reader says to the client, as a code for the logs.
fn reason(status: u16) -> &'static str {
    match status {
        400 => "body::malformed",
        408 => "body::too_slow",
        413 => "body::too_large",
        _ => "body::spool_failed",
    }
}

fn refused(exchange: &Exchange, status: u16, reason: &'static str) -> Flow {
    exchange.rules.end();
    let mut transaction = exchange.subject.transaction.borrow_mut();
    let theirs = (400..500).contains(&status);
    transaction.outcome.verdict = if theirs { Verdict::Refused } else { Verdict::Failed };
    transaction.outcome.reason = Some(reason.to_owned());
    Flow::Respond(status)
}

/// The bytes that are kept, and what the body says.
async fn read(
    exchange: &Exchange,
    body: &Body,
    plan: &BodyPlan,
) -> std::io::Result<(Bytes, Parsed)> {
    let mut reader = Reader::new(&exchange.subject.transaction.borrow(), plan);
    match body {
        Body::Unread | Body::Empty => return Ok((Bytes::new(), Parsed::default())),
        Body::Memory(bytes) if reader.takes_at_once(bytes) => {
            let kept = if reader.most_kept == 0 { Bytes::new() } else { bytes.clone() };
            return Ok((kept, reader.parser.map(|parser| parser.end(bytes)).unwrap_or_default()));
        }
        Body::Memory(bytes) => reader.take_memory(bytes).await,
        Body::Spooled { path, .. } => reader.take_file(path).await?,
    }
    Ok((reader.kept.into(), reader.parser.map(Parser::finish).unwrap_or_default()))
}

/// The same of a body in memory, for rules that judge beside.
pub(super) async fn read_memory(
    transaction: &Transaction,
    plan: &BodyPlan,
    bytes: &Bytes,
) -> (Bytes, Parsed) {
    let mut reader = Reader::new(transaction, plan);
    reader.take_memory(bytes).await;
    (reader.kept.into(), reader.parser.map(Parser::finish).unwrap_or_default())
}

/// A body that is read as text is at fault where it is longer than text may be: memory ends there.
fn most_kept(plan: &BodyPlan) -> usize {
    match plan.format {
        _ if !plan.keep => 0,
        None | Some(Format::Raw) => usize::MAX,
        Some(_) => plan.limits.without_files,
    }
}

/// Looks into a body piece by piece.
struct Reader {
    parser: Option<Parser>,
    kept: Vec<u8>,
    /// Bytes that are kept of it, at the most.
    most_kept: usize,
    /// Bytes that may still be looked at.
    left: u64,
}

impl Reader {
    fn new(transaction: &Transaction, plan: &BodyPlan) -> Self {
        let content_type = transaction.request.headers.get("content-type");
        let content_type = content_type.map_or(&b""[..], |value| &value[..]);
        let parser = |format| Parser::new(format, content_type, plan.limits.clone());
        let parser = plan.format.map(parser);
        Self { parser, kept: Vec::new(), most_kept: most_kept(plan), left: plan.limit }
    }

    /// Whether a body is one piece and within all limits: it is shared then, not copied.
    fn takes_at_once(&self, bytes: &Bytes) -> bool {
        let length = bytes.len();
        let is_kept = self.most_kept == 0 || length <= self.most_kept;
        length <= PIECE && length as u64 <= self.left && is_kept
    }

    async fn take_memory(&mut self, bytes: &Bytes) {
        let mut pieces = bytes.chunks(PIECE).peekable();
        while let Some(piece) = pieces.next() {
            self.take(piece);
            if pieces.peek().is_some() {
                tokio::task::yield_now().await;
            }
        }
    }

    async fn take_file(&mut self, path: &std::path::Path) -> std::io::Result<()> {
        let mut file = tokio::fs::File::open(path).await?;
        let mut piece = vec![0; PIECE];
        while self.left > 0 {
            let length = file.read(&mut piece).await?;
            match piece.get(..length) {
                Some(bytes) if length > 0 => self.take(bytes),
                _ => break,
            }
        }
        Ok(())
    }

    fn take(&mut self, piece: &[u8]) {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX);
        let piece = piece.get(..most).unwrap_or(piece);
        self.left -= piece.len() as u64;
        let room = self.most_kept - self.kept.len();
        self.kept.extend_from_slice(piece.get(..room).unwrap_or(piece));
        if let Some(parser) = &mut self.parser {
            parser.feed(piece);
        }
    }
}
