//! Cross-site scripting: a value is read as HTML, and what it could run decides.
//!
//! As nobody knows where in a page the value will stand, it is read as text between tags, as
//! attributes of a tag, and as the rest of a value in each kind of quote.

use memchr::memchr2;

use danger::Attribute;
use html::{Context, Html, Piece};

mod danger;
mod html;

/// Whether a value is HTML that runs a script.
pub fn is_xss(value: &[u8]) -> bool {
    // Without a tag's beginning there are only attributes, and without a sign of equality these
    // have no value.
    if memchr2(b'<', b'=', value).is_none() {
        return false;
    }
    runs_script(value, Context::Text)
        || runs_script(value, Context::Tag)
        || b"'\"`".iter().any(|&quote| runs_script(value, Context::Quoted(quote)))
}

fn runs_script(value: &[u8], context: Context) -> bool {
    let mut attribute = Attribute::Harmless;
    for piece in Html::new(value, context) {
        let before = std::mem::take(&mut attribute);
        let dangerous = match piece {
            Piece::AttributeName(name) => {
                attribute = danger::attribute(name);
                false
            }
            Piece::AttributeValue(value) => before.is_dangerous(value),
            Piece::Comment(text) => danger::is_comment(text),
            Piece::Doctype => true,
            Piece::Other => false,
            Piece::TagName(name) => danger::is_tag(name),
        };
        if dangerous {
            return true;
        }
    }
    false
}
