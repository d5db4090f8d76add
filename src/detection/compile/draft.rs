//! Rules as they are read: still in their author's words, so that what comes later can change them.

use std::rc::Rc;

use super::faults::Site;
use crate::seclang::{self, Action, Directive};
use crate::transaction::RulePhase;

/// What stands in the files, in order.
pub(super) enum Item<'a> {
    Marker(&'a [u8]),
    Rule(Draft<'a>),
}

/// A rule: a head and the links of its chain.
pub(super) struct Draft<'a> {
    pub(super) id: u64,
    pub(super) phase: RulePhase,
    /// The `SecDefaultAction` of its phase that was in force where it stands.
    pub(super) defaults: Option<Rc<Vec<Said<'a>>>>,
    pub(super) links: Vec<DraftLink<'a>>,
    /// Whether a `SecRuleRemove…` took it away.
    pub(super) removed: bool,
}

/// A `SecRule` or `SecAction`.
pub(super) struct DraftLink<'a> {
    pub(super) directive: &'a Directive,
    /// None: a `SecAction`.
    pub(super) condition: Option<Condition<'a>>,
    pub(super) actions: Vec<Said<'a>>,
}

/// What a `SecRule` looks at, and how.
pub(super) struct Condition<'a> {
    pub(super) targets: Vec<Aimed<'a>>,
    pub(super) operator: &'a seclang::Operator,
}

/// An action, and the directive that it stands in.
#[derive(Clone, Copy)]
pub(super) struct Said<'a> {
    pub(super) directive: &'a Directive,
    pub(super) action: &'a Action,
}

/// A target, and the directive that it stands in.
#[derive(Clone, Copy)]
pub(super) struct Aimed<'a> {
    pub(super) directive: &'a Directive,
    pub(super) target: &'a seclang::Target,
}

impl<'a> Said<'a> {
    pub(super) fn all(directive: &'a Directive, actions: &'a [Action]) -> Vec<Self> {
        actions.iter().map(|action| Self { directive, action }).collect()
    }

    pub(super) fn is(&self, name: &str) -> bool {
        self.action.name.is(name)
    }

    /// Its value; empty if it has none.
    pub(super) fn value(&self) -> &'a [u8] {
        self.action.value.as_ref().map_or(b"", |value| &value.text)
    }

    /// Its value, or all of it if it has none.
    pub(super) fn site(&self) -> Site<'a> {
        let span = self.action.value.as_ref().map_or(self.action.span, |value| value.span);
        Site::new(self.directive, span)
    }
}

impl<'a> Aimed<'a> {
    pub(super) fn all(directive: &'a Directive, targets: &'a [seclang::Target]) -> Vec<Self> {
        targets.iter().map(|target| Self { directive, target }).collect()
    }

    /// Whether both are written alike, but for case.
    pub(super) fn is_same(&self, other: &seclang::Target) -> bool {
        let (own, other) = (self.target, other);
        let selectors = match (&own.selector, &other.selector) {
            (None, None) => true,
            (Some(seclang::Selector::Name(own)), Some(seclang::Selector::Name(other))) => {
                own.text.eq_ignore_ascii_case(&other.text)
            }
            (Some(seclang::Selector::Pattern(own)), Some(seclang::Selector::Pattern(other))) => {
                own.text == other.text
            }
            _ => false,
        };
        selectors && own.sign == other.sign && own.name.text.eq_ignore_ascii_case(&other.name.text)
    }
}

impl<'a> Draft<'a> {
    /// The directive that it begins with, unless it has no links at all.
    pub(super) fn head(&self) -> Option<&DraftLink<'a>> {
        self.links.first()
    }

    /// The tags, as written.
    pub(super) fn tags(&self) -> impl Iterator<Item = &'a [u8]> + '_ {
        self.said("tag")
    }

    /// The message, as written; empty if there is none.
    pub(super) fn message(&self) -> &'a [u8] {
        self.said("msg").last().unwrap_or_default()
    }

    /// The marker or rule that it skips to.
    pub(super) fn skip_after(&self) -> Option<Said<'a>> {
        let actions = self.head()?.actions.iter();
        actions.rev().find(|said| said.is("skipAfter")).copied()
    }

    fn said(&self, name: &'static str) -> impl DoubleEndedIterator<Item = &'a [u8]> + '_ {
        let actions = self.head().map(|head| head.actions.iter()).unwrap_or_default();
        actions.filter(move |said| said.is(name)).map(Said::value)
    }
}

impl DraftLink<'_> {
    /// Whether another link follows.
    pub(super) fn is_chained(&self) -> bool {
        self.actions.iter().any(|said| said.is("chain"))
    }
}
