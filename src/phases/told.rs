//! What lua-nginx-module tells at level `debug` of a handler that begins.

use std::path::Path;

use super::Exchange;
use crate::telemetry::events;
use crate::transaction::Phase;

/// nginx's number for the level.
const DEBUG: i64 = 8;

/// A handler of that name begins.
pub(super) fn beginning(exchange: &Exchange, phase: Phase, name: &str) {
    if !events::ScriptSaid::is_wanted(DEBUG) || !is_of_lua(name) {
        return;
    }
    let words = match phase {
        Phase::Rewrite => "rewrite handler, uri:",
        Phase::Access => "access handler, uri:",
        Phase::Precontent => "precontent handler, uri:",
        Phase::Content => "content handler, uri:",
        Phase::HeaderFilter => "header filter for user lua code, uri ",
        Phase::BodyFilter => "body filter for user lua code, uri ",
        Phase::Log => "log handler, uri:",
        _ => return,
    };
    let after = if words.contains("filter") { "" } else { " c:1" };
    say(exchange, &format!("lua {words}\"{}\"{after}", path(exchange)));
}

/// Whether a handler of that name is one of Lua's: scripts that are made of other directives are not.
fn is_of_lua(name: &str) -> bool {
    name.contains("_by_lua") || Path::new(name).extension().is_some_and(|ending| ending == "lua")
}

/// The response head passes what may keep it for a script.
pub(super) fn head(exchange: &Exchange) {
    if !events::ScriptSaid::is_wanted(DEBUG) {
        return;
    }
    let of_lua = |phase: Phase| {
        let steps = exchange.plan().of(phase).iter();
        let mut names = steps.filter_map(|id| exchange.live.step(*id));
        names.any(|(.., handler)| is_of_lua(&handler.module))
    };
    let path = path(exchange);
    if !of_lua(Phase::HeaderFilter) && of_lua(Phase::BodyFilter) {
        say(exchange, &format!("lua header filter for user lua code, uri \"{path}\""));
    }
    if [Phase::Rewrite, Phase::Access, Phase::Content].into_iter().any(of_lua) {
        say(exchange, &format!("lua capture header filter, uri \"{path}\""));
        say(exchange, &format!("lua capture body filter, uri \"{path}\""));
    }
}

/// Memory that is free was given back to the system; what it answered.
pub(super) fn trimmed(exchange: &Exchange, answer: i32) {
    if events::ScriptSaid::is_wanted(DEBUG) {
        say(exchange, &format!("malloc_trim(1) returned {answer}"));
    }
}

fn path(exchange: &Exchange) -> String {
    let transaction = exchange.subject.transaction.borrow();
    String::from_utf8_lossy(&transaction.request.normalized_path()).into_owned()
}

fn say(exchange: &Exchange, message: &str) {
    let about = exchange.subject.transaction.try_borrow().ok();
    events::Said { level: DEBUG, message, about: about.as_deref() }.emit();
}
