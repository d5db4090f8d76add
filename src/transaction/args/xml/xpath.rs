//! The part of XPath that rules use.

use super::{Kind, Node, XmlDocument};

/// Steps of an expression at the most: each takes a bit of [`Marks`].
const MOST_STEPS: usize = 31;
/// What is understood.
const UNDERSTOOD: &str = "what is understood: `/` or `//`, then `name`, `prefix:name` or `*`, and \
    so on, each maybe with `[text()]` or `[local-name()='name']`; at the end also `text()`, `@name` or \
    `@*`";

/// The part of XPath that rules in the field use: `/*`, `//@*`, `//name`, `/a/b/text()`, `//a/@b`.
///
/// Prefixes are compared as written, unless [`bind`](Self::bind) says what they stand for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct XPath {
    steps: Vec<Step>,
}

/// One step of an expression.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Step {
    /// Whether `//` is before it.
    deep: bool,
    test: Test,
    /// What else an element must have.
    condition: Option<Condition>,
}

/// What stands in brackets behind a step.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Condition {
    /// `[local-name()='name']`
    Named(Box<[u8]>),
    /// `[text()]`
    WithText,
}

/// What a step takes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Test {
    AnyAttribute,
    AnyElement,
    Attribute(Box<[u8]>),
    /// An element of a namespace, by its name without prefix.
    Bound {
        address: Box<[u8]>,
        name: Box<[u8]>,
    },
    Element(Box<[u8]>),
    Text,
}

/// An expression that needs no search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whole {
    /// `//@*`
    Attributes,
    /// `/*`
    Roots,
}

/// Which beginnings of an expression select a node, as bits: bit 0 stands for none of its steps
/// (the document), bit 1 for the first step, and so on.
#[derive(Debug, Clone, Copy, Default)]
pub struct Marks {
    /// Those that select the node itself.
    own: u32,
    /// Those that select it or something that it is in.
    with_outer: u32,
}

impl XPath {
    /// Reads an expression.
    ///
    /// # Errors
    /// If it is beyond what is understood here; the text says what is.
    pub fn parse(expression: &str) -> Result<Self, String> {
        let mut steps = Vec::new();
        let mut rest = expression.trim_ascii();
        while !rest.is_empty() {
            let after = rest.strip_prefix('/').ok_or_else(|| unknown(rest))?;
            let (deep, after) = after.strip_prefix('/').map_or((false, after), |it| (true, it));
            let (name, next) = after.split_at(after.find('/').unwrap_or(after.len()));
            let (name, condition) = Condition::split(name).ok_or_else(|| unknown(after))?;
            let test = Test::parse(name).ok_or_else(|| unknown(after))?;
            let is_element = test.is_element();
            if condition.is_some() && !is_element {
                return Err(unknown(after));
            }
            steps.push(Step { deep, test, condition });
            if !is_element && !next.is_empty() {
                return Err(unknown(next));
            }
            rest = next;
        }
        match steps.len() {
            1..=MOST_STEPS => Ok(Self { steps }),
            _ => Err(unknown(expression)),
        }
    }

    /// The same, where elements with this prefix are those of a namespace, whatever their prefix
    /// in a document (action `xmlns`).
    #[must_use]
    pub fn bind(mut self, prefix: &str, address: &str) -> Self {
        for step in &mut self.steps {
            let Test::Element(name) = &step.test else { continue };
            let name = name.strip_prefix(prefix.as_bytes()).and_then(|it| it.strip_prefix(b":"));
            if let Some(name) = name {
                step.test = Test::Bound { address: address.as_bytes().into(), name: name.into() };
            }
        }
        self
    }

    /// Whether it selects attributes; else elements or texts.
    pub(super) fn selects_attributes(&self) -> bool {
        let last = self.steps.last().map(|step| &step.test);
        matches!(last, Some(Test::AnyAttribute | Test::Attribute(_)))
    }

    /// Whether it needs no search.
    pub(super) fn whole(&self) -> Option<Whole> {
        match self.steps.as_slice() {
            [Step { deep: true, test: Test::AnyAttribute, .. }] => Some(Whole::Attributes),
            [Step { deep: false, test: Test::AnyElement, condition: None }] => Some(Whole::Roots),
            _ => None,
        }
    }

    /// What selects each node, in one pass.
    pub(super) fn marks(&self, document: &XmlDocument) -> Vec<Marks> {
        let mut all: Vec<Marks> = Vec::with_capacity(document.nodes.len());
        let with_text = self.with_text(document);
        for (place, node) in document.nodes.iter().enumerate() {
            let outer = match node.parent {
                Some(parent) => all.get(parent).copied().unwrap_or_default(),
                None => Marks { own: 1, with_outer: 1 },
            };
            let mut own = 0;
            for (index, step) in self.steps.iter().enumerate() {
                let from = if step.deep { outer.with_outer } else { outer.own };
                let has_text = || with_text.get(place).copied().unwrap_or_default();
                if from >> index & 1 == 1 && step.takes(document, node, has_text) {
                    own |= 2 << index;
                }
            }
            all.push(Marks { own, with_outer: outer.with_outer | own });
        }
        all
    }

