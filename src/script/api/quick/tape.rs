//! A JSON text as a list of what it is made of, in order: how long a text is, and how many values a list
//! holds, is known before anything is made of it, and what is not plain is found out before, too.

/// How deep values are nested at the most.
pub const SHALLOW: usize = 30;
/// Powers of ten that a fraction is divided by. Both are exact, and so the quotient is the nearest number.
const TENS: [f64; 16] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];
/// Digits of a number, all of which it holds exactly.
const DIGITS: usize = 15;
/// Tokens for which a tape keeps its memory.
const KEPT: usize = 4 << 10;

/// A value or a key; what a list or an object holds follows it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Token {
    Boolean(bool),
    /// So many values.
    List(u32),
    Null,
    Number(f64),
    /// So many keys, each with its value.
    Object(u32),
    /// A string that stands in the text as it is.
    Text(Place),
    /// One that had escapes.
    Unescaped(Place),
}

/// Where a string stands, in bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    pub start: u32,
    pub length: u32,
}

/// What a text is made of.
#[derive(Default)]
pub struct Tape {
    pub tokens: Vec<Token>,
    /// Strings that had escapes, without them.
    pub unescaped: Vec<u8>,
    /// How deep values are nested.
    pub depth: usize,
}

struct Reader<'t> {
    text: &'t [u8],
    rest: &'t [u8],
    tape: &'t mut Tape,
}

impl Place {
    /// The bytes there.
    pub fn of(self, text: &[u8]) -> &[u8] {
        let start = self.start as usize;
        text.get(start..start + self.length as usize).unwrap_or_default()
    }
}

impl Tape {
    /// Reads a text of less than 4 GiB; false if it is malformed, too deep, or has what is rare.
    pub fn read(&mut self, text: &[u8]) -> bool {
        self.tokens.clear();
        self.unescaped.clear();
        self.depth = 0;
        let mut reader = Reader { text, rest: text, tape: self };
        let mark = reader.mark();
        let went = mark.and_then(|mark| reader.value(mark, SHALLOW)).is_some();
        went && reader.mark().is_none()
    }

    /// Whether it is small enough to be kept for the next text.
    pub fn is_handy(&self) -> bool {
        self.tokens.capacity() <= KEPT && self.unescaped.capacity() <= KEPT
    }
}

impl<'t> Reader<'t> {
    /// The next byte but white space, which is taken.
    #[inline]
    fn mark(&mut self) -> Option<u8> {
        loop {
            let (mark, rest) = self.rest.split_first()?;
            self.rest = rest;
            if *mark > b' ' || !matches!(mark, b' ' | b'\t' | b'\n' | b'\r') {
                return Some(*mark);
            }
        }
    }

    #[inline]
    fn put(&mut self, token: Token) -> Option<()> {
        self.tape.tokens.push(token);
        Some(())
    }

    fn word(&mut self, rest: &[u8], token: Token) -> Option<()> {
        self.rest = self.rest.strip_prefix(rest)?;
        self.put(token)
    }

    /// A value that begins with that byte, which was taken.
    fn value(&mut self, mark: u8, depth: usize) -> Option<()> {
        match mark {
            b'"' => self.string(),
            b'{' => self.object(depth.checked_sub(1)?),
            b'[' => self.list(depth.checked_sub(1)?),
            b'-' | b'0'..=b'9' => self.number(mark),
            b't' => self.word(b"rue", Token::Boolean(true)),
            b'f' => self.word(b"alse", Token::Boolean(false)),
            b'n' => self.word(b"ull", Token::Null),
            _ => None,
        }
    }

    fn list(&mut self, depth: usize) -> Option<()> {
        let place = self.begin(Token::List(0), depth)?;
        let mut mark = self.mark()?;
        if mark == b']' {
            return Some(());
        }
        let mut count = 0;
        loop {
            self.value(mark, depth)?;
            count += 1;
            match self.mark()? {
                b',' => mark = self.mark()?,
                b']' => return self.end(place, Token::List(count)),
                _ => return None,
            }
        }
    }

