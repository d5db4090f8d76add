//! `moongate.yaml`: raw (as typed) ▸ checked.
//!
//! [`read`] takes the text and the files it names and returns a [`Config`] or every fault.

mod checked;

pub use checked::{
    AccessLog, Address, Admin, Attachment, Balance, BodyLimits, Budget, Config, HandlerSource,
    Handlers, HealthCheck, Limits, Listener, LogFormat, LogTarget, Lua, Match, MethodSet, Network,
    OnError, PathMatch, Peer, Retries, Route, Rules, Timeouts, TrustedProxies, Upstream,
    UpstreamChoice,
};
