//! What a rule file says, as a tree: nothing is looked up yet, everything knows its place.

use std::borrow::Cow;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Source, Span};

/// A word as its author meant it (quotes and escapes of the language taken off), and its place.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Word {
    /// Bytes, not always UTF-8: patterns may hold any.
    pub text: Vec<u8>,
    /// Where it stands in its source, quotes included.
    pub span: Span,
}

/// One directive of a rule file.
#[derive(Debug, Clone)]
pub struct Directive {
    /// The file it stands in. Files that it names are taken relative to the file's folder.
    pub source: Arc<Source>,
    /// From its name to the end of its last argument.
    pub span: Span,
    /// What it says.
    pub kind: DirectiveKind,
}

/// What a directive says.
#[derive(Debug, Clone)]
pub enum DirectiveKind {
    /// `SecAction`: actions without a condition.
    Action(Vec<Action>),
    /// `SecDefaultAction`.
    DefaultAction(Vec<Action>),
    /// A rule that is told to be at fault, or that is not supported: what follows it may be of its
    /// chain.
    FaultyRule,
    /// `SecMarker`: a place that `skipAfter` can name.
    Marker(Word),
    /// `SecRuleRemoveById`, `ByTag`, `ByMsg`.
    Remove(RuleSelector),
    /// `SecRule`.
    Rule(Box<Rule>),
    /// Any other directive that the engine reads, by its name in the spelling of the manual.
    Setting {
        /// As in [`super::DIRECTIVES`].
        name: &'static str,
        /// Its arguments.
        arguments: Vec<Word>,
    },
    /// `SecRuleUpdateActionById`.
    UpdateActions {
        /// Which rule, and which link of its chain (0: the head), as written: `12345` or `12345:1`.
        id: Word,
        /// The actions that take the place of those of the same kind.
        actions: Vec<Action>,
    },
    /// `SecRuleUpdateTargetById`, `ByTag`, `ByMsg`.
    UpdateTargets {
        /// Which rules.
        rules: RuleSelector,
        /// What is added or (with `!`) taken away.
        targets: Vec<Target>,
        /// The third argument: the targets in whose place the new ones come.
        replaced: Vec<Target>,
    },
}

/// Which rules a directive speaks of.
#[derive(Debug, Clone)]
pub enum RuleSelector {
    /// Ids and ranges of ids, both ends included.
    Id(Vec<(u64, u64)>, Span),
    /// A regular expression on the message.
    Message(Word),
    /// A regular expression on each tag.
    Tag(Word),
}

/// `SecRule`.
#[derive(Debug, Clone)]
pub struct Rule {
    /// What is looked at.
    pub targets: Vec<Target>,
    /// How.
    pub operator: Operator,
    /// What follows; may be empty for a link of a chain.
    pub actions: Vec<Action>,
}

/// One variable of a rule's first argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// `!`, `&` or neither.
    pub sign: Sign,
    /// The variable's name as written.
    pub name: Word,
    /// What follows the colon.
    pub selector: Option<Selector>,
    /// The whole of it.
    pub span: Span,
}

/// What stands before a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// `&`: how many there are, instead of what they are.
    Count,
    /// `!`: not these.
    Exclude,
    /// Nothing: these.
    Include,
}

/// Which members of a collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// That of this name (any case); for `XML`, an XPath.
    Name(Word),
    /// Those whose names match, between slashes: `ARGS:/^a|b/`.
    Pattern(Word),
}

/// A rule's second argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// Whether it stands with a `!`.
    pub negated: bool,
    /// Without the `@`; `rx` where none is named.
    pub name: Word,
    /// What follows, macros not expanded; may be empty.
    pub argument: Word,
}

/// One action of a list: `name` or `name:value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// As written.
    pub name: Word,
    /// Without the single quotes around it.
    pub value: Option<Word>,
    /// The whole of it.
    pub span: Span,
}

impl Word {
    /// As text; what is not UTF-8 is replaced.
    pub fn as_str(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.text)
    }

    /// Whether it is this name, in any case.
    pub fn is(&self, name: &str) -> bool {
        self.text.eq_ignore_ascii_case(name.as_bytes())
    }
}

impl Directive {
    /// A fault in this directive, at a part of it.
    pub fn fault(
        &self,
        code: &'static str,
        message: impl Into<String>,
        span: Span,
        label: impl Into<String>,
    ) -> Diagnostic {
        Diagnostic::error(code, message).at(&self.source, span, label)
    }
}
