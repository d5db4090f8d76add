//! Rollouts of functions: begun, judged, ended by hand; and what was found meanwhile.

use std::sync::Arc;
use std::time::Instant;

use serde::Deserialize;
use serde_json::{Value, json};

use super::functions::{changed, fault, owned, stamp};
use super::{Admin, Answer, Asked, Reply};
use crate::functions::{
    Counts, Difference, Event, Function, FunctionRoute, FunctionStore, Gates, Mode, Rollout, Share,
    Standing, Sticky,
};
use crate::policy::{Terms, Tried};

/// Differences that are told at the most.
const MOST_DIFFERENCES: usize = 100;
const HELP: &str = "POST /functions/NAME/canary?version=DIGEST&percent=5&sticky=cookie:sid, or JSON \
    with `version`, `percent`, `sticky`, `route`, `gates` ({\"errors\": 0.01, \"blocks\": 0.05, \"p99\": 2, \"kills\": 0, \
    \"min_samples\": 100, \"window\": \"5m\", \"promote\": true})";

/// What is said of a rollout, in a query or in JSON.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Said {
    version: Option<String>,
    percent: Option<f64>,
    sticky: Option<String>,
    route: Option<String>,
    gates: Gates,
}

/// `POST /functions/{name}/shadow`
pub(super) fn shadow(admin: &Arc<Admin>, asked: &Arc<Asked>) -> Reply {
    changed(
        admin,
        asked,
        ("function.shadow", &["version", "percent", "route"]),
        state,
        |store, asked| {
            begin(store, asked, |share| match share {
                Some(share) if share < Share::ALL => Ok(Mode::Sample(share)),
                _ => Ok(Mode::Shadow),
            })
        },
    )
}

/// `POST /functions/{name}/canary`
pub(super) fn canary(admin: &Arc<Admin>, asked: &Arc<Asked>) -> Reply {
    let query = &["version", "percent", "sticky", "route"];
    changed(admin, asked, ("function.canary", query), state, |store, asked| {
        begin(store, asked, |share| {
            share.map(Mode::Canary).ok_or_else(|| "a canary wants `percent`".to_owned())
        })
    })
}

/// `POST /functions/{name}/promote`
pub(super) fn promote(admin: &Arc<Admin>, asked: &Arc<Asked>) -> Reply {
    changed(admin, asked, ("function.promote", &[]), state, |store, asked| {
        let done = store.promote(asked.param("name"), &asked.who.name);
        done.map_err(|refused| fault(&refused))
    })
}

/// `POST /functions/{name}/abort`
pub(super) fn abort(admin: &Arc<Admin>, asked: &Arc<Asked>) -> Reply {
    changed(admin, asked, ("function.abort", &[]), state, |store, asked| {
        let done = store.abort(asked.param("name"), &asked.who.name);
        done.map_err(|refused| fault(&refused))
    })
}

/// `GET /functions/{name}/differences`
pub(super) fn differences(admin: &Arc<Admin>, asked: &Arc<Asked>) -> Reply {
    let told = asked.known_query(&["limit"]).and_then(|()| {
        let most = asked.query_count("limit", 20, MOST_DIFFERENCES)?;
        let function = owned(admin, asked)?;
        let contest = function.contest().ok_or_else(|| {
            Answer::error(
                404,
                format!("nothing of `{}` was tried since the start", function.name),
                "POST /functions/NAME/shadow tries a version beside the live one",
            )
        })?;
        let last: Vec<Value> = contest.differences.last(most).iter().map(difference).collect();
        Ok(json!({ "summary": contest.differences.summary(), "last": last }))
    });
    told.map_or_else(|refused| refused, |told| Answer::json(200, &told)).into()
}

fn begin(
    store: &FunctionStore,
    asked: &Asked,
    mode: impl FnOnce(Option<Share>) -> Result<Mode, String>,
) -> Result<(), Answer> {
    let said = said(asked)?;
    let unfit = |message: String| Answer::error(422, message, HELP);
    let share = said.percent.map(Share::percent).transpose().map_err(unfit)?;
    let sticky = said.sticky.as_deref().map(Sticky::parse).transpose().map_err(unfit)?;
    let route = said.route.as_deref().map(FunctionRoute::parse).transpose().map_err(unfit)?;
    let wanted = Rollout {
        route,
        version: said.version,
        mode: mode(share).map_err(unfit)?,
        sticky: sticky.unwrap_or_default(),
        gates: said.gates,
        by: asked.who.name.clone(),
    };
    let version = store.roll_out(asked.param("name"), wanted);
    version.map(drop).map_err(|refused| fault(&refused))
}

/// What the audit log says of a function that is rolled out.
fn state(store: &FunctionStore, name: &str) -> Value {
    let registry = store.current();
    let Some(function) = registry.get(name) else { return Value::Null };
    let candidate = function.candidate.as_ref().map(|candidate| {
        json!({
            "digest": candidate.digest,
            "mode": candidate.mode.as_str(),
            "percent": candidate.mode.share(),
            "route": candidate.route,
            "gates": candidate.gates,
        })
    });
    json!({ "active": function.active, "candidate": candidate })
}

