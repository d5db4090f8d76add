//! Cuts a value into tokens of SQL: every dialect's at once, as nobody knows the database.

use memchr::{memchr, memchr2, memmem};

use super::literals::until;
use super::token::{Kind, LONGEST, Token};
use super::words;

/// How comments are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// `--` begins a comment, `#` is an operator.
    Ansi,
    /// `--` begins a comment only before a blank or at the end; `#` begins one.
    MySql,
}

/// Cuts a value into tokens.
#[derive(Clone, Copy)]
pub struct Tokenizer<'a> {
    /// What is still to be read.
    pub(super) rest: &'a [u8],
    /// How many tokens there were.
    pub seen: u32,
    /// Whether something in it is read differently in MySQL's dialect.
    pub differs_in_mysql: bool,
    dialect: Dialect,
    /// The quote that the value is taken to stand after, until the first token is read.
    quote: Option<u8>,
}

impl<'a> Tokenizer<'a> {
    /// Of a value, which stands after `quote` or after no quote.
    pub fn new(value: &'a [u8], quote: Option<u8>, dialect: Dialect) -> Self {
        Self { rest: value, seen: 0, differs_in_mysql: false, dialect, quote }
    }

    /// The next token.
    pub fn next(&mut self) -> Option<Token<'a>> {
        let token = match self.quote.take() {
            Some(quote) => Token { open: None, ..self.text(quote, 0) },
            None => self.read()?,
        };
        self.seen += 1;
        Some(token)
    }

    /// Whether nothing is left to be read.
    pub fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// Whether what is still to be read may be what no two databases read alike: `/*! */`, or braces
    /// around an empty name.
    pub fn may_turn_evil(&self) -> bool {
        memchr2(b'*', b'{', self.rest).is_some()
    }

    fn read(&mut self) -> Option<Token<'a>> {
        let blanks = self.rest.iter().position(|&byte| !is_skipped(byte))?;
        self.rest = self.rest.get(blanks..)?;
        let &first = self.rest.first()?;
        Some(match first {
            b'"' | b'\'' => self.text(first, 1),
            b'#' => self.hash(),
            b'$' => self.money(),
            b'%' | b'+' | b'^' | b'~' => self.take(Kind::Operator, 1),
            b'!' | b'&' | b'*' | b':' | b'<' | b'=' | b'>' | b'|' => self.operator(),
            b'(' => self.take(Kind::LeftParen, 1),
            b')' => self.take(Kind::RightParen, 1),
            b',' => self.take(Kind::Comma, 1),
            b';' => self.take(Kind::Semicolon, 1),
            b'{' => self.take(Kind::LeftBrace, 1),
            b'}' => self.take(Kind::RightBrace, 1),
            b'-' => self.dash(),
            b'.' | b'0'..=b'9' => self.number(),
            b'/' => self.slash(),
            b'?' | b']' => self.take(Kind::Unknown, 1),
            b'@' => self.variable(),
            b'[' => self.bracketed(),
            b'\\' => self.backslash(),
            b'`' => self.ticked(),
            b'B' | b'b' => self.digits_or_word(|byte| matches!(byte, b'0' | b'1' | 0)),
            b'X' | b'x' => self.digits_or_word(|byte| byte.is_ascii_hexdigit() || byte == 0),
            b'E' | b'e' => self.escaped_or_word(),
            b'N' | b'n' => self.national_or_word(),
            b'Q' | b'q' => self.chosen_quote_or_word(0),
            b'U' | b'u' => self.unicode_or_word(),
            _ => self.word(),
        })
    }

    /// The next `length` bytes are a token.
    pub(super) fn take(&mut self, kind: Kind, length: usize) -> Token<'a> {
        self.take_inner(kind, 0, length, 0)
    }

    /// A token lies between `before` and `after` bytes that are not part of it.
    pub(super) fn take_inner(
        &mut self,
        kind: Kind,
        before: usize,
        length: usize,
        after: usize,
    ) -> Token<'a> {
        let (_, rest) = self.rest.split_at_checked(before).unwrap_or_default();
        let (text, rest) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        self.rest = rest.get(after..).unwrap_or_default();
        Token::new(kind, text)
    }

    /// What is left after the next `bytes`.
    pub(super) fn after(&self, bytes: usize) -> &'a [u8] {
        self.rest.get(bytes..).unwrap_or_default()
    }

    fn hash(&mut self) -> Token<'a> {
        self.differs_in_mysql = true;
        match self.dialect {
            Dialect::Ansi => self.take(Kind::Operator, 1),
            Dialect::MySql => self.line_comment(),
        }
    }

    fn dash(&mut self) -> Token<'a> {
        match self.rest {
            [_, b'-'] => self.line_comment(),
            [_, b'-', blank, ..] if is_blank(*blank) => self.line_comment(),
            [_, b'-', ..] if self.dialect == Dialect::Ansi => {
                self.differs_in_mysql = true;
                self.line_comment()
            }
            _ => self.take(Kind::Operator, 1),
        }
    }

    fn line_comment(&mut self) -> Token<'a> {
        let length = memchr(b'\n', self.rest).unwrap_or(self.rest.len());
        self.take_inner(Kind::Comment, 0, length, 1)
    }

    /// A comment in another is read differently by PostgreSQL than by all others, and MySQL runs
    /// what stands in `/*! */`.
    fn slash(&mut self) -> Token<'a> {
        let [_, b'*', inside @ ..] = self.rest else { return self.take(Kind::Operator, 1) };
        let end = memmem::find(inside, b"*/");
        let nested = end.and_then(|end| inside.get(..=end)).is_some_and(opens_comment);
        let kind = if nested || inside.starts_with(b"!") { Kind::Evil } else { Kind::Comment };
        self.take(kind, end.map_or(self.rest.len(), |end| end + 4))
    }

    fn backslash(&mut self) -> Token<'a> {
        match self.rest {
            // MySQL's other name of NULL.
            [_, b'N', ..] => self.take(Kind::Number, 2),
            _ => self.take(Kind::Backslash, 1),
        }
    }

    fn operator(&mut self) -> Token<'a> {
        if self.rest.starts_with(b"<=>") {
            return self.take(Kind::Operator, 3);
        }
        match self.rest.get(..2).and_then(words::find) {
            Some(pair) => self.take(pair.kind, 2),
            None if self.rest.starts_with(b":") && self.rest.len() > 1 => self.take(Kind::Colon, 1),
            None => self.take(Kind::Operator, 1),
        }
    }

    /// A name in brackets, as T-SQL has them; the brackets belong to it.
    fn bracketed(&mut self) -> Token<'a> {
        let length = memchr(b']', self.rest).map_or(self.rest.len(), |end| end + 1);
        self.take(Kind::Bareword, length)
    }

    /// A word. `SELECT.1` and ``SELECT`a` `` are two.
    pub(super) fn word(&mut self) -> Token<'a> {
        let mut roles = Role::Goes as u8;
        let beginning = self.rest.get(..=LONGEST).unwrap_or(self.rest);
        let length = until(beginning, |byte| {
            roles |= role(byte) as u8;
            roles & Role::Ends as u8 != 0
        });
        let joins = roles & Role::Joins as u8 != 0;
        let text = self.rest.get(..length.min(LONGEST)).unwrap_or_default();
        if joins && let Some((kind, length)) = first_of(text) {
            return self.take(kind, length);
        }
        if length <= LONGEST {
            let kind = words::find(text).map_or(Kind::Bareword, |word| word.kind);
            return self.take(kind, length);
        }
        // Looked for only now: `and.and.and` to the end would else be looked through for each.
        self.take(Kind::Bareword, until(self.rest, |byte| role(byte) == Role::Ends))
    }
}

