//! Actions: what a rule says besides its condition. One list; each family is read in a file of its
//! own.

mod about;
mod collection;
mod control;
mod disrupt;
mod look;
mod other;
#[cfg(test)]
mod tests;

pub use control::{CONTROLS, ControlSpec};

use super::context::Context;
use super::draft::Said;
use super::faults::{Faults, Site};
use crate::detection::{About, AllowScope, Deed, Text};
use crate::diagnostic::{Diagnostic, nearest};
use crate::seclang::{Action, Directive};

/// An action: its name, where it may stand, what it does.
pub struct ActionSpec {
    /// As rules write it, in the manual's spelling.
    pub name: &'static str,
    /// Another spelling that rules use; empty for none.
    pub alias: &'static str,
    /// What kind it is.
    pub kind: Kind,
    /// Whether it takes a value.
    pub value: Takes,
    /// One sentence for the generated page.
    pub doc: &'static str,
    read: fn(&mut Scene<'_, '_, '_>),
}

/// What kind an action is: where it may stand, and whether more than once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What a rule says of itself; once, in the head of a chain.
    About,
    /// What is done on a match; anywhere, often.
    Deed,
    /// What becomes of the exchange; once, in the head of a chain.
    Disruptive,
    /// Where to go on; once, in the head of a chain.
    Flow,
    /// Whether a match is told; in the head of a chain.
    Log,
    /// How a link looks at values; anywhere.
    Look,
    /// What a rule is; once.
    Self_,
    /// `tag`; often, in the head of a chain.
    Tag,
}

/// Whether an action takes a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// It may.
    Maybe,
    /// It does not.
    Nothing,
    /// It must.
    Value,
}

use Kind::{About as A, Deed as D, Disruptive as X, Flow as F, Log as G, Look as L, Self_ as S};
use Takes::{Maybe, Nothing, Value};

/// All of them, by name.
#[rustfmt::skip]
pub const ACTIONS: &[ActionSpec] = &[
    entry("accuracy", A, Value, about::accuracy, "How sure the rule is, 1 to 9."),
    entry("allow", X, Maybe, disrupt::allow, "No further rules: of this phase (`phase`), of the request (`request`), or of any phase but the last."),
    entry("append", D, Maybe, other::injection, "Refused: responses are changed by Lua filters."),
    entry("auditlog", G, Nothing, other::auditlog, "A match belongs into the audit log."),
    entry("block", X, Nothing, disrupt::block, "Does what `SecDefaultAction` of the rule's phase says."),
    entry("capture", L, Nothing, look::capture, "What the operator finds goes to `TX:0` to `TX:9`."),
    entry("chain", S, Nothing, nothing, "The next rule must match too."),
    entry("ctl", D, Value, control::ctl, "Changes the engine for this exchange."),
    entry("deny", X, Nothing, disrupt::deny, "The answer is an error, 403 unless `status` says another."),
    entry("deprecatevar", D, Value, collection::deprecatevar, "A member of a persistent collection shrinks with time."),
    entry("drop", X, Nothing, disrupt::drop, "The connection is closed without an answer."),
    entry("exec", D, Value, other::exec, "Runs a Lua script."),
    entry("expirevar", D, Value, collection::expirevar, "A member of a persistent collection goes after some seconds."),
    entry("id", S, Value, nothing, "The rule's number, which no other rule has."),
    entry("initcol", D, Value, collection::initcol, "Opens a persistent collection."),
    entry("log", G, Nothing, other::log, "A match is told in the event log and belongs into the audit log."),
    entry("logdata", A, Value, about::logdata, "A text for the log, with macros."),
    entry("maturity", A, Value, about::maturity, "How long the rule has been in use, 1 to 9."),
    entry("msg", A, Value, about::msg, "What the rule says when it matches, with macros."),
    entry("multiMatch", L, Nothing, look::multi_match, "Every step of the transformations that changes the value is looked at."),
    entry("noauditlog", G, Nothing, other::noauditlog, "A match does not belong into the audit log."),
    entry("nolog", G, Nothing, other::nolog, "A match is told in no log."),
    entry("pass", X, Nothing, disrupt::pass, "A match changes nothing of the exchange's way."),
    entry("pause", D, Value, other::pause, "Ignored: a held connection helps the attacker."),
    entry("phase", S, Value, nothing, "When the rule runs: 1 to 5, `request` (2), `response` (4) or `logging` (5)."),
    entry("prepend", D, Maybe, other::injection, "Refused: responses are changed by Lua filters."),
    entry("proxy", X, Value, disrupt::proxy, "Refused: where requests go say the routes."),
    entry("redirect", X, Value, disrupt::redirect, "The client is sent elsewhere."),
    entry("rev", A, Value, about::rev, "The rule's revision."),
    also("sanitizeArg", entry("sanitiseArg", D, Value, other::sanitise_arg, "The logs hide this argument.")),
    also("sanitizeMatched", entry("sanitiseMatched", D, Nothing, other::sanitise_matched, "The logs hide what matched.")),
    also("sanitizeMatchedBytes", entry("sanitiseMatchedBytes", D, Maybe, other::sanitise_matched, "The logs hide what matched.")),
    also("sanitizeRequestHeader", entry("sanitiseRequestHeader", D, Value, other::sanitise_request_header, "The logs hide this request header.")),
    also("sanitizeResponseHeader", entry("sanitiseResponseHeader", D, Value, other::sanitise_response_header, "The logs hide this response header.")),
    entry("setenv", D, Value, other::setenv, "Sets a variable for access log and Lua."),
    entry("setrsc", D, Value, collection::setrsc, "Opens `RESOURCE`."),
    entry("setsid", D, Value, collection::setsid, "Opens `SESSION`, and `SESSIONID` says its key."),
    entry("setuid", D, Value, collection::setuid, "Opens `USER`, and `USERID` says its key."),
    entry("setvar", D, Value, collection::setvar, "Sets, changes or removes a member of a collection."),
    entry("severity", A, Value, about::severity, "How grave a match is, 0 (`EMERGENCY`) to 7 (`DEBUG`)."),
    entry("skip", F, Value, other::skip, "This many rules of the phase are left out."),
    entry("skipAfter", F, Value, nothing, "Goes on after a marker, or after the rule of an id."),
    entry("status", A, Value, disrupt::status, "The answer's status for `deny`, `block` and `redirect`."),
    entry("t", L, Value, look::transformation, "A transformation of the value, after those before it; `none` forgets those."),
    entry("tag", Kind::Tag, Value, about::tag, "A word that says what the rule is about."),
    entry("ver", A, Value, about::ver, "The version of the rule set."),
    entry("xmlns", D, Value, other::xmlns, "What a prefix in this rule's XPath stands for: `xmlns:soap=http://…`."),
];

