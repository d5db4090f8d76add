//! `rules`: which rules are loaded, and what is done with what they find.

use std::path::PathBuf;

use crate::config::raw::Value;
use crate::config::section::{Found, Section};
use crate::config::settings::{EXCLUSION, RULE_BUDGET, RULES, RULES_SHADOW, THRESHOLDS};
use crate::config::{
    Engine, ExcludedRules, Exclusion, HandlerMode, OnExceeded, RuleBudget, RuleSource,
    RuleSourceKind, Rules, RulesShadow, Thresholds,
};
use crate::diagnostic::Diagnostic;

use super::absolute;

/// The word in `files` that stands for the base rules.
const BASE: &str = "base";
/// The word in `files` that stands for the Core Rule Set.
const CRS: &str = "crs";

/// What holds for every route: the file's section, and `--rules` after its files. Where neither
/// names rules: the base rules.
pub fn global(file: &Section<'_>) -> Rules {
    let section = file.section("rules", &RULES);
    let mut rules = read(&section, None);
    let named = file.check.overrides.rules.iter().cloned().map(absolute);
    let source = |path| RuleSource { kind: RuleSourceKind::Files, path, named: None };
    rules.sources.extend(named.map(source));
    if rules.sources.is_empty() && !file.get("rules").is_some_and(|found| names_rules(&found)) {
        let (kind, path) = (RuleSourceKind::Base, PathBuf::new());
        rules.sources.push(RuleSource { kind, path, named: None });
    }
    rules.shadow = shadow(&section, &rules);
    rules
}

/// What holds for a route: what it does not say is as for every route.
pub fn of_route(route: &Section<'_>, global: &Rules) -> Rules {
    let Some(found) = route.get("rules") else { return global.clone() };
    let section = Section::open(&found, &RULES);
    let own = read(&section, Some(global.budget));
    let mut rules = over(own, names_rules(&found), global);
    rules.shadow = shadow(&section, &rules).or_else(|| global.shadow.clone());
    rules
}

/// What rules of their own do not say is as for those around.
fn over(own: Rules, names_rules: bool, global: &Rules) -> Rules {
    let both = |own: Option<u32>, all: Option<u32>| own.or(all);
    Rules {
        sources: if names_rules { own.sources } else { global.sources.clone() },
        engine: own.engine.or(global.engine),
        paranoia: own.paranoia.or(global.paranoia),
        thresholds: Thresholds {
            inbound: both(own.thresholds.inbound, global.thresholds.inbound),
            outbound: both(own.thresholds.outbound, global.thresholds.outbound),
        },
        exclusions: global.exclusions.iter().cloned().chain(own.exclusions).collect(),
        budget: own.budget,
        shadow: None,
    }
}

/// A second rule set beside these. It does as if it refused, to tell that it would.
fn shadow(section: &Section<'_>, around: &Rules) -> Option<Box<RulesShadow>> {
    let found = section.get("shadow")?;
    let section = Section::open(&found, &RULES_SHADOW);
    let own = read(&section, Some(around.budget));
    let rules = over(own, names_rules(&found), around);
    let mode = section.text("sample").map(|(text, found)| {
        HandlerMode::parse(&format!("sample {text}")).unwrap_or_else(|| {
            found.bad_value("not a share", "write it like `10%`: 0.01% to 100%");
            HandlerMode::Shadow
        })
    });
    let mode = mode.unwrap_or(HandlerMode::Shadow);
    Some(Box::new(RulesShadow { mode, rules: Rules { engine: Some(Engine::On), ..rules } }))
}

/// Whether a section `rules` says which there are; an empty list says that there are none.
fn names_rules(found: &Found<'_>) -> bool {
    found.node.get("crs").or(found.node.get("files")).is_some()
}

/// `around`: what holds of the budget where this section says nothing of it.
fn read(section: &Section<'_>, around: Option<RuleBudget>) -> Rules {
    let thresholds = section.section("thresholds", &THRESHOLDS);
    let threshold = |name| thresholds.count_given(name).map(|score| score as u32);
    Rules {
        sources: sources(section),
        engine: engine(section),
        paranoia: section.count_given("paranoia").map(|level| level as u8),
        thresholds: Thresholds { inbound: threshold("inbound"), outbound: threshold("outbound") },
        exclusions: exclusions(section),
        budget: budget(&section.section("budget", &RULE_BUDGET), around),
        shadow: None,
    }
}

fn budget(section: &Section<'_>, around: Option<RuleBudget>) -> RuleBudget {
    let around = around.unwrap_or_else(|| {
        let absent = Section::absent(section.check, &RULE_BUDGET);
        let exceeded = on_exceeded(absent.choice("exceeded"));
        RuleBudget { time: absent.time("time"), work: absent.size("work"), exceeded }
    });
    let exceeded = section.get("exceeded").map(|_| on_exceeded(section.choice("exceeded")));
    RuleBudget {
        time: section.time_given("time").unwrap_or(around.time),
        work: section.size_given("work").unwrap_or(around.work),
        exceeded: exceeded.unwrap_or(around.exceeded),
    }
}

