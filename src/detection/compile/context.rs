//! What the compiling of one rule set has at hand.

use std::path::Path;
use std::sync::Arc;

use super::catalog::Catalog;
use super::faults::{Faults, Site};
use super::matchers::Matchers;
use super::pools::Pools;
use super::target::{self, Chosen, Lookup, TargetFault};
use crate::config::Files;
use crate::detection::operators::{Fault, GeoDatabase};
use crate::detection::pattern::Pattern;
use crate::detection::variables;
use crate::detection::{RuleFact, Script, Target, Text, TextPart, TxSlot};
use crate::diagnostic::{Diagnostic, Span, nearest};
use crate::seclang::{Directive, Part, Template, Word};

/// What the compiling of one rule set has at hand.
pub(super) struct Context<'a> {
    pub(super) files: &'a dyn Files,
    pub(super) matchers: &'a Matchers,
    pub(super) faults: Faults,
    pub(super) pools: Pools,
    /// Which rules there are.
    pub(super) catalog: Catalog,
    /// The database that `SecGeoLookupDb` names.
    pub(super) geo: Option<Arc<GeoDatabase>>,
    /// The Lua files that rules call.
    pub(super) scripts: Vec<Script>,
}

impl<'a> Context<'a> {
    pub(super) fn new(files: &'a dyn Files, matchers: &'a Matchers) -> Self {
        Self {
            files,
            matchers,
            faults: Faults::default(),
            pools: Pools::new(),
            catalog: Catalog::default(),
            geo: None,
            scripts: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, fault: Diagnostic) {
        self.faults.push(fault);
    }

    /// Takes in a Lua file that a rule calls: the policy compiles it with its other scripts.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(super) fn script(&mut self, path: &Path) -> std::io::Result<()> {
        let text = self.files.read(path)?;
        let path = path.to_string_lossy();
        if !self.scripts.iter().any(|known| *known.path == *path) {
            let text = String::from_utf8_lossy(&text).into();
            self.scripts.push(Script { path: path.into(), text });
        }
        Ok(())
    }

    /// A target; none if it is at fault, which is then told.
    pub(super) fn target(
        &mut self,
        site: Site<'_>,
        selector: Option<Span>,
        name: &[u8],
        chosen: Chosen<'_>,
        count: bool,
    ) -> Option<Target> {
        let resolved = target::resolve(name, chosen, count, &mut self.pools);
        resolved.map_err(|fault| self.push(told(site, selector, fault))).ok()
    }

    /// A text with macros. One that names nothing is told, and stays empty.
    pub(super) fn text(&mut self, site: Site<'_>, text: &[u8]) -> Text {
        let parts = Template::parse(text).parts.into_iter();
        Text { parts: parts.map(|part| self.text_part(site, part)).collect() }
    }

    fn text_part(&mut self, site: Site<'_>, part: Part) -> TextPart {
        match part {
            Part::Text(text) => TextPart::Fixed(text.into()),
            Part::Macro { name, key } => {
                let meaning = self.macro_part(&name, key.as_deref());
                meaning.unwrap_or_else(|| {
                    self.push(unknown_macro(site, &name, key.as_deref()));
                    TextPart::Unknown(written_macro(&name, key.as_deref()).into())
                })
            }
        }
    }

    /// What a macro means; none if it names nothing.
    pub(super) fn macro_part(&mut self, name: &[u8], key: Option<&[u8]>) -> Option<TextPart> {
        if name.eq_ignore_ascii_case(b"rule") {
            return rule_fact(key?).map(TextPart::OfRule);
        }
        let chosen = key.map_or(Chosen::All, target::chosen);
        target::resolve(name, chosen, false, &mut self.pools).ok().map(TextPart::Value)
    }
}

impl Lookup for Pools {
    fn tx_slot(&mut self, name: Vec<u8>) -> Option<TxSlot> {
        Some(Pools::tx_slot(self, name))
    }

    fn pattern(&mut self, written: &[u8]) -> Result<Arc<Pattern>, Fault> {
        Pools::pattern(self, written)
    }
}

/// The folder that files named in a directive are relative to.
pub(super) fn folder(directive: &Directive) -> &Path {
    Path::new(&directive.source.name).parent().unwrap_or(Path::new(""))
}

/// A macro as its author wrote it, or nearly.
pub(super) fn written_macro(name: &[u8], key: Option<&[u8]>) -> Vec<u8> {
    match key {
        None => [b"%{", name, b"}"].concat(),
        Some(key) => [b"%{", name, b".", key, b"}"].concat(),
    }
}

/// What stands before a byte at this place, and after it if there is one.
pub(super) fn cut(text: &[u8], at: Option<usize>) -> (&[u8], Option<&[u8]>) {
    match at.and_then(|at| text.split_at_checked(at)) {
        Some((before, rest)) => (before, rest.get(1..)),
        None => (text, None),
    }
}

/// The members of `TX` and persistent collections have no case.
pub(super) fn lower_case(mut text: Text) -> Text {
    for part in &mut text.parts {
        if let TextPart::Fixed(fixed) = part {
            fixed.make_ascii_lowercase();
        }
    }
    text
}

/// A place in a word: exact where nothing was taken off it but quotes.
pub(in crate::detection) fn inside(word: &Word, at: Option<&std::ops::Range<usize>>) -> Span {
    let length = word.span.end.saturating_sub(word.span.start);
    let quotes = length.saturating_sub(word.text.len());
    match at {
        Some(at) if (quotes == 0 || quotes == 2) && at.end <= word.text.len() => {
            let start = word.span.start + quotes / 2;
            Span { start: start + at.start, end: start + at.end }
        }
        _ => word.span,
    }
}

fn told(site: Site<'_>, selector: Option<Span>, fault: TargetFault) -> Diagnostic {
    let site = if fault.in_selector { site.at(selector.unwrap_or(site.span)) } else { site };
    let told = site.fault(fault.code, fault.message, fault.label);
    match fault.help {
        Some(help) => told.help(help),
        None => told,
    }
}

fn rule_fact(key: &[u8]) -> Option<RuleFact> {
    Some(match key.to_ascii_lowercase().as_slice() {
        b"id" => RuleFact::Id,
        b"logdata" => RuleFact::LogData,
        b"msg" => RuleFact::Message,
        b"rev" => RuleFact::Revision,
        b"severity" => RuleFact::Severity,
        b"ver" => RuleFact::Version,
        _ => return None,
    })
}

fn unknown_macro(site: Site<'_>, name: &[u8], key: Option<&[u8]>) -> Diagnostic {
    let written = written_macro(name, key);
    let written = String::from_utf8_lossy(&written);
    let message = format!("`{written}` names nothing: it is always empty");
    let told = site.warning("seclang::unknown-macro", message, "in this text");
    let upper = String::from_utf8_lossy(name).to_ascii_uppercase();
    let names = variables::VARIABLES.iter().map(|known| known.name);
    match nearest(&upper, names) {
        Some(near) if near != upper => told.help(format!("the nearest variable is `{near}`")),
        _ => told,
    }
}
