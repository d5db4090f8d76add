//! Entries of a collection: one by one, listed, and many at once.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::condition::{condition, is_known};
use super::{HELP, Work, aside, changed, extended, now, refusal, table, unchanged};
use crate::admin::{Admin, Answer, Asked, Reply};
use crate::shared::ip_set::address;
use crate::shared::tables::{self, Draft, Fault, Grant, Kind, Query, Table, View};

/// Entries that are changed in one request, at most.
const AT_ONCE: usize = 10_000;

/// `GET /collections/{name}/entries`.
pub(in crate::admin) fn list(admin: &Arc<Admin>, asked: &Arc<Asked>) -> Reply {
    aside(admin, asked, |admin, asked| {
        asked.known_query(&["key", "prefix", "where", "limit", "after"])?;
        let table = table(admin, asked, Grant::Read)?;
        if let Some(key) = asked.query("key") {
            return one(asked, &table, key);
        }
        let filters = asked.query.iter().filter(|(name, _)| name == "where");
        let view = View {
            filters: filters.map(|(_, filter)| filter.clone()).collect(),
            prefix: asked.query("prefix").map(str::to_owned),
            limit: Some(asked.query_count("limit", 100, tables::LONGEST_PAGE)?),
        };
        answer_view(asked, &table, &view)
    })
}

/// A page of the entries that answer a question.
pub(super) fn answer_view(asked: &Asked, table: &Table, view: &View) -> Work {
    let etag = table.etag(table.version());
    if is_known(asked, &etag) {
        return Ok(unchanged(&etag));
    }
    let query: Query = view.query(table.declaration(), asked.query("after")).map_err(refusal)?;
    let page = table.page(&query);
    let entries = page.entries.iter().map(|(key, entry)| shown(table, key, entry));
    let told = json!({ "entries": entries.collect::<Vec<_>>(), "next": page.next });
    Ok(Answer::json(200, &told).with_field("ETag", &etag))
}

/// `GET /collections/{name}/entries/{key}`.
pub(in crate::admin) fn show(admin: &Arc<Admin>, asked: &Arc<Asked>) -> Reply {
    now(|| {
        let table = table(admin, asked, Grant::Read)?;
        one(asked, &table, asked.param("key"))
    })
}

/// `GET /collections/{name}/match`.
pub(in crate::admin) fn matching(admin: &Arc<Admin>, asked: &Arc<Asked>) -> Reply {
    now(|| {
        asked.known_query(&["address"])?;
        let table = table(admin, asked, Grant::Read)?;
        if table.declaration().kind != Kind::Addresses {
            return Err(refusal(Fault::Bad("only `addresses` are matched".to_owned())));
        }
        let asked_for = address(asked.query("address").unwrap_or_default().as_bytes());
        let asked_for = asked_for.ok_or_else(|| {
            Answer::error(400, "`address` is no address", "write `?address=192.0.2.1`")
        })?;
        let found = table.matching(asked_for);
        let found = found.map(|(network, entry)| shown(&table, &network, &entry));
        Ok(Answer::json(200, &json!({ "found": found })))
    })
}

/// `PUT /collections/{name}/entries/{key}`.
pub(in crate::admin) fn put(admin: &Arc<Admin>, asked: &Arc<Asked>) -> Reply {
    aside(admin, asked, |admin, asked| change(admin, asked, "collection.put", Table::put))
}

/// `PATCH /collections/{name}/entries/{key}`.
pub(in crate::admin) fn patch(admin: &Arc<Admin>, asked: &Arc<Asked>) -> Reply {
    aside(admin, asked, |admin, asked| change(admin, asked, "collection.patch", Table::patch))
}

/// `DELETE /collections/{name}/entries/{key}`.
pub(in crate::admin) fn delete(admin: &Arc<Admin>, asked: &Arc<Asked>) -> Reply {
    aside(admin, asked, |admin, asked| {
        asked.known_query(&[])?;
        let (table, key) = (table(admin, asked, Grant::Write)?, asked.param("key"));
        let before = value(&table, key);
        let done = table.delete(key, condition(asked)?, &asked.who.name).map_err(refusal)?;
        admin.audit(asked, "collection.remove", &target(asked), before, Value::Null);
        Ok(changed(&table, &done, json!({ "key": key })))
    })
}

/// `POST /collections/{name}/entries`.
pub(in crate::admin) fn put_all(admin: &Arc<Admin>, asked: &Arc<Asked>) -> Reply {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Many {
        entries: Vec<Draft>,
    }
    aside(admin, asked, |admin, asked| {
        asked.known_query(&[])?;
        let table = table(admin, asked, Grant::Write)?;
        let Many { entries } = asked.json()?;
        if entries.len() > AT_ONCE {
            let help = "`POST …/import` takes as many as there are";
            return Err(Answer::error(422, format!("more than {AT_ONCE} entries"), help));
        }
        let count = entries.len();
        let done = table.put_all(entries, &asked.who.name).map_err(refusal)?;
        let after = json!({ "entries": count, "version": done.version });
        admin.audit(asked, "collection.put_all", asked.param("name"), Value::Null, after);
        Ok(changed(&table, &done, json!({ "entries": count })))
    })
}

/// A way to change an entry by what the body says.
type Change = fn(&Table, Draft, tables::Condition, &str) -> Result<tables::Done, Fault>;

fn change(admin: &Admin, asked: &Asked, what: &str, change: Change) -> Work {
    asked.known_query(&[])?;
    let (table, key) = (table(admin, asked, Grant::Write)?, asked.param("key"));
    let draft = Draft::read(&asked.body).map_err(refusal)?;
    if draft.delete || draft.key.as_deref().is_some_and(|own| own != key) {
        let error = "the body is of another entry, or to be deleted";
        return Err(Answer::error(422, error, HELP));
    }
    let draft = Draft { key: Some(key.to_owned()), ..draft };
    let before = value(&table, key);
    let done = change(&table, draft, condition(asked)?, &asked.who.name).map_err(refusal)?;
    admin.audit(asked, what, &target(asked), before, value(&table, key));
    Ok(changed(&table, &done, json!({ "key": key })))
}

fn one(asked: &Asked, table: &Table, key: &str) -> Work {
    let none = || Answer::error(404, "no entry of that key", HELP);
    let entry = table.get(key).ok_or_else(none)?;
    let etag = table.etag(entry.version);
    if is_known(asked, &etag) {
        return Ok(unchanged(&etag));
    }
    Ok(Answer::json(200, &shown(table, key, &entry)).with_field("ETag", &etag))
}

/// An entry as clients read it, with what to send in `If-Match`.
fn shown(table: &Table, key: &str, entry: &tables::Entry) -> Value {
    let told = tables::entry(key, entry);
    extended(told, json!({ "etag": table.etag(entry.version) }))
}

/// What the audit log says of an entry.
fn value(table: &Table, key: &str) -> Value {
    table.get(key).map_or(Value::Null, |entry| tables::entry(key, &entry))
}

fn target(asked: &Asked) -> String {
    format!("{}/{}", asked.param("name"), asked.param("key"))
}
