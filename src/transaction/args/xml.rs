//! XML bodies: a bounded tree of text and attributes, without entities of its own or from outside.

/// What an XML body says.
#[derive(Debug, Clone, Default)]
pub struct XmlDocument {}

/// The part of XPath that rules in the field use: `/*`, `//@*`, `//name`, `/a/b/text()`, `//a/@b`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct XPath {}

impl XPath {
    /// Reads an expression.
    ///
    /// # Errors
    /// If it is beyond what is understood here; the text says what is.
    pub fn parse(expression: &str) -> Result<Self, String> {
        let _ = expression;
        Ok(Self {})
    }
}

impl XmlDocument {
    /// The values that an expression selects, in document order.
    pub fn select(&self, path: &XPath) -> Vec<&[u8]> {
        let _ = path;
        Vec::new()
    }
}

/// Stub.
pub fn read(text: &[u8], reading: &mut super::reading::Reading) {
    let _ = (text, reading);
}
