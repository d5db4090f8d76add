//! What nginx's error log tells of an upstream that failed.

use std::borrow::Cow;
use std::io;
use std::net::SocketAddr;

use pingora_error::{Error, ErrorType};

use crate::phases::Exchange;
use crate::telemetry::events;
use crate::transaction::{PeerAddress, Transaction};
use crate::upstream::UpstreamError;

/// What went wrong, in nginx's words, where there is a log that has them.
pub(super) fn tell(exchange: &Exchange, error: &UpstreamError) {
    if let UpstreamError::Connect { address, .. } | UpstreamError::Handshake { address, .. } = error
    {
        exchange.subject.transaction.borrow_mut().upstream.peer = Some(address.clone());
    }
    let transaction = exchange.subject.transaction.borrow();
    if transaction.site.is_none() {
        return distrusted(error);
    }
    let about = Some(&*transaction);
    if let Some((level, message)) = words(error, local(&transaction)) {
        events::Said { level, message: &message, about }.emit();
    }
    let kind = if matches!(error, UpstreamError::Timeout { .. }) { 4 } else { 2 };
    let message = format!("http next upstream, {kind}");
    events::Said { level: DEBUG, message: &message, about }.emit();
}

/// Why TLS to an upstream failed: nothing else says so, and somebody has to mend a certificate.
fn distrusted(error: &UpstreamError) {
    if matches!(error, UpstreamError::Handshake { .. }) {
        let next =
            "see `tls` of the upstream: `name` is what its certificate is for, `ca` who signed it";
        events::Trouble { what: &error.to_string(), next }.emit();
    }
}

/// `ngx.CRIT`, `ngx.ERR`, `ngx.DEBUG`.
const CRITICAL: i64 = 3;
const ERROR: i64 = 4;
const DEBUG: i64 = 8;

/// The address of ours from which the request wants its upstream to be asked.
fn local(transaction: &Transaction) -> Option<SocketAddr> {
    let upstream = &transaction.upstream;
    let turn = upstream.turn.as_ref().and_then(|turn| turn.local);
    turn.or_else(|| upstream.onward.as_ref().and_then(|onward| onward.local))
}

fn words(error: &UpstreamError, local: Option<SocketAddr>) -> Option<(i64, Cow<'static, str>)> {
    let words = match error {
        UpstreamError::Connect { source, .. } if is_unbound(source) => {
            return Some((CRITICAL, unbound(source, local).into()));
        }
        UpstreamError::Connect { address, source, .. } => return Some(refused(address, source)),
        UpstreamError::Handshake { words, .. } => {
            return Some((ERROR, format!("{words} while SSL handshaking to upstream").into()));
        }
        UpstreamError::Timeout { deed: "accept a connection", .. } => {
            "upstream timed out (110: Connection timed out) while connecting to upstream"
        }
        UpstreamError::Timeout { .. } => {
            "upstream timed out (110: Connection timed out) while reading response header from \
             upstream"
        }
        UpstreamError::Read { .. } => {
            "upstream prematurely closed connection while reading response header from upstream"
        }
        UpstreamError::BadResponse { .. } => {
            "upstream sent invalid header while reading response header from upstream"
        }
        UpstreamError::Resolve { .. } => "no resolver defined to resolve the upstream's name",
        UpstreamError::NoPeer { .. } | UpstreamError::Write { .. } => return None,
    };
    Some((ERROR, words.into()))
}

/// The system's number of what went wrong.
fn code_of(error: &Error) -> Option<i32> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error.root_cause());
    while let Some(error) = cause {
        if let Some(code) = error.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error) {
            return Some(code);
        }
        cause = error.source();
    }
    None
}

fn text_of(code: i32) -> String {
    let text = io::Error::from_raw_os_error(code).to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

/// Why no connection was made. What the system refuses at once nginx tells with the address.
fn refused(address: &PeerAddress, error: &Error) -> (i64, Cow<'static, str>) {
    const WAITED_FOR: [i32; 4] =
        [libc::ECONNREFUSED, libc::ECONNRESET, libc::EHOSTUNREACH, libc::ETIMEDOUT];
    let code = code_of(error).unwrap_or(libc::ECONNREFUSED);
    let text = text_of(code);
    if WAITED_FOR.contains(&code) {
        let words = format!("connect() failed ({code}: {text}) while connecting to upstream");
        return (ERROR, words.into());
    }
    let is_usual = [libc::ENETDOWN, libc::ENETUNREACH, libc::EHOSTDOWN].contains(&code);
    let level = if is_usual { ERROR } else { CRITICAL };
    let words =
        format!("connect() to {address} failed ({code}: {text}) while connecting to upstream");
    (level, words.into())
}

/// Whether it is our own address that cannot be had.
pub(super) fn is_unbound(error: &Error) -> bool {
    let inner = error.cause.as_ref().and_then(|cause| cause.downcast_ref::<Box<Error>>());
    *error.etype() == ErrorType::BindError || inner.is_some_and(|inner| is_unbound(inner))
}

fn unbound(error: &Error, local: Option<SocketAddr>) -> String {
    let code = code_of(error).unwrap_or(libc::EADDRNOTAVAIL);
    let local = match local {
        Some(local) if local.port() == 0 => local.ip().to_string(),
        Some(local) => local.to_string(),
        None => String::new(),
    };
    format!("bind({local}) failed ({code}: {}) while connecting to upstream", text_of(code))
}
