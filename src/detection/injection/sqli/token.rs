//! A token of SQL: what it is, and its text.

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// `\` that escapes nothing.
    Backslash,
    /// A name, or a word that has no other meaning.
    Bareword,
    /// `COLLATE`
    Collate,
    Colon,
    Comma,
    Comment,
    Dot,
    /// What no two databases read alike.
    Evil,
    /// `SELECT` and what else begins an expression.
    Expression,
    Function,
    /// `GROUP BY`, `LIMIT` and their like.
    Group,
    Keyword,
    LeftBrace,
    LeftParen,
    /// `AND`, `OR` and their like.
    Logic,
    Number,
    Operator,
    RightBrace,
    RightParen,
    Semicolon,
    Text,
    /// A word that begins a statement of T-SQL.
    Tsql,
    /// The name of a type.
    Type,
    /// `UNION` and its like.
    Union,
    #[default]
    Unknown,
    Variable,
}

/// A token.
#[derive(Debug, Clone, Copy, Default)]
pub struct Token<'a> {
    /// What it is.
    pub kind: Kind,
    /// Its first [`LONGEST`] bytes, without quotes.
    pub text: &'a [u8],
    /// The quote before it, if it is quoted in the value.
    pub open: Option<u8>,
    /// The quote after it.
    pub close: Option<u8>,
}

/// Bytes of a token that are looked at: no word of SQL is longer.
pub const LONGEST: usize = 31;

impl Kind {
    /// All of them.
    pub const ALL: [Self; 26] = [
        Self::Backslash,
        Self::Bareword,
        Self::Collate,
        Self::Colon,
        Self::Comma,
        Self::Comment,
        Self::Dot,
        Self::Evil,
        Self::Expression,
        Self::Function,
        Self::Group,
        Self::Keyword,
        Self::LeftBrace,
        Self::LeftParen,
        Self::Logic,
        Self::Number,
        Self::Operator,
        Self::RightBrace,
        Self::RightParen,
        Self::Semicolon,
        Self::Text,
        Self::Tsql,
        Self::Type,
        Self::Union,
        Self::Unknown,
        Self::Variable,
    ];

    /// Its letter in a fingerprint.
    pub const fn letter(self) -> u8 {
        match self {
            Self::Backslash => b'\\',
            Self::Bareword => b'n',
            Self::Collate => b'A',
            Self::Colon => b':',
            Self::Comma => b',',
            Self::Comment => b'c',
            Self::Dot => b'.',
            Self::Evil => b'X',
            Self::Expression => b'E',
            Self::Function => b'f',
            Self::Group => b'B',
            Self::Keyword => b'k',
            Self::LeftBrace => b'{',
            Self::LeftParen => b'(',
            Self::Logic => b'&',
            Self::Number => b'1',
            Self::Operator => b'o',
            Self::RightBrace => b'}',
            Self::RightParen => b')',
            Self::Semicolon => b';',
            Self::Text => b's',
            Self::Tsql => b'T',
            Self::Type => b't',
            Self::Union => b'U',
            Self::Unknown => b'?',
            Self::Variable => b'v',
        }
    }

    /// The one of this letter.
    pub fn of_letter(letter: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.letter() == letter)
    }
}

impl<'a> Token<'a> {
    /// A token without quotes.
    pub fn new(kind: Kind, text: &'a [u8]) -> Self {
        Self { kind, text: text.get(..LONGEST).unwrap_or(text), open: None, close: None }
    }

    /// The same token, of another kind.
    pub fn with_kind(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }

    /// Whether its text is this, in any case.
    pub fn is(&self, word: &str) -> bool {
        self.text.eq_ignore_ascii_case(word.as_bytes())
    }

    /// Whether its text begins with this byte.
    pub fn begins_with(&self, byte: u8) -> bool {
        self.text.first() == Some(&byte)
    }

    /// Whether it is an operator that can stand before a single value.
    pub fn is_unary(&self) -> bool {
        self.kind == Kind::Operator
            && (matches!(self.text, b"+" | b"-" | b"!" | b"~" | b"!!") || self.is("NOT"))
    }

    /// Whether it is one of the operators that calculate.
    pub fn is_arithmetic(&self) -> bool {
        self.kind == Kind::Operator && matches!(self.text, b"*" | b"/" | b"-" | b"+" | b"%")
    }
}
