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

#[cfg(test)]
mod tests {
    use super::is_xss;

    fn check(expected: bool, values: &[&[u8]]) {
        for value in values {
            assert_eq!(is_xss(value), expected, "{}", value.escape_ascii());
        }
    }

    #[test]
    fn what_runs_a_script_is_found_wherever_it_stands() {
        check(
            true,
            &[
                b"<script>alert(1)</script>",
                b"\"><img src=x onerror=alert(1)>",
                b"' onmouseover='alert(1)",
                b"x onfocus=alert(1)",
                b"<a href='java&#x73;cript:alert(1)'>",
                b"<a href=\"  &#118;b\nscript:x\">",
                b"<svg/onload=alert(1)>",
                b"<!--[if IE]><script>",
                b"<!doctype html>",
                b"<% ` %>",
                b"<set attributename=href to=x>",
                b"<scr\0ipt>",
            ],
        );
    }

    #[test]
    fn text_and_harmless_html_are_not() {
        check(
            false,
            &[
                b"1 < 2 = true",
                b"<b>bold</b> and <i class='x'>slanted</i>",
                b"<a href=\"https://example.com/\">there</a>",
                b"a=1&b=2",
                b"<!-- a comment -->",
                b"</script>",
                b"<![CDATA[ <script> ]]>",
            ],
        );
    }

    #[test]
    fn an_end_tag_with_a_blank_does_not_hide_the_next_tag() {
        check(true, &[b"<b>bold</b ><script>"]);
    }

    #[test]
    fn a_byte_that_is_minus_one_elsewhere_does_not_end_the_page() {
        check(true, &[b"<img \xFF onerror=alert(1)>", b"<a href=\xFFjavascript:x>"]);
    }

    #[test]
    fn a_million_slashes_take_no_stack() {
        let value = [b"<a ".as_slice(), &b"/".repeat(1_000_000), b" onload=x>"].concat();
        assert!(is_xss(&value));
    }
}