/// What the actions of one link say.
pub(super) struct Sheet {
    pub(super) about: About,
    pub(super) asked: Option<Asked>,
    pub(super) status: Option<u16>,
    pub(super) log: bool,
    pub(super) audit: bool,
    /// How many rules are left out after a match.
    pub(super) skip: u32,
    /// Transformations, by their places in the list of all.
    pub(super) steps: Vec<u16>,
    pub(super) multi_match: bool,
    pub(super) capture: bool,
    pub(super) deeds: Vec<Deed>,
    /// Prefixes in an XPath, and the name spaces that they stand for.
    pub(super) namespaces: Vec<(String, String)>,
}

/// What a rule wants to become of the exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    Allow(AllowScope),
    Block,
    Deny,
    Drop,
    Pass,
    Redirect(Text),
}

/// One action being read.
pub(super) struct Scene<'s, 'c, 'a> {
    context: &'s mut Context<'c>,
    sheet: &'s mut Sheet,
    said: Said<'a>,
}

impl Default for Sheet {
    fn default() -> Self {
        Self {
            about: About::default(),
            asked: None,
            status: None,
            log: true,
            audit: true,
            skip: 0,
            steps: Vec::new(),
            multi_match: false,
            capture: false,
            deeds: Vec::new(),
            namespaces: Vec::new(),
        }
    }
}

impl Scene<'_, '_, '_> {
    fn value(&self) -> &[u8] {
        self.said.value()
    }

    fn value_text(&self) -> String {
        String::from_utf8_lossy(self.said.value()).trim().to_owned()
    }

    fn macros(&mut self) -> Text {
        self.text(self.said.value())
    }

    fn text(&mut self, text: &[u8]) -> Text {
        self.context.text(self.said.site(), text)
    }

    fn fault(&mut self, code: &'static str, message: impl Into<String>, label: &str) {
        let fault = self.said.site().fault(code, message, label);
        self.context.push(fault);
    }

    fn fault_with_help(
        &mut self,
        code: &'static str,
        message: impl Into<String>,
        label: &str,
        help: impl Into<String>,
    ) {
        let fault = self.said.site().fault(code, message, label).help(help);
        self.context.push(fault);
    }

    fn warning(&mut self, code: &'static str, message: impl Into<String>, label: &str) {
        let warning = self.said.site().warning(code, message, label);
        self.context.push(warning);
    }

    /// A number, or a fault that says what is expected.
    fn number<T: std::str::FromStr>(&mut self, expected: &str) -> Option<T> {
        let text = self.value_text();
        let number = text.parse().ok();
        if number.is_none() {
            self.fault("seclang::number", format!("`{text}` is not such a number"), expected);
        }
        number
    }
}

/// The action of this name, in any case.
pub fn find(name: &str) -> Option<&'static ActionSpec> {
    ACTIONS.iter().find(|known| {
        known.name.eq_ignore_ascii_case(name)
            || (!name.is_empty() && known.alias.eq_ignore_ascii_case(name))
    })
}

