//! `string.gsub` where the pattern is one class of bytes, repeated or not (`%s+`, `%W`, `,`), and what
//! takes its place is plain text: most of what scripts replace. Luau tries its whole machine of patterns
//! at each byte; here a byte is looked up.

/// One class of bytes, as Lua's patterns write it.
#[derive(Debug, Clone, Copy)]
enum Class {
    Any,
    One(u8),
    /// Those of a table, or all others.
    Named(&'static [bool; 256], bool),
}

/// A pattern of one class.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pattern {
    class: Class,
    /// Whether a match is as many of them as there are, one behind the other (`+`).
    repeated: bool,
}

static LETTERS: [bool; 256] = table(b'a');
static CONTROLS: [bool; 256] = table(b'c');
static DIGITS: [bool; 256] = table(b'd');
static GRAPHIC: [bool; 256] = table(b'g');
static LOWER: [bool; 256] = table(b'l');
static PUNCTUATION: [bool; 256] = table(b'p');
static SPACES: [bool; 256] = table(b's');
static UPPER: [bool; 256] = table(b'u');
static ALPHANUMERIC: [bool; 256] = table(b'w');
static HEX: [bool; 256] = table(b'x');

/// The bytes of a class in the locale `C`, which is Luau's.
#[allow(
    clippy::indexing_slicing,
    reason = "in a constant, an index out of bounds does not compile"
)]
const fn table(name: u8) -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        let letter = byte as u8;
        table[byte] = match name {
            b'a' => letter.is_ascii_alphabetic(),
            b'c' => letter.is_ascii_control(),
            b'd' => letter.is_ascii_digit(),
            b'g' => letter.is_ascii_graphic(),
            b'l' => letter.is_ascii_lowercase(),
            b'p' => letter.is_ascii_punctuation(),
            // With the vertical tab, which Rust leaves out.
            b's' => matches!(letter, b'\t'..=b'\r' | b' '),
            b'u' => letter.is_ascii_uppercase(),
            b'w' => letter.is_ascii_alphanumeric(),
            _ => letter.is_ascii_hexdigit(),
        };
        byte += 1;
    }
    table
}

impl Class {
    fn named(letter: u8) -> Option<Self> {
        let table = match letter.to_ascii_lowercase() {
            b'a' => &LETTERS,
            b'c' => &CONTROLS,
            b'd' => &DIGITS,
            b'g' => &GRAPHIC,
            b'l' => &LOWER,
            b'p' => &PUNCTUATION,
            b's' => &SPACES,
            b'u' => &UPPER,
            b'w' => &ALPHANUMERIC,
            b'x' => &HEX,
            // Back-references, balances, frontiers.
            other if other.is_ascii_alphanumeric() => return None,
            _ => return Some(Self::One(letter)),
        };
        Some(Self::Named(table, letter.is_ascii_lowercase()))
    }
}

impl Pattern {
    /// None: it is another kind of pattern, or a wrong one.
    pub(super) fn of(pattern: &[u8]) -> Option<Self> {
        let (class, rest) = match pattern {
            [b'%', letter, rest @ ..] => (Class::named(*letter)?, rest),
            [b'.', rest @ ..] => (Class::Any, rest),
            [b'^' | b'$' | b'*' | b'+' | b'?' | b'(' | b')' | b'[' | b'%' | b'-', ..] | [] => {
                return None;
            }
            [byte, rest @ ..] => (Class::One(*byte), rest),
        };
        match rest {
            [] => Some(Self { class, repeated: false }),
            [b'+'] => Some(Self { class, repeated: true }),
            _ => None,
        }
    }

    /// Writes the subject with `text` in the place of each match; how many there were. Nothing is
    /// written where there was none.
    pub(super) fn replace(self, subject: &[u8], text: &[u8], written: &mut Vec<u8>) -> usize {
        match self.class {
            Class::Any => self.replace_of(|_| true, subject, text, written),
            Class::One(one) => self.replace_of(|byte| byte == one, subject, text, written),
            Class::Named(table, wanted) => {
                let has = |byte| table.get(usize::from(byte)) == Some(&wanted);
                self.replace_of(has, subject, text, written)
            }
        }
    }

    #[inline]
    fn replace_of(
        self,
        has: impl Fn(u8) -> bool,
        subject: &[u8],
        text: &[u8],
        written: &mut Vec<u8>,
    ) -> usize {
        let (mut rest, mut count) = (subject, 0);
        while let Some(at) = rest.iter().position(|byte| has(*byte)) {
            let (before, matched) = rest.split_at_checked(at).unwrap_or_default();
            written.extend_from_slice(before);
            written.extend_from_slice(text);
            count += 1;
            let others = || matched.iter().position(|byte| !has(*byte)).unwrap_or(matched.len());
            let length = if self.repeated { others() } else { 1 };
            rest = matched.get(length..).unwrap_or_default();
        }
        if count > 0 {
            written.extend_from_slice(rest);
        }
        count
    }
}