    /// By node: whether a text is right in it; nothing where no step asks for that.
    fn with_text(&self, document: &XmlDocument) -> Vec<bool> {
        if self.steps.iter().all(|step| step.condition != Some(Condition::WithText)) {
            return Vec::new();
        }
        let mut with_text = vec![false; document.nodes.len()];
        let texts = document.nodes.iter().filter(|node| !matches!(node.kind, Kind::Element { .. }));
        for parent in texts.filter_map(|node| node.parent) {
            if let Some(has) = with_text.get_mut(parent) {
                *has = true;
            }
        }
        with_text
    }

    /// Whether the whole expression selects a node.
    pub(super) fn is_complete(&self, marks: Marks) -> bool {
        marks.own >> self.steps.len() & 1 == 1
    }

    /// Whether it selects an attribute of that name of an element.
    pub(super) fn selects_attribute(&self, element: Marks, name: &[u8]) -> bool {
        let Some((last, before)) = self.steps.split_last() else { return false };
        let from = if last.deep { element.with_outer } else { element.own };
        let wanted = match &last.test {
            Test::AnyAttribute => true,
            Test::Attribute(wanted) => **wanted == *name,
            _ => false,
        };
        wanted && from >> before.len() & 1 == 1
    }
}

impl Condition {
    /// A step without its brackets, and what is in them; none if that is not understood.
    fn split(step: &str) -> Option<(&str, Option<Self>)> {
        let Some((step, rest)) = step.split_once('[') else { return Some((step, None)) };
        let inside = rest.strip_suffix(']')?.trim();
        if inside == "text()" {
            return Some((step, Some(Self::WithText)));
        }
        let name = inside.strip_prefix("local-name()")?.trim_start().strip_prefix('=')?.trim();
        let quoted = |quote| name.strip_prefix(quote)?.strip_suffix(quote);
        let name: &str = quoted('\'').or_else(|| quoted('"'))?;
        Some((step, Some(Self::Named(name.as_bytes().into()))))
    }
}

impl Step {
    fn takes(&self, document: &XmlDocument, node: &Node, has_text: impl Fn() -> bool) -> bool {
        self.test.takes(document, node)
            && match (&self.condition, &node.kind) {
                (None, _) => true,
                (Some(Condition::WithText), _) => has_text(),
                (Some(Condition::Named(wanted)), Kind::Element { name, .. }) => {
                    **wanted == *local(document.name_of(name))
                }
                (Some(Condition::Named(_)), _) => false,
            }
    }
}

impl Test {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "*" => return Some(Self::AnyElement),
            "@*" => return Some(Self::AnyAttribute),
            "text()" => return Some(Self::Text),
            _ => {}
        }
        let (name, is_attribute) = text.strip_prefix('@').map_or((text, false), |it| (it, true));
        let part = |part: &str| {
            let begins = |it: char| it.is_alphabetic() || it == '_';
            let goes_on = |it: char| it.is_alphanumeric() || matches!(it, '_' | '-' | '.');
            part.starts_with(begins) && part.chars().all(goes_on)
        };
        let (prefix, local) = name.split_once(':').unwrap_or(("x", name));
        if !part(prefix) || !part(local) {
            return None;
        }
        let name = name.as_bytes().into();
        Some(if is_attribute { Self::Attribute(name) } else { Self::Element(name) })
    }

    fn is_element(&self) -> bool {
        matches!(self, Self::AnyElement | Self::Element(_))
    }

    fn takes(&self, document: &XmlDocument, node: &Node) -> bool {
        let Kind::Element { name, namespace } = &node.kind else { return *self == Self::Text };
        let name = document.name_of(name);
        match self {
            Self::AnyElement => true,
            Self::Element(wanted) => **wanted == *name,
            Self::Bound { address, name: wanted } => {
                let namespace = namespace.and_then(|index| document.namespaces.get(index));
                namespace.is_some_and(|(_, it)| **address == *it) && **wanted == *local(name)
            }
            Self::AnyAttribute | Self::Attribute(_) | Self::Text => false,
        }
    }
}

/// A name without its prefix.
fn local(name: &[u8]) -> &[u8] {
    memchr::memchr(b':', name).and_then(|place| name.get(place + 1..)).unwrap_or(name)
}

fn unknown(rest: &str) -> String {
    format!("`{rest}` is not understood as XPath; {UNDERSTOOD}")
}
