//! From the bytes of a rule file to logical lines, and from a line to words.

mod excerpt;
mod lines;
mod words;

pub(super) use excerpt::{Excerpt, is_blank};
pub(super) use lines::Lines;
pub(super) use words::{Lexeme, quoted, words};
