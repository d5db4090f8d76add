//! What a route does by itself: `steps`, `files`, `forward`, `error_pages` and their like.

use std::collections::BTreeMap;

use regex::bytes::Regex;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::config::check::handlers::file_at_call;
use crate::config::section::{Found, Section};
use crate::config::serving::{
    Admit, AfterRewrite, Ask, ErrorPage, Files, Forward, HeaderRule, ModifiedSince, PathKind,
    RewriteStep, Serving, Test,
};
use crate::config::{HandlerSource, Template, values};
use crate::diagnostic::Diagnostic;

/// What a route does by itself, and the scripts that its steps name.
pub fn read(route: &Section<'_>) -> (Serving, Vec<HandlerSource>) {
    let mut steps = Steps { route, scripts: Vec::new() };
    let serving = Serving {
        steps: typed::<Vec<RawStep>>(route, "steps").map(|raw| steps.read(raw)).unwrap_or_default(),
        admission: typed::<Vec<RawAdmit>>(route, "admission")
            .map(|raw| raw.into_iter().filter_map(|raw| admit(route, &raw)).collect())
            .unwrap_or_default(),
        either_admits: route.choice("satisfy") == "any",
        ask: typed::<RawAsk>(route, "auth_request").map(ask),
        server: route.text("server").map(|(text, _)| text.into()),
        root: route.text("root").map(|(text, _)| text.into()),
        files: typed::<RawFiles>(route, "files").map(files),
        forward: typed::<RawForward>(route, "forward").map(forward),
        default_type: route.text("default_type").map(|(text, _)| text.into()),
        idle_time: route.time_given("idle_time"),
        requests_per_connection: route.count_given("requests_per_connection"),
        if_modified_since: match route.choice("if_modified_since") {
            "before" => ModifiedSince::Before,
            "off" => ModifiedSince::Off,
            _ => ModifiedSince::Exact,
        },
        error_pages: typed::<Vec<RawPage>>(route, "error_pages")
            .map(|raw| raw.into_iter().map(page).collect())
            .unwrap_or_default(),
        response_headers: typed::<Vec<RawHeader>>(route, "response_headers")
            .map(|raw| raw.into_iter().map(header).collect())
            .unwrap_or_default(),
        routes: Vec::new(),
    };
    (serving, steps.scripts)
}

