//! Handlers: modules and scripts, by phase.

use std::path::Path;
use std::sync::Arc;

use crate::config::raw::{Node, Value};
use crate::config::section::{Found, Section};
use crate::config::settings::{BUDGET, HANDLER, ROUTE_LUA, SCRIPT};
use crate::config::{Attachment, Budget, HandlerMode, HandlerSource, Handlers, OnError, Template};
use crate::diagnostic::{Diagnostic, Span, nearest};
use crate::transaction::Phase;

use super::lua::{Scripts, budget, on_error};

/// What a handler inherits where it says nothing itself.
#[derive(Clone, Copy)]
struct Inherited {
    on_error: Option<OnError>,
    budget: Budget,
}

/// The handlers at the top of the file.
pub fn global(file: &Section<'_>, scripts: &Scripts) -> Handlers {
    read(
        file,
        &Phase::HANDLED,
        Inherited { on_error: scripts.on_error, budget: scripts.lua.budget },
    )
}

/// A route's own handlers; what they do not say is as in the route's `lua`, then the file's.
pub fn of_route(route: &Section<'_>, scripts: &Scripts, of_steps: Vec<HandlerSource>) -> Handlers {
    let lua = route.section("lua", &ROUTE_LUA);
    let inherited = Inherited {
        on_error: on_error(&lua).or(scripts.on_error),
        budget: budget(&lua.section("budget", &BUDGET), Some(scripts.lua.budget)),
    };
    let phases = Phase::HANDLED.get(3..).unwrap_or_default();
    let mut handlers = read(route, phases, inherited);
    for source in of_steps {
        handlers.push(Phase::Set, attachment(source, Phase::Set, inherited));
    }
    handlers
}

/// The script of an upstream that chooses its peers.
pub fn of_upstream(upstream: &Section<'_>, scripts: &Scripts) -> Option<Attachment> {
    let inherited = Inherited { on_error: scripts.on_error, budget: scripts.lua.budget };
    let keys = ["balancer_by_lua_block", "balancer_by_lua_file"];
    let source = keys.iter().find_map(|key| chunk(&upstream.get(key)?, None))?;
    Some(attachment(source, Phase::Balancer, inherited))
}

fn attachment(source: HandlerSource, phase: Phase, inherited: Inherited) -> Attachment {
    Attachment {
        source,
        mode: HandlerMode::Enforce,
        on_error: inherited.on_error.unwrap_or(default_on_error(Some(phase))),
        budget: inherited.budget,
        domain: None,
        owner: None,
    }
}

fn read(section: &Section<'_>, phases: &[Phase], inherited: Inherited) -> Handlers {
    let mut handlers = Handlers::default();
    handlers.whole = modules(section, "modules", None, inherited);
    for phase in phases {
        for attachment in of_phase(section, *phase, inherited) {
            handlers.push(*phase, attachment);
        }
    }
    handlers
}

fn of_phase(section: &Section<'_>, phase: Phase, inherited: Inherited) -> Vec<Attachment> {
    let name = phase.as_str();
    let mut attachments = modules(section, name, Some(phase), inherited);
    for key in [format!("{name}_by_lua_block"), format!("{name}_by_lua_file")] {
        let Some(found) = section.get(&key) else { continue };
        let chunks = if phase == Phase::Set {
            variables(&found)
        } else {
            chunk(&found, None).into_iter().collect()
        };
        let attached = chunks.into_iter().map(|source| attachment(source, phase, inherited));
        attachments.extend(attached);
    }
    attachments
}

/// Where a client can still be refused, a failed handler refuses; elsewhere it is passed over.
fn default_on_error(phase: Option<Phase>) -> OnError {
    match phase {
        None => OnError::Refuse,
        Some(phase) => match phase.like() {
            Phase::Set
            | Phase::Rewrite
            | Phase::Access
            | Phase::Content
            | Phase::Balancer
            | Phase::SslClientHello
            | Phase::SslCertificate => OnError::Refuse,
            _ => OnError::Pass,
        },
    }
}

fn variables(found: &Found<'_>) -> Vec<HandlerSource> {
    let entries = found.entries("name the variable: `set_by_lua_block: { branch: \"return 1\" }`");
    let one = |(name, span, found): (&str, Span, Found<'_>)| {
        check_variable(name, span, &found);
        chunk(&found, Some(name.to_owned()))
    };
    entries.into_iter().filter_map(one).collect()
}

