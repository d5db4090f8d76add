//! Typed collections: declared, asked and changed while everything runs.

mod condition;
mod entries;
mod history;
mod import;
mod views;

use std::sync::Arc;

use serde_json::{Value, json};

pub(super) use entries::{delete, list, matching, patch, put, put_all, show};
pub(super) use history::{history, restore};
pub(super) use import::{begin, progress};
pub(super) use views::{ask_view, drop_view, put_view, views};

use self::condition::{condition, is_known};
use super::{Admin, Answer, Asked, Reply};
use crate::shared::Tables;
use crate::shared::tables::{
    Condition, Declaration, Done, Durability, Fault, Grant, Table, Ticket,
};

/// What tells where the words are.
const HELP: &str = "docs/collections.md tells what can be asked";

/// A handler's work: the answer, or the one that says why not.
type Work = Result<Answer, Answer>;

/// `GET /collections`.
pub(super) fn all(admin: &Arc<Admin>, asked: &Arc<Asked>) -> Reply {
    let tables = admin.tables().all();
    let mine = tables.iter().filter(|table| granted(asked, table).is_some());
    let described: Vec<Value> = mine.map(|table| summary(table)).collect();
    Answer::json(200, &json!({ "collections": described })).into()
}

/// `GET /collections/{name}`.
pub(super) fn describe(admin: &Arc<Admin>, asked: &Arc<Asked>) -> Reply {
    now(|| {
        let table = table(admin, asked, Grant::Read)?;
        let etag = table.etag(table.version());
        if is_known(asked, &etag) {
            return Ok(unchanged(&etag));
        }
        let declared = serde_json::to_value(&*table.declaration()).unwrap_or_default();
        let more = json!({
            "oldest_version": table.oldest(),
            "views": table.views().keys().collect::<Vec<_>>(),
            "declaration": declared,
        });
        let told = extended(summary(&table), more);
        Ok(Answer::json(200, &told).with_field("ETag", &etag))
    })
}

/// `PUT /collections/{name}`.
pub(super) fn declare(admin: &Arc<Admin>, asked: &Arc<Asked>) -> Reply {
    aside(admin, asked, |admin, asked| {
        asked.known_query(&[])?;
        let declared = Declaration::read(&asked.body).map_err(refusal)?;
        let (name, tables) = (asked.param("name"), admin.tables());
        hold(&tables, asked)?;
        let told = |table: Arc<Table>| serde_json::to_value(&*table.declaration()).ok();
        let before = tables.get(name).and_then(told);
        let done = tables.declare(name, declared, &asked.who.name).map_err(refusal)?;
        admin.audit(asked, "collection.declare", name, before, tables.get(name).and_then(told));
        let table = tables.get(name).ok_or_else(gone)?;
        Ok(changed(&table, &done, json!({ "name": name })))
    })
}

/// `DELETE /collections/{name}`.
pub(super) fn remove(admin: &Arc<Admin>, asked: &Arc<Asked>) -> Reply {
    aside(admin, asked, |admin, asked| {
        asked.known_query(&[])?;
        let (name, tables) = (asked.param("name"), admin.tables());
        hold(&tables, asked)?;
        let before = tables.get(name).map(|table| summary(&table));
        let ticket = tables.remove(name).map_err(refusal)?;
        admin.audit(asked, "collection.delete", name, before, Value::Null);
        Ok(match ticket.wait() {
            Ok(_) => Answer::done(),
            Err(_) => Answer::json(202, &kept(&ticket)),
        })
    })
}

impl Admin {
    /// The collections of the process.
    fn tables(&self) -> Arc<Tables> {
        self.store.current().tables.clone()
    }
}

/// The collection that is asked about, if whoever asks may do that with it. One that is not granted
/// is not told from one that is not there.
fn table(admin: &Admin, asked: &Asked, wanted: Grant) -> Result<Arc<Table>, Answer> {
    let table = admin.tables().get(asked.param("name")).ok_or_else(gone)?;
    match granted(asked, &table) {
        Some(grant) if grant >= wanted => Ok(table),
        Some(_) => Err(Answer::error(
            403,
            "this collection is granted for reading alone",
            "an operator grants more with `PUT /collections/NAME`",
        )),
        None => Err(gone()),
    }
}

fn granted(asked: &Asked, table: &Table) -> Option<Grant> {
    match &asked.who.owner {
        None => Some(Grant::Write),
        Some(owner) => table.grant(owner),
    }
}

/// Whether the collection as a whole is as `If-Match` and `If-None-Match` say.
fn hold(tables: &Tables, asked: &Asked) -> Result<(), Answer> {
    let table = tables.get(asked.param("name"));
    let etag = table.map(|table| table.etag(table.version()));
    let held = match condition(asked)? {
        Condition::Always => true,
        Condition::Absent => etag.is_none(),
        Condition::There => etag.is_some(),
        Condition::Is(wanted) => etag.as_ref().is_some_and(|etag| wanted.contains(etag)),
    };
    if held { Ok(()) } else { Err(refusal(Fault::Condition { etag })) }
}

fn summary(table: &Table) -> Value {
    let (statistics, declared) = (table.statistics(), table.declaration());
    json!({
        "name": &**table.name(),
        "kind": declared.kind,
        "description": declared.description,
        "entries": statistics.entries,
        "bytes": statistics.bytes,
        "version": table.version(),
    })
}

/// A change was made: once it is on disk, or why it is not.
fn changed(table: &Table, done: &Done, told: Value) -> Answer {
    let status = match done.ticket.wait() {
        Err(_) => 202,
        Ok(_) if done.created => 201,
        Ok(_) => 200,
    };
    let told = extended(told, json!({ "version": done.version }));
    let told = extended(told, kept(&done.ticket));
    Answer::json(status, &told).with_field("ETag", &table.etag(done.version))
}

/// An object with the fields of another.
fn extended(mut told: Value, more: Value) -> Value {
    if let (Value::Object(told), Value::Object(more)) = (&mut told, more) {
        told.extend(more);
    }
    told
}

/// Where a change is kept.
fn kept(ticket: &Ticket) -> Value {
    match ticket.wait() {
        Ok(Durability::Disk) => json!({ "kept": "disk" }),
        Ok(Durability::Memory) => json!({ "kept": "memory" }),
        Err(trouble) => json!({ "kept": "not yet", "trouble": trouble }),
    }
}

fn unchanged(etag: &str) -> Answer {
    Answer::bytes(304, "application/json", "").with_field("ETag", etag)
}

fn gone() -> Answer {
    Answer::error(404, "no collection of that name", "`GET /collections` lists them")
}

/// The answer to what cannot be done.
fn refusal(fault: Fault) -> Answer {
    let status = match &fault {
        Fault::Bad(_) => 422,
        Fault::Condition { .. } => 412,
        Fault::Conflict(_) => 409,
        Fault::Full(_) => 507,
        Fault::NotFound(_) => 404,
    };
    let answer = Answer::error(status, fault.to_string(), HELP);
    match &fault {
        Fault::Condition { etag: Some(etag) } => answer.with_field("ETag", etag),
        _ => answer,
    }
}

/// Answers at once.
fn now(work: impl FnOnce() -> Work) -> Reply {
    work().unwrap_or_else(|refused| refused).into()
}

/// Answers from a thread of its own.
fn aside(
    admin: &Arc<Admin>,
    asked: &Arc<Asked>,
    work: impl FnOnce(&Admin, &Asked) -> Work + Send + 'static,
) -> Reply {
    let (admin, asked) = (admin.clone(), asked.clone());
    Reply::aside(move || work(&admin, &asked).unwrap_or_else(|refused| refused))
}