/// The value under a key as such a value; what is not one is reported.
fn typed<T: DeserializeOwned>(section: &Section<'_>, key: &str) -> Option<T> {
    let found = section.get(key)?;
    match serde_json::from_value(found.node.to_json()) {
        Ok(value) => Some(value),
        Err(error) => {
            let example = section.table.row(key).map_or("", |row| row.example);
            found.bad_value(&error.to_string(), &format!("write it like `{key}: {example}`"));
            None
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum RawStep {
    Break,
    Enter(String),
    If(RawIf),
    Return(RawReturn),
    Rewrite(RawRewrite),
    Script(RawScript),
    Set((String, String)),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawIf {
    test: RawTest,
    then: Vec<RawStep>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawReturn {
    status: u16,
    text: Option<String>,
    to: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRewrite {
    pattern: String,
    to: String,
    then: Option<RawThen>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum RawThen {
    Break,
    Last,
    Permanent,
    Redirect,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawScript {
    variable: String,
    name: Option<String>,
    code: Option<String>,
    file: Option<String>,
    #[serde(default)]
    arguments: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTest {
    value: Option<String>,
    equals: Option<String>,
    differs: Option<String>,
    matches: Option<String>,
    lacks: Option<String>,
    path: Option<String>,
    is: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAdmit {
    allow: Option<String>,
    deny: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFiles {
    root: Option<String>,
    alias: Option<String>,
    strip: Option<String>,
    #[serde(default)]
    index: Vec<String>,
    #[serde(default, rename = "try")]
    tried: Vec<String>,
    types: Option<BTreeMap<String, String>>,
    #[serde(default = "yes")]
    etag: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawForward {
    url: Option<String>,
    authority: Option<String>,
    bind: Option<String>,
    replace: Option<(String, String)>,
    #[serde(default)]
    headers: Vec<(String, String)>,
    method: Option<String>,
    #[serde(default = "yes")]
    client_headers: bool,
    #[serde(default = "yes")]
    body: bool,
    #[serde(default)]
    own_error_pages: bool,
    #[serde(default)]
    http10: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAsk {
    path: String,
    #[serde(default)]
    set: Vec<(String, String)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPage {
    status: Vec<u16>,
    to: String,
    answer: Option<u16>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHeader {
    add: Option<String>,
    set: Option<String>,
    clear: Option<String>,
    #[serde(default)]
    value: String,
    #[serde(default)]
    always: bool,
}

fn yes() -> bool {
    true
}

/// The steps of one route, and the scripts among them.
struct Steps<'s, 'a> {
    route: &'s Section<'a>,
    scripts: Vec<HandlerSource>,
}

impl Steps<'_, '_> {
    fn read(&mut self, raw: Vec<RawStep>) -> Vec<RewriteStep> {
        raw.into_iter().filter_map(|raw| self.step(raw)).collect()
    }

    fn step(&mut self, raw: RawStep) -> Option<RewriteStep> {
        Some(match raw {
            RawStep::Break => RewriteStep::Break,
            RawStep::Enter(name) => RewriteStep::Enter(name),
            RawStep::If(raw) => RewriteStep::If(self.test(&raw.test)?, self.read(raw.then)),
            RawStep::Return(RawReturn { status, text, to }) => {
                let template = |text: Option<String>| text.map(|text| Template::new(&text));
                RewriteStep::Return { status, text: template(text), to: template(to) }
            }
            RawStep::Rewrite(raw) => RewriteStep::Rewrite {
                pattern: self.regex(&raw.pattern)?,
                to: Template::new(&raw.to),
                then: match raw.then {
                    None => AfterRewrite::Continue,
                    Some(RawThen::Break) => AfterRewrite::Break,
                    Some(RawThen::Last) => AfterRewrite::Last,
                    Some(RawThen::Permanent) => AfterRewrite::Permanent,
                    Some(RawThen::Redirect) => AfterRewrite::Redirect,
                },
            },
            RawStep::Script(raw) => self.script(raw)?,
            RawStep::Set((name, value)) => RewriteStep::Set(name, Template::new(&value)),
        })
    }

    fn script(&mut self, raw: RawScript) -> Option<RewriteStep> {
        let found = self.route.get("steps")?;
        let (name, text) = match (raw.code, raw.file) {
            (Some(code), _) => (raw.name.unwrap_or_else(|| found.check.source.name.clone()), code),
            (None, Some(file)) => {
                let source = file_at_call(&found, file, Some(raw.variable));
                return Some(self.call(source, &raw.arguments));
            }
            (None, None) => {
                found.bad_value("a script without `code` or `file`", "write its Lua under `code`");
                return None;
            }
        };
        let variable = Some(raw.variable);
        let source = HandlerSource::Chunk { name, text: text.into(), line_offset: 0, variable };
        Some(self.call(source, &raw.arguments))
    }

    fn call(&mut self, source: HandlerSource, arguments: &[String]) -> RewriteStep {
        self.scripts.push(source);
        let arguments = arguments.iter().map(|text| Template::new(text)).collect();
        RewriteStep::Script { handler: self.scripts.len() - 1, arguments }
    }

    fn test(&self, raw: &RawTest) -> Option<Test> {
        let template = |text: &Option<String>| text.as_deref().map(Template::new);
        if let (Some(path), Some(kind)) = (template(&raw.path), raw.is.as_deref()) {
            let (kind, wanted) = match kind.strip_prefix('!') {
                Some(kind) => (kind, false),
                None => (kind, true),
            };
            let kind = match kind {
                "-f" => PathKind::File,
                "-d" => PathKind::Folder,
                "-x" => PathKind::Executable,
                _ => PathKind::Any,
            };
            return Some(Test::Path(path, kind, wanted));
        }
        let value = template(&raw.value)?;
        if let Some(other) = template(&raw.equals) {
            return Some(Test::Equals(value, other));
        }
        if let Some(other) = template(&raw.differs) {
            return Some(Test::Differs(value, other));
        }
        match (&raw.matches, &raw.lacks) {
            (Some(pattern), _) => Some(Test::Matches(value, self.regex(pattern)?)),
            (None, Some(pattern)) => Some(Test::Lacks(value, self.regex(pattern)?)),
            (None, None) => Some(Test::Value(value)),
        }
    }

    fn regex(&self, pattern: &str) -> Option<Regex> {
        let found = self.route.get("steps")?;
        regex(pattern, &found)
    }
}

/// A pattern; one that cannot be used is reported.
pub fn regex(pattern: &str, found: &Found<'_>) -> Option<Regex> {
    match Regex::new(pattern) {
        Ok(regex) => Some(regex),
        Err(error) => {
            let error = error.to_string();
            let reason = error.lines().last().unwrap_or_default().trim_start_matches("error: ");
            let fault = Diagnostic::error(
                "config::bad-value",
                format!("the pattern `{pattern}` cannot be used: {reason}"),
            );
            let help = "correct it; the syntax is that of the crate `regex` (no look-around, no back-references)";
            found.report(fault.help(help), "named here");
            None
        }
    }
}

fn admit(route: &Section<'_>, raw: &RawAdmit) -> Option<Admit> {
    let (who, allowed) = match (&raw.allow, &raw.deny) {
        (Some(who), _) => (who, true),
        (None, Some(who)) => (who, false),
        (None, None) => return None,
    };
    if who == "all" {
        return Some(Admit { network: None, allowed });
    }
    let network = values::network(who);
    if network.is_none()
        && let Some(found) = route.get("admission")
    {
        found.bad_value(
            &format!("`{who}` is no network"),
            "write `10.0.0.0/8`, an address or `all`",
        );
    }
    network.map(|network| Admit { network: Some(network), allowed })
}

fn files(raw: RawFiles) -> Files {
    let templates = |texts: &[String]| texts.iter().map(|text| Template::new(text)).collect();
    let strip = raw.strip.filter(|_| raw.alias.is_some());
    let root = raw.alias.or(raw.root).unwrap_or_default();
    Files {
        root: Template::new(&root),
        strip,
        index: templates(&raw.index),
        tried: templates(&raw.tried),
        types: raw.types,
        etag: raw.etag,
    }
}

fn forward(raw: RawForward) -> Forward {
    let headers = raw.headers.into_iter().map(|(name, value)| (name, Template::new(&value)));
    Forward {
        url: raw.url.as_deref().map(Template::new),
        authority: raw.authority,
        bind: raw.bind.as_deref().map(Template::new),
        replace: raw.replace,
        headers: headers.collect(),
        method: raw.method.as_deref().map(Template::new),
        client_headers: raw.client_headers,
        body: raw.body,
        own_error_pages: raw.own_error_pages,
        http10: raw.http10,
    }
}

fn ask(raw: RawAsk) -> Ask {
    let set = raw.set.into_iter().map(|(name, value)| (name, Template::new(&value)));
    Ask { path: Template::new(&raw.path), set: set.collect() }
}

fn page(raw: RawPage) -> ErrorPage {
    ErrorPage { statuses: raw.status, to: Template::new(&raw.to), answer: raw.answer }
}

fn header(raw: RawHeader) -> HeaderRule {
    let value = Template::new(&raw.value);
    match (raw.add, raw.set, raw.clear) {
        (Some(name), _, _) => HeaderRule::Add(name, value, raw.always),
        (None, Some(name), _) => HeaderRule::Set(name, value),
        (None, None, name) => HeaderRule::Clear(name.unwrap_or_default()),
    }
}
