//! Transformations: what a rule does to a value before it looks at it. One file each, one list.
//!
//! All take time in proportion to the value, and none makes it longer than [`most`] says. What is
//! not said otherwise is as ModSecurity 3.0.9 has it.

mod base64_decode;
mod base64_decode_ext;
mod base64_encode;
mod best_fit;
mod bytes;
mod cmd_line;
mod compress_whitespace;
mod css_decode;
mod escape_seq_decode;
mod hex_decode;
mod hex_encode;
mod html_entity_decode;
mod js_decode;
mod length;
mod lowercase;
mod md5;
mod normalize_path;
mod normalize_path_win;
mod parity_even_7bit;
mod parity_odd_7bit;
mod parity_zero_7bit;
mod remove_comments;
mod remove_comments_char;
mod remove_nulls;
mod remove_whitespace;
mod replace_comments;
mod replace_nulls;
mod sha1;
mod sql_hex_decode;
mod trim;
mod trim_left;
mod trim_right;
mod triggers;
mod uppercase;
mod url_decode;
mod url_decode_uni;
mod url_encode;
mod utf8_to_unicode;

pub use triggers::{always, changes_of};

/// A transformation: its name, what it does, and which bytes it needs to do anything.
pub struct Transformation {
    /// As in `t:NAME`, in the manual's spelling.
    pub name: &'static str,
    /// Other spellings that rules use.
    pub aliases: &'static [&'static str],
    /// One sentence for the generated page.
    pub doc: &'static str,
    /// What must be in a value for it to be changed.
    pub trigger: Trigger,
    /// Appends the transformed value to an empty `output` and says whether it differs. If it says
    /// no, `output` may hold anything: the value stands as it is.
    pub apply: fn(value: &[u8], output: &mut Vec<u8>) -> bool,
}

/// What must be in a value for a transformation to change it.
pub enum Trigger {
    /// Any value may be changed (`length`, `sha1`).
    Always,
    /// A byte for which this says yes. Without one, the value stays as it is.
    Bytes(fn(u8) -> bool),
}

/// All of them, by name.
pub const TRANSFORMATIONS: &[Transformation] = &[
    base64_decode::TRANSFORMATION,
    base64_decode_ext::TRANSFORMATION,
    base64_encode::TRANSFORMATION,
    cmd_line::TRANSFORMATION,
    compress_whitespace::TRANSFORMATION,
    css_decode::TRANSFORMATION,
    escape_seq_decode::TRANSFORMATION,
    hex_decode::TRANSFORMATION,
    hex_encode::TRANSFORMATION,
    html_entity_decode::TRANSFORMATION,
    js_decode::TRANSFORMATION,
    length::TRANSFORMATION,
    lowercase::TRANSFORMATION,
    md5::TRANSFORMATION,
    normalize_path::TRANSFORMATION,
    normalize_path_win::TRANSFORMATION,
    parity_even_7bit::TRANSFORMATION,
    parity_odd_7bit::TRANSFORMATION,
    parity_zero_7bit::TRANSFORMATION,
    remove_comments::TRANSFORMATION,
    remove_comments_char::TRANSFORMATION,
    remove_nulls::TRANSFORMATION,
    remove_whitespace::TRANSFORMATION,
    replace_comments::TRANSFORMATION,
    replace_nulls::TRANSFORMATION,
    sha1::TRANSFORMATION,
    sql_hex_decode::TRANSFORMATION,
    trim::TRANSFORMATION,
    trim_left::TRANSFORMATION,
    trim_right::TRANSFORMATION,
    uppercase::TRANSFORMATION,
    url_decode::TRANSFORMATION,
    url_decode_uni::TRANSFORMATION,
    url_encode::TRANSFORMATION,
    utf8_to_unicode::TRANSFORMATION,
];

/// The one of this name, in any case.
pub fn find(name: &str) -> Option<&'static Transformation> {
    TRANSFORMATIONS.iter().find(|known| {
        known.name.eq_ignore_ascii_case(name)
            || known.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(name))
    })
}

/// The longest that any transformation makes of a value of this length, in bytes.
pub const fn most(length: usize) -> usize {
    // 3.5: two bytes that say `/` at too great a length become `%u002f` and the first of them. A
    // digest of nothing has 20 bytes.
    length.saturating_mul(7).div_ceil(2).saturating_add(20)
}
