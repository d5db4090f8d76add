//! The tokens of a JSON text.

use memchr::memchr2;

/// What is wrong with a text.
pub type Fault = &'static str;

/// What a value begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token<'a> {
    /// `[`
    OpenArray,
    /// `{`
    OpenObject,
    /// `"`; [`Scanner::string`] reads what follows.
    Quote,
    /// A number as written, `true`, `false`; empty for `null`.
    Word(&'a [u8]),
}

/// A text, and how far it is read.
#[derive(Debug)]
pub struct Scanner<'a> {
    rest: &'a [u8],
    length: usize,
    /// What is odd in a string, the first time, and where; it did not stop the reading.
    pub odd: Option<(Fault, usize)>,
}

impl<'a> Scanner<'a> {
    /// At a text's beginning.
    pub fn new(text: &'a [u8]) -> Self {
        Self { rest: text, length: text.len(), odd: None }
    }

    /// How many bytes are read.
    pub fn place(&self) -> usize {
        self.length - self.rest.len()
    }

    /// The beginning of a value.
    pub fn token(&mut self) -> Result<Token<'a>, Fault> {
        self.skip_blanks();
        let (first, after) = self.rest.split_first().ok_or("it ends too early")?;
        let token = match first {
            b'[' => Token::OpenArray,
            b'{' => Token::OpenObject,
            b'"' => Token::Quote,
            _ => return self.word().map(Token::Word),
        };
        self.rest = after;
        Ok(token)
    }

    /// Whether this byte is next; it is behind us then.
    pub fn skip(&mut self, byte: u8) -> bool {
        self.skip_blanks();
        match self.rest.split_first() {
            Some((first, after)) if *first == byte => {
                self.rest = after;
                true
            }
            _ => false,
        }
    }

    /// Whether nothing follows.
    pub fn end(&mut self) -> Result<(), Fault> {
        self.skip_blanks();
        if self.rest.is_empty() { Ok(()) } else { Err("something follows the value") }
    }

    /// Appends a string, whose quote is behind us, decoded.
    pub fn string(&mut self, out: &mut Vec<u8>) -> Result<(), Fault> {
        loop {
            let (chunk, after) = self.rest.split_at(self.plain());
            out.extend_from_slice(chunk);
            self.rest = after;
            match after {
                [b'\\', escape, after @ ..] => {
                    self.rest = after;
                    self.escape(*escape, out);
                }
                [b'"', after @ ..] => {
                    self.rest = after;
                    return Ok(());
                }
                _ => return Err("a string without an end"),
            }
        }
    }

    /// How many bytes stand before the next quote or backslash.
    fn plain(&mut self) -> usize {
        let plain = plain(self.rest);
        let after = self.rest.get(plain..).unwrap_or_default();
        if after.first().is_none_or(|byte| *byte >= b' ') {
            return plain;
        }
        self.tell("a control character in a string");
        plain + memchr2(b'"', b'\\', after).unwrap_or(after.len())
    }

    fn skip_blanks(&mut self) {
        while let [b' ' | b'\t' | b'\n' | b'\r', after @ ..] = self.rest {
            self.rest = after;
        }
    }

    fn tell(&mut self, fault: Fault) {
        let place = self.place();
        self.odd.get_or_insert((fault, place));
    }

    /// A number or one of the three names.
    fn word(&mut self) -> Result<&'a [u8], Fault> {
        let name: Option<(&[u8], &[u8])> = match self.rest {
            [b't', b'r', b'u', b'e', after @ ..] => Some((b"true", after)),
            [b'f', b'a', b'l', b's', b'e', after @ ..] => Some((b"false", after)),
            [b'n', b'u', b'l', b'l', after @ ..] => Some((b"", after)),
            _ => None,
        };
        if let Some((value, after)) = name {
            self.rest = after;
            return Ok(value);
        }
        let (number, after) = self.rest.split_at(number(self.rest).ok_or("no value")?);
        self.rest = after;
        Ok(number)
    }

    /// What follows a backslash: `\n`, `\u0041`.
    fn escape(&mut self, letter: u8, out: &mut Vec<u8>) {
        match letter {
            b'"' | b'\\' | b'/' => out.push(letter),
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'u' if self.unit().is_some() => self.character(out),
            _ => {
                self.tell("an unknown escape");
                out.extend_from_slice(&[b'\\', letter]);
            }
        }
    }

    /// A character given by one or two units of UTF-16, the first of which is known to be there.
    fn character(&mut self, out: &mut Vec<u8>) {
        let first = self.take_unit();
        let mut character = char::from_u32(first);
        if character.is_none()
            && let Some(after) = self.rest.strip_prefix(b"\\u")
        {
            let second = Scanner { rest: after, length: 0, odd: None }.unit().unwrap_or_default();
            character = pair(first, second);
            if character.is_some() {
                self.rest = after;
                self.take_unit();
            }
        }
        let character = character.unwrap_or(char::REPLACEMENT_CHARACTER);
        out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    }

    /// The four hex digits that are next.
    fn unit(&self) -> Option<u32> {
        let digits = self.rest.get(..4)?;
        digits.iter().try_fold(0, |unit, digit| Some(unit << 4 | char::from(*digit).to_digit(16)?))
    }

    fn take_unit(&mut self) -> u32 {
        let unit = self.unit().unwrap_or_default();
        self.rest = self.rest.get(4..).unwrap_or_default();
        unit
    }
}

/// How many bytes stand before the first quote, backslash or control character: eight are looked
/// at in one step, as most strings are short.
fn plain(text: &[u8]) -> usize {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGHS: u64 = ONES << 7;
    // The first of the marks is right; those behind it may stand for a borrow.
    let below = |word: u64, bound: u8| word.wrapping_sub(ONES * u64::from(bound)) & !word & HIGHS;
    let is = |word: u64, byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    let (words, rest) = text.as_chunks::<8>();
    for (place, bytes) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*bytes);
        let marks = below(word, b' ') | is(word, b'"') | is(word, b'\\');
        if marks != 0 {
            return place * 8 + marks.trailing_zeros() as usize / 8;
        }
    }
    let ends = |byte: &u8| matches!(byte, 0..b' ' | b'"' | b'\\');
    words.len() * 8 + rest.iter().position(ends).unwrap_or(rest.len())
}

/// The character that two surrogates mean.
fn pair(high: u32, low: u32) -> Option<char> {
    let surrogates = (0xd800..0xdc00).contains(&high) && (0xdc00..0xe000).contains(&low);
    surrogates.then(|| char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00)))?
}

/// How long the number is that a text begins with.
fn number(text: &[u8]) -> Option<usize> {
    let mut rest = text.strip_prefix(b"-").unwrap_or(text);
    rest = match rest {
        [b'0', after @ ..] => after,
        _ => digits(rest)?,
    };
    if let [b'.', after @ ..] = rest {
        rest = digits(after)?;
    }
    if let [b'e' | b'E', after @ ..] = rest {
        rest = match after {
            [b'+' | b'-', after @ ..] => digits(after)?,
            _ => digits(after)?,
        };
    }
    Some(text.len() - rest.len())
}

/// What follows one or more digits.
fn digits(text: &[u8]) -> Option<&[u8]> {
    let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if count == 0 { None } else { text.get(count..) }
}
