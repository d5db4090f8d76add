//! From the bytes of an XML body to its tree.

use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

use super::{Kind, Node, XmlDocument, charset, references};
use crate::transaction::args::Pairs;
use crate::transaction::args::reading::Reading;

/// How many elements and texts a document may have for each argument that is allowed.
const NODES: usize = 64;
/// How many `xmlns` may be in force at one place.
const NAMESPACES: usize = 64;

/// Reads a whole document. An empty one says nothing.
pub fn read(body: &[u8], reading: &mut Reading) {
    if body.is_empty() {
        return;
    }
    let (text, valid) = charset::decode(body);
    let mut tree = Tree::new(reading);
    if !valid {
        tree.complain("a character set that is unknown or not kept to");
    }
    if text.bytes().any(|byte| byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r')) {
        tree.complain("a control character");
    }
    let mut reader = Reader::from_str(&text);
    let config = reader.config_mut();
    config.allow_dangling_amp = true;
    // The tree checks names itself, and goes on after a wrong one.
    config.allow_unmatched_ends = true;
    config.check_end_names = false;
    loop {
        match reader.read_event() {
            Ok(Event::Eof) => break,
            Ok(event) => tree.event(event),
            Err(_) => {
                let place = usize::try_from(reader.error_position()).unwrap_or_default();
                tree.complain("markup without an end");
                tree.text(text.get(place..).unwrap_or_default());
                break;
            }
        }
        if tree.reading.stopped {
            break;
        }
    }
    let document = tree.finish();
    reading.parsed.xml = Some(document);
}

/// A tree that grows.
struct Tree<'a> {
    document: XmlDocument,
    /// The elements that we are in.
    open: Vec<Open>,
    /// Those of the document's namespaces that are in force.
    scope: Vec<usize>,
    /// Whether the last node is a text that goes on.
    in_text: bool,
    /// Whether some markup was seen.
    begun: bool,
    /// Whether a document type was declared, with entities that we do not know.
    has_doctype: bool,
    reading: &'a mut Reading,
}

/// An element that we are in.
struct Open {
    node: usize,
    /// How many namespaces were in force outside of it.
    scope: usize,
}

impl<'a> Tree<'a> {
    fn new(reading: &'a mut Reading) -> Self {
        Self {
            document: XmlDocument::default(),
            open: Vec::new(),
            scope: Vec::new(),
            in_text: false,
            begun: false,
            has_doctype: false,
            reading,
        }
    }

