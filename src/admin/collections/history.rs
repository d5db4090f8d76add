//! What was changed, and the way back.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{aside, changed, refusal, table};
use crate::admin::{Admin, Answer, Asked, Reply};
use crate::shared::tables::{
    Declaration, Grant, Kept, Record, Told, json as value, key_text, moment,
};

/// Changes of a page, at most.
const LONGEST: usize = 1000;
/// Entries of a change that are shown.
const SHOWN: usize = 100;

/// `GET /collections/{name}/history`.
pub(in crate::admin) fn history(admin: &Arc<Admin>, asked: &Arc<Asked>) -> Reply {
    aside(admin, asked, |admin, asked| {
        asked.known_query(&["limit", "before"])?;
        let table = table(admin, asked, Grant::Read)?;
        let limit = asked.query_count("limit", 20, LONGEST)?;
        let before = asked.query_count("before", usize::MAX, usize::MAX)?;
        let records = table.history(Some(before as u64), limit);
        let declared = table.declaration();
        let changes = records.iter().map(|record| shown(&declared, record)).collect::<Vec<_>>();
        let told = json!({
            "version": table.version(),
            "oldest_version": table.oldest(),
            "changes": changes,
        });
        Ok(Answer::json(200, &told))
    })
}

/// `POST /collections/{name}/restore`.
pub(in crate::admin) fn restore(admin: &Arc<Admin>, asked: &Arc<Asked>) -> Reply {
    aside(admin, asked, |admin, asked| {
        asked.known_query(&["version"])?;
        let table = table(admin, asked, Grant::Write)?;
        let version = asked.query("version").and_then(|version| version.parse().ok());
        let version: u64 = version.ok_or_else(|| {
            Answer::error(400, "`version` is no version", "`GET …/history` lists them")
        })?;
        let before = table.version();
        let done = table.restore(version, &asked.who.name).map_err(refusal)?;
        let after = json!({ "restored": version, "version": done.version });
        admin.audit(asked, "collection.restore", asked.param("name"), before, after);
        Ok(changed(&table, &done, json!({ "restored": version })))
    })
}

fn shown(declared: &Declaration, record: &Record) -> Value {
    let told = |told: &Vec<Told>| -> Vec<Value> {
        told.iter().take(SHOWN).map(|told| entry(declared, told)).collect()
    };
    json!({
        "version": record.version,
        "at": moment(record.at),
        "who": record.who,
        "what": record.deed,
        "count": record.count,
        "entries": record.told.as_ref().map(told),
    })
}

fn entry(declared: &Declaration, told: &Told) -> Value {
    let side = |kept: &Option<Kept>| kept.as_ref().map(|kept| value(&kept.value));
    json!({
        "key": key_text(declared.kind, &told.key),
        "before": side(&told.before),
        "after": side(&told.after),
    })
}