/// Reads a list of actions onto a sheet. On a link that is not its chain's head, some have no place.
pub(super) fn read(context: &mut Context<'_>, sheet: &mut Sheet, list: &[Said<'_>], is_head: bool) {
    for said in list {
        match check(said, is_head) {
            Ok(spec) => (spec.read)(&mut Scene { context, sheet, said: *said }),
            Err(fault) => context.push(fault),
        }
    }
}

/// Why an action is not inherited from a `SecDefaultAction`, if it is not: what a rule says of
/// itself, what it is, and where it goes on is its own.
pub(super) fn not_inherited(said: &Said<'_>) -> Option<Diagnostic> {
    let spec = match check(said, true) {
        Ok(spec) => spec,
        Err(fault) => return Some(fault),
    };
    let own = matches!(spec.kind, Kind::About | Kind::Flow | Kind::Self_);
    let inherited = !own || matches!(spec.name, "phase" | "status");
    (!inherited).then(|| {
        let message = format!("`{}` cannot stand in `SecDefaultAction`", spec.name);
        let told = part(said).fault("seclang::not-inherited", message, "rules do not inherit it");
        told.help("write it in the rules themselves")
    })
}

/// The kind of an action; none if there is no such action.
pub(super) fn kind(said: &Said<'_>) -> Option<Kind> {
    find(&said.action.name.as_str()).map(|spec| spec.kind)
}

/// Tells what one list says twice though it counts once: the last counts.
pub(super) fn tell_repeated(directive: &Directive, actions: &[Action], faults: &mut Faults) {
    let mut before: Vec<&'static ActionSpec> = Vec::new();
    for action in actions {
        let Some(spec) = find(&action.name.as_str()) else { continue };
        let once = matches!(spec.kind, Kind::About | Kind::Disruptive | Kind::Flow | Kind::Self_);
        let earlier = before.iter().find(|earlier| {
            earlier.name == spec.name
                || (earlier.kind == Kind::Disruptive && spec.kind == Kind::Disruptive)
        });
        if let (true, Some(earlier)) = (once, earlier) {
            let message =
                format!("`{}` comes after `{}`: only the last counts", spec.name, earlier.name);
            let site = Site::new(directive, action.span);
            faults.push(site.warning("seclang::said-twice", message, "this one counts"));
        }
        before.push(spec);
    }
}

/// An action that may stand where it does, with a value if it takes one.
fn check(said: &Said<'_>, is_head: bool) -> Result<&'static ActionSpec, Diagnostic> {
    let name = said.action.name.as_str();
    let spec = find(&name).ok_or_else(|| unknown(said, &name))?;
    let site = part(said);
    if spec.value == Value && said.value().trim_ascii().is_empty() {
        let message = format!("`{}` needs a value", spec.name);
        let told = site.fault("seclang::missing-value", message, "without one");
        return Err(told.help(format!("write `{}:…`", spec.name)));
    }
    if is_head {
        return Ok(spec);
    }
    match spec.kind {
        Kind::Disruptive => Err(site
            .fault(
                "seclang::not-in-a-link",
                format!("`{}` can only stand in the first rule of a chain", spec.name),
                "in a later rule",
            )
            .help("move it to the rule that has the id")),
        Kind::About | Kind::Flow | Kind::Tag => Err(head_only(site, spec)),
        Kind::Self_ if spec.name != "chain" => Err(head_only(site, spec)),
        _ => Ok(spec),
    }
}

fn head_only(site: Site<'_>, spec: &ActionSpec) -> Diagnostic {
    let message = format!("`{}` has no effect in a later rule of a chain", spec.name);
    let told = site.warning("seclang::not-in-a-link", message, "is not read");
    told.help("move it to the rule that has the id")
}

fn unknown(said: &Said<'_>, name: &str) -> Diagnostic {
    let message = format!("there is no action `{name}`");
    let told = part(said).fault("seclang::unknown-action", message, "unknown");
    match nearest(name, ACTIONS.iter().map(|known| known.name)) {
        Some(near) => told.help(format!("the nearest is `{near}`")),
        None => told,
    }
}

fn part<'a>(said: &Said<'a>) -> Site<'a> {
    Site::new(said.directive, said.action.span)
}

/// What is read elsewhere: it decides where a rule belongs.
fn nothing(_: &mut Scene<'_, '_, '_>) {}

const fn entry(
    name: &'static str,
    kind: Kind,
    value: Takes,
    read: fn(&mut Scene<'_, '_, '_>),
    doc: &'static str,
) -> ActionSpec {
    ActionSpec { name, alias: "", kind, value, doc, read }
}

const fn also(alias: &'static str, spec: ActionSpec) -> ActionSpec {
    ActionSpec { alias, ..spec }
}
