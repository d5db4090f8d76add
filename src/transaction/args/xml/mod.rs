//! XML bodies: a bounded tree of text and attributes, without entities of its own or from outside.
//!
//! Texts stand in one piece of memory in the order of the document, so that the text of an element
//! with all that is in it is one slice of it: `/*` costs nothing.
//!
//! What libxml2 takes for a fault is one here, but hides nothing: it is told and read on where
//! that makes sense. Entities that a document declares are a fault; they are not expanded, and
//! their declaration counts as text of the root element, as does what stands outside of it.

mod charset;
mod reader;
mod references;
mod xpath;

#[cfg(test)]
mod tests;

use std::ops::Range;

pub use reader::read;
use xpath::Whole;
pub use xpath::XPath;

use super::Pairs;

/// What an XML body says.
#[derive(Debug, Clone, Default)]
pub struct XmlDocument {
    /// All texts, in the order of the document.
    text: Vec<u8>,
    /// The names of all elements, with their prefixes.
    names: Vec<u8>,
    /// Elements and pieces of text, in the order of the document.
    nodes: Vec<Node>,
    /// Those of the nodes that are in no other.
    roots: Vec<usize>,
    /// Names and values of all attributes but `xmlns`.
    attributes: Pairs,
    /// The element of each attribute.
    owners: Vec<usize>,
    /// Prefixes and addresses of all `xmlns` attributes.
    namespaces: Pairs,
}

/// An element or a piece of text.
#[derive(Debug, Clone)]
struct Node {
    /// The element it is in; none: it is the document's.
    parent: Option<usize>,
    kind: Kind,
    /// Where its text is, with the texts of all that is in it.
    text: Range<usize>,
}

#[derive(Debug, Clone)]
enum Kind {
    Element {
        /// Where its name is.
        name: Range<usize>,
        /// Which of [`XmlDocument::namespaces`] it is in.
        namespace: Option<usize>,
    },
    Text,
}

impl XmlDocument {
    /// The values that an expression selects, in document order: an element's is its text with the
    /// texts of all that is in it.
    pub fn select(&self, path: &XPath) -> Vec<&[u8]> {
        // What nearly all rules look at needs no search.
        match path.whole() {
            Some(Whole::Attributes) => return self.attributes.iter().map(|(_, it)| it).collect(),
            Some(Whole::Roots) => return self.roots().map(|node| self.text_of(node)).collect(),
            None => {}
        }
        let marks = path.marks(self);
        if path.selects_attributes() {
            return self.select_attributes(path, &marks);
        }
        let selected = self.nodes.iter().zip(&marks).filter(|(_, marks)| path.is_complete(**marks));
        selected.map(|(node, _)| self.text_of(node)).collect()
    }

    fn select_attributes(&self, path: &XPath, marks: &[xpath::Marks]) -> Vec<&[u8]> {
        let values = self.attributes.iter().zip(&self.owners).filter(|((name, _), owner)| {
            marks.get(**owner).is_some_and(|marks| path.selects_attribute(*marks, name))
        });
        values.map(|((_, value), _)| value).collect()
    }

    fn roots(&self) -> impl Iterator<Item = &Node> {
        self.roots.iter().filter_map(|root| self.nodes.get(*root))
    }

    fn text_of(&self, node: &Node) -> &[u8] {
        self.text.get(node.text.clone()).unwrap_or_default()
    }

    fn name_of(&self, name: &Range<usize>) -> &[u8] {
        self.names.get(name.clone()).unwrap_or_default()
    }
}
