//! Facts about TLS handshakes.

use std::time::Duration;

use super::error_log;
use super::log;
use super::metrics::metrics;
use crate::transaction::Client;

/// `[info]`.
const INFO: i64 = 7;

/// A TLS handshake came to its end.
pub struct HandshakeEnded<'a> {
    /// Who.
    pub client: &'a Client,
    /// What came of it: one of a closed list, `ok` or `resumed` if it went well.
    pub outcome: &'static str,
    /// From its beginning.
    pub took: Duration,
    /// Why it failed, in a few words; none: it did not.
    pub reason: Option<&'a str>,
}

impl HandshakeEnded<'_> {
    /// Counts it, and tells in the error log why it failed.
    pub fn emit(self) {
        metrics().handshakes.with(&[self.outcome]).inc();
        metrics().handshake_seconds.observe(self.took.as_secs_f64());
        let Some(reason) = self.reason else { return };
        let (client, server) = self.client.ends();
        let tell = |words: String| {
            format!("{words} while SSL handshaking, client: {client}, server: {server}")
        };
        if error_log::is_open() {
            let words = match self.outcome {
                "plain_http" => "client sent plain HTTP request to HTTPS port".to_owned(),
                "timeout" => "client timed out (110: Connection timed out)".to_owned(),
                _ => format!("SSL_do_handshake() failed (SSL: {reason})"),
            };
            return error_log::write(INFO, &tell(words), None, None);
        }
        log::script(INFO, || tell(format!("TLS handshake failed: {reason}")));
    }
}

/// A step of a TLS handshake's scripts, as lua-nginx-module tells it while it is debugged.
pub struct HandshakeStep<'a> {
    /// In its words.
    pub message: &'a str,
}

impl HandshakeStep<'_> {
    /// Writes it, where debugging was asked for.
    pub fn emit(self) {
        const DEBUG: i64 = 8;
        if error_log::wants(DEBUG) {
            error_log::write(DEBUG, self.message, None, None);
        }
    }
}