    fn object(&mut self, depth: usize) -> Option<()> {
        let place = self.begin(Token::Object(0), depth)?;
        let mut mark = self.mark()?;
        if mark == b'}' {
            return Some(());
        }
        let mut count = 0;
        while mark == b'"' {
            self.string()?;
            if self.mark()? != b':' {
                return None;
            }
            mark = self.mark()?;
            self.value(mark, depth)?;
            count += 1;
            match self.mark()? {
                b',' => mark = self.mark()?,
                b'}' => return self.end(place, Token::Object(count)),
                _ => return None,
            }
        }
        None
    }

    /// A bracket, below which may be `depth` levels more: where its token is.
    fn begin(&mut self, token: Token, depth: usize) -> Option<usize> {
        self.tape.depth = self.tape.depth.max(SHALLOW - depth);
        self.put(token)?;
        Some(self.tape.tokens.len() - 1)
    }

    fn end(&mut self, place: usize, token: Token) -> Option<()> {
        *self.tape.tokens.get_mut(place)? = token;
        Some(())
    }

    /// A string, whose opening quote was taken.
    fn string(&mut self) -> Option<()> {
        let text = self.rest;
        let Plain { length, is_ascii } = plain(text);
        let (inner, after) = text.split_at_checked(length)?;
        let [end, rest @ ..] = after else { return None };
        if *end != b'"' {
            return self.escaped(text);
        }
        if !is_ascii && std::str::from_utf8(inner).is_err() {
            return None;
        }
        let start = (self.text.len() - text.len()) as u32;
        self.rest = rest;
        self.put(Token::Text(Place { start, length: length as u32 }))
    }

    /// A string with escapes of one letter.
    fn escaped(&mut self, text: &'t [u8]) -> Option<()> {
        let start = self.tape.unescaped.len();
        let mut rest = text;
        loop {
            let (plain, after) = rest.split_at_checked(plain(rest).length)?;
            self.tape.unescaped.extend_from_slice(plain);
            match after {
                [b'"', after @ ..] => {
                    self.rest = after;
                    break;
                }
                [b'\\', letter, after @ ..] => {
                    self.tape.unescaped.push(meant(*letter)?);
                    rest = after;
                }
                _ => return None,
            }
        }
        let written = self.tape.unescaped.get(start..)?;
        std::str::from_utf8(written).ok()?;
        let place = Place { start: start as u32, length: written.len() as u32 };
        self.put(Token::Unescaped(place))
    }

    /// A number of up to 15 digits, without an exponent, that begins with that byte.
    fn number(&mut self, mark: u8) -> Option<()> {
        let is_negative = mark == b'-';
        let begin = self.text.len() - self.rest.len() - usize::from(!is_negative);
        let digits = self.text.get(begin..)?;
        let (mut sum, mut rest) = leading(0, digits);
        let (mut count, mut places) = (digits.len() - rest.len(), 0);
        if count == 0 || matches!(digits, [b'0', b'0'..=b'9', ..]) {
            return None;
        }
        if let [b'.', decimals @ ..] = rest {
            (sum, rest) = leading(sum, decimals);
            places = decimals.len() - rest.len();
            count = if places == 0 { DIGITS + 1 } else { count + places };
        }
        if count > DIGITS || matches!(rest, [b'e' | b'E', ..]) {
            return None;
        }
        self.rest = rest;
        let number = sum as f64 / TENS.get(places)?;
        self.put(Token::Number(if is_negative { -number } else { number }))
    }
}

/// The digits that stand first, behind those of `sum`, and what follows them.
#[inline]
fn leading(mut sum: u64, mut text: &[u8]) -> (u64, &[u8]) {
    while let [digit @ b'0'..=b'9', rest @ ..] = text {
        // Of too many it is no number.
        sum = sum.wrapping_mul(10).wrapping_add((digit - b'0').into());
        text = rest;
    }
    (sum, text)
}

/// What a letter behind a backslash stands for.
fn meant(letter: u8) -> Option<u8> {
    Some(match letter {
        b'"' | b'\\' | b'/' => letter,
        b'b' => 8,
        b'f' => 12,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        _ => return None,
    })
}

/// The part of a text up to a quote, a backslash or a control character.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Plain {
    length: usize,
    is_ascii: bool,
}

