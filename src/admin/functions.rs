//! Functions: pushed, put in force, taken back; and who holds which, since when.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::Deserialize;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{Admin, Answer, Asked, Reply, rollouts};
use crate::config::{self, Role};
use crate::functions::{
    Declaration, Fault, Function, FunctionRoute, FunctionStore, Name, Push, Pushed, Reading,
    Record, Version,
};
use crate::script::OPERATOR;

/// What a push says besides the text, in a query or beside it in JSON.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Said {
    text: String,
    route: Option<String>,
    owner: Option<String>,
    declares: Option<Declaration>,
    message: String,
    ttl: Option<String>,
    activate: bool,
    dry_run: bool,
}

/// `GET /functions`
pub(super) fn list(admin: &Arc<Admin>, asked: &Arc<Asked>) -> Reply {
    let (admin, asked) = (admin.clone(), asked.clone());
    Reply::aside(move || {
        if let Err(refused) = asked.known_query(&["owner"]) {
            return refused;
        }
        let wanted = asked.query("owner");
        let registry = admin.functions.current();
        let seen = registry.iter().filter(|function| {
            let owner = function.owner.as_str();
            asked.who.may_touch(owner) && wanted.is_none_or(|wanted| wanted == owner)
        });
        let told: Vec<Value> = seen.map(|function| tell(&admin, function)).collect();
        Answer::json(200, &Value::Array(told))
    })
}

/// `GET /functions/{name}`
pub(super) fn show(admin: &Arc<Admin>, asked: &Arc<Asked>) -> Reply {
    let answer = match owned(admin, asked) {
        Ok(function) => Answer::json(200, &tell(admin, &function)),
        Err(refused) => refused,
    };
    answer.into()
}

/// `GET /functions/{name}/versions/{version}`: its text.
pub(super) fn text(admin: &Arc<Admin>, asked: &Arc<Asked>) -> Reply {
    let (admin, asked) = (admin.clone(), asked.clone());
    Reply::aside(move || {
        let text = owned(&admin, &asked).and_then(|function| {
            let version = function.version(asked.param("version"));
            let version = version.ok_or_else(|| {
                Answer::error(404, "there is no such version", "GET /functions/NAME lists them")
            })?;
            version.text().map_err(|error| fault(&Fault::internal(&error)))
        });
        text.map_or_else(|refused| refused, |text| Answer::text(200, &*text))
    })
}

/// `PUT /functions/{name}`
pub(super) fn push(admin: &Arc<Admin>, asked: &Arc<Asked>) -> Reply {
    let (admin, asked) = (admin.clone(), asked.clone());
    Reply::aside(move || {
        wanted(&admin, &asked).map_or_else(|refused| refused, |wanted| {
        let (name, dry_run) = (wanted.name.to_string(), wanted.dry_run);
        let before = active(&admin.functions, &name);
        match admin.functions.push(wanted) {
            Ok(pushed) => {
                let after = json!({ "pushed": pushed.version.facts.digest, "active": active(&admin.functions, &name) });
                if !dry_run {
                    admin.audit(&asked, "function.push", &name, before, after);
                }
                answer(&name, &pushed)
            }
            Err(refused) => fault(&refused),
        }
    })
    })
}

/// `POST /functions/{name}/activate`
pub(super) fn activate(admin: &Arc<Admin>, asked: &Arc<Asked>) -> Reply {
    change(admin, asked, "function.activate", &["version"], |store, asked| {
        store.activate(asked.param("name"), asked.query("version")).map(Some)
    })
}

/// `POST /functions/{name}/rollback`
pub(super) fn rollback(admin: &Arc<Admin>, asked: &Arc<Asked>) -> Reply {
    change(admin, asked, "function.rollback", &["to"], |store, asked| {
        store.rollback(asked.param("name"), asked.query("to")).map(Some)
    })
}

/// `POST /functions/{name}/deactivate`
pub(super) fn deactivate(admin: &Arc<Admin>, asked: &Arc<Asked>) -> Reply {
    change(admin, asked, "function.deactivate", &[], |store, asked| {
        store.deactivate(asked.param("name")).map(|()| None)
    })
}

/// `DELETE /functions/{name}`
pub(super) fn remove(admin: &Arc<Admin>, asked: &Arc<Asked>) -> Reply {
    change(admin, asked, "function.remove", &[], |store, asked| {
        store.remove(asked.param("name")).map(|()| None)
    })
}