fn on_exceeded(word: &str) -> OnExceeded {
    if word == "pass" { OnExceeded::Pass } else { OnExceeded::Refuse }
}

fn engine(section: &Section<'_>) -> Option<Engine> {
    section.table.row("engine")?;
    match section.choice("engine") {
        "on" => Some(Engine::On),
        "detect" => Some(Engine::Detect),
        "off" => Some(Engine::Off),
        _ => None,
    }
}

/// In the order in which they are loaded.
fn sources(section: &Section<'_>) -> Vec<RuleSource> {
    let mut crs =
        section.text("crs").map(|(path, found)| source(RuleSourceKind::Crs, &path, &found));
    let mut sources = Vec::new();
    for (path, found) in section.texts("files") {
        if path == BASE {
            sources.push(source(RuleSourceKind::Base, "", &found));
        } else if path != CRS {
            sources.push(source(RuleSourceKind::Files, &path, &found));
        } else if let Some(crs) = crs.take() {
            sources.push(crs);
        } else {
            let help = "say where it is, once: `crs: /usr/share/modsecurity-crs`; a file of that name is `./crs`";
            found.bad_value("there is no Core Rule Set to stand here", help);
        }
    }
    sources.extend(crs);
    sources
}

fn source(kind: RuleSourceKind, path: &str, found: &Found<'_>) -> RuleSource {
    let path: PathBuf = found.check.root.join(path);
    RuleSource { kind, path, named: Some((found.check.source.clone(), found.node.span)) }
}

fn exclusions(section: &Section<'_>) -> Vec<Exclusion> {
    let Some(found) = section.get("exclusions") else { return Vec::new() };
    if !matches!(found.node.value, Value::List(_)) {
        found.expected("a list", "begin each exclusion with `- `: `- rule: 942100`");
        return Vec::new();
    }
    found.items().iter().filter_map(exclusion).collect()
}

fn exclusion(item: &Found<'_>) -> Option<Exclusion> {
    let section = Section::open(item, &EXCLUSION);
    // Why it is there is for people; it is read so that it is checked.
    section.text("reason");
    let (path, targets) = (path(&section), section.texts("target"));
    Some(Exclusion {
        which: which(&section, item)?,
        targets: targets.into_iter().map(|(target, _)| target).collect(),
        path,
        named: (item.check.source.clone(), item.node.span),
    })
}

/// Which rules it is about: said in one way.
fn which(section: &Section<'_>, item: &Found<'_>) -> Option<ExcludedRules> {
    let keys = ["rule", "tag", "message"];
    let written = keys.into_iter().filter(|key| section.get(key).is_some()).count();
    if written != 1 && matches!(item.node.value, Value::Map(_)) {
        let message = "an exclusion says in one way which rules it is about";
        let help = "write one of `rule: 942100`, `rule: 942100-942199`, `tag: attack-sqli` and `message: …`";
        let label =
            if written == 0 { "no `rule`, `tag` or `message`" } else { "this says it twice" };
        item.report(Diagnostic::error("config::bad-value", message).help(help), label);
    }
    let text = |key| section.text(key).map(|(text, _)| text);
    let ids = ids(section);
    if !ids.is_empty() {
        return Some(ExcludedRules::Ids(ids));
    }
    let tag = text("tag").map(ExcludedRules::Tag);
    tag.or_else(|| text("message").map(ExcludedRules::Message))
}

fn ids(section: &Section<'_>) -> Vec<(u64, u64)> {
    let items = section.get("rule").map(|found| found.items()).unwrap_or_default();
    items.iter().filter_map(range).collect()
}

fn range(found: &Found<'_>) -> Option<(u64, u64)> {
    let help = "write an id or a range: `942100`, `942100-942199`";
    let text = found.text_as("the id of a rule", help)?;
    let (first, last) = text.split_once('-').unwrap_or((&text, &text));
    let range = first.trim().parse().ok().zip(last.trim().parse().ok());
    match range {
        Some((first, last)) if first <= last => Some((first, last)),
        Some(_) => {
            found.bad_value("it ends before it begins", help);
            None
        }
        None => {
            found.bad_value("not the id of a rule", help);
            None
        }
    }
}

fn path(section: &Section<'_>) -> Option<String> {
    let (path, found) = section.text("path")?;
    if !path.starts_with('/') {
        found.bad_value("a path begins with `/`", &format!("write `/{path}`"));
    }
    Some(path)
}