/// Looks at eight bytes at once.
#[inline]
fn plain(text: &[u8]) -> Plain {
    const ONES: u64 = u64::MAX / 255;
    const HIGHEST: u64 = ONES << 7;
    // The highest bit of each byte that is zero. Above one that is, others may be taken for zero too.
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word;
    let (mut rest, mut seen) = (text, 0);
    while let Some((bytes, after)) = rest.split_first_chunk() {
        let word = u64::from_le_bytes(*bytes);
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        let marks = zeros(word ^ (ONES * 0x22)) | zeros(word ^ (ONES * 0x5c)) | control;
        let first = (marks & HIGHEST).trailing_zeros();
        if first < u64::BITS {
            seen |= word & ((1 << (first - 7)) - 1);
            let length = text.len() - rest.len() + first as usize / 8;
            return Plain { length, is_ascii: seen & HIGHEST == 0 };
        }
        seen |= word;
        rest = after;
    }
    let ends = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=0x1f);
    let last = rest.iter().position(ends).unwrap_or(rest.len());
    let is_ascii = seen & HIGHEST == 0 && rest.get(..last).is_some_and(<[u8]>::is_ascii);
    Plain { length: text.len() - rest.len() + last, is_ascii }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Option<Vec<Token>> {
        let mut tape = Tape::default();
        tape.read(text.as_bytes()).then_some(tape.tokens)
    }

    #[test]
    fn a_tape_says_what_is_in_a_text_and_how_many() {
        let place = |start, length| Place { start, length };
        let told = tokens(r#" {"a" : [1, -2.5 ,true],"\n":null, "b":{ }} "#).unwrap();
        let wanted = [
            Token::Object(3),
            Token::Text(place(3, 1)),
            Token::List(3),
            Token::Number(1.0),
            Token::Number(-2.5),
            Token::Boolean(true),
            Token::Unescaped(place(0, 1)),
            Token::Null,
            Token::Text(place(36, 1)),
            Token::Object(0),
        ];
        assert_eq!(told, wanted);
    }

    #[test]
    fn what_is_malformed_or_rare_has_no_tape() {
        for text in [
            "",
            " ",
            "[",
            "[1",
            "[1,",
            "[1,]",
            "{",
            "{\"a\"",
            "{\"a\":",
            "{\"a\":1,}",
            "{1:2}",
            "tru",
            "01",
            "-",
            "1.",
            ".5",
            "1e3",
            "1-2",
            "+1",
            "1234567890123456",
            "[1] 2",
            "\"",
            "\"a",
            "\"\\",
            "\"\\u0041\"",
            "\"a\nb\"",
            "\"\\n",
            "nul",
            "{\"a\" 1}",
            "[1 2]",
            "]",
            "[}",
        ] {
            assert_eq!(tokens(text), None, "{text:?}");
        }
        let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        assert!(tokens(&nested(SHALLOW)).is_some());
        assert!(tokens(&nested(SHALLOW + 1)).is_none());
        assert!(!Tape::default().read(b"\"\xff\""));
        assert!(!Tape::default().read(b"\"\\n\xff\""));
    }

    #[test]
    fn numbers_are_the_nearest_ones() {
        for text in
            ["0", "-0", "0.1", "12.5", "999999999999999", "0.30000000000001", "123.456", "4.35"]
        {
            let wanted: f64 = text.parse().unwrap();
            let Some([Token::Number(number)]) = tokens(text).as_deref().map(|all| [all[0]]) else {
                panic!("{text}")
            };
            assert_eq!(number.to_bits(), wanted.to_bits(), "{text}");
        }
    }

    #[test]
    fn a_string_ends_wherever_its_end_stands() {
        for end in [b'"', b'\\', 0, 0x1f] {
            for length in 0..40 {
                for other in [b'a', 0x7f, 0x80, 0xff, b' ', b'!', b'#'] {
                    let mut text = vec![other; length];
                    text.push(end);
                    text.extend_from_slice(b"\"\\ more behind it");
                    let wanted = Plain { length, is_ascii: length == 0 || other < 0x80 };
                    assert_eq!(plain(&text), wanted, "{other} {end}");
                    assert_eq!(plain(&text[..=length]), wanted, "{other} {end}");
                    let is_ascii = wanted.is_ascii;
                    assert_eq!(plain(&text[..length]), Plain { length, is_ascii });
                }
            }
        }
    }
}
