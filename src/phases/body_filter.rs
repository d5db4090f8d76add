//! `body_filter`: the response body passes, chunk by chunk; handlers change or replace chunks.

use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::Exchange;
use super::span::Span;
use super::step::{End, call, run_now};
use crate::script::{Chunk, Exit};
use crate::telemetry::events;
use crate::transaction::{Phase, Verdict};

/// The filter of one response. Each handler sees what the one before it left; a handler that set
/// `ngx.arg[2]` has said its last chunk and sees no more.
pub struct BodyFilter {
    ended: bool,
    took: Duration,
}

/// A handler failed where failing means to refuse, or asked to close the connection: no further
/// byte of this body may be sent.
#[derive(Debug, PartialEq, Eq)]
pub struct Aborted;

impl BodyFilter {
    /// The filter for an exchange's response; none if no handler wants to see it.
    pub fn of(exchange: &Exchange) -> Option<Self> {
        let plan = exchange.plan();
        if plan.of(Phase::BodyFilter).is_empty() {
            return None;
        }
        let transaction = exchange.subject.transaction.borrow();
        let headers = &transaction.response.as_ref()?.headers;
        let media_type = headers.get_str("content-type").unwrap_or_default();
        let media_type = media_type.split(';').next().unwrap_or_default().trim();
        let wanted = plan.body_filter_types.is_empty()
            || plan.body_filter_types.iter().any(|known| known.eq_ignore_ascii_case(media_type));
        wanted.then_some(Self { ended: false, took: Duration::ZERO })
    }

    /// Whether a handler has said its last chunk (or the upstream has).
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// What becomes of what a script said: each piece by itself, and after the last an empty one that ends
    /// the body, as nginx sends them.
    ///
    /// # Errors
    /// If no further byte may be sent.
    pub fn pass_said(
        &mut self,
        exchange: &Exchange,
        bytes: Bytes,
        last: bool,
    ) -> Result<Bytes, Aborted> {
        let pieces = std::mem::take(&mut exchange.subject.transaction.borrow_mut().reply.pieces);
        if pieces.is_empty() {
            return if last {
                self.pass(exchange, Chunk { bytes, last })
            } else {
                self.rest(exchange, bytes)
            };
        }
        let (mut passed, mut start) = (BytesMut::new(), 0);
        for end in pieces {
            let end = end.min(bytes.len()).max(start);
            let bytes = bytes.slice(start..end);
            passed.extend_from_slice(&self.pass(exchange, Chunk { bytes, last: false })?);
            start = end;
        }
        let bytes = bytes.slice(start..);
        if !bytes.is_empty() {
            passed.extend_from_slice(&self.pass(exchange, Chunk { bytes, last: false })?);
        }
        if last {
            passed.extend_from_slice(&self.pass(exchange, Chunk { bytes: Bytes::new(), last })?);
        }
        Ok(passed.freeze())
    }

    /// What becomes of a chunk that an upstream sent. Its end comes on its own, as nginx sends it.
    ///
    /// # Errors
    /// If no further byte may be sent.
    pub fn pass_received(&mut self, exchange: &Exchange, chunk: Chunk) -> Result<Bytes, Aborted> {
        let splits = exchange.subject.transaction.borrow().manner.pieces;
        if !splits || !chunk.last || chunk.bytes.is_empty() {
            return self.pass(exchange, chunk);
        }
        let before = self.pass(exchange, Chunk { last: false, ..chunk })?;
        let end = self.pass(exchange, Chunk { bytes: Bytes::new(), last: true })?;
        Ok(if end.is_empty() { before } else { [before, end].concat().into() })
    }

    /// Bytes after which more come; none are nothing to look at.
    fn rest(&mut self, exchange: &Exchange, bytes: Bytes) -> Result<Bytes, Aborted> {
        if bytes.is_empty() {
            return Ok(bytes);
        }
        self.pass(exchange, Chunk { bytes, last: false })
    }

    /// What becomes of a chunk; empty if nothing of it is left.
    ///
    /// # Errors
    /// If no further byte may be sent.
    pub fn pass(&mut self, exchange: &Exchange, chunk: Chunk) -> Result<Bytes, Aborted> {
        if self.ended {
            return Ok(Bytes::new());
        }
        let (mut span, mut chunk) = (Span::of(Phase::BodyFilter), chunk);
        let last = chunk.last;
        for id in exchange.plan().of(Phase::BodyFilter) {
            let Some((_, _, handler)) = exchange.live.step(*id) else { continue };
            let call = call(exchange, Phase::BodyFilter, &handler.module);
            call.chunk.replace(chunk.clone());
            let end = run_now(exchange, *id, &call);
            span.add(&call);
            match end {
                // What it left half edited is not sent: the chunk goes on as it came.
                End::Passed => {}
                End::Returned(_) | End::Left(Exit::Phase | Exit::Declined) => {
                    chunk = call.chunk.take();
                }
                End::Left(Exit::Close | Exit::Reroute | Exit::Respond(_)) | End::Refused(_) => {
                    // `refused` would stage an answer: for one it is too late here.
                    let mut transaction = exchange.subject.transaction.borrow_mut();
                    transaction.outcome.verdict = Verdict::Failed;
                    return Err(Aborted);
                }
            }
        }
        self.ended = chunk.last;
        self.took += span.length();
        if last || self.ended {
            events::PhaseRan { phase: Phase::BodyFilter, took: self.took }.emit();
        }
        Ok(chunk.bytes)
    }
}