/// What is done with a function.
type Work = fn(&FunctionStore, &Asked) -> Result<Option<Arc<Version>>, Fault>;

/// Changes which version serves, if the asker may; what came of it is recorded and told.
fn change(
    admin: &Arc<Admin>,
    asked: &Arc<Asked>,
    what: &'static str,
    query: &'static [&'static str],
    work: Work,
) -> Reply {
    changed(admin, asked, (what, query), active, move |store, asked| {
        work(store, asked).map(drop).map_err(|refused| fault(&refused))
    })
}

/// The same; `state` is what is recorded of before and after.
pub(super) fn changed(
    admin: &Arc<Admin>,
    asked: &Arc<Asked>,
    (what, query): (&'static str, &'static [&'static str]),
    state: fn(&FunctionStore, &str) -> Value,
    work: impl FnOnce(&FunctionStore, &Asked) -> Result<(), Answer> + Send + 'static,
) -> Reply {
    let (admin, asked) = (admin.clone(), asked.clone());
    Reply::aside(move || {
        let name = asked.param("name").to_owned();
        let before = state(&admin.functions, &name);
        if let Err(refused) = asked.known_query(query).and_then(|()| owned(&admin, &asked)) {
            return refused;
        }
        if let Err(refused) = work(&admin.functions, &asked) {
            return refused;
        }
        admin.audit(&asked, what, &name, before, state(&admin.functions, &name));
        match admin.functions.current().get(&name) {
            Some(function) => Answer::json(200, &tell(&admin, function)),
            None => Answer::done(),
        }
    })
}

/// What is to be pushed, if the asker may.
fn wanted(admin: &Admin, asked: &Asked) -> Result<Push, Answer> {
    let said = said(asked)?;
    let unfit = |message: String| Answer::error(422, message, HELP);
    let name = Name::new(asked.param("name")).map_err(unfit)?;
    let known = admin.functions.current().get(name.as_str()).cloned();
    let own = said.owner.as_deref().or(asked.who.owner.as_deref());
    let owner = own.map(Name::new).transpose().map_err(unfit)?;
    match (&known, &owner) {
        (Some(known), _) => asked.claim(known.owner.as_str())?,
        (None, Some(owner)) => asked.claim(owner.as_str())?,
        (None, None) => asked.claim(OPERATOR)?,
    }
    if said.activate && asked.who.role < Role::Activate {
        let help = "push without `activate`, and ask somebody who may put it in force";
        return Err(Answer::error(403, "this token may push, not activate", help));
    }
    let route = said.route.as_deref().map(FunctionRoute::parse).transpose().map_err(unfit)?;
    let ttl = said.ttl.as_deref().map(|text| {
        let millis = config::time(text).filter(|millis| *millis > 0);
        let known = millis.map(Duration::from_millis);
        known.ok_or_else(|| unfit(format!("`ttl`: `{text}` is no time: write `30m`, `2d`")))
    });
    Ok(Push {
        name,
        owner,
        route,
        text: said.text.into(),
        declaration: said.declares,
        author: asked.who.name.clone(),
        message: said.message,
        ttl: ttl.transpose()?,
        activate: said.activate,
        dry_run: said.dry_run,
    })
}

const HELP: &str = "PUT /functions/NAME?route=/hello&owner=team-a with the Lua text as the body, or \
    JSON with `text`, `route`, `owner`, `declares`, `message`, `ttl`, `activate`";

fn said(asked: &Asked) -> Result<Said, Answer> {
    let media_type = asked.fields.content_type.as_deref().unwrap_or_default();
    if media_type.split(';').next().is_some_and(|kind| kind.trim() == "application/json") {
        asked.known_query(&[])?;
        return asked.json();
    }
    asked.known_query(&["route", "owner", "message", "ttl", "activate", "dry_run"])?;
    let own = |name: &str| asked.query(name).map(str::to_owned);
    let flag = |name: &str| asked.query(name).is_some_and(|value| value != "false");
    Ok(Said {
        text: asked.text()?.to_owned(),
        route: own("route"),
        owner: own("owner"),
        declares: None,
        message: own("message").unwrap_or_default(),
        ttl: own("ttl"),
        activate: flag("activate"),
        dry_run: flag("dry_run"),
    })
}

/// The function that is named, if the asker may touch it.
pub(super) fn owned(admin: &Admin, asked: &Asked) -> Result<Arc<Function>, Answer> {
    let name = asked.param("name");
    let known = admin.functions.current().get(name).cloned();
    let function = known.ok_or_else(|| {
        Answer::error(404, format!("there is no function `{name}`"), "GET /functions lists them")
    })?;
    asked.claim(function.owner.as_str())?;
    Ok(function)
}

pub(super) fn fault(refused: &Fault) -> Answer {
    let help = match refused.status {
        404 => "GET /functions lists what there is",
        409 => "nothing was changed",
        422 => "nothing was changed; mend it and push again",
        _ => "nothing was changed; see that the state directory can be written",
    };
    let told = json!({ "error": refused.message, "code": refused.code, "help": help });
    Answer::json(refused.status, &told)
}

fn answer(name: &str, pushed: &Pushed) -> Answer {
    let facts = &pushed.version.facts;
    let told = json!({
        "name": name,
        "digest": facts.digest,
        "number": facts.number,
        "known": pushed.known,
        "active": pushed.active,
        "tested": pushed.tested,
        "route": facts.route,
    });
    Answer::json(if pushed.known { 200 } else { 201 }, &told).with_etag(&facts.digest)
}

fn active(store: &FunctionStore, name: &str) -> Value {
    let registry = store.current();
    json!(registry.get(name).and_then(|function| function.active.clone()))
}

/// All that is known of a function.
fn tell(admin: &Admin, function: &Function) -> Value {
    let newest_first = function.versions.iter().rev();
    let versions: Vec<Value> =
        newest_first.map(|version| version_told(admin, function, version)).collect();
    json!({
        "name": function.name,
        "owner": function.owner,
        "route": function.route(),
        "active": function.active,
        "since": stamp(function.since),
        "expires": function.expires.map(stamp),
        "candidate": rollouts::candidate(&admin.functions, function),
        "history": rollouts::history(function),
        "running": function.running.load(std::sync::atomic::Ordering::Relaxed),
        "versions": versions,
    })
}

fn version_told(admin: &Admin, function: &Function, version: &Version) -> Value {
    let facts = &version.facts;
    let tried = function.candidate.as_ref().filter(|tried| tried.digest == facts.digest);
    let is_active = function.active.as_ref() == Some(&facts.digest);
    let mode = tried.map_or(if is_active { "enforce" } else { "off" }, |tried| tried.mode.as_str());
    let mut workers = admin.functions.ledger.of(&function.name, &facts.digest);
    if is_active {
        add_the_rest(&mut workers, admin.store.status().workers);
    }
    let workers: Vec<Value> =
        workers.iter().map(|(worker, read)| worker_told(*worker, read)).collect();
    json!({
        "digest": facts.digest,
        "number": facts.number,
        "mode": mode,
        "author": facts.author,
        "at": stamp(facts.at),
        "message": facts.message,
        "bytes": facts.size,
        "route": facts.route,
        "declares": facts.declaration,
        "workers": workers,
    })
}

/// Workers that never had a call of the version that serves are told too: they do not hold it.
fn add_the_rest(known: &mut Vec<(usize, Reading)>, workers: usize) {
    for worker in 0..workers {
        if let Err(at) = known.binary_search_by_key(&worker, |(worker, _)| *worker) {
            known.insert(at, (worker, Record::default().read()));
        }
    }
}

pub(super) fn worker_told(worker: usize, read: &Reading) -> Value {
    let kills: serde_json::Map<String, Value> =
        read.kills.iter().map(|(reason, count)| ((*reason).to_owned(), json!(count))).collect();
    json!({
        "worker": worker,
        "holds": read.held,
        "since": read.since.map(stamp),
        "last_call": read.last_call.map(stamp),
        "calls": read.calls,
        "errors": read.errors,
        "blocks": read.blocks,
        "refused": read.refused,
        "cpu_seconds": read.cpu.as_secs_f64(),
        "memory_bytes": read.memory,
        "peak_bytes": read.peak,
        "loads": read.loads,
        "cold_start_seconds": read.cold_start.as_secs_f64(),
        "kills": kills,
        "last_error": read.last_error.as_ref().map(|error| json!({
            "at": stamp(error.at),
            "kind": error.kind.as_str(),
            "message": &*error.message,
        })),
        "p99_seconds": read.wall_times.percentile(99).map(|time| time.as_secs_f64()),
        "cpu_p99_seconds": read.cpu_times.percentile(99).map(|time| time.as_secs_f64()),
    })
}

pub(super) fn stamp(at: SystemTime) -> String {
    OffsetDateTime::from(at).format(&Rfc3339).unwrap_or_default()
}