fn check_variable(name: &str, span: Span, found: &Found<'_>) {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if name.is_empty() || name.len() > 64 || !name.bytes().all(plain) {
        let fault = Diagnostic::error("config::bad-value", "this cannot be the name of a variable");
        let help = "a name is at most 64 letters, digits and `_`, without `$`: scripts read `ngx.var.NAME`";
        found.check.report(fault.help(help), span, "not a variable's name");
    }
}

/// A script in the file, or the file that it names. Which one, the last key of the path tells.
fn chunk(found: &Found<'_>, variable: Option<String>) -> Option<HandlerSource> {
    let key = match &variable {
        Some(name) => found.path.strip_suffix(name.as_str()).unwrap_or_default(),
        None => found.path.as_str(),
    };
    if let Value::Map(_) = found.node.value {
        return named_chunk(found, variable);
    }
    if key.trim_end_matches('.').ends_with("_by_lua_file") {
        let path =
            found.text_as("a path", "write the path of a Lua file, such as `lua/access.lua`")?;
        let text = found.check.file(&path, found)?;
        return Some(HandlerSource::Chunk {
            name: path,
            text: text.into(),
            line_offset: 0,
            variable,
        });
    }
    let text = found.text_as("a script", "write a script: `|` and indented lines below")?;
    let name = found.check.source.name.clone();
    let line_offset = lines_before(found);
    Some(HandlerSource::Chunk { name, text: text.into(), line_offset, variable })
}

/// A script with a name of its own, by which messages know it: its first line is line 1.
fn named_chunk(found: &Found<'_>, variable: Option<String>) -> Option<HandlerSource> {
    let section = Section::open(found, &SCRIPT);
    if let Some((path, _)) = section.text("path") {
        return Some(file_at_call(found, path, variable));
    }
    let (Some((name, _)), Some(code)) = (section.text("name"), section.get("code")) else {
        let fault = Diagnostic::error(
            "config::missing",
            "a script has a `name` and its `code`, or a `path`",
        );
        let help = "write the script itself, or `{ name: my script, code: ngx.exit(403) }`";
        found.report(fault.help(help), "one of them is missing");
        return None;
    };
    let Some(text) = code.node.text(&found.check.source).map(str::to_owned) else {
        code.expected("Lua", "write `code: |`, and the script on the lines after it");
        return None;
    };
    Some(HandlerSource::Chunk { name, text: text.into(), line_offset: 0, variable })
}

/// A file that is read when it is first called.
pub fn file_at_call(found: &Found<'_>, name: String, variable: Option<String>) -> HandlerSource {
    let (path, folder) = (Template::new(&name), found.check.root.clone());
    HandlerSource::File { name, path, folder, variable }
}

/// Lines of the file before the script's first: a block begins on the line after its `|`.
fn lines_before(found: &Found<'_>) -> usize {
    let source = &found.check.source;
    let (line, _) = source.line_column(found.node.span.start);
    let opening = source.text.get(found.node.span.start..found.node.span.end).unwrap_or_default();
    if opening.starts_with(['|', '>']) { line } else { line - 1 }
}

fn modules(
    section: &Section<'_>,
    key: &str,
    phase: Option<Phase>,
    inherited: Inherited,
) -> Vec<Attachment> {
    let Some(found) = section.get(key) else { return Vec::new() };
    if let (Some(phase), Value::Scalar(_)) = (phase, &found.node.value) {
        let text = found.node.text(&found.check.source).unwrap_or_default();
        if text.contains([' ', '\n', '(']) {
            let help = format!(
                "a list is `{key}: [{{ module: my_module }}]`; a script goes under `{}_by_lua_block`",
                phase.as_str()
            );
            found.expected("a list of modules", &help);
            return Vec::new();
        }
    }
    found.items().iter().filter_map(|item| module(item, phase, inherited)).collect()
}

fn module(item: &Found<'_>, phase: Option<Phase>, inherited: Inherited) -> Option<Attachment> {
    let section = if matches!(item.node.value, Value::Map(_)) {
        Section::open(item, &HANDLER)
    } else {
        Section::absent(item.check, &HANDLER)
    };
    let named = if section.node.is_some() { section.get("module") } else { Some(item.clone()) };
    let attachment = Attachment {
        mode: mode(&section),
        on_error: on_error(&section).or(inherited.on_error).unwrap_or(default_on_error(phase)),
        budget: budget(&section.section("budget", &BUDGET), Some(inherited.budget)),
        domain: domain(&section),
        owner: owner(&section),
        source: module_source(item, &section, named)?,
    };
    Some(attachment)
}

