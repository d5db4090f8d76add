//! Numbers in SQL.

use super::literals::until;
use super::token::{Kind, Token};
use super::tokenizer::{Tokenizer, is_blank};

impl<'a> Tokenizer<'a> {
    /// What begins with a digit or a dot: `1`, `.5`, `1e9`, `0xAF`, or only a dot.
    pub(super) fn number(&mut self) -> Token<'a> {
        match self.rest {
            [b'0', b'x' | b'X', ..] => self.prefixed(|byte| byte.is_ascii_hexdigit() || byte == 0),
            [b'0', b'b' | b'B', ..] => self.prefixed(|byte| matches!(byte, b'0' | b'1' | 0)),
            _ => self.decimal(),
        }
    }

    fn prefixed(&mut self, is_digit: fn(u8) -> bool) -> Token<'a> {
        match until(self.after(2), |byte| !is_digit(byte)) {
            0 => self.take(Kind::Bareword, 2),
            digits => self.take(Kind::Number, digits + 2),
        }
    }

    fn decimal(&mut self) -> Token<'a> {
        let mut length = self.digits(0);
        if self.after(length).starts_with(b".") {
            length += 1 + self.digits(length + 1);
            if length == 1 {
                return self.take(Kind::Dot, 1);
            }
        }
        let (exponent, kind) = self.exponent(length);
        length += exponent;
        length += self.suffix(length);
        self.take(kind, length)
    }

    fn digits(&self, from: usize) -> usize {
        until(self.after(from), |byte| !byte.is_ascii_digit())
    }

    /// How long the exponent is, and what it makes of the number: `1e` is a word.
    fn exponent(&self, from: usize) -> (usize, Kind) {
        let sign = match self.after(from) {
            [b'e' | b'E', b'+' | b'-', ..] => 2,
            [b'e' | b'E', ..] => 1,
            _ => return (0, Kind::Number),
        };
        match self.digits(from + sign) {
            0 => (sign, Kind::Bareword),
            digits => (sign + digits, Kind::Number),
        }
    }

    /// Oracle's suffix of a float or double; of `1fUNION` too, but not of `1FROM`.
    fn suffix(&self, from: usize) -> usize {
        match self.after(from) {
            [b'd' | b'D' | b'f' | b'F', after @ ..] => match after.first() {
                None | Some(b';' | b'u' | b'U') => 1,
                Some(&next) => usize::from(is_blank(next)),
            },
            _ => 0,
        }
    }
}
