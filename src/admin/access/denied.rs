//! Why somebody gets no answer, and what they are told instead.

use std::time::Duration;

use super::super::answer::Answer;
use super::Identity;
use crate::config::Role;

/// Somebody who may not ask this.
#[derive(Debug)]
pub struct Denied {
    /// Why.
    pub reason: Reason,
    /// Who, if their token is known.
    pub who: Option<Identity>,
}

/// Why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The token was good until some time ago.
    ExpiredToken,
    /// A page of another site asks through its visitor's browser, and there are no tokens.
    ForeignPage,
    /// A token is wanted and none came.
    NoToken,
    /// There are no tokens, so nobody may do this.
    NoTokens,
    /// It is the node's, and the token is an owner's.
    Owner,
    /// There are no tokens, and it does not come from this machine.
    Remote,
    /// The token is good for less.
    Role {
        /// What it must be good for.
        wanted: Role,
    },
    /// Too many wrong tokens came from this address; it is heard again after this.
    TooManyFailures(Duration),
    /// No token is like this.
    UnknownToken,
}

impl Denied {
    pub(super) fn stranger(reason: Reason) -> Self {
        Self { reason, who: None }
    }

    /// The reason's word: a label of metrics, and `outcome` in the audit log.
    pub fn reason(&self) -> &'static str {
        match self.reason {
            Reason::ExpiredToken => "expired_token",
            Reason::ForeignPage => "foreign_page",
            Reason::NoToken => "no_token",
            Reason::NoTokens => "no_tokens",
            Reason::Owner => "owner",
            Reason::Remote => "remote",
            Reason::Role { .. } => "role",
            Reason::TooManyFailures(_) => "too_many_failures",
            Reason::UnknownToken => "unknown_token",
        }
    }

    /// What they are told.
    pub(in crate::admin) fn answer(&self) -> Answer {
        const MAKE_ONE: &str = "make a token: `moongate tokens add NAME --role admin`, and send it as `Authorization: Bearer …`";
        const SEND_ONE: &str = "send a token that holds: `Authorization: Bearer …`";
        let (status, error, help) = match self.reason {
            Reason::ExpiredToken => (401, "the token has expired".to_owned(), SEND_ONE),
            Reason::ForeignPage => (
                403,
                "asked by a page of another site, or by another name than the address".to_owned(),
                "without a token, ask by the address itself: `curl http://127.0.0.1:9180/`",
            ),
            Reason::NoToken => (401, "a token is wanted here".to_owned(), SEND_ONE),
            Reason::NoTokens => {
                (403, "without tokens nothing can be changed or audited".to_owned(), MAKE_ONE)
            }
            Reason::Owner => (
                403,
                "this is about the whole node, and the token is an owner's".to_owned(),
                "ask with a token without owner",
            ),
            Reason::Remote => {
                (403, "without tokens only this machine is answered".to_owned(), MAKE_ONE)
            }
            Reason::Role { wanted } => (
                403,
                format!("this wants a token with the role `{}`", wanted.as_str()),
                "`GET /whoami` tells which role yours has",
            ),
            Reason::TooManyFailures(_) => (
                429,
                "too many wrong tokens came from this address".to_owned(),
                "wait as long as `Retry-After` says, in seconds",
            ),
            Reason::UnknownToken => (401, "the token is not known here".to_owned(), SEND_ONE),
        };
        self.told(Answer::error(status, error, help))
    }

    fn told(&self, answer: Answer) -> Answer {
        match self.reason {
            Reason::TooManyFailures(wait) => {
                let seconds = wait.as_secs_f64().ceil().max(1.0) as u64;
                answer.with_field("Retry-After", &seconds.to_string())
            }
            _ if answer.status == 401 => answer.with_field("WWW-Authenticate", "Bearer"),
            _ => answer,
        }
    }
}