/// What a byte does to the word that it follows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// It is part of it.
    Goes = 0,
    /// It is, unless what stands before it is a word by itself.
    Joins = 1,
    /// It is not part of it.
    Ends = 2,
}

fn role(byte: u8) -> Role {
    ROLES.get(usize::from(byte)).copied().unwrap_or(Role::Goes)
}

static ROLES: [Role; 256] = roles();

const fn roles() -> [Role; 256] {
    let mut roles = [Role::Goes; 256];
    let mut rest = roles.as_mut_slice();
    let mut byte = 0_u8;
    while let Some((role, after)) = rest.split_first_mut() {
        *role = match byte {
            b'.' | b'`' => Role::Joins,
            b'$' | b'_' => Role::Goes,
            b' '..=b'/' | b':'..=b'@' | b'['..=b'_' | b'{'..=b'~' => Role::Ends,
            _ if is_blank(byte) => Role::Ends,
            _ => Role::Goes,
        };
        byte = byte.wrapping_add(1);
        rest = after;
    }
    roles
}

/// The word of SQL that stands before a dot or tick: what it is, and how long.
fn first_of(text: &[u8]) -> Option<(Kind, usize)> {
    let joins = text.iter().zip(0..).filter(|(byte, _)| matches!(byte, b'.' | b'`'));
    joins.map(|(_, length)| length).find_map(|length| {
        let word = text.get(..length).and_then(words::find)?;
        (word.kind != Kind::Bareword).then_some((word.kind, length))
    })
}

/// What some database takes for a blank.
pub const fn is_blank(byte: u8) -> bool {
    matches!(byte, 0 | b'\t'..=b'\r' | b' ' | 0xA0)
}

/// What is passed over between tokens.
fn is_skipped(byte: u8) -> bool {
    matches!(byte, 0..=b' ' | 0x7F | 0xA0)
}

fn opens_comment(bytes: &[u8]) -> bool {
    memmem::find(bytes, b"/*").is_some()
}