    fn complain(&mut self, fault: &str) {
        self.reading.complain(|| format!("XML parsing error: {fault}"));
    }

    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Text(text) => return self.text(&text.xml10_content()),
            Event::GeneralRef(name) => return self.reference(&name),
            Event::CData(text) => {
                self.in_text = false;
                self.character_data(&text.xml10_content());
            }
            Event::Start(tag) => self.start(&tag),
            Event::Empty(tag) => {
                self.start(&tag);
                self.end(tag.name().as_ref());
            }
            Event::End(tag) => self.end(tag.name().as_ref()),
            Event::DocType(text) => self.doctype(&text),
            Event::Decl(declaration) => {
                if declaration.version().is_err() || self.begun {
                    self.complain("an XML declaration that is wrong or not at the beginning");
                }
            }
            Event::PI(instruction) => self.check_name(instruction.target()),
            Event::Comment(_) | Event::Eof => {}
        }
        self.in_text = false;
        self.begun = true;
    }

    fn check_name(&mut self, name: &str) {
        if !is_name(name) {
            self.complain("a name that is none");
        }
    }

    fn text(&mut self, text: &str) {
        if text.contains('&') {
            self.complain("a `&` that begins no reference");
        }
        self.character_data(text);
    }

    fn character_data(&mut self, text: &str) {
        if self.open.is_empty() {
            if text.trim_ascii().is_empty() {
                return;
            }
            self.complain("text outside of the root element");
        }
        self.append(text.as_bytes());
    }

    fn reference(&mut self, name: &str) {
        if let Some(character) = references::character(name) {
            self.append(character.encode_utf8(&mut [0; 4]).as_bytes());
            return;
        }
        if !self.has_doctype || name.starts_with('#') {
            self.complain("a reference to nothing");
        }
        for piece in ["&", name, ";"] {
            self.append(piece.as_bytes());
        }
    }

    fn append(&mut self, text: &[u8]) {
        let start = self.document.text.len();
        self.document.text.extend_from_slice(text);
        let end = self.document.text.len();
        let parent = self.open.last().map(|open| open.node);
        match self.document.nodes.last_mut() {
            Some(node) if self.in_text => node.text.end = end,
            _ if parent.is_some() => self.node(Node { parent, kind: Kind::Text, text: start..end }),
            _ => return,
        }
        self.in_text = true;
    }

    fn node(&mut self, node: Node) {
        let most = self.reading.limits.arguments.saturating_mul(NODES);
        if self.document.nodes.len() >= most {
            self.reading.stop(|| format!("XML parsing error: more than {most} nodes"));
        }
        if node.parent.is_none() {
            self.document.roots.push(self.document.nodes.len());
        }
        self.document.nodes.push(node);
    }

    /// What a document type declares counts as text: it is not expanded, and not hidden either.
    fn doctype(&mut self, declaration: &str) {
        self.has_doctype = true;
        let Some((_, subset)) = declaration.split_once('[') else { return };
        if subset.contains("<!ENTITY") {
            self.complain("entities of its own, which are not expanded");
        }
        self.document.text.extend_from_slice(subset.as_bytes());
    }

    fn start(&mut self, tag: &BytesStart<'_>) {
        let most = self.reading.limits.depth;
        if self.open.len() >= most {
            self.reading.stop(|| format!("XML parsing error: nested deeper than {most}"));
            return;
        }
        if self.open.is_empty() && !self.document.nodes.is_empty() {
            self.complain("a second root element");
        }
        self.check_name(tag.name().as_ref());
        let (node, scope) = (self.document.nodes.len(), self.scope.len());
        self.attributes(tag, node);
        let name = self.document.names.len();
        self.document.names.extend_from_slice(tag.name().as_ref().as_bytes());
        let kind = Kind::Element {
            name: name..self.document.names.len(),
            namespace: self.namespace(tag.name().as_ref()),
        };
        let parent = self.open.last().map(|open| open.node);
        let text = self.document.text.len()..self.document.text.len();
        self.node(Node { parent, kind, text });
        self.open.push(Open { node, scope });
    }

    fn attributes(&mut self, tag: &BytesStart<'_>, node: usize) {
        // Whether a name occurs twice is not checked: that would take the square of their number.
        for attribute in tag.html_attributes().with_checks(false) {
            let Ok(attribute) = attribute else {
                self.complain("an attribute without a value");
                self.attribute("?", tag.attributes_raw(), node);
                return;
            };
            self.attribute(attribute.key.as_ref(), &attribute.value, node);
        }
        if tag.attributes().with_checks(false).any(|attribute| attribute.is_err()) {
            self.complain("an attribute without quotes");
        }
    }

    fn attribute(&mut self, name: &str, value: &str, node: usize) {
        self.check_name(name);
        if value.contains('<') {
            self.complain("a `<` in an attribute");
        }
        let prefix = name.strip_prefix("xmlns").filter(|it| it.is_empty() || it.starts_with(':'));
        let most = self.reading.limits.arguments;
        if let Some(prefix) = prefix {
            self.declare(prefix.trim_start_matches(':'), value);
        } else if self.document.attributes.len() >= most {
            self.reading.complain(|| format!("XML parsing error: more than {most} attributes"));
        } else {
            let valid = push(&mut self.document.attributes, name, value);
            self.document.owners.push(node);
            self.check_references(valid);
        }
    }

    /// With a document type, there may be entities that we do not know.
    fn check_references(&mut self, valid: bool) {
        if !valid && !self.has_doctype {
            self.complain("a reference to nothing");
        }
    }

    fn declare(&mut self, prefix: &str, address: &str) {
        if self.scope.len() >= NAMESPACES {
            self.complain("too many namespaces");
            return;
        }
        self.scope.push(self.document.namespaces.len());
        let valid = push(&mut self.document.namespaces, prefix, address);
        self.check_references(valid);
    }

    /// The namespace of an element's name.
    fn namespace(&self, name: &str) -> Option<usize> {
        let prefix = name.split_once(':').map_or("", |(prefix, _)| prefix);
        let declares = |index: &usize| {
            self.document.namespaces.get(*index).is_some_and(|it| it.0 == prefix.as_bytes())
        };
        self.scope.iter().rev().copied().find(declares)
    }

    fn end(&mut self, name: &str) {
        let Some(open) = self.open.pop() else {
            self.complain("an end without a beginning");
            return;
        };
        self.scope.truncate(open.scope);
        let end = self.document.text.len();
        let Some(node) = self.document.nodes.get_mut(open.node) else { return };
        node.text.end = end;
        let Kind::Element { name: begun, .. } = node.kind.clone() else { return };
        if self.document.name_of(&begun) != name.as_bytes() {
            self.complain("an element that ends by another name");
        }
    }

    fn finish(mut self) -> XmlDocument {
        if !self.reading.stopped && !self.open.is_empty() {
            self.complain("an element without an end");
        }
        let end = self.document.text.len();
        for open in &self.open {
            if let Some(node) = self.document.nodes.get_mut(open.node) {
                node.text.end = end;
            }
        }
        self.widen_roots();
        self.document
    }

    /// What stands outside of the root belongs to it: before it, to the first; behind, to the last.
    fn widen_roots(&mut self) {
        let whole = 0..self.document.text.len();
        if self.document.nodes.is_empty() {
            self.complain("no root element");
            let kind = Kind::Element { name: 0..0, namespace: None };
            self.node(Node { parent: None, kind, text: whole.clone() });
        }
        if let Some(first) = self.document.nodes.first_mut() {
            first.text.start = whole.start;
        }
        let last = self.document.roots.last().copied().unwrap_or_default();
        if let Some(last) = self.document.nodes.get_mut(last) {
            last.text.end = whole.end;
        }
    }
}

/// Adds a name and a decoded value; whether all of its references were understood.
fn push(pairs: &mut Pairs, name: &str, value: &str) -> bool {
    let mut valid = true;
    pairs.push_with(
        |out| out.extend_from_slice(name.as_bytes()),
        |out| valid = references::attribute(value, out),
    );
    valid
}

/// Whether a text may name an element or an attribute. (Of the letters beyond ASCII that XML
/// allows, all are.)
fn is_name(text: &str) -> bool {
    let begins = |it: u8| it.is_ascii_alphabetic() || matches!(it, b'_' | b':') || it >= 0x80;
    let goes_on = |it: u8| begins(it) || it.is_ascii_digit() || matches!(it, b'-' | b'.');
    text.bytes().next().is_some_and(begins) && text.bytes().all(goes_on)
}
