//! The rows.

mod behind;
mod front;
mod owners;
mod rest;
mod rules;
mod scripts;
mod sites;
mod tls;
mod tokens;

use super::{Setting, Shape, Table};

pub use behind::{BALANCE, HEALTH_CHECK, PEER, UPSTREAM, UPSTREAM_TLS};
pub use front::{ADMIN, LIMITS, LISTENER, ROLLOUT, ROOT};
pub use owners::{OWNER, SECRET};
pub use rest::{ACCESS_LOG, LOG_TARGET, MATCH, ROUTE};
pub use rules::{EXCLUSION, RULE_BUDGET, RULES, RULES_SHADOW, THRESHOLDS};
pub use scripts::{BUDGET, HANDLER, HANDLERS, LUA, ROUTE_LUA, SCRIPT, THREAD_POOL};
pub use sites::SITE;
pub use tls::{CERTIFICATE, TLS};
pub use tokens::TOKEN;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const SECOND: u64 = 1000;
const HOUR: u64 = 3600 * SECOND;
const DAY: u64 = 24 * HOUR;

/// All tables, in the order of the page.
pub const TABLES: &[&Table] = &[
    &ROOT,
    &ROLLOUT,
    &LISTENER,
    &TLS,
    &CERTIFICATE,
    &ADMIN,
    &TOKEN,
    &LIMITS,
    &UPSTREAM,
    &PEER,
    &BALANCE,
    &HEALTH_CHECK,
    &UPSTREAM_TLS,
    &LUA,
    &THREAD_POOL,
    &BUDGET,
    &OWNER,
    &SECRET,
    &RULES,
    &RULES_SHADOW,
    &THRESHOLDS,
    &RULE_BUDGET,
    &EXCLUSION,
    &ACCESS_LOG,
    &LOG_TARGET,
    &SITE,
    &ROUTE,
    &MATCH,
    &ROUTE_LUA,
    &HANDLERS,
    &HANDLER,
    &SCRIPT,
];

const fn row(
    name: &'static str,
    shape: Shape,
    default: &'static str,
    example: &'static str,
    doc: &'static str,
) -> Setting {
    Setting { name, shape, default, doc, example }
}

const ON_ERROR: Shape = Shape::Choice(&["refuse", "pass"]);
const ADDRESSES: &str = "an address, or a list of addresses, `unix:` paths or mappings";
