//! Texts in SQL: between quotes of all the kinds that databases have.

use memchr::{memchr, memmem};

use super::token::{Kind, Token};
use super::tokenizer::Tokenizer;
use super::words;

impl<'a> Tokenizer<'a> {
    /// A text that ends at `quote`, after `before` bytes that do not belong to it.
    pub(super) fn text(&mut self, quote: u8, before: usize) -> Token<'a> {
        let inside = self.after(before);
        let end = closing(inside, quote);
        let token = self.take_inner(Kind::Text, before, end.unwrap_or(inside.len()), 1);
        Token { open: Some(quote), close: end.map(|_| quote), ..token }
    }

    /// A name in MySQL's ticks; a function's name is a function.
    pub(super) fn ticked(&mut self) -> Token<'a> {
        let token = self.text(b'`', 1);
        let is_function = words::find(token.text).is_some_and(|word| word.kind == Kind::Function);
        token.with_kind(if is_function { Kind::Function } else { Kind::Bareword })
    }

    /// `@name`, `@@name`, and quoted names.
    pub(super) fn variable(&mut self) -> Token<'a> {
        let before = if self.rest.starts_with(b"@@") { 2 } else { 1 };
        self.rest = self.after(before);
        let token = match self.rest.first() {
            Some(b'`') => self.ticked(),
            Some(&quote @ (b'\'' | b'"')) => self.text(quote, 1),
            _ => self.take(Kind::Variable, until(self.rest, ends_variable)),
        };
        token.with_kind(Kind::Variable)
    }

    /// `b'0101'` and `x'0AF'`.
    pub(super) fn digits_or_word(&mut self, is_digit: fn(u8) -> bool) -> Token<'a> {
        let [_, b'\'', inside @ ..] = self.rest else { return self.word() };
        let digits = until(inside, |byte| !is_digit(byte));
        match inside.get(digits) {
            Some(b'\'') => self.take(Kind::Number, digits + 3),
            _ => self.word(),
        }
    }

    /// PostgreSQL's `E'…'`.
    pub(super) fn escaped_or_word(&mut self) -> Token<'a> {
        match self.rest {
            [_, b'\'', _, ..] => self.text(b'\'', 2),
            _ => self.word(),
        }
    }

    /// MySQL's `N'…'`, Oracle's `nq'[…]'`.
    pub(super) fn national_or_word(&mut self) -> Token<'a> {
        match self.rest {
            [_, b'\'', _, ..] => self.text(b'\'', 2),
            _ => self.chosen_quote_or_word(1),
        }
    }

    /// Oracle's `q'[…]'`, where the author chooses the bracket.
    pub(super) fn chosen_quote_or_word(&mut self, before: usize) -> Token<'a> {
        let [b'q' | b'Q', b'\'', bracket @ b'!'..=0x7F, inside @ ..] = self.after(before) else {
            return self.word();
        };
        let end = memmem::find(inside, &[partner(*bracket), b'\'']);
        let token = self.take_inner(Kind::Text, before + 3, end.unwrap_or(inside.len()), 2);
        Token { open: Some(b'q'), close: end.map(|_| b'q'), ..token }
    }

    /// `U&'…'`
    pub(super) fn unicode_or_word(&mut self) -> Token<'a> {
        let [_, b'&', b'\'', ..] = self.rest else { return self.word() };
        let token = self.text(b'\'', 3);
        Token { open: Some(b'u'), close: token.close.map(|_| b'u'), ..token }
    }

    /// PostgreSQL's `$$…$$` and `$name$…$name$`, and amounts of dollars.
    pub(super) fn money(&mut self) -> Token<'a> {
        let inside = self.after(1);
        match until(inside, |byte| !matches!(byte, b'0'..=b'9' | b'.' | b',' | 0)) {
            0 if inside.is_empty() => self.take(Kind::Bareword, 1),
            0 => self.dollar_quoted(inside),
            1 if inside.starts_with(b".") => self.word(),
            digits => self.take(Kind::Number, digits + 1),
        }
    }

    fn dollar_quoted(&mut self, inside: &'a [u8]) -> Token<'a> {
        let name = if inside.starts_with(b"$") { 0 } else { until(inside, ends_tag) };
        let is_quote = inside.get(name) == Some(&b'$');
        let Some((quote, inside)) = self.rest.split_at_checked(name + 2).filter(|_| is_quote)
        else {
            return self.take(Kind::Bareword, 1);
        };
        let end = memmem::find(inside, quote);
        let length = end.unwrap_or(inside.len());
        let token = self.take_inner(Kind::Text, quote.len(), length, quote.len());
        Token { open: Some(b'$'), close: end.map(|_| b'$'), ..token }
    }
}

/// Where a text ends: at the first `quote` that is neither escaped by `\` nor doubled.
fn closing(text: &[u8], quote: u8) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + memchr(quote, text.get(from..)?)?;
        let escapes = text.get(..at)?.iter().rev().take_while(|&&byte| byte == b'\\').count();
        from = match text.get(at + 1) {
            _ if escapes % 2 == 1 => at + 1,
            Some(&next) if next == quote => at + 2,
            _ => return Some(at),
        };
    }
}

/// How many bytes there are before one that ends it.
pub fn until(bytes: &[u8], mut ends: impl FnMut(u8) -> bool) -> usize {
    bytes.iter().position(|&byte| ends(byte)).unwrap_or(bytes.len())
}

fn partner(bracket: u8) -> u8 {
    match bracket {
        b'(' => b')',
        b'[' => b']',
        b'{' => b'}',
        b'<' => b'>',
        other => other,
    }
}

fn ends_tag(byte: u8) -> bool {
    !byte.is_ascii_alphabetic() && byte != 0
}

fn ends_variable(byte: u8) -> bool {
    matches!(
        byte,
        0 | b'\t'..=b'\r'
            | b' '..=b'#'
            | b'%'..=b'-'
            | b'/'
            | b':'..=b'@'
            | b'\\'
            | b'^'
            | b'`'
            | b'|'
            | b'~'
    )
}
