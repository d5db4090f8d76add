//! What in HTML can run a script: tags, attributes, addresses, comments. Letters fold.
//!
//! The names are libinjection's (Copyright 2012-2016 Nick Galbreath, BSD-3-Clause: see
//! `../LICENSE.libinjection`).

use memchr::memchr;

/// What an attribute's value can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Attribute {
    /// It is an address, which can be a script.
    Address,
    /// Nothing.
    #[default]
    Harmless,
    /// It is the name of an attribute.
    Name,
    /// It is a script, or as good as one.
    Script,
}

/// Tags that run something, or load what does.
const TAGS: [&str; 20] = [
    "APPLET", "BASE", "COMMENT", "EMBED", "FRAME", "FRAMESET", "HANDLER", "IFRAME", "IMPORT",
    "ISINDEX", "LINK", "LISTENER", "META", "NOSCRIPT", "OBJECT", "SCRIPT", "STYLE", "VMLFRAME",
    "XML", "XSS",
];

/// Tags of whole languages, by their beginnings: SVG and XSLT.
const FAMILIES: [&str; 2] = ["SVG", "XSL"];

/// Attributes, besides those that begin with `on`.
const ATTRIBUTES: [(&str, Attribute); 20] = [
    ("ACTION", Attribute::Address),
    ("ATTRIBUTENAME", Attribute::Name),
    ("BACKGROUND", Attribute::Address),
    ("BY", Attribute::Address),
    ("DATAFORMATAS", Attribute::Script),
    ("DATASRC", Attribute::Script),
    ("DYNSRC", Attribute::Address),
    ("FILTER", Attribute::Script),
    ("FOLDER", Attribute::Address),
    ("FORMACTION", Attribute::Address),
    ("FROM", Attribute::Address),
    ("HANDLER", Attribute::Address),
    ("HREF", Attribute::Address),
    ("LOWSRC", Attribute::Address),
    ("POSTER", Attribute::Address),
    ("SRC", Attribute::Address),
    ("STYLE", Attribute::Script),
    ("TO", Attribute::Address),
    ("VALUES", Attribute::Address),
    ("XLINK:HREF", Attribute::Address),
];

/// Attributes that give other attributes and tags new names, by their beginnings.
const NAMESPACES: [&str; 2] = ["XMLNS", "XLINK"];

/// How an address that is a script begins; `JAVA` is `JAVASCRIPT` too.
const SCHEMES: [&str; 4] = ["DATA", "VIEW-SOURCE", "JAVA", "VBSCRIPT"];

/// Whether a tag of this name runs something.
pub fn is_tag(name: &[u8]) -> bool {
    name.len() >= 3
        && (TAGS.iter().any(|tag| is(name, tag))
            || FAMILIES.iter().any(|family| begins(name, family)))
}

/// What the value of an attribute of this name can do.
pub fn attribute(name: &[u8]) -> Attribute {
    let is_handler = name.len() >= 5
        && (begins(name, "ON")
            || name
                .get(..5)
                .is_some_and(|beginning| NAMESPACES.iter().any(|known| is(beginning, known))));
    if is_handler {
        return Attribute::Script;
    }
    let known = ATTRIBUTES.iter().find(|(known, _)| name.len() >= 2 && is(name, known));
    known.map_or(Attribute::Harmless, |(_, attribute)| *attribute)
}

/// Whether a comment hides something from others that Internet Explorer sees.
pub fn is_comment(text: &[u8]) -> bool {
    memchr(b'`', text).is_some()
        || text.len() > 3 && (begins(text, "[IF") || begins(text, "XML"))
        || text.get(..6).is_some_and(|name| is(name, "IMPORT") || is(name, "ENTITY"))
}

impl Attribute {
    /// Whether this value, of such an attribute, runs a script.
    pub fn is_dangerous(self, value: &[u8]) -> bool {
        match self {
            Self::Address => is_script_address(value),
            Self::Harmless => false,
            Self::Name => attribute(value) != Self::Harmless,
            Self::Script => true,
        }
    }
}

/// Whether an address is a script. Browsers pass over much that may stand before its scheme.
fn is_script_address(address: &[u8]) -> bool {
    let skipped = address.iter().take_while(|&&byte| byte <= b' ' || byte >= 0x7F).count();
    let address = address.get(skipped..).unwrap_or_default();
    SCHEMES.iter().any(|scheme| begins_decoded(address, scheme))
}

/// Whether an address begins with a scheme, once its character references are resolved.
fn begins_decoded(address: &[u8], scheme: &str) -> bool {
    let mut characters = Characters(address).skip_while(|&character| character <= 32);
    // Only these, of all that browsers pass over within a scheme.
    let mut characters = characters.by_ref().filter(|character| !matches!(character, 0 | 10));
    scheme.bytes().all(|expected| characters.next().is_some_and(|found| folds_to(found, expected)))
}

/// Only the character's lowest byte counts, but it is a lower case letter only as a whole.
fn folds_to(character: u32, expected: u8) -> bool {
    let folded = match character {
        0x61..=0x7A => character - 0x20,
        other => other,
    };
    folded as u8 == expected
}

/// The characters of an attribute's value: bytes, and what `&#1;` and `&#x1;` stand for.
struct Characters<'a>(&'a [u8]);

/// A larger number is no character.
const LAST_CHARACTER: u32 = 0x10_00FF;

impl Iterator for Characters<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let (&first, rest) = self.0.split_first()?;
        let (character, rest) = match self.0 {
            [b'&', b'#', b'x' | b'X', digits @ ..] => number(digits, 16),
            [b'&', b'#', digits @ ..] => number(digits, 10),
            _ => None,
        }
        .unwrap_or((u32::from(first), rest));
        self.0 = rest;
        Some(character)
    }
}

/// The number that a character reference gives, and what stands after it.
fn number(text: &[u8], base: u32) -> Option<(u32, &[u8])> {
    let digit = |byte: &u8| char::from(*byte).to_digit(base);
    let mut number = digit(text.first()?)?;
    let mut rest = text.get(1..)?;
    while let Some((value, after)) =
        rest.split_first().and_then(|(b, rest)| Some((digit(b)?, rest)))
    {
        number = number * base + value;
        if number > LAST_CHARACTER {
            return None;
        }
        rest = after;
    }
    Some((number, rest.strip_prefix(b";").unwrap_or(rest)))
}

fn begins(name: &[u8], beginning: &str) -> bool {
    name.get(..beginning.len()).is_some_and(|text| text.eq_ignore_ascii_case(beginning.as_bytes()))
}

/// Whether a name is this one, NUL bytes aside: old browsers leave them out.
fn is(name: &[u8], known: &str) -> bool {
    let letters = name.iter().filter(|&&byte| byte != 0).map(u8::to_ascii_uppercase);
    letters.eq(known.bytes())
}
