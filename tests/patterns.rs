//! Expressions against PCRE2 (bytes, `DOTALL`; its `$` is written `\z`, which is `DOLLAR_ENDONLY`):
//! the same verdict, and the same span for each group.

mod crs;
mod generated;
mod table;

use std::ops::Range;

use moongate::detection::pattern::{Captures, Case, Found, Pattern};
use pcre2::bytes::{Regex, RegexBuilder};

type Spans = Vec<Option<Range<usize>>>;

/// An expression in both engines.
struct Pair {
    written: Vec<u8>,
    ours: Pattern,
    theirs: Regex,
    /// Without its compiler to machine code, whose captures of possessive groups keep what a failed
    /// try left in them (10.42 to 10.44: `(a|ab)*+c` on `abc`).
    slow: Regex,
}

/// What came of a value.
#[derive(Debug, PartialEq, Eq)]
enum Compared {
    Same,
    /// One of them gave up.
    Cut,
    Different(String),
}

impl Pair {
    fn new(written: &[u8]) -> Self {
        let ours = Pattern::new(written, Case::Differs);
        let (theirs, slow) = (pcre(written), pcre_with(written, false));
        let shown = written.escape_ascii();
        Self {
            written: written.to_vec(),
            ours: ours.unwrap_or_else(|fault| panic!("{shown}: {fault:?}")),
            theirs: theirs.unwrap_or_else(|error| panic!("{shown}: {error}")),
            slow: slow.unwrap_or_else(|error| panic!("{shown}: {error}")),
        }
    }

    fn compare(&self, value: &[u8]) -> Compared {
        let mut captures = Captures::default();
        let found = self.ours.captures(value, &mut captures);
        let ours = trimmed(captures.groups.to_vec());
        let Some(mut theirs) = spans(&self.theirs, value) else { return Compared::Cut };
        if theirs != ours {
            let Some(slow) = spans(&self.slow, value) else { return Compared::Cut };
            theirs = slow;
        }
        match found {
            Found::Cut => Compared::Cut,
            _ if found != self.ours.find(value) => self.different(value, "ours with captures", &[]),
            Found::No if theirs.is_empty() => Compared::Same,
            Found::Yes if theirs == ours => Compared::Same,
            _ => self.different(value, &format!("theirs {theirs:?}"), &ours),
        }
    }

    fn different(&self, value: &[u8], theirs: &str, ours: &[Option<Range<usize>>]) -> Compared {
        let (written, value) = (self.written.escape_ascii(), value.escape_ascii());
        Compared::Different(format!("{written} on {value}: {theirs}, ours {ours:?}"))
    }
}

/// None: it gave up.
fn spans(theirs: &Regex, value: &[u8]) -> Option<Spans> {
    let mut places = theirs.capture_locations();
    if theirs.captures_read(&mut places, value).ok()?.is_none() {
        return Some(Vec::new());
    }
    let groups = (0..places.len().min(10)).map(|group| places.get(group));
    Some(trimmed(groups.map(|place| place.map(|(start, end)| start..end)).collect()))
}

/// Without the groups at the end that took no part.
fn trimmed(mut groups: Spans) -> Spans {
    groups.truncate(groups.iter().rposition(Option::is_some).map_or(0, |last| last + 1));
    groups
}

fn pcre(written: &[u8]) -> Result<Regex, pcre2::Error> {
    pcre_with(written, true)
}

fn pcre_with(written: &[u8], jit: bool) -> Result<Regex, pcre2::Error> {
    let mut builder = RegexBuilder::new();
    builder.dotall(true).jit_if_available(jit).max_jit_stack_size(Some(16 << 20));
    builder.build(&for_pcre(written))
}

/// As ASCII, with `\z` for a `$` that is not of lines.
fn for_pcre(written: &[u8]) -> String {
    let lines = written.windows(2).any(|pair| pair == b"(?")
        && String::from_utf8_lossy(written).split("(?").skip(1).any(|group| {
            group.split([')', ':']).next().is_some_and(|flags| {
                flags.contains('m') && flags.chars().all(|flag| "imsxU-^n".contains(flag))
            })
        });
    let mut text = String::new();
    let mut bytes = written.iter().copied().peekable();
    let mut class = false;
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => {
                text.push('\\');
                bytes.next().into_iter().for_each(|byte| push_byte(&mut text, byte));
            }
            b'[' if !class => {
                class = true;
                text.push('[');
                // A bracket that begins a class is of the class.
                for first in [b'^', b']'] {
                    if bytes.next_if_eq(&first).is_some() {
                        text.push(char::from(first));
                    }
                }
            }
            b'[' if bytes.peek() == Some(&b':') => {
                text.push('[');
                while let Some(byte) = bytes.next_if(|byte| *byte != b']') {
                    push_byte(&mut text, byte);
                }
                text.extend(bytes.next().map(char::from));
            }
            b']' => {
                class = false;
                text.push(']');
            }
            b'$' if !class && !lines => text.push_str("\\z"),
            byte => push_byte(&mut text, byte),
        }
    }
    text
}

fn push_byte(text: &mut String, byte: u8) {
    if byte.is_ascii() {
        text.push(char::from(byte));
    } else {
        text.push_str(&format!("\\x{byte:02x}"));
    }
}

/// All differences, after all pairs: none.
fn none_differs(differences: Vec<String>) {
    let count = differences.len();
    let shown: Vec<String> = differences.into_iter().take(40).collect();
    assert!(shown.is_empty(), "{count} differences:\n{}", shown.join("\n"));
}

/// Numbers that are the same on each run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }

    fn one_of<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}