/// What the body says, and the query where that says more.
fn said(asked: &Asked) -> Result<Said, Answer> {
    let mut said: Said = if asked.body.is_empty() { Said::default() } else { asked.json()? };
    if let Some(version) = asked.query("version") {
        said.version = Some(version.to_owned());
    }
    if let Some(sticky) = asked.query("sticky") {
        said.sticky = Some(sticky.to_owned());
    }
    if let Some(route) = asked.query("route") {
        said.route = Some(route.to_owned());
    }
    if let Some(percent) = asked.query("percent") {
        let number = percent.parse();
        said.percent = Some(number.map_err(|_| Answer::error(422, "`percent` is a number", HELP))?);
    }
    Ok(said)
}

/// How a policy is to be tried, if the query names a share; none: as its settings say.
pub(super) fn terms(asked: &Asked) -> Result<Option<Terms>, Answer> {
    const HELP: &str = "POST /policy/reload?canary=5&sticky=cookie:sid, and gates in JSON: \
        {\"gates\": {\"errors\": 0.01, \"window\": \"5m\", \"promote\": true}}";
    asked.known_query(&["canary", "sticky"])?;
    let unfit = |message: String| Answer::error(422, message, HELP);
    let said: Said = if asked.body.is_empty() { Said::default() } else { asked.json()? };
    let asked_for = asked.query("canary").map(str::parse).transpose();
    let asked_for = asked_for.map_err(|_| unfit("`canary` is a number of percent".to_owned()))?;
    let Some(percent) = asked_for.or(said.percent) else { return Ok(None) };
    let sticky = asked.query("sticky").or(said.sticky.as_deref());
    if let Some(fault) = said.gates.fault() {
        return Err(unfit(fault));
    }
    Ok(Some(Terms {
        share: Share::percent(percent).map_err(unfit)?,
        sticky: sticky.map(Sticky::parse).transpose().map_err(unfit)?.unwrap_or_default(),
        gates: said.gates,
        by: asked.who.name.clone(),
    }))
}

/// What is known of the policy that is tried.
pub(super) fn tried(tried: &Tried) -> Value {
    let candidate = &tried.candidate;
    let (live, own) = tried.samples();
    json!({
        "generation": tried.policy.generation,
        "digest": candidate.digest,
        "percent": candidate.mode.share(),
        "sticky": candidate.sticky,
        "gates": candidate.gates,
        "since": stamp(candidate.since),
        "by": candidate.by,
        "standing": stands(&tried.stands(Instant::now())),
        "samples": { "live": counts(&live), "candidate": counts(&own) },
    })
}

/// What is known of the version that is tried.
pub(super) fn candidate(store: &FunctionStore, function: &Function) -> Value {
    let Some(candidate) = &function.candidate else { return Value::Null };
    let samples = store
        .samples(function)
        .map(|(live, own)| json!({ "live": counts(&live), "candidate": counts(&own) }));
    json!({
        "digest": candidate.digest,
        "mode": candidate.mode.as_str(),
        "percent": candidate.mode.share(),
        "sticky": candidate.sticky,
        "route": candidate.route,
        "gates": candidate.gates,
        "since": stamp(candidate.since),
        "by": candidate.by,
        "standing": store.stands(function, Instant::now()).map(|standing| stands(&standing)),
        "samples": samples,
        "differences": candidate.contest.differences.summary(),
    })
}

/// What became of versions that were tried, the newest first.
pub(super) fn history(function: &Function) -> Value {
    events(&function.history)
}

/// The same of anything.
pub(super) fn events(history: &[Event]) -> Value {
    let told = history.iter().rev().map(|event| {
        json!({
            "at": stamp(event.at),
            "what": event.what,
            "digest": event.digest,
            "why": event.why,
            "by": event.by,
        })
    });
    told.collect()
}

fn stands(standing: &Standing) -> Value {
    let (word, why) = match standing {
        Standing::Failed(why) => ("failed", why),
        Standing::Held(why) => ("held", why),
        Standing::Waiting(why) => ("waiting", why),
    };
    json!({ "is": word, "why": why })
}

fn counts(counts: &Counts) -> Value {
    let seconds = |time: std::time::Duration| time.as_secs_f64();
    json!({
        "calls": counts.ended,
        "errors": counts.errors,
        "blocks": counts.blocks,
        "kills": counts.kills,
        "p99_seconds": counts.wall.percentile(99).map(seconds),
        "cpu_p99_seconds": counts.cpu.percentile(99).map(seconds),
    })
}

pub(super) fn difference(one: &Difference) -> Value {
    let mut told = json!(one);
    if let Some(at) = told.get_mut("at") {
        *at = json!(stamp(one.at));
    }
    told
}
