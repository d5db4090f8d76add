//! The response's body before its first byte leaves: what the rules want to see of it, rule phase 4.

use std::borrow::Cow;

use bytes::Bytes;

use super::{Exchange, Flow, rules};
use crate::config::Engine;
use crate::detection::Overflow;
use crate::telemetry::events;
use crate::transaction::encoding::decode;
use crate::transaction::{RulePhase, Verdict};

/// Media types of answers that have no end, or none soon: they are never held back.
const STREAMS: [&str; 4] = [
    "application/grpc",
    "application/grpc+proto",
    "multipart/x-mixed-replace",
    "text/event-stream",
];

/// What is held of a response's body, as the upstream sent it.
#[derive(Debug)]
pub struct HeldBody<'a> {
    /// Its beginning, or all of it.
    pub bytes: &'a Bytes,
    /// Whether that is all.
    pub ended: bool,
    /// Its `Content-Encoding`; none: as it is.
    pub encoding: Option<&'a [u8]>,
}

/// How many bytes of the body are to be held before the first is sent; none: the rules do not look
/// at it.
pub fn response_limit(exchange: &Exchange) -> Option<u64> {
    if !judges(exchange) || is_stream(exchange) {
        return None;
    }
    let inspection = exchange.subject.inspection.borrow();
    let plan = inspection.as_ref()?.response_plan(&exchange.subject.transaction.borrow());
    plan.map(|(limit, _)| limit)
}

/// Rule phase 4, over what is held of the body. It runs also where nothing is: rules of that phase
/// look at other things too.
pub async fn response_body(exchange: &Exchange, held: Option<HeldBody<'_>>) -> Flow {
    if !judges(exchange) {
        return Flow::Continue;
    }
    if let Some(held) = held
        && let Some(flow) = take(exchange, &held)
    {
        return flow;
    }
    rules::run(exchange, RulePhase::ResponseBody).await
}

/// Whether the rules judge this response: one of an upstream or of a script, not a refusal or
/// failure of our own.
pub(super) fn judges(exchange: &Exchange) -> bool {
    let verdict = exchange.subject.transaction.borrow().outcome.verdict;
    exchange.rules.may_run(RulePhase::ResponseBody)
        && matches!(verdict, Verdict::Allowed | Verdict::Answered)
}

fn is_stream(exchange: &Exchange) -> bool {
    let transaction = exchange.subject.transaction.borrow();
    let response = transaction.response.as_ref();
    let media_type = response.and_then(|response| response.headers.get_str("content-type"));
    let media_type = media_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    STREAMS.iter().any(|stream| stream.eq_ignore_ascii_case(media_type))
}

/// Gives the rules the body, decoded; a flow if it is too long to go on. What its encoding says
/// wrongly is judged as far as it could be decoded: the client gets no further with it.
fn take(exchange: &Exchange, held: &HeldBody<'_>) -> Option<Flow> {
    let engine = rules::engine(exchange);
    let mut inspection = exchange.subject.inspection.borrow_mut();
    let inspection = inspection.as_mut()?;
    let (limit, overflow) = inspection.response_plan(&exchange.subject.transaction.borrow())?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let decoded = decode(held.encoding.unwrap_or_default(), held.bytes, limit);
    let cut = decoded.cut || !held.ended;
    if cut && overflow == Overflow::Reject && engine == Engine::On {
        return Some(too_long(exchange));
    }
    let error = decoded.fault.is_some() && held.ended;
    let bytes = match decoded.bytes {
        Cow::Borrowed(as_sent) => held.bytes.slice_ref(as_sent),
        Cow::Owned(bytes) => Bytes::from(bytes),
    };
    events::BodyInspected { of: "response", bytes: bytes.len() as u64, error }.emit();
    inspection.take_response_body(bytes, cut);
    None
}

fn too_long(exchange: &Exchange) -> Flow {
    exchange.rules.end();
    let mut transaction = exchange.subject.transaction.borrow_mut();
    transaction.outcome.verdict = Verdict::Failed;
    transaction.outcome.reason = Some("rules::response_too_long".to_owned());
    Flow::Respond(502)
}
