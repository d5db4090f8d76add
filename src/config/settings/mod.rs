//! Every setting there is: one row each. The rows say which keys are known, what a value may be,
//! what holds without one, and what `docs/settings.md` tells.

mod page;
mod tables;

pub use page::settings_page;
pub use tables::{
    ACCESS_LOG, ADMIN, BALANCE, BUDGET, CERTIFICATE, EXCLUSION, HANDLER, HEALTH_CHECK, LIMITS,
    LISTENER, LOG_TARGET, LUA, MATCH, OWNER, PEER, ROLLOUT, ROOT, ROUTE, ROUTE_LUA, RULE_BUDGET,
    RULES, RULES_SHADOW, SCRIPT, SECRET, SITE, THREAD_POOL, THRESHOLDS, TLS, TOKEN, UPSTREAM,
    UPSTREAM_TLS,
};

/// The settings of one mapping.
#[derive(Debug)]
pub struct Table {
    /// Where it stands in the file: `limits`, `upstreams.NAME`.
    pub place: &'static str,
    /// What it is, in a sentence.
    pub doc: &'static str,
    /// Its settings.
    pub rows: &'static [Setting],
    /// Settings that it has in common with others.
    pub shared: Option<&'static Table>,
}

/// One setting.
#[derive(Debug)]
pub struct Setting {
    /// Its key.
    pub name: &'static str,
    /// What its value may be.
    pub shape: Shape,
    /// What holds without it, as it would be written; empty: nothing.
    pub default: &'static str,
    /// What it is, in a sentence.
    pub doc: &'static str,
    /// A value that passes.
    pub example: &'static str,
}

/// What a value may be. Bounds are inclusive.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A whole number.
    Count(u64, u64),
    /// `true` or `false`.
    Flag,
    /// Said in words; checked by a function of its own.
    Other(&'static str),
    /// A file or folder, relative to the file's folder.
    Path,
    /// Lua, as one text.
    Script,
    /// Bytes.
    Size(u64, u64),
    /// One text.
    Text,
    /// One text or a list of them.
    Texts,
    /// Milliseconds.
    Time(u64, u64),
}

impl Table {
    /// The setting with this key.
    pub fn row(&self, name: &str) -> Option<&'static Setting> {
        let own = self.rows.iter().find(|row| row.name == name);
        own.or_else(|| self.shared.and_then(|shared| shared.row(name)))
    }

    /// Every key, in the order of the rows.
    pub fn names(&self) -> Vec<&'static str> {
        let own = self.rows.iter().map(|row| row.name);
        own.chain(self.shared.into_iter().flat_map(Self::names)).collect()
    }
}