fn mode(section: &Section<'_>) -> HandlerMode {
    let Some((text, found)) = section.text("mode") else { return HandlerMode::Enforce };
    HandlerMode::parse(&text).unwrap_or_else(|| {
        found.bad_value(
            "not a mode",
            "write `off`, `shadow`, `sample 5%` (0.01% to 100%) or `enforce`",
        );
        HandlerMode::Enforce
    })
}

fn domain(section: &Section<'_>) -> Option<String> {
    let (domain, found) = section.text("domain")?;
    if domain.len() > 64
        || !domain.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
    {
        found.bad_value(
            "not a domain's name",
            "a name is at most 64 letters, digits, `_`, `-` and `.`",
        );
    }
    Some(domain)
}

fn owner(section: &Section<'_>) -> Option<String> {
    let (owner, found) = section.text("owner")?;
    let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
    if !(1..=63).contains(&owner.len()) || !owner.bytes().all(allowed) {
        found.bad_value("not an owner's name", "a name is 1 to 63 of a-z, 0-9, `-` and `_`");
    }
    Some(owner)
}

fn module_source(
    item: &Found<'_>,
    section: &Section<'_>,
    named: Option<Found<'_>>,
) -> Option<HandlerSource> {
    let Some(named) = named else {
        item.bad_value("no `module`", "say which one: `module: ip_admission`");
        return None;
    };
    let name = named.text_as("a module's name", "write a module's name, such as `ip_admission`")?;
    let (text, origin) = text_of(&name, &named)?;
    let with = section.get("with");
    if let Some(with) = with.as_ref().filter(|with| !matches!(with.node.value, Value::Map(_))) {
        with.expected(
            "a mapping of the module's settings",
            "write it like `with: { deny_file: lists/deny.txt }`",
        );
    }
    let node: &Node = with.as_ref().map_or(named.node, |with| with.node);
    let settings = with.as_ref().map_or(serde_json::Value::Null, |with| with.node.to_json());
    let settings = if settings.is_null() { serde_json::json!({}) } else { settings };
    let place = (item.check.source.clone(), node.span);
    Some(HandlerSource::Module { name, text, origin, settings, place })
}

/// A module's text and where it is from.
fn text_of(name: &str, named: &Found<'_>) -> Option<(Arc<str>, String)> {
    if !is_module_name(name) {
        named.bad_value(
            "not a module's name",
            "a name is letters, digits, `_`, `-`, `.` and `/`, without `..`",
        );
        return None;
    }
    let check = named.check;
    if Path::new(name).extension().is_some_and(|extension| extension == "lua") {
        let text = check.file(name, named)?;
        return Some((text.into(), check.root.join(name).to_string_lossy().into_owned()));
    }
    for folder in &named.check.module_folders() {
        let path = folder.join(format!("{name}.lua"));
        match check.files.read(&path).map(String::from_utf8) {
            Ok(Ok(text)) => return Some((text.into(), path.to_string_lossy().into_owned())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Ok(Err(_)) | Err(_) => {
                check.file(&path.to_string_lossy(), named)?;
            }
        }
    }
    if let Some(text) = (check.overrides.builtin)(name) {
        return Some((text.into(), format!("built-in:{name}")));
    }
    unknown(name, named);
    None
}

fn is_module_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-/".contains(&byte);
    name.len() <= 256 && name.bytes().all(plain) && !name.contains("..") && !name.starts_with('/')
}

fn unknown(name: &str, named: &Found<'_>) {
    let check = named.check;
    let folders = check.module_folders();
    let known = check.files.modules(&folders);
    let known =
        known.iter().map(String::as_str).chain(check.overrides.builtin_names.iter().copied());
    let looked: Vec<String> = folders
        .iter()
        .map(|folder| folder.join(format!("{name}.lua")).display().to_string())
        .collect();
    let looked = format!("looked for {}, then among the modules built in", looked.join(", "));
    let help = match nearest(name, known) {
        Some(near) => format!("did you mean `{near}`? {looked}"),
        None => looked,
    };
    let fault = Diagnostic::error("config::unknown-module", format!("there is no module `{name}`"));
    named.report(fault.help(help), "named here");
}
