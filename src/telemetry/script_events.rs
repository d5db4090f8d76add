//! What scripts and requests have to say.

use std::borrow::Cow;

use super::{error_log, log};
use crate::transaction::{Phase, Transaction};

/// A script wrote a line: `ngx.log`, `print`.
pub struct ScriptSaid<'a> {
    /// nginx's: 0 stderr, 1 emerg, 2 alert, 3 crit, 4 err, 5 warn, 6 notice, 7 info, 8 debug.
    pub level: i64,
    /// Where.
    pub phase: Phase,
    /// The module's name, or the chunk's, and the line: `module:line`. Empty: it is the API that tells
    /// something about it.
    pub module: &'a str,
    /// What it said.
    pub message: &'a str,
    /// The exchange that it was about.
    pub about: Option<&'a Transaction>,
    /// For a timer: whose exchange set it, as [`Outside::peer`].
    pub peer: Option<&'a str>,
}

impl ScriptSaid<'_> {
    /// Whether a line of this level is written at all.
    pub fn is_wanted(level: i64) -> bool {
        error_log::wants(level) || (!error_log::is_open() && log::is_wanted(level))
    }

    /// Writes it to the process's own log, unless scripts said too much in this second.
    pub fn emit(self) {
        let Self { level, phase, module, message, about, peer } = self;
        if error_log::is_open() {
            let message = format!("[lua] {module}: {message}{}", doing(phase, about));
            return error_log::write(level, &message, about, outside(phase, peer).as_deref());
        }
        log::script(level, || {
            let client = about.map(|about| about.client.address);
            let client = client.map(|client| format!(", client: {client}")).unwrap_or_default();
            let place = if module.is_empty() { String::new() } else { format!("[lua] {module}: ") };
            format!("{place}{message} ({}{client})", phase.as_str())
        });
    }
}

/// What nginx is doing for the request meanwhile, as its log tells it.
fn doing(phase: Phase, about: Option<&Transaction>) -> String {
    let known = match phase {
        Phase::Balancer => Some("connecting to upstream"),
        Phase::Log => Some("logging request"),
        _ => about.and_then(|about| about.doing),
    };
    known.map(|known| format!(" while {known}")).unwrap_or_default()
}

/// Where code runs that no request asked for, as nginx's log tells it.
fn outside(phase: Phase, peer: Option<&str>) -> Option<Cow<'static, str>> {
    let context = match phase {
        Phase::Timer => "ngx.timer",
        Phase::InitWorker | Phase::SslClientHello | Phase::SslCertificate => phase.context(),
        _ => return None,
    };
    Some(peer.map_or(context.into(), |peer| format!("{context}, {peer}").into()))
}

/// Something of code that runs outside of any exchange.
pub struct Outside<'a> {
    /// nginx's level.
    pub level: i64,
    /// What, in nginx's words.
    pub message: &'a str,
    /// Where the code runs.
    pub phase: Phase,
    /// Whose exchange it comes from: `client: 10.0.0.1, server: 0.0.0.0:80`.
    pub peer: Option<&'a str>,
}

impl Outside<'_> {
    /// As [`Said::emit`].
    pub fn emit(self) {
        let Self { level, message, phase, peer } = self;
        if error_log::is_open() {
            return error_log::write(level, message, None, outside(phase, peer).as_deref());
        }
        log::script(level, || format!("{message} ({})", phase.as_str()));
    }
}

/// Something of a request that nginx would tell in its error log.
pub struct Said<'a> {
    /// nginx's level.
    pub level: i64,
    /// What, in nginx's words.
    pub message: &'a str,
    /// The exchange.
    pub about: Option<&'a Transaction>,
}

impl Said<'_> {
    /// Writes it to the error log, if there is one of nginx's form; else to the process's own, unless
    /// too much was said in this second.
    pub fn emit(self) {
        let Self { level, message, about } = self;
        if error_log::is_open() {
            return error_log::write(level, message, about, None);
        }
        log::script(level, || {
            let client = about.map(|about| format!(" (client: {})", about.client.address));
            format!("{message}{}", client.unwrap_or_default())
        });
    }
}

/// A script did not come to its end.
pub struct ScriptFailed<'a> {
    /// `file:line: message`.
    pub error: &'a str,
    /// `cpu`, `memory`, `runtime`, `syntax` or `wait`.
    pub kind: &'static str,
    /// The stack at that moment, one function a line; empty if there was none.
    pub traceback: &'a str,
    /// The module's name, or the chunk's.
    pub module: &'a str,
    /// Where.
    pub phase: Phase,
    /// The exchange; none in `init`, `init_worker`, `exit_worker` and timers.
    pub about: Option<&'a Transaction>,
    /// For a timer: whose exchange set it, as [`Outside::peer`].
    pub peer: Option<&'a str>,
}

impl ScriptFailed<'_> {
    /// Whether it is told in nginx's form.
    pub fn has_error_log() -> bool {
        error_log::is_open()
    }

    /// Writes it to the process's own log, in lua-nginx-module's words, unless scripts said too much
    /// in this second.
    pub fn emit(self) {
        let Self { error, kind, traceback, module, phase, about, peer } = self;
        let place = phase.as_str();
        // What was raised is no text.
        let error = if error == "nil" { "unknown reason" } else { error };
        let words = match kind {
            _ if phase.is_of_worker() => {
                let file = if module.starts_with('/') { "_file" } else { "" };
                format!("{place}_by_lua{file} error")
            }
            "syntax" | "no_file" | "unreadable" if error_log::is_open() => {
                if module.starts_with('/') || kind != "syntax" {
                    format!("failed to load external Lua file \"{module}\"")
                } else {
                    "failed to load inlined Lua code".to_owned()
                }
            }
            _ if phase == Phase::Timer => "lua entry thread aborted: runtime error".to_owned(),
            _ if !phase.may_wait() => format!("failed to run {place}_by_lua*"),
            "memory" => "lua entry thread aborted: memory allocation error".to_owned(),
            _ => "lua entry thread aborted: runtime error".to_owned(),
        };
        let stack = match (traceback, phase.may_wait()) {
            ("", _) => String::new(),
            (_, true) if error_log::is_open() => {
                let stacks =
                    traceback.replace('\n', "\n\t").replace("\n\tcoroutine ", "\ncoroutine ");
                format!("\nstack traceback:\ncoroutine 0:\n\t{stacks}")
            }
            _ => format!("\nstack traceback:\n{traceback}"),
        };
        if error_log::is_open() {
            let context = outside(phase, peer);
            let message = format!("{words}: {error}{stack}{}", doing(phase, about));
            return error_log::write(4, &message, about, context.as_deref());
        }
        log::script(4, || {
            let request = about.map(|about| format!(", request {}", about.id)).unwrap_or_default();
            format!("[lua] {module} in {place}{request}: {words}: {error}{stack}")
        });
    }
}
